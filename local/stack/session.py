"""Run a program on the local stack, and leave no server behind, however the program ends."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local.stack import SERVERS, down
from local.stack.config import LOCAL, StackError


def run_program(program: Callable[[], bool]) -> int:
    """Run a program that may start the local stack. Return the exit status: 0 only if the program returns True.

    An error of the stack prints its text. A signal ends the program as an exception, so that its clean-up runs.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    try:
        return 0 if program() else 1
    except StackError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


@contextmanager
def own_stack() -> Iterator[None]:
    """Keep the local stack for the program inside, and stop it at the end. Raises StackError if it is up already."""
    if any(server.pid() for server in SERVERS):
        raise StackError("The local stack is already up. This program needs its own: run `make down` first.")
    try:
        yield
    finally:
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave servers running
        if down():
            print(f"The local stack is down again. Its logs are in {LOCAL}/*.log")
        signal.signal(signal.SIGINT, former)


def _exit(*_: Any) -> None:
    raise SystemExit(143)
