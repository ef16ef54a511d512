"""Apply the outcome of an attempt to its message. Pure functions."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure, Reason, detail_of_vendor
from sampai.domain.message import Category, Message, accept, fail, mark_unknown, requeue, time_waited
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.status import Source, Status
from sampai.services.circuit_breakers import OPEN_FOR
from sampai.services.ports.queue import WakeUp

BACKOFF_SECONDS: Final = (5, 15, 60, 300, 900, 1800, 3600)

MAX_WAKE_UP_DELAY: Final = timedelta(seconds=900)
"""Maximum delay in SQS. A message that waits longer is found by the due index alone."""

WAKE_UP_SLACK: Final = timedelta(seconds=120)
"""Time after its wake-up at which a waiting message is found by the due index, if the wake-up was lost."""

MAX_WAKE_UP_ATTEMPTS: Final = 8
"""Lambda stops a function that has fed its own queue 16 times, so later attempts start from the due index."""


def apply_outcome(message: Message, outcome: Outcome, *, now: datetime, settings: Settings) -> Message:
    """Return the message after the outcome of its attempt: accepted, unknown, queued again or failed.

    An accepted message stays due at the end of its lease, because a change would cost two writes of the due index. Only
    a first step of the settings that is longer than the lease moves it.
    """
    first_step = timedelta(seconds=settings.poll_seconds[0])
    match outcome:
        case Taken():
            return accept(
                message,
                provider_message_id=outcome.provider_message_id,
                provider_status=outcome.provider_status,
                cost=outcome.cost,
                now=now,
                due_at=max(message.due_at or now, (message.attempted_at or now) + first_step),
                source=Source.SEND,
            )
        case Unknown():
            return mark_unknown(message, now=now, due_at=now + first_step, source=Source.SEND)
        case NotTaken():
            return _retry_or_fail(message, outcome, now=now, settings=settings)


def is_current_attempt(current: Message, outcome: Outcome, *, attempt_id: str) -> bool:
    """Return whether the outcome of an attempt still counts for a newer revision of its message.

    The outcome of a superseded attempt does not count. A report or an expired lease does not supersede an attempt.
    """
    if current.attempt_id != attempt_id:
        return False
    match outcome:
        case Taken():
            return True
        case NotTaken():
            return current.status in (Status.SENDING, Status.UNKNOWN)
        case Unknown():
            return current.status is Status.SENDING


def plan_wake_up(
    message: Message, *, at: datetime, now: datetime, from_schedule: bool = False
) -> tuple[datetime, WakeUp | None]:
    """Return the `due_at` of a message that waits until `at`, and the wake-up that starts it before, if any."""
    if at - now > MAX_WAKE_UP_DELAY or (message.attempt > MAX_WAKE_UP_ATTEMPTS and not from_schedule):
        return at, None
    wake_up = WakeUp(
        message_id=message.message_id,
        attempt=message.attempt,
        is_urgent=message.category is Category.OTP,
        delay_seconds=max(0, ceil((at - now).total_seconds())),  # one that comes too early wakes nothing
        group=message.group,
    )
    return max(at, now) + WAKE_UP_SLACK, wake_up


def has_waited_past_horizon(message: Message, *, now: datetime, settings: Settings) -> bool:
    """Return whether a message has waited to be sent for the whole report horizon, regardless of its attempts.

    Time under a stop does not count. A message that has not yet met the present stop does not fail during it either.
    """
    waited = time_waited(message, now=now)
    return settings.sending_enabled and waited >= timedelta(hours=settings.report_horizon_hours)


def is_past_horizon(message: Message, *, now: datetime, settings: Settings) -> bool:
    """Return whether the report horizon has passed since the last attempt of a message."""
    return now >= horizon_of(message, settings=settings)


def horizon_of(message: Message, *, settings: Settings) -> datetime:
    """Return the time at which a message without a final status becomes `unconfirmed`."""
    return (message.attempted_at or message.created_at) + timedelta(hours=settings.report_horizon_hours)


def _retry_or_fail(message: Message, outcome: NotTaken, *, now: datetime, settings: Settings) -> Message:
    is_refusal = outcome.scope in (FailureScope.MESSAGE, FailureScope.PROVIDER)
    detail = detail_of_vendor(outcome.reason, outcome.detail) if is_refusal else outcome.detail
    failure = Failure(reason=outcome.reason, provider_code=outcome.provider_code, detail=detail)
    others = tuple(name for name in message.route if name != message.provider)
    # A provider that was not called keeps its place.
    keeps_place = outcome.scope is FailureScope.INTERNAL and not outcome.is_final
    rotated = others if outcome.is_final else (*others, message.provider or "")
    route = message.route if keeps_place else rotated
    if message.is_expired(now) and outcome.reason is Reason.EXPIRED:
        return fail(message, failure, now=now, source=Source.SEND)
    if not route or has_waited_past_horizon(message, now=now, settings=settings):
        return fail(message, failure, now=now, source=Source.SEND)
    at = now + _retry_delay(message, outcome, untried=0 if keeps_place else len(others))
    if message.is_expired(at):
        late = f"expires_at: passes before a further attempt; last refusal: {outcome.reason}"
        expired = Failure(reason=Reason.EXPIRED, provider_code=outcome.provider_code, detail=late)
        return fail(message, expired, now=now, source=Source.SEND)
    return requeue(message, route=route, failure=failure, now=now, due_at=at, source=Source.SEND)


def _retry_delay(message: Message, outcome: NotTaken, *, untried: int) -> timedelta:
    """Return the pause before the next attempt: none while the route has a provider that this round has not tried."""
    if untried and (outcome.is_final or message.attempt <= untried):
        return timedelta(0)
    step = BACKOFF_SECONDS[min(message.attempt, len(BACKOFF_SECONDS)) - 1]
    seconds = max(step, outcome.retry_after_seconds or 0)
    waited = timedelta(seconds=seconds)
    return max(waited, OPEN_FOR) if outcome.scope is FailureScope.PROVIDER else waited
