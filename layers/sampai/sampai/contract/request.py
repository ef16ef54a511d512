"""The bodies of SQS messages: requests to send, cancel, opt out or opt in, and our own wake-ups."""

import binascii
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import from_json

from sampai.contract.problems import RULE, Matches, broken_rule, describe, envelope_problem, notation_hint
from sampai.domain.email_address import ADDRESS, MAX_CHARACTERS, NAME, is_address, is_sender, normalize_address
from sampai.domain.failure import Reason
from sampai.domain.message import MESSAGE_ID, Category, Channel, OnUnknown
from sampai.domain.outcome import NO_CALL, FailureScope, NotTaken, Taken
from sampai.domain.phone import E164, has_trunk_zero
from sampai.domain.recipient import is_email
from sampai.domain.template import InvalidTemplateError, parse_parameters
from sampai.domain.times import to_text

_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_HTTPS_URL: Final = re.compile(r"[Hh][Tt][Tt][Pp][Ss]://[!-~]+", re.ASCII)
_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_ID_IN_TEXT: Final = re.compile(rf'(?<!\\)"message_id"\s*:\s*"({MESSAGE_ID.pattern})"', re.ASCII)
_BYTE_ORDER_MARK: Final = "\ufeff"

MAX_AHEAD: Final = timedelta(days=366)
"""How far ahead `send_at` and `expires_at` may be."""

OPTIONS_LIMIT: Final = 4096
MAX_LISTS: Final = 10
MAX_COPIES: Final = 20
"""The most addresses in `cc`, and in `bcc`."""

MAX_ATTACHMENTS: Final = 10

