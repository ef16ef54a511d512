"""`python -m local.demo`: start the stack, send one message of every kind, wait for all results, stop the stack."""

import sys

from rich.console import Console

from local import stack
from local.demo.caller import Caller
from local.demo.run import Demo
from local.stack.config import LOCAL
from local.stack.session import own_stack, run_program


def run_demo() -> bool:
    """Run the demo on its own stack. Return whether every message ended as expected."""
    with own_stack():
        return Demo(Caller(stack.up()), Console(highlight=False), picture=LOCAL / "demo.svg").run()


if __name__ == "__main__":
    sys.exit(run_program(run_demo))
