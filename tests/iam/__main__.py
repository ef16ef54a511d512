"""`python -m tests.iam`: start the stack with IAM, run the demo, remove every permission once, stop the stack."""

import signal
import sys
import time
from typing import Any

from local import stack
from local.stack.config import DYNAMODB_PORT, ENDPOINT_URL, LOCAL, REGION
from tests.iam.recording_proxy import RecordingProxy
from tests.iam.run import ENFORCING, Privileges, proved, secret_of


def main() -> int:
    """Run the proof. Return the exit status: 0 only if no role lacks a permission or has an unused one."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already up. The proof wants one of its own: `make down` first.")
        return 0 if _run() else 1
    except stack.StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run() -> bool:
    began = time.monotonic()
    try:
        with RecordingProxy(DYNAMODB_PORT, ENDPOINT_URL, REGION, secret_of) as proxy:
            privileges = Privileges(stack.up((ENFORCING, stack.SIMULATORS)), proxy)
            wrong = [*privileges.enforce(), *privileges.flows(), *proved(privileges)]
            print("\n".join(f"WRONG: {each}" for each in wrong) or "No role lacks a right or has an idle one.")
            print(f"It took {time.monotonic() - began:.0f} s.", flush=True)
            return not wrong
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stack must stop even after another Ctrl+C
        if stack.down():
            print(f"The local stack is down again. What it wrote is in {LOCAL}/*.log")


def _end(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
