"""What every provider offers to the services."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final

from sampai.domain.account import AccountStatus
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Channel, Content, Media, Message, Text, text_of_content
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown
from sampai.domain.report import Report
from sampai.domain.template import Template

_OPTION: Final = re.compile(r"(?!.*[0-9]{3})[A-Za-z][A-Za-z0-9_]{0,39}", re.ASCII)

RETRY_AFTER_RANGE: Final = (1.0, 3600.0)
"""Seconds; a vendor's wish outside is brought to the nearer end."""


CONTENT_TYPES: Final[Mapping[type[Content], str]] = {Text: "text", Media: "media", Template: "template"}
"""The kinds of content, by the name that requests have for them."""


class UnreadableAnswerError(ValueError):
    """A vendor's answer to a question that says nothing: an error, an outage, a page of HTML."""


class AccountRefusedError(ValueError):
    """A vendor's answer that it does not take our credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do on a channel; whatever is not declared is refused before anything is sent."""

    channel: Channel
    countries: frozenset[str]
    """ISO 3166-1 codes of the countries that the default routes send through this provider; `*` for all."""
    credentials: frozenset[str]
    """Names of the credentials in the secret; the provider is off on this channel while one is missing."""
    contents: frozenset[type[Content]] = frozenset({Text})
    max_characters: int
    """Of a text, or of a caption."""
    max_file_bytes: int = 0
    options: Mapping[str, type] = field(default_factory=dict)
    """Accepted `provider_options`, with the JSON type of each value."""
    key_option: str | None = None
    """The option in which a caller may give the encryption key. It is kept apart from the message."""
    max_lists: int = 0
    """Lists of the vendor that one message may go to; 0 if it has none."""
    has_conversations: bool = False
    """Messages may reply in a conversation, while that is open."""
    max_batch_size: int = 1
    """Promotional messages that one call may carry."""
    webhooks: frozenset[str] = frozenset()
    account_checks: frozenset[str] = frozenset()
    """What the vendor can be asked about the account."""
    has_lookup: bool = False
    """The vendor tells the status of one message by its id."""
    has_list: bool = False
    """The vendor lists its messages."""
    echoes_reference: bool = False
    """Listed messages and reports carry the reference that we sent: a message is found by it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """What an operator configured for a provider."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    sender: str | None = None
    receipt_url: str | None = field(default=None, repr=False)
    """Where the vendor shall report to, for vendors that are told with each message. It holds a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to list: messages that the vendor took between two instants."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMessage:
    """A message in a vendor's list, with what tells whose it is."""

    report: Report | None
    """None while the vendor shows no sign that it accepted the message."""
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    entries: tuple[ListedMessage, ...]
    is_last: bool