_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""One line of text without control characters: a line break in a header of an e-mail would begin another header."""

_FILE_NAME: Final = re.compile(r"[^/\\\x00-\x1f\x7f-\x9f\"]{1,128}")
_ROOM_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_LIST_NAME: Final = re.compile(r"[^\x00-\x1f\x7f,]{1,100}")
_PLAIN_SENDER: Final = re.compile(r"[\x20-\x7e]{1,64}", re.ASCII)
_NOT_E164: Final = "must be exactly one E.164 number: + and 7 to 15 ASCII digits"
_NOT_AN_ADDRESS: Final = "must be exactly one e-mail address in ASCII, of at most 254 characters"


def _require_rfc3339(value: Any) -> Any:
    if isinstance(value, datetime):  # from Python code; a JSON document holds a string
        return value
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise broken_rule("must be an RFC 3339 time with a zone")
    return value


def _to_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise broken_rule("must be a time that exists in UTC") from None


def _check_ahead(instant: datetime, info: ValidationInfo) -> datetime:
    # Clients build the models without a clock; the service checks again.
    if info.context is not None and instant > info.context["now"] + MAX_AHEAD:
        raise broken_rule("must be at most 366 days ahead")
    return instant


def _check_trunk_zero(number: str) -> str:
    if has_trunk_zero(number):
        raise broken_rule("must not have a 0 right after the country code")
    return number


def _check_number(number: str) -> str:
    if E164.fullmatch(number) is None:
        raise broken_rule(_NOT_E164 + notation_hint(number))
    return number


def _check_address(address: str) -> str:
    if not is_address(address):
        raise broken_rule(_NOT_AN_ADDRESS)
    return normalize_address(address)


def _check_subscriber(recipient: str) -> str:
    return _check_address(recipient) if is_email(recipient) else _check_trunk_zero(_check_number(recipient))


def _check_size(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if len(json.dumps(options)) > OPTIONS_LIMIT:
        raise broken_rule("must be at most 4096 bytes of JSON")
    return options


def _check_media_url(url: str) -> str:
    try:
        # Check this first: urlsplit drops or normalises characters that are not printable ASCII.
        parts = urlsplit(url if _HTTPS_URL.fullmatch(url) else "")
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname or "@" in parts.netloc:
        raise broken_rule("must be an https URL in ASCII, without credentials or spaces")
    return url


def _check_base64(text: str) -> str:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise broken_rule("must be base64 with padding, without line breaks") from None
    return text


def _check_parameters(document: Any) -> Any:
    try:
        parse_parameters(document)
    except InvalidTemplateError as error:
        rule = str(error).removeprefix("parameters").removeprefix(".").removeprefix(": ")
        raise broken_rule(rule) from None
    return document


MessageId = Annotated[
    str,
    Matches(MESSAGE_ID, "must be 1 to 64 of A-Z a-z 0-9 . _ : - and start with a letter or digit"),
]
_NUMBER_SCHEMA: Final[dict[str, Any]] = {"pattern": f"^{E164.pattern}$"}
_ADDRESS_SCHEMA: Final[dict[str, Any]] = {"pattern": f"^{ADDRESS.pattern}$", "maxLength": MAX_CHARACTERS}

_SENDER_PATTERN: Final = f"^(?:{ADDRESS.pattern}|{NAME.pattern} <{ADDRESS.pattern}>)$"

EmailAddress = Annotated[str, AfterValidator(_check_address), Field(json_schema_extra=_ADDRESS_SCHEMA)]
Subscriber = Annotated[
    str,
    AfterValidator(_check_subscriber),
    Field(json_schema_extra={"anyOf": [_NUMBER_SCHEMA, _ADDRESS_SCHEMA]}),
]
FileName = Annotated[
    str,
    Matches(_FILE_NAME, 'must be 1 to 128 characters, none of them /, \\, " or a control character'),
]
RoomId = Annotated[
    str,
    Matches(_ROOM_ID, "must be 1 to 64 of A-Z a-z 0-9 -"),
]
ListName = Annotated[
    str,
    Matches(_LIST_NAME, "must be 1 to 100 characters, none of them a comma or a control character"),
]
MediaUrl = Annotated[
    str,
    StringConstraints(max_length=2048),
    AfterValidator(_check_media_url),
    Field(json_schema_extra={"pattern": f"^{_HTTPS_URL.pattern}$"}),
]
Base64 = Annotated[
    str,
    StringConstraints(min_length=4),
    AfterValidator(_check_base64),
    Field(json_schema_extra={"contentEncoding": "base64", "pattern": _BASE64}),
]
Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_rfc3339), AfterValidator(_to_utc)]
FutureInstant = Annotated[Instant, AfterValidator(_check_ahead)]
Copies = Annotated[tuple[EmailAddress, ...], Field(max_length=MAX_COPIES, strict=False)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class _Document(BaseModel):
    # Build the validators on first use: half of the kinds are never used.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


def _given(name: str, kind: str = "string") -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": kind}}}


def _only(*names: str) -> dict[str, Any]:
    """Return the schema of a file that exactly these fields describe."""
    others = {"media_url", "media_base64", "file_name"} - set(names)
    return {
        "required": list(names),
        "properties": {n: {"type": "string"} for n in names} | {n: {"type": "null"} for n in sorted(others)},
    }


class TextContent(_Document):
    type: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1)] = Field(repr=False)


class MediaContent(_Document):
    """A file, either at an address that the vendor fetches or in the request itself. Sampai never fetches it."""

    type: Literal["media"]
    model_config = ConfigDict(json_schema_extra={"oneOf": [_only("media_url"), _only("media_base64", "file_name")]})

    media_url: MediaUrl | None = Field(default=None, repr=False, description="https; fetched by the vendor.")
    media_base64: Base64 | None = Field(default=None, repr=False, description="The file itself. Requires file_name.")
    file_name: FileName | None = Field(default=None, repr=False)
    caption: Annotated[str, StringConstraints(min_length=1)] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _is_one_file(self) -> "MediaContent":
        if (self.media_url is None) is (self.media_base64 is None):
            raise broken_rule("must have either media_url or media_base64")
        if (self.media_base64 is None) is not (self.file_name is None):
            raise broken_rule("media_base64 and file_name go together")
        return self

    def file(self) -> bytes | None:
        """Return the bytes of the file in the request, or None if the vendor fetches the file."""
        return None if self.media_base64 is None else b64decode(self.media_base64)


class TemplateContent(_Document):
    """A template that the vendor has approved, with the values of its placeholders."""

    type: Literal["template"]
    template_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    parameters: Annotated[dict[str, Any] | list[Any], BeforeValidator(_check_parameters)] = Field(
        default_factory=dict,
        repr=False,
        description=(
            "header {format, params: [{key, value}]}, body [text or {key, value, value_text}], "
            "buttons [{index, type, value}]; or the list of the body alone."
        ),
    )
    recipient_name: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, repr=False
    )


class AttachmentContent(_Document):
    """A file of an e-mail."""

    file_name: FileName = Field(repr=False)
    content_base64: Base64 = Field(repr=False)

    def file(self) -> bytes:
        return b64decode(self.content_base64)


class EmailContent(_Document):
    """An e-mail to one recipient. The body is plain text or HTML."""

    type: Literal["email"]
    subject: Annotated[
        str,
        StringConstraints(min_length=1, max_length=255),
        Matches(_LINE, "must be one line without control characters"),
    ] = Field(repr=False)
    body: Annotated[str, StringConstraints(min_length=1)] = Field(repr=False)
    reply_to: EmailAddress | None = Field(default=None, repr=False)
    cc: Copies = Field(default=(), repr=False)
    bcc: Copies = Field(default=(), repr=False)
    attachments: Annotated[tuple[AttachmentContent, ...], Field(max_length=MAX_ATTACHMENTS, strict=False)] = Field(
        default=(), repr=False
    )


def _content_type(content: Any) -> Any:
    return content.get("type") if isinstance(content, dict) else getattr(content, "type", None)


Content = Annotated[
    Annotated[TextContent, Tag("text")]
    | Annotated[MediaContent, Tag("media")]
    | Annotated[TemplateContent, Tag("template")]
    | Annotated[EmailContent, Tag("email")],
    Discriminator(
        _content_type,
        custom_error_type=RULE,
        custom_error_message="type must be text, media, template or email",
    ),
]


class Audience(_Document):
    """Contact lists or groups kept at the vendor, instead of a recipient."""

    lists: Annotated[
        tuple[ListName, ...],
        Field(min_length=1, max_length=MAX_LISTS, strict=False),
    ]


def _fields_of(recipient: dict[str, Any], sender: dict[str, Any], content_type: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the fields that depend on the channel."""
    return {
        "properties": {
            "recipient": recipient,
            "sender": sender,
            "content": {"properties": {"type": content_type}},
        }
    }


