"""The outcome of a send attempt: taken, not taken or unknown."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest
from sampai.domain.message import Message

NO_CALL: Final = "no call was made"
"""Detail of an attempt that ended before its call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The call of an attempt, for the story of its message. Its `repr` shows no words and no values of ours."""

    began_at: datetime
    ended_at: datetime
    http_status: int | None
    """None if no response came."""
    body: bytes = field(repr=False)
    """The response as it is. It may repeat the request."""
    request: HttpRequest
    messages: tuple[Message, ...] = field(repr=False)
    """The messages of the call, with their attachments."""


class FailureScope(Enum):
    """The cause of a message that was not taken."""

    MESSAGE = "message"
    PROVIDER = "provider"
    """The vendor refuses the account. The message itself is valid."""
    CONNECTION = "connection"
    """No connection to the vendor was possible."""
    INTERNAL = "internal"
    """We made no call, by decision or because of an error of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The vendor accepted the message and returned an id.

    `cost` is in the vendor's own words, if its response has one. `encryption_key` is the key with which the vendor
    encrypts the text, if its response has one.
    """

    provider_message_id: str
    provider_status: str | None = None
    cost: str | None = None
    encryption_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The vendor definitely did not accept the message.

    With `is_final` this vendor will never take this message. `retry_after_seconds` is the vendor's requested delay.
    With `is_address_refused` the vendor does not know the IP address that we call from. `vendor_words` are the part of
    the response that is about this message; None: the whole response is. They may repeat the request. They and the
    `exchange` are for the story of the message, and do not make two outcomes different.
    """

    reason: Reason
    is_final: bool
    scope: FailureScope = FailureScope.MESSAGE
    provider_code: str | None = None
    detail: str | None = None
    retry_after_seconds: float | None = None
    is_address_refused: bool = False
    vendor_words: bytes | None = field(default=None, repr=False, compare=False)
    exchange: Exchange | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The vendor may or may not have accepted the message. `vendor_words` are as in `NotTaken`."""

    why: str
    vendor_words: bytes | None = field(default=None, repr=False, compare=False)
    exchange: Exchange | None = field(default=None, repr=False, compare=False)


Outcome = Taken | NotTaken | Unknown