class Provider(ABC):
    """Translates between us and one vendor on one channel. It never sends, sleeps, logs or reads a clock.

    A parser may raise any exception at an answer that it cannot read: the caller takes that as *unknown*. It must
    only never call garbage success.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    default_base_url: ClassVar[str]
    default_sender: ClassVar[str | None] = None
    needs_sender: ClassVar[bool] = True
    """Whether the vendor refuses a message without a sender."""

    def __init__(self, account: ProviderConfig) -> None:
        self.config = account

    def validate(self, message: Message) -> Failure | None:
        """Return why this provider cannot carry the message, or None. Called before anything is claimed or sent."""
        can = self.capabilities
        if message.content is not None and type(message.content) not in can.contents:
            said = CONTENT_TYPES[type(message.content)]
            return _unsupported(f"content.type: {self.name} takes no {said} on {can.channel}")
        if message.room_id is not None and not can.has_conversations:
            return _unsupported(f"room_id: {self.name} has no conversations on {can.channel}")
        if len(message.audience) > can.max_lists:
            lists = "1 list" if can.max_lists == 1 else f"{can.max_lists or 'no'} lists"
            return _unsupported(f"audience: {self.name} takes {lists} on {can.channel}")
        return self._validate_options(message) or self._validate_sender(message) or self._validate_size(message.content)

    def _validate_options(self, message: Message) -> Failure | None:
        for option, value in message.provider_options.get(self.name, {}).items():
            expected = self.capabilities.options.get(option)
            if expected is None:
                # The name may be anything that a caller wrote, so only one that looks like an option is repeated.
                named = f".{option}" if _OPTION.fullmatch(option) else ""
                return _unsupported(f"provider_options.{self.name}{named}: option not offered")
            if type(value) is not expected:
                return Failure(
                    reason=Reason.INVALID_REQUEST, detail=f"provider_options.{self.name}.{option}: wrong type"
                )
        return None

    def _validate_sender(self, message: Message) -> Failure | None:
        if self.sender_of(message) is None and self.needs_sender:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings")
        return None

    def _validate_size(self, content: Content | None) -> Failure | None:
        can = self.capabilities
        if len(text_of_content(content)) > can.max_characters:
            place = "caption" if isinstance(content, Media) else "text"
            return _too_long(f"content.{place}: {self.name} takes {can.max_characters} characters")
        if isinstance(content, Media) and (content.size or 0) > can.max_file_bytes:
            return _too_long(f"content.media_base64: {self.name} takes {can.max_file_bytes} bytes")
        return None

    def sender_of(self, message: Message) -> str | None:
        return message.sender or self.config.sender

    def text_of(self, message: Message) -> str:
        """Return the text of a message that is to be sent. Raises ValueError if it has none."""
        if not isinstance(message.content, Text):
            raise ValueError("no text")
        return message.content.text

    def options_of(self, message: Message) -> Mapping[str, Any]:
        return message.provider_options.get(self.name, {})

    @abstractmethod
    def build_send(self, message: Message) -> HttpRequest: ...

    @abstractmethod
    def parse_send(self, response: HttpResponse) -> Outcome:
        """Read the answer to `build_send`. The default of everything that is not documented is `Unknown`."""

    def batch_key(self, message: Message) -> str | None:
        """Return what messages must have in common to go out in one call, or None for one that goes alone.

        Only promotional ones share a call. One that was turned away goes alone from then on, so that a bad neighbour
        holds nobody up for good.
        """
        if message.category is not Category.PROMOTIONAL or message.attempt > 1:
            return None
        return self.coalesce(message) if self.capabilities.max_batch_size > 1 else None

    def coalesce(self, message: Message) -> str | None:
        """Return what a promotional message has in common with those that one call may carry; None: it goes alone."""
        return None

    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        """Build the one request for messages that `coalesce` puts together, each to another number."""
        raise NotImplementedError(f"{self.name} declares one message a call")

    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        """Read the answer to `build_send_many`: an outcome for each message, in order.

        A refusal of the call as a whole is never final for a message: one of its neighbours may be to blame.
        """
        raise NotImplementedError(f"{self.name} declares one message a call")

    def encrypts(self, message: Message) -> bool:
        """Whether the vendor is to keep the text encrypted, under `message.enclosed.encryption_key`."""
        return False

    def window_fallback(self, message: Message) -> Template | None:
        """Return the template to send instead if the message's conversation is closed, where the caller named one."""
        return None

    def is_trackable(self, message: Message) -> bool:
        """Whether the vendor's look-up and list know of the message at all."""
        return True

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        raise NotImplementedError(f"{self.name} declares no look-up")

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        """Read the answer to `build_lookup`: None if the vendor does not know the message.

        Raises UnreadableAnswerError (or any other exception) if the answer says nothing.
        """
        raise NotImplementedError(f"{self.name} declares no look-up")

    def build_list(self, window: Window, page: int) -> HttpRequest:
        """Build the request for one page, counted from 0, of the messages in the window."""
        raise NotImplementedError(f"{self.name} declares no list")

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Read the answer to `build_list`. Raises UnreadableAnswerError (or any other exception)."""
        raise NotImplementedError(f"{self.name} declares no list")

    def reference_of(self, message: Message) -> str | None:
        """Return the reference that is sent with the message, where the vendor takes one."""
        return None

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        """Read a callback, or raise MalformedWebhookError. Needs no account: a provider that is off still reports."""
        raise NotImplementedError(f"{cls.name} declares no webhooks")

    def build_account_check(self, check: str) -> HttpRequest:
        raise NotImplementedError(f"{self.name} declares no checks of the account")

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        """Read the answer to `build_account_check`.

        Raises AccountRefusedError if the vendor refuses our credentials, UnreadableAnswerError (or any other
        exception) if the answer says nothing.
        """
        raise NotImplementedError(f"{self.name} declares no checks of the account")


def _unsupported(detail: str) -> Failure:
    return Failure(reason=Reason.UNSUPPORTED, detail=detail)


def _too_long(detail: str) -> Failure:
    return Failure(reason=Reason.TOO_LONG, detail=detail)


def refused_by_status(response: HttpResponse) -> Outcome | None:
    """Return what the HTTP status alone tells of a send, or None for the vendor's own dialect (2xx, 400, 403 … 422).

    408, 3xx and 5xx may come after the vendor took the message.
    """
    match response.status:
        case 401:
            return NotTaken(
                reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="401"
            )
        case 429:
            return NotTaken(
                reason=Reason.RATE_LIMITED,
                is_final=False,
                provider_code="429",
                retry_after_seconds=retry_after_seconds(response),
            )
        case status if status < 200 or 300 <= status < 400 or status == 408 or status >= 500:
            return Unknown(why=f"HTTP {status}")
    return None


def retry_after_seconds(response: HttpResponse) -> float | None:
    """Return the Retry-After of an answer, in seconds within `RETRY_AFTER_RANGE`; None without a readable one.

    The date form is read against the answer's own Date header: a provider has no clock.
    """
    consent = response.headers.get("retry-after", "").strip()
    if consent.isascii() and consent.isdigit():
        return _clamped(float(consent))
    try:
        answered_at = parsedate_to_datetime(response.headers["date"])
        return _clamped((parsedate_to_datetime(consent) - answered_at) / timedelta(seconds=1))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    low, high = RETRY_AFTER_RANGE
    return min(max(seconds, low), high)


def parse_id(value: object) -> str | None:
    """Return a vendor's id if it is fit to be stored and asked for: 1 to 200 printable characters, not all blank."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        return None
    return value
