"""What every service needs from its runtime: time, ids, workers, and the one error of an outage."""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime


class UnavailableError(Exception):
    """A store, queue or bus did not answer, or answered that it cannot. Nothing is known of the effect."""


Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""


NewId = Callable[[], str]
"""Returns an id that nobody had before."""


Sleep = Callable[[float], None]
"""Waits for so many seconds."""


Remaining = Callable[[], float]
"""Returns the seconds that are left to this invocation."""


NewPool = Callable[[int], Executor]
"""Returns a pool of so many workers for the vendor calls of one invocation."""
