"""From a request to the first revision of its message: refused, scheduled, held or claimed. A pure decision."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sampai.contract.request import InvalidRequest, SendRequest
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, Text, claim, fail, hold, postpone, schedule
from sampai.domain.status import Source, Status
from sampai.providers.base import Provider
from sampai.services.attempt import release
from sampai.services.circuits import OPEN_FOR, Circuits
from sampai.services.ports import Resumption
from sampai.services.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A message as it is to be stored, with what follows once it is: a vendor call, a note, or nothing."""

    message: Message
    provider: Provider | None = None
    note: Resumption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that an admission depends on."""

    routing: Routing
    circuits: Circuits
    now: datetime
    lease: timedelta


def admit(request: SendRequest, *, fingerprint: str, attempt_id: str, desk: Desk) -> Admitted:
    """Decide what becomes of a new request."""
    draft = _draft(request, fingerprint=fingerprint, now=desk.now)
    if draft.is_expired(desk.now):
        return _refuse(draft, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), desk)
    route = desk.routing.route_of(draft, wanted=request.provider)
    if isinstance(route, Failure):
        return _refuse(draft, route, desk)
    routed = replace(draft, route=route)
    if request.send_at is not None and request.send_at > desk.now:
        due_at, note = release(routed, at=request.send_at, now=desk.now)
        return Admitted(message=schedule(routed, now=desk.now, due_at=due_at), note=note)
    return start(routed, attempt_id=attempt_id, desk=desk)


def start(message: Message, *, attempt_id: str, desk: Desk) -> Admitted:
    """Claim a message for the next provider of its route that is in order, or hold it until one may be."""
    if message.is_expired(desk.now):
        return _refuse(message, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), desk)
    route = desk.routing.still_on(message.route)
    if not route:
        return _refuse(message, Failure(reason=Reason.UNROUTABLE, detail="provider: turned off"), desk)
    provider = desk.routing.next_open(route, desk.circuits, now=desk.now)
    if provider is None:
        return _held(message, desk)
    claimed = claim(message, provider=provider.name, attempt_id=attempt_id, now=desk.now, lease=desk.lease)
    return Admitted(message=claimed, provider=provider)


def _held(message: Message, desk: Desk) -> Admitted:
    """Return the message waiting for its providers; one that waits already gets no further note.

    Notes that follow from notes would end at Lambda's guard against loops; the due index has no such limit.
    """
    at = desk.now + OPEN_FOR
    if message.status is Status.QUEUED and message.revision:
        return Admitted(message=postpone(message, now=desk.now, due_at=at))
    due_at, note = release(message, at=at, now=desk.now)
    return Admitted(message=hold(message, now=desk.now, due_at=due_at), note=note)


def reject(request: InvalidRequest, *, message_id: str, fingerprint: str, now: datetime) -> Admitted:
    """Return the failed message that an unreadable request becomes."""
    draft = replace(nothing(message_id, now=now), fingerprint=fingerprint)
    failure = Failure(reason=Reason.INVALID_REQUEST, detail=request.detail)
    return Admitted(message=fail(draft, failure, now=now, source=Source.SEND))


def nothing(message_id: str, *, now: datetime) -> Message:
    """Return the draft of a message of which only the id is known."""
    return Message(message_id=message_id, status=Status.QUEUED, created_at=now, updated_at=now, occurred_at=now)


def _refuse(message: Message, failure: Failure, desk: Desk) -> Admitted:
    return Admitted(message=fail(message, failure, now=desk.now, source=Source.SEND))


def _draft(request: SendRequest, *, fingerprint: str, now: datetime) -> Message:
    return replace(
        nothing(request.message_id, now=now),
        channel=request.channel,
        category=request.category,
        recipient=request.recipient,
        sender=request.sender,
        content=Text(text=request.content.text),
        on_unknown=request.on_unknown,
        send_at=request.send_at,
        expires_at=request.expires_at,
        metadata=request.metadata,
        provider_options=request.provider_options,
        fingerprint=fingerprint,
    )
