"""`python -m local.stack up|down`."""

import signal
import sys
from typing import Any

from local.stack import StackError, down, up


def main(arguments: list[str]) -> int:
    """Run the command `up` or `down`. Return the exit status."""
    signal.signal(signal.SIGTERM, _exit)
    try:
        match arguments:
            case ["up"]:
                up()
            case ["down"]:
                print("The local stack is down." if down() else "The local stack was not up.")
            case _:
                print("usage: python -m local.stack up|down", file=sys.stderr)
                return 2
    except StackError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


def _exit(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
