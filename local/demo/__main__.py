"""`python -m local.demo`: start the stack, send one message of every kind, wait for all results, stop the stack."""

import signal
import sys
from typing import Any

from rich.console import Console

from local import stack
from local.demo.caller import Caller
from local.demo.run import Demo
from local.stack.config import LOCAL


def main() -> int:
    """Run the demo. Return the exit status: 0 only if every message ended as expected."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already up. The demo needs its own: run `make down` first.")
        return 0 if _run() else 1
    except stack.StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run() -> bool:
    try:
        return Demo(Caller(stack.up()), Console(highlight=False), picture=LOCAL / "demo.svg").run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave servers running
        if stack.down():
            print(f"The local stack is down again. Its logs are in {LOCAL}/*.log")


def _exit(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
