"""The pacing stage: all workers together keep to the messages per second of a provider, or of its channel."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sampai.contract.settings import Pace, Settings
from sampai.domain.message import Category, Message, end_hold, urgency
from sampai.services.deadline import Deadline
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, Sleep, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reservations import Reservations
from sampai.services.send.admission import defer_admission
from sampai.services.send.batch import Batch, BatchItem

AHEAD: Final = timedelta(seconds=1)
"""How far ahead a provider's time may be reserved. A one-time password waits at most this long and one reservation."""

URGENT_AHEAD: Final = timedelta(seconds=8)
"""The same for one-time passwords: while they need all of a provider's time, no other message gets any."""

CLAIM_TIME: Final = timedelta(seconds=0.3)
"""Expected time between a reservation and the first call, in which the batch is claimed."""

MAX_LATE: Final = 2
LATE_SHARE: Final = 0.1
"""Late messages that may be sent at once: this many, or this share of a provider's rate per second."""

MAX_RESERVATION: Final = timedelta(seconds=3)

MAX_INLINE_WAIT_SECONDS: Final = 12.0
"""Maximum wait for a reservation in the function, for a batch with nothing else to do. Longer waits use the table."""

MIN_DEFERRAL: Final = timedelta(seconds=15)
MAX_DEFERRAL: Final = timedelta(minutes=5)

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Pacer:
    def __init__(self, *, limiter: RateLimiter, clock: Clock, sleep: Sleep, telemetry: Telemetry) -> None:
        self._reservations = Reservations(limiter=limiter, clock=clock, sleep=sleep)
        self._clock = clock
        self._telemetry = telemetry

    def reserve(self, batch: Batch) -> None:
        """Reserve a start for each message to a provider with a rate limit. Defer the messages that get none.

        One-time passwords come first, then the messages that expire first.
        """
        settings = batch.configuration.settings
        sending = [item for item in batch.items if item.provider is not None]
        paced = [item for item in sending if _pace_of(item, settings)]
        if not paced:
            return
        self._reserve(paced, settings, batch.deadline, may_wait=len(paced) == len(sending), claim_time=CLAIM_TIME)
        now = self._clock()
        for item in paced:
            if item.starts_at is None:
                message = end_hold(item.before, now=now)
                item.decide(defer_admission(message, now=now, pause=deferral_of(message, now=now)))

    def renew(self, batch: Batch) -> None:
        """Reserve again where a slow claim has made too many messages late: they would be sent in a burst.

        A message that gets no new reservation is not sent in this batch.
        """
        settings = batch.configuration.settings
        now = self._clock()
        paced = [item for item in batch.items if item.starts_at is not None]
        gone = Counter(
            _pace_of(item, settings) for item in paced if item.starts_at is not None and item.starts_at < now
        )
        behind = {pace for pace, count in gone.items() if pace and count > max(MAX_LATE, pace.per_second * LATE_SHARE)}
        late = [item for item in paced if _pace_of(item, settings) in behind]
        for item in late:
            item.starts_at = _NEVER
        self._reserve(late, settings, batch.deadline, may_wait=True, claim_time=timedelta(0))

    def _reserve(
        self,
        items: Sequence[BatchItem],
        settings: Settings,
        deadline: Deadline,
        *,
        may_wait: bool,
        claim_time: timedelta,
    ) -> None:
        by_pace: dict[Pace, list[BatchItem]] = {}
        for item in sorted(items, key=lambda item: urgency(item.message)):
            if (pace := _pace_of(item, settings)) is not None:
                by_pace.setdefault(pace, []).append(item)
        max_wait = MAX_INLINE_WAIT_SECONDS if may_wait and len(by_pace) == 1 else 0.0
        for pace, group in by_pace.items():
            self._reserve_in_order(pace, group, max_wait, deadline, claim_time)

    def _reserve_in_order(
        self,
        pace: Pace,
        items: Sequence[BatchItem],
        max_wait: float,
        deadline: Deadline,
        claim_time: timedelta,
    ) -> None:
        """Set the start of as many items as fit into one reservation, one after the other."""
        fitting = list(_fit_into_reservation(items, pace.per_second))
        *begins, duration = [timedelta(0), *(end for _, end in fitting)]
        lead = min(claim_time, begins[-1])  # a single message need not wait
        ahead = URGENT_AHEAD if items[0].message.category is Category.OTP else AHEAD
        spare = deadline.seconds_before_last_call() - (duration + ahead).total_seconds()
        if spare < 0:
            return
        try:
            starts_at = self._reservations.wait(
                pace.name, duration, lead=lead, ahead=ahead, max_seconds=min(max_wait, spare)
            )
        except UnavailableError as error:
            self._telemetry.warning("no reservation", provider=pace.name, error=str(error))
            return
        if starts_at is not None:
            for (item, _), begin in zip(fitting, begins, strict=True):
                item.starts_at = starts_at + begin


def deferral_of(message: Message, *, now: datetime) -> timedelta:
    """Return the pause of a message without a reservation: a quarter of the time it has waited, within bounds."""
    waited = now - max(message.created_at, message.send_at or message.created_at)
    return min(max(waited / 4, MIN_DEFERRAL), MAX_DEFERRAL)


def _fit_into_reservation(items: Sequence[BatchItem], rate: float) -> Iterator[tuple[BatchItem, timedelta]]:
    """Yield the items that fit into one reservation, at least one, each with the end of its share.

    A segment of an SMS is one unit, any other message too. `rate` is in units per second.
    """
    units = 0
    for item in items:
        units += item.message.segments or 1
        end = timedelta(seconds=units / rate)
        if item is not items[0] and end > MAX_RESERVATION:
            return
        yield item, end


def _pace_of(item: BatchItem, settings: Settings) -> Pace | None:
    return settings.pace_of(item.message.provider, item.message.channel)
