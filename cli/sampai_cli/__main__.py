"""`python -m sampai_cli`: the tool without its installed program."""

from sampai_cli.app import main

if __name__ == "__main__":
    main()
