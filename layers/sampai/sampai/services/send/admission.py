"""From a request to the first revision of its message: refused, scheduled, held or claimed. A pure decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.contract.request import InvalidRequest, MediaContent, SendRequest, TemplateContent
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Attachments,
    Category,
    Content,
    Media,
    Message,
    Text,
    claim,
    defer,
    fail,
    queue,
    schedule,
)
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from sampai.providers.base import Provider
from sampai.providers.features import SupportsEncryption, SupportsTemplateFallback
from sampai.providers.registry import load
from sampai.services.attempt import plan_wake_up
from sampai.services.circuit_breakers import OPEN_FOR, CircuitBreakers
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.runtime import NewId
from sampai.services.routing import Routing

URGENT_WITHIN: Final = timedelta(minutes=3)
"""A message that expires so soon is woken by notes, past those that wait in the due index for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDecision:
    """A message as it is to be stored, with what follows once it is: a vendor call, a note, or nothing."""

    message: Message
    provider: Provider | None = None
    wake_up: WakeUp | None = None
    draft: Message | None = field(default=None, repr=False)
    """The message as it was before, if it is a new one and was not refused: it counts for the limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionContext:
    """Everything that an admission depends on."""

    routing: Routing
    circuit_breakers: CircuitBreakers
    known: EligibilityData = field(default_factory=EligibilityData)
    now: datetime
    lease: timedelta
    is_sending: bool = True
    """Whether anything may go to a vendor at this moment."""
    new_key: NewId
    """Returns an encryption key that nobody can guess."""


def admit(
    request: SendRequest, *, fingerprint: str, attempt_id: str, group: str | None = None, context: AdmissionContext
) -> AdmissionDecision:
    """Decide what becomes of a new request."""
    draft = replace(_draft(request, fingerprint=fingerprint, now=context.now), group=group)
    if draft.is_expired(context.now):
        return _fail(draft, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), context)
    route = context.routing.route_of(draft, wanted=request.provider)
    if isinstance(route, Failure):
        return _fail(draft, route, context)
    routed = _separate_encryption_key(replace(draft, route=route), context)
    if request.send_at is not None and request.send_at > context.now:
        due_at, wake_up = plan_wake_up(routed, at=request.send_at, now=context.now)
        return AdmissionDecision(
            message=schedule(routed, now=context.now, due_at=due_at), wake_up=wake_up, draft=routed
        )
    started = start(routed, attempt_id=attempt_id, context=context)
    return started if started.message.status is Status.FAILED else replace(started, draft=routed)


def start(message: Message, *, attempt_id: str, context: AdmissionContext) -> AdmissionDecision:
    """Claim a message for the next provider of its route that is in order, or hold it until one may be."""
    if message.is_expired(context.now):
        return _fail(message, Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"), context)
    if not context.is_sending:
        return defer_admission(message, now=context.now, pause=OPEN_FOR)
    providers = context.routing.on_route(message)
    if not providers:
        return _fail(message, Failure(reason=Reason.UNROUTABLE, detail="provider: turned off"), context)
    in_order = [p for p in providers if not context.circuit_breakers.is_open(p, now=context.now)]
    if not in_order:
        return defer_admission(message, now=context.now, pause=OPEN_FOR)
    failures = []
    for provider in in_order:
        ready = _prepare_for(message, provider, context)
        if isinstance(ready, Failure):
            failures.append(ready)
        elif context.circuit_breakers.allow_request(provider, now=context.now):
            claimed = claim(ready, provider=provider.name, attempt_id=attempt_id, now=context.now, lease=context.lease)
            return AdmissionDecision(message=claimed, provider=provider)
    return _fail(message, failures[0], context)


def fail_over_quota(draft: Message, failure: Failure, *, now: datetime) -> AdmissionDecision:
    """Return the failed message that a new one becomes of which there are too many."""
    return AdmissionDecision(message=fail(draft, failure, now=now, source=Source.SEND))


def defer_admission(message: Message, *, now: datetime, pause: timedelta) -> AdmissionDecision:
    """Return the message waiting until it may be sent; one that waits already gets a further note only if it is urgent.

    Notes that follow from notes would end at Lambda's guard against loops; the due index has no such limit, but its
    queue may be long.
    """
    at = now + pause
    waits = message.status is Status.QUEUED and message.revision > 0
    is_urgent = message.expires_at is not None and message.expires_at - now <= URGENT_WITHIN
    if waits and not is_urgent:
        return AdmissionDecision(message=defer(message, now=now, due_at=at))
    due_at, wake_up = plan_wake_up(message, at=at, now=now)
    held = defer if waits else queue
    return AdmissionDecision(message=held(message, now=now, due_at=due_at), wake_up=wake_up)


def _prepare_for(message: Message, provider: Provider, context: AdmissionContext) -> Message | Failure:
    """Return the message as it may go out now, by what is known and by what the settings allow."""
    ready = _check_eligibility(message, provider, context)
    return ready if isinstance(ready, Failure) else context.routing.forbidden(ready, provider) or ready


def _check_eligibility(message: Message, provider: Provider, context: AdmissionContext) -> Message | Failure:
    """Return the message as it may go out by what is known of its recipient, conversation and template."""
    if message.category is Category.PROMOTIONAL and message.recipient in context.known.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")
    if message.room_id is not None:
        return _in_conversation(message, message.room_id, provider, context)
    return _check_template(message, provider, context)


def _in_conversation(
    message: Message, room_id: str, provider: Provider, context: AdmissionContext
) -> Message | Failure:
    conversation = context.known.conversations.get(room_id)
    theirs = conversation.number if conversation else None
    if None not in (theirs, message.recipient) and theirs != message.recipient:
        detail = "recipient: is not the number of the conversation"
        return Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    number = theirs or message.recipient
    if message.category is Category.PROMOTIONAL and number in context.known.opted_out:
        return Failure(reason=Reason.OPTED_OUT, detail="room_id: its number asked for no promotional messages")
    if conversation is not None and conversation.is_open(context.now):
        return replace(message, recipient=number)
    fallback = provider.window_fallback(message) if isinstance(provider, SupportsTemplateFallback) else None
    if fallback is None or number is None:
        detail = "room_id: no message came in within the last 24 hours"
        return Failure(reason=Reason.WINDOW_CLOSED, detail=detail)
    instead = replace(message, recipient=number, room_id=None, content=fallback, attachments=Attachments())
    return provider.validate(instead) or _check_template(instead, provider, context)


def _check_template(message: Message, provider: Provider, context: AdmissionContext) -> Message | Failure:
    catalogue = context.known.catalogues.get(provider.name)
    if catalogue is None or not catalogue.is_fresh(context.now) or not isinstance(message.content, Template):
        return message
    return catalogue.validate(message.content, provider.sender_of(message)) or message


def fail_invalid(request: InvalidRequest, *, message_id: str, fingerprint: str, now: datetime) -> AdmissionDecision:
    """Return the failed message that an unreadable request becomes."""
    draft = replace(blank_message(message_id, now=now), fingerprint=fingerprint)
    failure = Failure(reason=Reason.INVALID_REQUEST, detail=request.detail)
    return AdmissionDecision(message=fail(draft, failure, now=now, source=Source.SEND))


def blank_message(message_id: str, *, now: datetime) -> Message:
    """Return the draft of a message of which only the id is known."""
    return Message(message_id=message_id, status=Status.QUEUED, created_at=now, updated_at=now, occurred_at=now)


def _fail(message: Message, failure: Failure, context: AdmissionContext) -> AdmissionDecision:
    return AdmissionDecision(message=fail(message, failure, now=context.now, source=Source.SEND))


def _draft(request: SendRequest, *, fingerprint: str, now: datetime) -> Message:
    content, attachments = _content(request)
    return replace(
        blank_message(request.message_id, now=now),
        channel=request.channel,
        category=request.category,
        recipient=request.recipient,
        audience=request.audience.lists if request.audience else (),
        room_id=request.room_id,
        sender=request.sender,
        content=content,
        attachments=attachments,
        on_unknown=request.on_unknown,
        send_at=request.send_at,
        expires_at=request.expires_at,
        metadata=request.metadata,
        provider_options=request.provider_options,
        fingerprint=fingerprint,
    )


def _separate_encryption_key(message: Message, context: AdmissionContext) -> Message:
    """Return the message with its encryption key, the caller's or a new one, apart from what is stored of it.

    A caller's key for a provider that does not get the message is dropped.
    """
    options = {name: _without_key_options(name, given) for name, given in message.provider_options.items()}
    encrypting = [
        provider
        for provider in context.routing.on_route(message)
        if isinstance(provider, SupportsEncryption) and provider.encrypts(message)
    ]
    if not encrypting:
        return replace(message, provider_options=options)
    given = (provider.options_of(message).get(provider.capabilities.key_option or "") for provider in encrypting)
    key = next((key for key in given if key is not None), None) or context.new_key()
    return replace(message, provider_options=options, attachments=replace(message.attachments, encryption_key=key))


def _without_key_options(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    secret = {api.capabilities.key_option for api in load(name)}
    return {option: value for option, value in options.items() if option not in secret}


def _content(request: SendRequest) -> tuple[Content, Attachments]:
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
                Attachments(file=file),
            )
        case TemplateContent() as template:
            return (
                Template(
                    template_id=template.template_id,
                    parameters=parse_parameters(template.parameters),
                    recipient_name=template.recipient_name,
                ),
                Attachments(),
            )
        case text:
            return Text(text=text.text), Attachments()
