"""Wait for reserved time of a vendor, for callers that may sleep."""

from datetime import datetime, timedelta
from typing import Final

from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, Sleep

MIN_PAUSE: Final = timedelta(milliseconds=50)


class Reservations:
    """Reserves time with the limiter that all workers share, and sleeps until there is some."""

    def __init__(self, *, limiter: RateLimiter, clock: Clock, sleep: Sleep) -> None:
        self._limiter = limiter
        self._clock = clock
        self._sleep = sleep

    def wait(
        self, name: str, duration: timedelta, *, lead: timedelta, ahead: timedelta, max_seconds: float
    ) -> datetime | None:
        """Return the start of a reservation, or None if it cannot be made within `max_seconds`.

        The reserved time starts after `lead` at the earliest, and after `ahead` at the latest. Raises UnavailableError.
        """
        until = self._clock() + timedelta(seconds=max_seconds)
        while True:
            now = self._clock()
            reservation = self._limiter.reserve(name, duration, earliest=now + lead, latest=now + ahead)
            if reservation.is_granted:
                return reservation.starts_at
            again = max(reservation.starts_at - ahead, now + MIN_PAUSE)
            if again > until:
                return None
            self._sleep((again - now).total_seconds())
