"""`python -m tests.chaos [SEED]`: start the stack, send load, kill processes, check the promises, stop the stack."""

import sys
import time

from local import stack
from local.stack.session import own_stack, run_program
from tests.chaos.run import Chaos, servers

DEFAULT_SEED = 4711


def main(arguments: list[str]) -> int:
    """Run the chaos test and return the exit status: 0 only if every promise held."""
    if len(arguments) > 1 or not all(argument.isdecimal() for argument in arguments):
        print("usage: python -m tests.chaos [SEED]", file=sys.stderr)
        return 2
    seed = int(arguments[0]) if arguments else DEFAULT_SEED
    return run_program(lambda: run_chaos_test(seed))


def run_chaos_test(seed: int) -> bool:
    """Run the test on its own stack. Return whether every promise held."""
    started_at = time.monotonic()
    with own_stack():
        outputs = stack.up(servers())
        print(f"Sending messages and killing processes, seed {seed} ...", flush=True)
        result = Chaos(outputs, seed).run()
        violations = result.violations()
        print("\n".join(result.lines()))
        print("\n".join(f"WRONG: {violation}" for violation in violations) or "Every promise held.")
        print(f"It took {time.monotonic() - started_at:.0f} s.", flush=True)
        return not violations


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
