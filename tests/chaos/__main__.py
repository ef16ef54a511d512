"""`python -m tests.chaos [SEED]`: start the stack, send load, kill processes, check the promises, stop the stack."""

import signal
import sys
import time
from typing import Any

from local import stack
from local.stack.config import LOCAL
from tests.chaos.run import Chaos, servers

DEFAULT_SEED = 4711


def main(arguments: list[str]) -> int:
    """Run the chaos test and return the exit status: 0 only if every promise held."""
    if len(arguments) > 1 or not all(argument.isdecimal() for argument in arguments):
        print("usage: python -m tests.chaos [SEED]", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already running. Stop it first: `make down`.")
        return 0 if _run(int(arguments[0]) if arguments else DEFAULT_SEED) else 1
    except stack.StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run(seed: int) -> bool:
    started_at = time.monotonic()
    try:
        outputs = stack.up(servers())
        print(f"Sending messages and killing processes, seed {seed} ...", flush=True)
        result = Chaos(outputs, seed).run()
        violations = result.violations()
        print("\n".join(result.lines()))
        print("\n".join(f"WRONG: {violation}" for violation in violations) or "Every promise held.")
        print(f"It took {time.monotonic() - started_at:.0f} s.", flush=True)
        return not violations
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave processes running
        if stack.down():
            print(f"The local stack is down. Its logs are {LOCAL}/*.log")


def _end(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
