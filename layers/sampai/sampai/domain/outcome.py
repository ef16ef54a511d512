"""What an attempt to send came to: taken, not taken, or unknown."""

from dataclasses import dataclass, field
from enum import Enum

from sampai.domain.failure import Reason


class FailureScope(Enum):
    """Whom it concerns that a message was not taken."""

    MESSAGE = "message"
    PROVIDER = "provider"
    """The account at the vendor is out of order; the message itself is blameless."""
    CONNECTION = "connection"
    """The vendor could not be reached."""
    INTERNAL = "internal"
    """No call was made, by a decision or a fault of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The vendor accepted the message and named it.

    `encryption_key` is the key under which the vendor keeps the text, where it encrypts and says so.
    """

    provider_message_id: str
    provider_status: str | None = None
    encryption_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The vendor definitely did not accept the message.

    `is_final` says that this vendor will never take this message. `retry_after_seconds` is the vendor's own wish.
    """

    reason: Reason
    is_final: bool
    scope: FailureScope = FailureScope.MESSAGE
    provider_code: str | None = None
    detail: str | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It cannot be told whether the vendor accepted the message."""

    why: str


Outcome = Taken | NotTaken | Unknown
