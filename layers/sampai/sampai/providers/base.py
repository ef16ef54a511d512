"""What every provider offers to the services."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Channel, Message
from sampai.domain.outcome import About, NotTaken, Outcome, Unknown
from sampai.domain.report import Report
from sampai.providers.http import HttpRequest, HttpResponse, WebhookRequest

RETRY_AFTER_RANGE: Final = (1.0, 3600.0)
"""Seconds; a vendor's wish outside is brought to the nearer end."""


class UnreadableAnswerError(ValueError):
    """A vendor's answer to a look-up that says nothing about any message: an error, an outage, a page of HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; whatever is not declared is refused before anything is sent."""

    channels: frozenset[Channel]
    countries: frozenset[str]
    """ISO 3166-1 codes of the countries that the default routes send through this provider."""
    credentials: frozenset[str]
    """Names of the credentials in the secret; the provider is off while one is missing."""
    max_characters: int
    options: Mapping[str, type] = field(default_factory=dict)
    """Accepted `provider_options`, with the type of each value."""
    webhooks: frozenset[str] = frozenset()
    has_lookup: bool = False
    """The vendor tells the status of one message by its id."""
    has_list: bool = False
    """The vendor lists its messages."""
    echoes_reference: bool = False
    """Listed messages and reports carry the reference that we sent: a message is found by it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
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
class Listed:
    """A message in a vendor's list, with what tells whose it is."""

    report: Report | None
    """None while the vendor shows no sign that it accepted the message."""
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    entries: tuple[Listed, ...]
    is_last: bool


class Provider(ABC):
    """Translates between us and one vendor. It never sends, sleeps, logs or reads a clock.

    A parser may raise any exception at an answer that it cannot read: the caller takes that as *unknown*. It must
    only never call garbage success.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    default_base_url: ClassVar[str]
    default_sender: ClassVar[str | None] = None
    needs_sender: ClassVar[bool] = True
    """Whether the vendor refuses a message without a sender."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def refusal(self, message: Message) -> Failure | None:
        """Return why this provider cannot carry the message, or None. Called before anything is claimed or sent."""
        if message.channel not in self.capabilities.channels:
            return Failure(reason=Reason.UNSUPPORTED, detail=f"channel: {self.name} does not offer it")
        for option, value in message.provider_options.get(self.name, {}).items():
            expected = self.capabilities.options.get(option)
            if expected is None:
                return Failure(reason=Reason.UNSUPPORTED, detail=f"provider_options.{self.name}: option not offered")
            if not isinstance(value, expected):
                return Failure(
                    reason=Reason.INVALID_REQUEST, detail=f"provider_options.{self.name}.{option}: wrong type"
                )
        if self.sender_of(message) is None and self.needs_sender:
            return Failure(reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings")
        if message.content is not None and len(message.content.text) > self.capabilities.max_characters:
            limit = self.capabilities.max_characters
            return Failure(reason=Reason.TOO_LONG, detail=f"content.text: {self.name} takes {limit} characters")
        return None

    def sender_of(self, message: Message) -> str | None:
        return message.sender or self.account.sender

    def text_of(self, message: Message) -> str:
        """Return the text of a message that is to be sent; only a settled one has none."""
        if message.content is None:
            raise ValueError("no content")
        return message.content.text

    def options_of(self, message: Message) -> Mapping[str, Any]:
        return message.provider_options.get(self.name, {})

    @abstractmethod
    def build_send(self, message: Message) -> HttpRequest: ...

    @abstractmethod
    def parse_send(self, response: HttpResponse) -> Outcome:
        """Read the answer to `build_send`. The default of everything that is not documented is `Unknown`."""

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
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report, ...]:
        """Read a callback, or raise MalformedWebhookError. Needs no account: a provider that is off still reports."""
        raise NotImplementedError(f"{cls.name} declares no webhooks")


def refused_by_status(response: HttpResponse) -> Outcome | None:
    """Return what the HTTP status alone tells of a send, or None for the vendor's own dialect (2xx, 400, 403 … 422).

    408, 3xx and 5xx may come after the vendor took the message.
    """
    match response.status:
        case 401:
            return NotTaken(reason=Reason.AUTHENTICATION, is_final=False, about=About.PROVIDER, provider_code="401")
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
    wish = response.headers.get("retry-after", "").strip()
    if wish.isascii() and wish.isdigit():
        return _clamped(float(wish))
    try:
        answered_at = parsedate_to_datetime(response.headers["date"])
        return _clamped((parsedate_to_datetime(wish) - answered_at) / timedelta(seconds=1))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    low, high = RETRY_AFTER_RANGE
    return min(max(seconds, low), high)


def readable_id(value: object) -> str | None:
    """Return a vendor's id if it is fit to be stored and asked for: 1 to 200 printable characters, not all blank."""
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        return None
    return value
