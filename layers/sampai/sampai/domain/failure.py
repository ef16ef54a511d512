"""The reasons why a message failed or did not arrive."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    INVALID_REQUEST = "invalid_request"
    INVALID_RECIPIENT = "invalid_recipient"
    INVALID_SENDER = "invalid_sender"
    INVALID_CONTENT = "invalid_content"
    TOO_LONG = "too_long"
    UNSUPPORTED = "unsupported"
    UNROUTABLE = "unroutable"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    AUTHENTICATION = "authentication"
    RATE_LIMITED = "rate_limited"
    TEMPLATE_REJECTED = "template_rejected"
    WINDOW_CLOSED = "window_closed"
    UNREACHABLE = "unreachable"
    PROVIDER_ERROR = "provider_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reason, the vendor's own code if it has one, and our text, which contains no value of the message."""

    reason: Reason
    provider_code: str | None = None
    detail: str | None = None
