"""The rate limiter that all workers share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The start of the reserved time at a vendor; if it is not granted, the earliest time that is free."""

    is_granted: bool
    starts_at: datetime


class RateLimiter(Protocol):
    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        """Reserve the next free `duration` of a vendor's time, if it starts between two instants.

        Time that is not reserved in time is lost, not saved up. Raises UnavailableError: the time may be reserved.
        """
        ...
