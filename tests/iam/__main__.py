"""`python -m tests.iam`: start the stack with IAM, run the demo, remove each permission in turn, stop the stack."""

import sys
import time
from typing import Final

from local import stack
from local.stack.config import DYNAMODB_PORT, ENDPOINT_URL, REGION
from local.stack.session import own_stack, run_program
from tests.iam.recording_proxy import RecordingProxy
from tests.iam.run import EMULATOR_WITH_IAM, IamTest, check_permissions, secret_access_key

NO_RECEIVER: Final = "http://127.0.0.1:9/"
"""The callback function is deployed, and each post is refused at once."""


def run_iam_test() -> bool:
    """Run the tests. Return whether no role lacks a permission or has a superfluous one."""
    started_at = time.monotonic()
    with own_stack(), RecordingProxy(DYNAMODB_PORT, ENDPOINT_URL, REGION, secret_access_key) as proxy:
        iam_test = IamTest(stack.up((EMULATOR_WITH_IAM, stack.SIMULATORS), callback_url=NO_RECEIVER), proxy)
        problems = [*iam_test.apply_local_policies(), *iam_test.run_demo(), *check_permissions(iam_test)]
        print(
            "\n".join(f"WRONG: {each}" for each in problems) or "No role lacks a permission or has a superfluous one."
        )
        print(f"It took {time.monotonic() - started_at:.0f} s.", flush=True)
        return not problems


if __name__ == "__main__":
    sys.exit(run_program(run_iam_test))
