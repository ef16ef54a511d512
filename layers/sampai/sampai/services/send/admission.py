"""From a request to the first revision of its message: refused, scheduled, held or claimed. A pure decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.contract.request import InvalidRequest, MediaContent, SendRequest, TemplateContent
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Category,
    Content,
    Enclosed,
    Media,
    Message,
    Text,
    claim,
    fail,
    hold,
    postpone,
    schedule,
)
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, read_parameters
from sampai.providers.base import Provider
from sampai.providers.registry import load
from sampai.services.attempt import release
from sampai.services.circuit_breakers import OPEN_FOR, Circuits
from sampai.services.ports import Known, NewId, Resumption
from sampai.services.routing import Routing

URGENT_WITHIN: Final = timedelta(minutes=3)
"""A message that expires so soon is woken by notes, past those that wait in the due index for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A message as it is to be stored, with what follows once it is: a vendor call, a note, or nothing."""

    message: Message
    provider: Provider | None = None
    note: Resumption | None = None
    draft: Message | None = field(default=None, repr=False)
    """The message as it was before, if it is a new one and was not refused: it counts for the limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that an admission depends on."""

    routing: Routing
    circuits: Circuits
    known: Known = field(default_factory=Known)
    now: datetime
    lease: timedelta
    is_sending: bool = True
    """Whether anything may go to a vendor at this moment."""
    new_key: NewId
    """Returns an encryption key that nobody can guess."""


def admit(request: SendRequest, *, fingerprint: str, attempt_id: str, group: str | None = None, desk: Desk) -> Admitted:
    """Decide what becomes of a new request."""
    draft = replace(_draft(request, fingerprint=fingerprint, now=desk.now), group=group)
    if draft.is_expired(desk.now):
        return _refuse(draft, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), desk)
    route = desk.routing.route_of(draft, wanted=request.provider)
    if isinstance(route, Failure):
        return _refuse(draft, route, desk)
    routed = _with_key_apart(replace(draft, route=route), desk)
    if request.send_at is not None and request.send_at > desk.now:
        due_at, note = release(routed, at=request.send_at, now=desk.now)
        return Admitted(message=schedule(routed, now=desk.now, due_at=due_at), note=note, draft=routed)
    started = start(routed, attempt_id=attempt_id, desk=desk)
    return started if started.message.status is Status.FAILED else replace(started, draft=routed)


def start(message: Message, *, attempt_id: str, desk: Desk) -> Admitted:
    """Claim a message for the next provider of its route that is in order, or hold it until one may be."""
    if message.is_expired(desk.now):
        return _refuse(message, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), desk)
    if not desk.is_sending:
        return hold_back(message, now=desk.now, pause=OPEN_FOR)
    providers = desk.routing.on_route(message)
    if not providers:
        return _refuse(message, Failure(reason=Reason.UNROUTABLE, detail="provider: turned off"), desk)
    in_order = [p for p in providers if not desk.circuits.is_open(p, now=desk.now)]
    if not in_order:
        return hold_back(message, now=desk.now, pause=OPEN_FOR)
    failures = []
    for provider in in_order:
        ready = _ready(message, provider, desk)
        if isinstance(ready, Failure):
            failures.append(ready)
        elif desk.circuits.admits(provider, now=desk.now):
            claimed = claim(ready, provider=provider.name, attempt_id=attempt_id, now=desk.now, lease=desk.lease)
            return Admitted(message=claimed, provider=provider)
    return _refuse(message, failures[0], desk)


def block(draft: Message, failure: Failure, *, now: datetime) -> Admitted:
    """Return the failed message that a new one becomes of which there are too many."""
    return Admitted(message=fail(draft, failure, now=now, source=Source.SEND))


def hold_back(message: Message, *, now: datetime, pause: timedelta) -> Admitted:
    """Return the message waiting until it may be sent; one that waits already gets a further note only if it is urgent.

    Notes that follow from notes would end at Lambda's guard against loops; the due index has no such limit, but its
    queue may be long.
    """
    at = now + pause
    waits = message.status is Status.QUEUED and message.revision > 0
    is_urgent = message.expires_at is not None and message.expires_at - now <= URGENT_WITHIN
    if waits and not is_urgent:
        return Admitted(message=postpone(message, now=now, due_at=at))
    due_at, note = release(message, at=at, now=now)
    held = postpone if waits else hold
    return Admitted(message=held(message, now=now, due_at=due_at), note=note)


def _ready(message: Message, provider: Provider, desk: Desk) -> Message | Failure:
    """Return the message as it may go out now, by what is known and by what the settings allow."""
    ready = _by_the_directory(message, provider, desk)
    return ready if isinstance(ready, Failure) else desk.routing.forbidden(ready, provider) or ready


def _by_the_directory(message: Message, provider: Provider, desk: Desk) -> Message | Failure:
    """Return the message as it may go out by what is known of its recipient, conversation and template."""
    if message.category is Category.PROMOTIONAL and message.recipient in desk.known.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")
    if message.room_id is not None:
        return _in_room(message, message.room_id, provider, desk)
    return _checked(message, provider, desk)


def _in_room(message: Message, room_id: str, provider: Provider, desk: Desk) -> Message | Failure:
    room = desk.known.rooms.get(room_id)
    theirs = room.number if room else None
    if None not in (theirs, message.recipient) and theirs != message.recipient:
        detail = "recipient: is not the number of the conversation"
        return Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    number = theirs or message.recipient
    if message.category is Category.PROMOTIONAL and number in desk.known.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="room_id: its number asked for no promotional messages")
    if room is not None and room.is_open(desk.now):
        return replace(message, recipient=number)
    fallback = provider.window_fallback(message)
    if fallback is None or number is None:
        detail = "room_id: no message came in within the last 24 hours"
        return Failure(reason=Reason.WINDOW_CLOSED, detail=detail)
    instead = replace(message, recipient=number, room_id=None, content=fallback, enclosed=Enclosed())
    return provider.refusal(instead) or _checked(instead, provider, desk)


def _checked(message: Message, provider: Provider, desk: Desk) -> Message | Failure:
    catalogue = desk.known.catalogues.get(provider.name)
    if catalogue is None or not catalogue.is_fresh(desk.now) or not isinstance(message.content, Template):
        return message
    return catalogue.refusal(message.content, provider.sender_of(message)) or message


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
    content, enclosed = _content(request)
    return replace(
        nothing(request.message_id, now=now),
        channel=request.channel,
        category=request.category,
        recipient=request.recipient,
        audience=request.audience.lists if request.audience else (),
        room_id=request.room_id,
        sender=request.sender,
        content=content,
        enclosed=enclosed,
        on_unknown=request.on_unknown,
        send_at=request.send_at,
        expires_at=request.expires_at,
        metadata=request.metadata,
        provider_options=request.provider_options,
        fingerprint=fingerprint,
    )


def _with_key_apart(message: Message, desk: Desk) -> Message:
    """Return the message with its encryption key, the caller's or a new one, apart from what is stored of it.

    A caller's key for a provider that does not get the message is dropped.
    """
    options = {name: _without_keys(name, given) for name, given in message.provider_options.items()}
    encrypting = [provider for provider in desk.routing.on_route(message) if provider.encrypts(message)]
    if not encrypting:
        return replace(message, provider_options=options)
    given = (provider.options_of(message).get(provider.capabilities.key_option or "") for provider in encrypting)
    key = next((key for key in given if key is not None), None) or desk.new_key()
    return replace(message, provider_options=options, enclosed=replace(message.enclosed, encryption_key=key))


def _without_keys(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    secret = {api.capabilities.key_option for api in load(name)}
    return {option: value for option, value in options.items() if option not in secret}


def _content(request: SendRequest) -> tuple[Content, Enclosed]:
    match request.content:
        case MediaContent() as media:
            file = media.file()
            return (
                Media(
                    media_url=media.media_url,
                    file_name=media.file_name,
                    size=None if file is None else len(file),
                    caption=media.caption,
                ),
                Enclosed(file=file),
            )
        case TemplateContent() as template:
            return (
                Template(
                    template_id=template.template_id,
                    parameters=read_parameters(template.parameters),
                    recipient_name=template.recipient_name,
                ),
                Enclosed(),
            )
        case text:
            return Text(text=text.text), Enclosed()
