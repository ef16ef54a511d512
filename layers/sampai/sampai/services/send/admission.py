"""Decide whether a message is sent now, scheduled, deferred or failed. Pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Category, Message, claim, defer, fail, hold, hold_until, queue, schedule
from sampai.domain.phone import country_of
from sampai.domain.quiet_hours import QuietHours
from sampai.domain.status import Source, Status
from sampai.providers.base import Provider
from sampai.services.attempt import plan_wake_up
from sampai.services.circuit_breakers import OPEN_FOR, CircuitBreakers
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.queue import WakeUp
from sampai.services.routing import Routing
from sampai.services.send.eligibility import check_eligibility

URGENT_WITHIN: Final = timedelta(minutes=3)
"""A waiting message that expires within this time gets another wake-up: the due index may have a long backlog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The message to store, and the provider call or wake-up that follows once it is stored."""

    message: Message
    provider: Provider | None = None
    wake_up: WakeUp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionContext:
    """Everything that an admission depends on."""

    routing: Routing
    circuit_breakers: CircuitBreakers
    eligibility: EligibilityData
    now: datetime
    lease: timedelta
    is_sending: bool
    """False: the settings hold back every message."""
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    """By country."""
    replaces_typographic: bool = False
    """Whether typographic characters of a new SMS become plain ones."""


def admit(draft: Message, *, attempt_id: str, context: AdmissionContext) -> Decision:
    """Schedule a routed draft for its `send_at`, or start it."""
    if draft.send_at is not None and draft.send_at > context.now:
        if (held := _hold_for_quiet_hours(draft, at=draft.send_at, context=context)) is not None:
            return held
        due_at, wake_up = plan_wake_up(draft, at=draft.send_at, now=context.now)
        return Decision(message=schedule(draft, now=context.now, due_at=due_at), wake_up=wake_up)
    return start(draft, attempt_id=attempt_id, context=context)


def start(message: Message, *, attempt_id: str, context: AdmissionContext) -> Decision:
    """Claim a message for the first available provider of its route, or defer it until one may be available."""
    now = context.now
    if (decision := _stop_or_hold(message, context)) is not None:
        return decision
    routed = context.routing.reroute(message)
    if isinstance(routed, Failure):
        return fail_admission(message, routed, now=now)
    providers = context.routing.providers_for(routed)
    available = [p for p in providers if not context.circuit_breakers.is_open(p, now=now)]
    if not available:
        return defer_admission(routed, now=now, pause=OPEN_FOR)
    failures = []
    for provider in available:
        ready = _prepare_for(routed, provider, context)
        if isinstance(ready, Failure):
            failures.append(ready)
        elif context.circuit_breakers.allow_request(provider, now=now):
            claimed = claim(ready, provider=provider.name, attempt_id=attempt_id, now=now, lease=context.lease)
            return Decision(message=claimed, provider=provider)
    return fail_admission(routed, failures[0], now=now)


def _stop_or_hold(message: Message, context: AdmissionContext) -> Decision | None:
    """Fail an expired message, or hold one that may go to no provider now. Return None for any other."""
    now = context.now
    if message.is_expired(now):
        return fail_admission(message, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), now=now)
    if (held := _hold_for_quiet_hours(message, at=now, context=context)) is not None:
        return held
    return None if context.is_sending else defer_admission(hold(message, now=now), now=now, pause=OPEN_FOR)


def _hold_for_quiet_hours(message: Message, *, at: datetime, context: AdmissionContext) -> Decision | None:
    """Hold a promotional message if its call could start in the quiet hours of its country, else return None.

    The call starts within the lease of a claim made at `at`. A message that expires first fails now: its caller can
    still do something about it.
    """
    if message.category is not Category.PROMOTIONAL:
        return None
    quiet = context.quiet_hours.get(country_of(_number_of(message, context.eligibility)) or "")
    until = None if quiet is None else quiet.until(at) or quiet.until(at + context.lease)
    if quiet is None or until is None:
        return None
    if message.is_expired(until):
        detail = f"expires_at: passes before the end of quiet_hours.{quiet.country}"
        return fail_admission(message, Failure(reason=Reason.EXPIRED, detail=detail), now=context.now)
    due_at, wake_up = plan_wake_up(message, at=until, now=context.now)
    return Decision(message=hold_until(message, send_at=until, now=context.now, due_at=due_at), wake_up=wake_up)


def _number_of(message: Message, eligibility: EligibilityData) -> str:
    """Return the recipient of a message, or that of its conversation. Empty if it is not known."""
    conversation = eligibility.conversations.get(message.room_id or "")
    return message.recipient or (conversation and conversation.number) or ""


def can_resume(message: Message, attempts: Collection[int], *, now: datetime) -> bool:
    """Return whether wake-ups for some attempts may start a stored message. A wake-up for an old attempt may not."""
    if message.status is Status.SCHEDULED and message.send_at is not None and message.send_at > now:
        return False
    return message.status in (Status.SCHEDULED, Status.QUEUED) and message.attempt in attempts


def fail_admission(message: Message, failure: Failure, *, now: datetime) -> Decision:
    """Fail a message that must not be sent."""
    return Decision(message=fail(message, failure, now=now, source=Source.SEND))


def defer_admission(message: Message, *, now: datetime, pause: timedelta) -> Decision:
    """Queue a message for a later start. A message that is queued already gets another wake-up only if it is urgent.

    Lambda stops a chain of wake-ups that follow from wake-ups. The due index has no such limit.
    """
    at = now + pause
    is_waiting = message.status is Status.QUEUED and message.revision > 0
    is_urgent = message.expires_at is not None and message.expires_at - now <= URGENT_WITHIN
    if is_waiting and not is_urgent:
        return Decision(message=defer(message, now=now, due_at=at))
    due_at, wake_up = plan_wake_up(message, at=at, now=now)
    requeue = defer if is_waiting else queue
    return Decision(message=requeue(message, now=now, due_at=due_at), wake_up=wake_up)


def _prepare_for(message: Message, provider: Provider, context: AdmissionContext) -> Message | Failure:
    """Return the message as the provider may send it now, or the reason why it may not be sent."""
    ready = check_eligibility(message, provider, context.eligibility, context.now)
    return ready if isinstance(ready, Failure) else context.routing.validate_policy(ready, provider) or ready
