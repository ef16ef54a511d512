"""Keeping to what a vendor takes in a second, all workers together: `max_per_second` of the settings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sampai.domain.message import Category, Channel, Message, text_of_content, urgency
from sampai.domain.segments import segments_of
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, Remaining, Sleep, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.dispatch import CALL_SECONDS, WRITE_MARGIN_SECONDS

AHEAD: Final = timedelta(seconds=1)
"""How far ahead a vendor's time is taken. A one-time password waits for no more than this and one turn."""

URGENT_AHEAD: Final = timedelta(seconds=8)
"""The same for one-time passwords: while they need all of a vendor's time, nothing else gets any."""

CLAIM_TIME: Final = timedelta(seconds=0.3)
"""A batch is claimed between its turn and its first call; what is late by then would go out all at once."""

MAX_LATE: Final = 2
LATE_SHARE: Final = 0.1
"""So many messages, or so much of what a vendor takes in a second, may go out at once because they are late."""

MAX_RESERVATION: Final = timedelta(seconds=3)

MAX_INLINE_WAIT_SECONDS: Final = 12.0
"""How long a batch that has nothing else to do waits for its turn before its messages do so in the table."""

MIN_PAUSE: Final = timedelta(milliseconds=50)


_NEVER: Final = datetime.max.replace(tzinfo=UTC)

MIN_DEFERRAL: Final = timedelta(seconds=15)
MAX_DEFERRAL: Final = timedelta(minutes=5)


class Pacer:
    def __init__(self, *, limiter: RateLimiter, clock: Clock, sleep: Sleep, telemetry: Telemetry) -> None:
        self._limiter = limiter
        self._clock = clock
        self._sleep = sleep
        self._telemetry = telemetry

    def turns(
        self,
        messages: Sequence[Message],
        rates: Mapping[str, float],
        *,
        may_wait: bool,
        remaining: Remaining,
        claim_time: timedelta = CLAIM_TIME,
    ) -> dict[str, datetime]:
        """Take time for messages about to be sent, and return by id from when each may go out. Never raises.

        Those that are missing in the answer have to wait. `rates` are units a second by provider: a segment of an SMS
        is a unit, and so is any other message. One-time passwords come first, then what expires first.
        """
        turns: dict[str, datetime] = {}
        by_provider: dict[str, list[Message]] = {}
        for message in sorted(messages, key=urgency):
            by_provider.setdefault(message.provider or "", []).append(message)
        for provider, group in by_provider.items():
            max_wait = MAX_INLINE_WAIT_SECONDS if may_wait and len(by_provider) == 1 else 0.0
            turns |= self._turns(provider, group, rates[provider], max_wait, remaining, claim_time)
        return turns

    def renewed(
        self,
        messages: Sequence[Message],
        turns: Mapping[str, datetime],
        rates: Mapping[str, float],
        *,
        remaining: Remaining,
    ) -> dict[str, datetime]:
        """Return the turns of messages that have been claimed: new ones where too many have gone by meanwhile.

        What gets none is put off for ever.
        """
        now = self._clock()
        gone = Counter(m.provider for m in messages if turns[m.message_id] < now)
        behind = {name for name, count in gone.items() if name and count > max(MAX_LATE, rates[name] * LATE_SHARE)}
        late = [message for message in messages if message.provider in behind]
        again = self.turns(late, rates, may_wait=True, remaining=remaining, claim_time=timedelta(0)) if late else {}
        return {**turns, **{message.message_id: again.get(message.message_id, _NEVER) for message in late}}

    def _turns(
        self,
        provider: str,
        messages: Sequence[Message],
        rate: float,
        max_wait: float,
        remaining: Remaining,
        claim_time: timedelta,
    ) -> dict[str, datetime]:
        fitting = list(_fitting(messages, rate))
        begins = [timedelta(0), *(end for _, end in fitting)]
        duration = begins[-1]
        lead = min(claim_time, begins[-2])  # a message alone need not wait
        ahead = URGENT_AHEAD if messages[0].category is Category.OTP else AHEAD
        spare = remaining() - CALL_SECONDS - WRITE_MARGIN_SECONDS - (duration + ahead).total_seconds()
        if spare < 0:
            return {}
        try:
            starts_at = self._turn(provider, duration, lead, ahead, min(max_wait, spare))
        except UnavailableError as error:
            self._telemetry.warning("no turn", provider=provider, error=str(error))
            return {}
        if starts_at is None:
            return {}
        return {message.message_id: starts_at + begin for (message, _), begin in zip(fitting, begins, strict=False)}

    def _turn(
        self, provider: str, duration: timedelta, lead: timedelta, ahead: timedelta, max_wait: float
    ) -> datetime | None:
        """Return when the turn begins, or None if patience would end before it could be had."""
        until = self._clock() + timedelta(seconds=max_wait)
        while True:
            now = self._clock()
            turn = self._limiter.reserve(provider, duration, earliest=now + lead, latest=now + ahead)
            if turn.is_granted:
                return turn.starts_at
            again = max(turn.starts_at - ahead, now + MIN_PAUSE)
            if again > until:
                return None
            self._sleep((again - now).total_seconds())


def deferral_of(message: Message, *, now: datetime) -> timedelta:
    """Return how long a message that had no turn waits: a quarter of the time that it has waited, within bounds."""
    waited = now - max(message.created_at, message.send_at or message.created_at)
    return min(max(waited / 4, MIN_DEFERRAL), MAX_DEFERRAL)


def _fitting(messages: Sequence[Message], rate: float) -> Iterator[tuple[Message, timedelta]]:
    """Yield as many messages as fit in one turn, at least one, each with the time that they take up to its end."""
    units = 0
    for message in messages:
        units += segments_of(text_of_content(message.content)).count if message.channel is Channel.SMS else 1
        end = timedelta(seconds=units / rate)
        if message is not messages[0] and end > MAX_RESERVATION:
            return
        yield message, end
