"""The runtime of a service: time, ids, workers, and the one error for an outage."""

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime


class UnavailableError(Exception):
    """A store, queue or bus did not respond, or responded with an error. Its effect is unknown."""


Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


NewId = Callable[[], str]
"""Returns a unique id."""


Sleep = Callable[[float], None]
"""Waits for a number of seconds."""


Remaining = Callable[[], float]
"""Returns the seconds that remain for this invocation."""


NewPool = Callable[[int], Executor]
"""Returns a pool with this many workers for the vendor calls of one invocation."""
