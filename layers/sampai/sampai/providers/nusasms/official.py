"""NusaSMS: WhatsApp Official. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel, Content, Media, Message, Text
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.template import InvalidTemplateError, Template, TemplateInfo, parse_template
from sampai.domain.times import parse_vendor_time
from sampai.domain.webhook_fields import WebhookFields, read_fields
from sampai.providers.base import Capabilities
from sampai.providers.features import SupportsTemplateFallback, SupportsWebhooks
from sampai.providers.multipart import File, post_multipart
from sampai.providers.nusasms.common import ID, JAKARTA, NAME, SENDER, WORD, parse_number, parse_text, require_text
from sampai.providers.nusasms.json_api import Check, JsonApi
from sampai.providers.responses import UnreadableAnswerError

_RECEIPT: Final = WebhookFields(deciding=("ref_no", "status"), others=("status_date",))
_INBOX: Final = WebhookFields(deciding=("ref_no", "room_id", "sender_number"), others=("text", "inbox_date"))

# "Message Status" shows only `read`. The others are a guess from the public code of a client.
STATUSES: Final[Mapping[str, Status]] = {
    "submitted": Status.ACCEPTED,
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "failed": Status.UNDELIVERED,
}

# Guess: the page shows no refusal.
FAILURES: Final[Mapping[str, Reason]] = {
    "credit": Reason.INSUFFICIENT_CREDIT,
    "balance": Reason.INSUFFICIENT_CREDIT,
    "room": Reason.WINDOW_CLOSED,
    "parameter": Reason.INVALID_CONTENT,
    "template": Reason.TEMPLATE_REJECTED,
    "channel": Reason.INVALID_SENDER,
}

# Guess, from the vocabulary of Meta, which approves the templates. Any other word counts as approved, because an
# unknown word must not block all templates. The vendor still refuses a template that is not approved.
_UNAPPROVED: Final = frozenset(
    "DRAFT PENDING IN_APPEAL REJECTED PAUSED LIMIT_EXCEEDED DISABLED ARCHIVED PENDING_DELETION DELETED".split()
)
_HEADER_FORMATS: Final = frozenset({"DOCUMENT", "IMAGE", "VIDEO"})
"""The headers that need a parameter."""
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MAY_BE_PLACEHOLDER: Final = re.compile(r"[0-9{}]")

MAX_ROWS: Final = 2000
"""The most templates or channels. A longer list is refused, because a cut list would make the others unknown."""

MEDIA_TYPES: Final = ("audio", "document", "image", "video", "voice")
"""`ReplyMessageType` of the page, without `text`."""

# The formats that WhatsApp shows or plays. Any other file is sent as a document.
_FORMATS: Final = {
    ".aac": "audio/aac",
    ".amr": "audio/amr",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".3gp": "video/3gpp",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
}

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _parse_templates(data: Any) -> AccountStatus:
    return AccountStatus(templates={row["id"].lower(): _parse_template_info(row) for row in _parse_rows(data)})


def _parse_channels(data: Any) -> AccountStatus:
    return AccountStatus(senders=frozenset(row["id"].lower() for row in _parse_rows(data)))


def _parse_rows(data: Any) -> list[dict[str, Any]]:
    """Return the entries with a valid id. The other entries cannot be used."""
    if not isinstance(data, list) or len(data) > MAX_ROWS:
        raise UnreadableAnswerError("no list, or too long")
    return [row for row in data if isinstance(row, dict) and parse_text(row.get("id"), ID)]


def _parse_template_info(row: Mapping[str, Any]) -> TemplateInfo:
    return TemplateInfo(
        is_approved=str(row.get("status")).upper() not in _UNAPPROVED,
        header_format=_parse_header_format(row.get("header")),
        body_parameters=_count_parameters(row.get("body")),
    )


def _parse_header_format(header: object) -> str | None:
    """Return the format of a header that needs a parameter, or None for any other header."""
    header_format = str(header.get("format") if isinstance(header, dict) else header).upper()
    return header_format if header_format in _HEADER_FORMATS else None


def _count_parameters(body: object) -> int | None:
    """Return the number of different placeholders such as `{{1}}` in a body, or None if it is uncertain.

    The page does not document the format of a body. Its example has lost the braces, so a digit may be a placeholder.
    """
    text = body if isinstance(body, str) else json.dumps(body)
    found = set(_PLACEHOLDER.findall(text))
    if found:
        return len(found)
    return 0 if isinstance(body, str) and not _MAY_BE_PLACEHOLDER.search(body) else None


_CHECKS: Final[Mapping[str, Check]] = {
    "templates": ("wa_official/templates", _parse_templates),
    "channels": ("wa_official/channels", _parse_channels),
}


class NusaSmsWhatsAppOfficial(JsonApi, SupportsTemplateFallback, SupportsWebhooks):
    failures = FAILURES
    checks = _CHECKS
    capabilities = Capabilities(
        channel=Channel.WHATSAPP_OFFICIAL,
        countries=frozenset({"*"}),
        credentials=frozenset({"api_key"}),
        contents=frozenset({Text, Media, Template}),
        max_characters=4096,  # guess; the vendor documents no limit
        max_file_bytes=512 * 1024,  # guess: the limit of WhatsApp's "Send Media"
        options={"media_type": str, "template": dict},
        has_conversations=True,
        webhooks={"whatsapp-official-receipt": _RECEIPT, "whatsapp-official-inbox": _INBOX},
        account_checks=frozenset(_CHECKS),
    )

    def validate(self, message: Message) -> Failure | None:
        return super().validate(message) or _validate_room(message) or _validate_template(message.content, "content")

    def _validate_options(self, message: Message) -> Failure | None:
        if refusal := super()._validate_options(message):
            return refusal
        option = f"provider_options.{self.name}"
        if self.options_of(message).get("media_type", MEDIA_TYPES[0]) not in MEDIA_TYPES:
            detail = f"{option}.media_type: must be one of {', '.join(MEDIA_TYPES)}"
            return Failure(reason=Reason.UNSUPPORTED, detail=detail)
        try:
            return _validate_template(self.window_fallback(message), f"{option}.template")
        except InvalidTemplateError as error:
            return Failure(reason=Reason.INVALID_REQUEST, detail=f"{option}.template: {error}")

    def _validate_sender(self, message: Message) -> Failure | None:
        """Require a channel for a template. A reply uses the channel of its conversation."""
        if not isinstance(message.content, Template):
            return None
        sender = self.sender_of(message)
        if sender is not None and _UUID.fullmatch(sender) is None:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: must be the UUID of a channel")
        return super()._validate_sender(message)

    def build_send(self, message: Message) -> HttpRequest:
        if isinstance(message.content, Template):
            return self._build_broadcast(message, message.content)
        parts: dict[str, str | File] = {"room_id": message.room_id or ""}
        if isinstance(message.content, Media):
            parts |= self._build_media(message, message.content)
        else:
            parts |= {"type": "text", "text": self.text_of(message)}
        return post_multipart(self._url("wa_official/message/reply"), parts.items(), headers=self._headers)

    def window_fallback(self, message: Message) -> Template | None:
        """Return the template of the options. Raise InvalidTemplateError if `validate` would refuse it."""
        template = self.options_of(message).get("template")
        return None if template is None else parse_template(template)

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        return (_parse_inbound(request) if kind == "whatsapp-official-inbox" else _parse_report(request),)

    def _build_broadcast(self, message: Message, template: Template) -> HttpRequest:
        number = (message.recipient or "").removeprefix("+")
        document: dict[str, Any] = {
            "destination": number,
            "destination_name": template.recipient_name or number,
            "template_id": template.template_id,
            "channel_id": self.sender_of(message),
        }
        if parameters := template.parameters.document():
            document["parameters"] = parameters
        return HttpRequest.post_json(self._url("wa_official/message/broadcast"), document, headers=self._headers)

    def _build_media(self, message: Message, content: Media) -> dict[str, str | File]:
        """Return the parts of a file. Raise ValueError if it was not loaded."""
        name = content.file_name or urlsplit(content.media_url or "").path
        media_type = _FORMATS.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")
        guessed = media_type.partition("/")[0]
        parts: dict[str, str | File] = {
            "type": self.options_of(message).get("media_type", guessed if guessed in MEDIA_TYPES else "document")
        }
        if content.caption is not None:
            parts["text"] = content.caption
        if content.media_url is not None:
            return parts | {"file_url": content.media_url}
        if message.attachments.file is None:
            raise ValueError("no file")
        return parts | {"file": File(name=name, media_type=media_type, data=message.attachments.file)}


def _validate_room(message: Message) -> Failure | None:
    """Return the reason why the content does not fit the conversation of the message, or its absence, or None."""
    if isinstance(message.content, Template):
        detail = "content.type: a template starts a conversation, it takes no room_id"
        return None if message.room_id is None else Failure(reason=Reason.UNSUPPORTED, detail=detail)
    if message.room_id is None:
        detail = "content.type: without a room_id only a template goes out"
        return Failure(reason=Reason.UNSUPPORTED, detail=detail)
    if _UUID.fullmatch(message.room_id) is None:
        return Failure(reason=Reason.INVALID_REQUEST, detail="room_id: must be a UUID")
    return None


def _validate_template(content: Content | None, field: str) -> Failure | None:
    if not isinstance(content, Template) or _UUID.fullmatch(content.template_id):
        return None
    return Failure(reason=Reason.TEMPLATE_REJECTED, detail=f"{field}.template_id: must be a UUID")


def _parse_report(request: WebhookRequest) -> Report:
    fields = read_fields(request, _RECEIPT)
    provider_status = require_text(fields, "status", WORD)
    status = STATUSES.get(provider_status.lower())
    return Report(
        provider_message_id=require_text(fields, "ref_no", ID),
        status=status,
        provider_status=provider_status,
        reason=Reason.PROVIDER_ERROR if status is Status.UNDELIVERED else None,
        occurred_at=parse_vendor_time(fields.get("status_date"), JAKARTA),
    )


def _parse_inbound(request: WebhookRequest) -> Inbound:
    """Parse a message. Raise MalformedWebhookError without a sender. Everything else may be missing."""
    fields = read_fields(request, _INBOX)
    return Inbound(
        provider=NAME,
        channel=Channel.WHATSAPP_OFFICIAL,
        provider_message_id=parse_text(fields.get("ref_no"), ID),
        sender=parse_number(require_text(fields, "sender_number", SENDER), Channel.WHATSAPP_OFFICIAL),
        text=fields.get("text", ""),  # a picture has no text
        room_id=parse_text(fields.get("room_id"), ID),
        received_at=parse_vendor_time(fields.get("inbox_date"), JAKARTA),
    )
