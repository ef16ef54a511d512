"""`python -m tests.chaos [SEED]`: the stack up, the load and the kills, the verdict, the stack down."""

import signal
import sys
import time
from typing import Any

from local import stack
from local.stack.config import LOCAL
from tests.chaos.run import Chaos, servers

DEFAULT_SEED = 4711


def main(arguments: list[str]) -> int:
    """Run the chaos. Return the exit status: 0 only if every message has a correct end."""
    if len(arguments) > 1 or not all(argument.isdecimal() for argument in arguments):
        print("usage: python -m tests.chaos [SEED]", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already up. The chaos wants one of its own: `make down` first.")
        return 0 if _run(int(arguments[0]) if arguments else DEFAULT_SEED) else 1
    except stack.StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run(seed: int) -> bool:
    began = time.monotonic()
    try:
        outputs = stack.up(servers())
        print(f"Sending and killing, seed {seed} ...", flush=True)
        aftermath = Chaos(outputs, seed).run()
        objections = aftermath.objections()
        print("\n".join(aftermath.lines()))
        print("\n".join(f"WRONG: {objection}" for objection in objections) or "No message suffered.")
        print(f"It took {time.monotonic() - began:.0f} s.", flush=True)
        return not objections
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stack must stop even after another Ctrl+C
        if stack.down():
            print(f"The local stack is down again. What it wrote is in {LOCAL}/*.log")


def _end(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
