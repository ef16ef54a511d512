"""What may stand in an SQS message: a send request, a cancel request, or our own note to resume a message."""

import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from sampai.domain.message import MESSAGE_ID, Category, Channel, OnUnknown
from sampai.domain.phone import E164
from sampai.domain.times import to_text

_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_]{0,39}", re.ASCII)

OPTIONS_LIMIT: Final = 4096


def _matches(pattern: re.Pattern[str], expectation: str) -> AfterValidator:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise PydanticCustomError("pattern", expectation)
        return text

    return AfterValidator(check)


def _require_rfc3339(value: Any) -> Any:
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise PydanticCustomError("rfc3339", "must be an RFC 3339 time with a zone")
    return value


def _check_size(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if len(json.dumps(options)) > OPTIONS_LIMIT:
        raise PydanticCustomError("size", "must be at most 4096 bytes of JSON")
    return options


MessageId = Annotated[
    str,
    _matches(MESSAGE_ID, "must be 1 to 64 of A-Z a-z 0-9 . _ : - and start with a letter or digit"),
    Field(json_schema_extra={"pattern": f"^{MESSAGE_ID.pattern}$"}),
]
Recipient = Annotated[
    str,
    _matches(E164, "must be exactly one E.164 number: + and 7 to 15 ASCII digits"),
    Field(json_schema_extra={"pattern": f"^{E164.pattern}$"}),
]
Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_rfc3339)]
Sender = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$")]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class TextContent(_Document):
    type: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1)] = Field(repr=False)


class SendRequest(_Document):
    """A request to send one message."""

    message_id: MessageId = Field(
        description="The caller's own id and idempotency key: one id is one message for ever."
    )
    channel: Channel = Channel.SMS
    recipient: Recipient = Field(repr=False, description="E.164 with +.")
    sender: Sender | None = Field(default=None, description="Sender id or label; the settings' where none is given.")
    content: TextContent
    category: Category = Category.TRANSACTIONAL
    provider: str | None = Field(default=None, description="A provider's name; without it the route decides.")
    send_at: Instant | None = None
    expires_at: Instant | None = Field(default=None, description="No vendor call starts after it.")
    on_unknown: OnUnknown = OnUnknown.HOLD
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=10)] = Field(
        default_factory=dict, repr=False, description="Echoed in every event, never sent to a vendor."
    )
    provider_options: Annotated[dict[str, dict[str, Any]], AfterValidator(_check_size)] = Field(
        default_factory=dict, repr=False, description=f"By provider; at most {OPTIONS_LIMIT} bytes of JSON."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "SendRequest":
        if self.send_at and self.expires_at and self.expires_at <= self.send_at:
            raise PydanticCustomError("order", "expires_at: must be after send_at")
        return self

    def fingerprint(self, key: bytes) -> str:
        """Return a keyed digest of what the request says: equal for equal requests, useless without the key.

        A plain digest of a one-time password could be reversed by trying all of them.
        """
        # Without defaults: saying one is no other request, and a field that comes later changes no digest.
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


class ResumeRequest(_Document):
    """Our own note that a waiting message is due. It names the attempt, so an old note resumes nothing."""

    resume: MessageId
    attempt: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRequest:
    """A body from which no request could be read. `message_id` is None if not even that could be read."""

    message_id: str | None
    detail: str


Request = SendRequest | CancelRequest | ResumeRequest | InvalidRequest


def parse_request(body: str) -> Request:
    """Read the body of an SQS message. Whatever is wrong becomes an `InvalidRequest` that names the field."""
    try:
        document = from_json(body.encode("utf-8"), allow_inf_nan=False)
    except ValueError:
        return InvalidRequest(message_id=None, detail="body: not JSON in UTF-8")
    if not isinstance(document, dict):
        return InvalidRequest(message_id=None, detail="body: not a JSON object")
    model: type[SendRequest | CancelRequest | ResumeRequest] = SendRequest
    if "cancel" in document:
        model = CancelRequest
    elif "resume" in document:
        model = ResumeRequest
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return InvalidRequest(message_id=_readable_id(document), detail="; ".join(_explain(e) for e in found[:3]))


def _readable_id(document: dict[str, Any]) -> str | None:
    candidate = document.get("message_id")
    return candidate if isinstance(candidate, str) and MESSAGE_ID.fullmatch(candidate) else None


def _explain(error: ErrorDetails) -> str:
    """Name the field and the rule. A name that may itself be somebody's number or text is not repeated."""
    path = ".".join(str(part) if _FIELD_NAME.fullmatch(str(part)) else "…" for part in error["loc"])
    rule = "unknown field" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{path}: {rule}" if path else rule
