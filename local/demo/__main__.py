"""`python -m local.demo`: the stack up, one message of every kind, each to its final status, the stack down."""

import signal
import sys
from typing import Any

from rich.console import Console

from local import stack
from local.demo.caller import Caller
from local.demo.run import Demo
from local.stack.places import LOCAL


def main() -> int:
    """Run the demo. Returns the exit status: 0 only if every message ended as it should."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already up. The demo wants one of its own: `make down` first.")
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was started must end, however impatient the onlooker
        if stack.down():
            print(f"The local stack is down again. What it wrote is in {LOCAL}/*.log")


def _end(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