class SendRequest(_Document):
    """A request to send one message."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_given("recipient"), _given("audience", "object"), _given("room_id")],
            "allOf": [
                {
                    "if": _given("audience", "object"),
                    "then": {"properties": {"recipient": {"type": "null"}, "room_id": {"type": "null"}}},
                },
                {
                    "if": {"required": ["channel"], "properties": {"channel": {"const": Channel.EMAIL}}},
                    "then": _fields_of(_ADDRESS_SCHEMA, {"pattern": _SENDER_PATTERN}, {"const": "email"}),
                    "else": _fields_of(
                        _NUMBER_SCHEMA, {"pattern": f"^{_PLAIN_SENDER.pattern}$"}, {"not": {"const": "email"}}
                    ),
                },
                {
                    "if": _given("room_id"),
                    "then": {"required": ["channel"], "properties": {"channel": {"const": Channel.WHATSAPP_OFFICIAL}}},
                },
            ],
        }
    )

    message_id: MessageId = Field(
        description="The caller's own id and idempotency key: one id is always the same message."
    )
    channel: Channel = Channel.SMS
    recipient: str | None = Field(
        default=None,
        repr=False,
        description="E.164 with +, or an e-mail address on email. Required unless audience or room_id is given.",
    )
    audience: Audience | None = Field(default=None, description="Lists kept at the vendor, instead of a recipient.")
    room_id: RoomId | None = Field(default=None, description="The conversation to reply in; whatsapp_official only.")
    sender: str | None = Field(
        default=None,
        description="Sender id or label; on email an address, or a name with one. Default: the sender in the settings.",
    )
    content: Content
    category: Category = Category.TRANSACTIONAL
    provider: str | None = Field(default=None, description="Name of a provider; without it the route decides.")
    send_at: FutureInstant | None = Field(default=None, description="At most 366 days ahead; in the past means now.")
    expires_at: FutureInstant | None = Field(
        default=None, description="No vendor call starts at or after it. At most 366 days ahead."
    )
    on_unknown: OnUnknown = OnUnknown.HOLD
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=10)] = Field(
        default_factory=dict, repr=False, description="Echoed in every event, never sent to a vendor."
    )
    provider_options: Annotated[dict[str, dict[str, Any]], AfterValidator(_check_size)] = Field(
        default_factory=dict, repr=False, description=f"By provider; at most {OPTIONS_LIMIT} bytes of JSON."
    )

    # A channel that is not valid is reported by itself: `info.data` then lacks it.
    @field_validator("recipient")
    @classmethod
    def _fits_recipient(cls, recipient: str | None, info: ValidationInfo) -> str | None:
        if recipient is None or "channel" not in info.data:
            return recipient
        return (_check_address if info.data["channel"] is Channel.EMAIL else _check_number)(recipient)

    @field_validator("sender")
    @classmethod
    def _fits_sender(cls, sender: str | None, info: ValidationInfo) -> str | None:
        if sender is None or "channel" not in info.data:
            return sender
        if info.data["channel"] is Channel.EMAIL:
            if not is_sender(sender):
                raise broken_rule("must be an e-mail address, or a name and an address in <>")
        elif _PLAIN_SENDER.fullmatch(sender) is None:
            raise broken_rule("must be 1 to 64 printable ASCII characters")
        return sender

    @model_validator(mode="after")
    def _fits_together(self) -> "SendRequest":
        if broken := [*self._content_problems(), *self._destination_problems(), *self._time_problems()]:
            raise broken_rule(*broken)
        return self

    def _content_problems(self) -> Iterator[str]:
        if isinstance(self.content, EmailContent) is not (self.channel is Channel.EMAIL):
            yield "content.type: email, and only that, on the channel email"

    def _destination_problems(self) -> Iterator[str]:
        if self.audience is not None and (self.recipient is not None or self.room_id is not None):
            yield "audience: cannot be combined with recipient or room_id"
        if self.room_id is not None and self.channel is not Channel.WHATSAPP_OFFICIAL:
            yield "room_id: whatsapp_official only"
        if self.recipient is None and self.audience is None and self.room_id is None:
            yield "recipient: required, unless audience or room_id is given"

    def _time_problems(self) -> Iterator[str]:
        if self.send_at and self.expires_at and self.expires_at <= self.send_at:
            yield "expires_at: must be after send_at"

    def fingerprint(self, key: bytes) -> str:
        """Return a keyed digest of the request: equal for equal requests, and useless without the key.

        A plain digest of a one-time password could be reversed by trying all passwords.
        """
        # Leave defaults out: an explicit default is the same request, and a field added later changes no digest.
        said = json.dumps(self.model_dump(exclude_defaults=True), default=_plain, sort_keys=True, separators=(",", ":"))
        return digest(said, key)


def digest(text: str, key: bytes) -> str:
    """Return a keyed digest of a text, in hex."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()


