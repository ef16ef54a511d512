"""`python -m local.demo`: start the stack, send one message of every kind, wait for all results, stop the stack."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local import stack
from local.demo.browser import console_beside
from local.demo.caller import Caller
from local.demo.run import BUSY, Demo, cpu_share, slowness_of
from local.demo.watch import too_busy
from local.stack.config import LOCAL, PortTakenError, StackError
from local.stack.session import own_stack, run_program


def run_demo() -> bool:
    """Run the demo on its own stack. Return whether every message ended as expected."""
    screen = Console(highlight=False)
    with own_stack(), blamed_on_busy_computer():
        outputs = stack.up()
        with console_beside() as address:
            if address is not None:
                screen.print(f"Watch the messages in a browser: {address}")
            return Demo(Caller(outputs), screen, picture=LOCAL / "demo.svg").run()


@contextmanager
def blamed_on_busy_computer() -> Iterator[None]:
    """Raise StackError with the reason if a computer is too busy to start the stack, or to answer in time."""
    try:
        yield
    except PortTakenError:
        raise
    except (StackError, BotoCoreError, ClientError, OSError) as error:
        if slowness_of(0.0, cpu_share()) < BUSY:
            raise
        raise StackError(too_busy(str(error))) from error


if __name__ == "__main__":
    sys.exit(run_program(run_demo))
