"""The pace of look-ups and list calls: the rate of all workers together, and the pauses that a vendor asks for."""

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sampai.contract.settings import Pace
from sampai.services.circuit_breakers import OPEN_FOR
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, Sleep, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reservations import Reservations

AHEAD: Final = timedelta(seconds=1)
"""How far ahead a vendor's time may be reserved."""

RESERVED_SECONDS: Final = 0.25
"""Time that is reserved at once. What a worker does not use of it is lost for all workers."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class LookupPacer:
    """Paces the calls to one vendor. Threads may share it. A pause holds for this sandbox alone."""

    def __init__(self, *, limiter: RateLimiter, clock: Clock, sleep: Sleep, telemetry: Telemetry) -> None:
        self._reservations = Reservations(limiter=limiter, clock=clock, sleep=sleep)
        self._clock = clock
        self._sleep = sleep
        self._telemetry = telemetry
        self._lock = Lock()
        self._next = self._reserved_until = self._paused_until = _LONG_AGO

    def wait(self, pace: Pace | None, *, max_seconds: float) -> bool:
        """Wait until a call may start. Return False if none may start within `max_seconds`, or during a pause."""
        if pace is not None and not self._is_paused():
            latest = self._clock() + timedelta(seconds=max_seconds)
            with self._lock:
                starts_at = self._take(pace, latest)
            if starts_at is None:
                return False
            self._sleep(max(0.0, (starts_at - self._clock()).total_seconds()))
        return not self._is_paused()

    def pause(self, seconds: float | None) -> None:
        """Allow no call for so many seconds, or as long as an open circuit if the vendor does not tell."""
        pause = OPEN_FOR if seconds is None else timedelta(seconds=seconds)
        self._paused_until = max(self._paused_until, self._clock() + pause)

    def _is_paused(self) -> bool:
        return self._clock() < self._paused_until

    def _take(self, pace: Pace, latest: datetime) -> datetime | None:
        """Return the time at which the next call may start, from the reserved time or from a further reservation."""
        interval = timedelta(seconds=1 / pace.per_second)
        starts_at = max(self._next, self._clock())
        if starts_at + interval > self._reserved_until:
            duration = interval * max(1, int(pace.per_second * RESERVED_SECONDS))
            max_seconds = (latest - self._clock()).total_seconds()
            try:
                reserved = self._reservations.wait(
                    pace.name, duration, lead=timedelta(0), ahead=AHEAD, max_seconds=max_seconds
                )
            except UnavailableError as error:
                self._telemetry.warning("no reservation", provider=pace.name, error=str(error))
                return None
            if reserved is None:
                return None
            starts_at, self._reserved_until = reserved, reserved + duration
        self._next = starts_at
        if starts_at > latest:
            return None
        self._next += interval
        return starts_at