def _plain(value: Any) -> str:
    return to_text(value) if isinstance(value, datetime) else str(value)


class CancelRequest(_Document):
    """A request to cancel a message that has not been sent."""

    cancel: MessageId


class OptOutRequest(_Document):
    """A request to send a number or an e-mail address no more promotional messages."""

    opt_out: Subscriber = Field(repr=False)
    at: Instant | None = Field(
        default=None, description="Time of the recipient's wish. Default: when SQS took the request."
    )


class OptInRequest(_Document):
    """A request to allow promotional messages to a number or an e-mail address again."""

    opt_in: Subscriber = Field(repr=False)
    at: Instant | None = Field(
        default=None, description="Time of the recipient's wish. Default: when SQS took the request."
    )


class ResumeRequest(_Document):
    """Our own wake-up for a waiting message that is due. It names the attempt, so an old wake-up has no effect."""

    resume: MessageId
    attempt: Annotated[int, Field(ge=0)]


class TakenOutcome(_Document):
    """The vendor accepted the message."""

    provider_message_id: Annotated[str, StringConstraints(min_length=1)]
    provider_status: str | None = None

    def outcome(self) -> Taken:
        return Taken(provider_message_id=self.provider_message_id, provider_status=self.provider_status)


class NotTakenOutcome(_Document):
    """The vendor certainly did not accept the message, or was not called."""

    # The enumerations come as texts.
    model_config = ConfigDict(strict=False)

    reason: Reason
    is_final: bool
    scope: FailureScope
    provider_code: str | None = None
    retry_after_seconds: float | None = None

    def outcome(self) -> NotTaken:
        return NotTaken(
            reason=self.reason,
            is_final=self.is_final,
            scope=self.scope,
            detail=NO_CALL if self.scope is FailureScope.INTERNAL else None,
            provider_code=self.provider_code,
            retry_after_seconds=self.retry_after_seconds,
        )


