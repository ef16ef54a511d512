"""The reasons why a message failed or did not arrive."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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


ACTIONS: Final[Mapping[Reason, str]] = {
    Reason.INVALID_REQUEST: "the vendor calls the request malformed: report it to the operator",
    Reason.INVALID_RECIPIENT: "recipient: the vendor does not know it, check it with its owner",
    Reason.INVALID_SENDER: "sender: the vendor does not accept it, register it there or use another one",
    Reason.INVALID_CONTENT: "content: the vendor does not accept it, change the text or the file",
    Reason.TOO_LONG: "content: too long for the vendor, shorten it",
    Reason.UNROUTABLE: "recipient: the vendor does not reach its network, use another provider",
    Reason.BLOCKED: "the vendor blocked the message: ask the vendor for the cause",
    Reason.EXPIRED: "the network gave up: send again under a new id",
    Reason.INSUFFICIENT_CREDIT: "the account at the vendor has no credit: top it up",
    Reason.AUTHENTICATION: "the vendor refuses the account: check the credentials and the outgoing address",
    Reason.RATE_LIMITED: "the vendor throttles: send more slowly",
    Reason.TEMPLATE_REJECTED: "content.template_id: the vendor does not accept it, check its approval there",
    Reason.WINDOW_CLOSED: "room_id: the conversation is closed, send a template",
    Reason.UNREACHABLE: "the phone was off or out of reach: send again under a new id",
    Reason.PROVIDER_ERROR: "the vendor gave no known reason: the operator can read its words",
}
"""The detail of a failure at the vendor or the handset, with the next step of the caller."""


def detail_of_vendor(reason: Reason, hint: str | None = None) -> str | None:
    """Return the detail of a failure at the vendor. `hint` is what the provider read from the refusal, in our words."""
    action = ACTIONS.get(reason)
    return f"{action} ({hint})" if action and hint else action or hint
