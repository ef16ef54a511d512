"""The rate limiter that all workers share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """When a vendor has time: taken for whoever asked, or, if that is too far ahead, when it may be asked for again."""

    is_granted: bool
    starts_at: datetime


class RateLimiter(Protocol):
    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        """Take the next `duration` of a vendor's time, which all workers share, if it starts between two instants.

        What is not taken at its time is lost, not saved. Raises UnavailableError: it may have been taken.
        """
        ...