class OutcomeRequest(_Document):
    """Our own note of an outcome that the store did not take. Only the worker and the store know the attempt id."""

    outcome_of: MessageId
    attempt_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    taken: TakenOutcome | None = None
    not_taken: NotTakenOutcome | None = None

    @model_validator(mode="after")
    def _is_one_outcome(self) -> "OutcomeRequest":
        if (self.taken is None) is (self.not_taken is None):
            raise broken_rule("must have either taken or not_taken")
        return self

    def outcome(self) -> Taken | NotTaken:
        """Return the outcome of the attempt."""
        carried = self.taken or self.not_taken
        assert carried is not None  # noqa: S101 - the validator requires it
        return carried.outcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRequest:
    """A body that is not a valid request. `message_id` is None if the body has no readable id."""

    message_id: str | None
    detail: str


Request = SendRequest | CancelRequest | OptOutRequest | OptInRequest | ResumeRequest | OutcomeRequest | InvalidRequest

_Model = (
    type[SendRequest]
    | type[CancelRequest]
    | type[OptOutRequest]
    | type[OptInRequest]
    | type[ResumeRequest]
    | type[OutcomeRequest]
)

_MODELS: Final[dict[str, _Model]] = {
    "cancel": CancelRequest,
    "opt_out": OptOutRequest,
    "opt_in": OptInRequest,
    "resume": ResumeRequest,
    "outcome_of": OutcomeRequest,
}
"""The kind of a request by its distinctive field. A body without any of these fields is a send request."""


def parse_request(body: str, *, now: datetime) -> Request:
    """Parse the body of an SQS message. Every error becomes an `InvalidRequest` that names the field."""
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        document = from_json(body.encode("utf-8"), allow_inf_nan=False)
    except ValueError:
        return InvalidRequest(message_id=_find_id(body), detail="body: not JSON in UTF-8")
    if not isinstance(document, dict):
        return InvalidRequest(message_id=_find_id(body), detail="body: not a JSON object")
    if problem := envelope_problem(document):
        return InvalidRequest(message_id=_id_of(document), detail=problem)
    model = next((model for name, model in _MODELS.items() if name in document), SendRequest)
    try:
        return model.model_validate_json(body, context={"now": now})
    except ValidationError as error:
        detail = describe(error, known=_field_names(), hides_names=True)
        return InvalidRequest(message_id=_id_of(document), detail=detail)


def _id_of(document: Any) -> str | None:
    candidate = document.get("message_id") if isinstance(document, dict) else None
    return candidate if isinstance(candidate, str) and MESSAGE_ID.fullmatch(candidate) else None


def _find_id(body: str) -> str | None:
    """Return the message id of a body that is not a valid JSON object, or None if it has none or several."""
    try:
        # Python's parser accepts NaN and half of a surrogate pair. The id beside them is still the caller's.
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return _id_of(document)
    found = set(_ID_IN_TEXT.findall(body))
    return found.pop() if len(found) == 1 else None


def _field_names() -> frozenset[str]:
    """Return the names of all public fields of requests."""
    models: tuple[type[BaseModel], ...] = (
        *(SendRequest, TextContent, MediaContent, TemplateContent, EmailContent, AttachmentContent, Audience),
        *(CancelRequest, OptOutRequest, OptInRequest),
    )
    return frozenset(name for model in models for name in model.model_fields)
