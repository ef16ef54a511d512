"""Build the draft of a message from its request. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sampai.contract.request import EmailContent, MediaContent, SendRequest, TemplateContent
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    AttachedFile,
    Attachments,
    Channel,
    Content,
    Email,
    Media,
    Message,
    Text,
    count_segments,
)
from sampai.domain.phone import has_trunk_zero
from sampai.domain.template import Template, parse_parameters
from sampai.domain.typography import replace_typographic
from sampai.providers.base import Provider
from sampai.providers.features import SupportsEncryption
from sampai.services.ports.runtime import NewId
from sampai.services.routing import Routing


def build_draft(request: SendRequest, blank: Message, *, group: str | None, routing: Routing) -> Message:
    """Return the message of a request, without a route. `blank` has only what identifies it."""
    content, attachments = _build_content(request)
    return replace(
        blank,
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
        group=group,
        requested_provider=request.provider if request.provider in routing.names() else None,
        provider_options=request.provider_options,
    )


def prepare_text(draft: Message, *, replaces_typographic: bool) -> Message:
    """Return the draft of an SMS with the text that is sent, and its segments. Any other draft is unchanged.

    The text is changed here, once, so that it is stored as it is sent: reconciliation compares it with a vendor's list.
    """
    if replaces_typographic and draft.channel is Channel.SMS and isinstance(draft.content, Text):
        draft = replace(draft, content=Text(text=replace_typographic(draft.content.text)))
    return count_segments(draft)


def route_draft(
    draft: Message, *, wanted: str | None, routing: Routing, new_key: NewId, now: datetime
) -> Message | Failure:
    """Return the draft with its route and encryption key, or the reason why it cannot be sent.

    `wanted` is the provider in the request. The draft has it only if it is known: another text may be private.
    `new_key` returns a random encryption key.
    """
    if draft.is_expired(now):
        return Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
    if wanted != draft.requested_provider:
        return Failure(reason=Reason.INVALID_REQUEST, detail="provider: not known")
    if not draft.provider_options.keys() <= routing.names():
        return Failure(reason=Reason.INVALID_REQUEST, detail="provider_options: provider not known")
    if draft.recipient is not None and has_trunk_zero(draft.recipient):
        detail = "recipient: must not have a 0 right after the country code"
        return Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    route = routing.route_of(draft)
    if isinstance(route, Failure):
        return route
    return _separate_encryption_key(replace(draft, route=route), routing, new_key)


def _separate_encryption_key(message: Message, routing: Routing, new_key: NewId) -> Message:
    """Move the encryption key out of the provider options, which are stored, into the attachments.

    Without a key from the caller, a new one is made. A key for a provider that is not on the route is dropped.
    """
    options = {
        name: _without_key_options(routing.apis_of(name), given) for name, given in message.provider_options.items()
    }
    encrypting = [
        provider
        for provider in routing.all_providers_for(message)
        if isinstance(provider, SupportsEncryption) and provider.encrypts(message)
    ]
    if not encrypting:
        return message if options == message.provider_options else replace(message, provider_options=options)
    given = (provider.options_of(message).get(provider.capabilities.key_option or "") for provider in encrypting)
    key = next((key for key in given if key is not None), None) or new_key()
    return replace(message, provider_options=options, attachments=replace(message.attachments, encryption_key=key))


def _without_key_options(apis: Iterable[type[Provider]], options: Mapping[str, Any]) -> Mapping[str, Any]:
    secret = {api.capabilities.key_option for api in apis}
    return {option: value for option, value in options.items() if option not in secret}


def _build_content(request: SendRequest) -> tuple[Content, Attachments]:
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
        case EmailContent() as email:
            files = [(attachment.file_name, attachment.file()) for attachment in email.attachments]
            return (
                Email(
                    subject=email.subject,
                    body=email.body,
                    reply_to=email.reply_to,
                    cc=email.cc,
                    bcc=email.bcc,
                    files=tuple(AttachedFile(file_name=name, size=len(data)) for name, data in files),
                ),
                Attachments(file=b"".join(data for _, data in files) if files else None),
            )
        case text:
            return Text(text=text.text), Attachments()
