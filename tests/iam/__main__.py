"""`python -m tests.iam`: start the stack with IAM, run the demo, remove each permission in turn, stop the stack."""

import signal
import sys
import time
from typing import Any

from local import stack
from local.stack.config import DYNAMODB_PORT, ENDPOINT_URL, LOCAL, REGION
from tests.iam.recording_proxy import RecordingProxy
from tests.iam.run import EMULATOR_WITH_IAM, IamTest, check_permissions, secret_access_key


def main() -> int:
    """Run the tests and return the exit status: 0 only if no role lacks a permission or has a superfluous one."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if any(server.pid() for server in stack.SERVERS):
            raise stack.StackError("The local stack is already running. Stop it first: `make down`.")
        return 0 if _run() else 1
    except stack.StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run() -> bool:
    started_at = time.monotonic()
    try:
        with RecordingProxy(DYNAMODB_PORT, ENDPOINT_URL, REGION, secret_access_key) as proxy:
            iam_test = IamTest(stack.up((EMULATOR_WITH_IAM, stack.SIMULATORS)), proxy)
            problems = [*iam_test.apply_local_policies(), *iam_test.run_demo(), *check_permissions(iam_test)]
            print(
                "\n".join(f"WRONG: {each}" for each in problems)
                or "No role lacks a permission or has a superfluous one."
            )
            print(f"It took {time.monotonic() - started_at:.0f} s.", flush=True)
            return not problems
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave processes running
        if stack.down():
            print(f"The local stack is down. Its logs are {LOCAL}/*.log")


def _end(*_: Any) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
