"""The seams to the outside. Services know these; adapters and the fakes of the tests implement them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sampai.contract.events import Event
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Message
from sampai.domain.quotas import QuotaCounter
from sampai.domain.report import Report
from sampai.domain.template import Catalogue

if TYPE_CHECKING:
    # Settings need pydantic, which half of the functions do not import.
    from sampai.contract.settings import Settings

Clock = Callable[[], datetime]
"""Returns the present instant, aware, in UTC."""

NewId = Callable[[], str]
"""Returns an id that nobody had before."""

Sleep = Callable[[float], None]
"""Waits for so many seconds."""

Remaining = Callable[[], float]
"""Returns the seconds that are left to this invocation."""

NewPool = Callable[[int], Executor]
"""Returns a pool of so many workers for the vendor calls of one invocation."""


class UnavailableError(Exception):
    """A store, queue or bus did not answer, or answered that it cannot. Nothing is known of the effect."""


# --- store ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Where the sender, who knows the message, and the webhook, who has its report, find each other.

    The key is `{provider}#{provider_message_id}`. Whoever comes first writes it.
    """

    key: str
    message_id: str | None = None
    reports: tuple[Report, ...] = ()
    """Reports that came before anybody knew whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Store a message under an id that is not taken."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Store a message over the revision that it was made from."""

    before: Message
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCorrelation:
    """Store whose message a vendor's id names, if nobody has written under that id."""

    key: str
    message_id: str


Write = Insert | Replace | LinkCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What came of a write. Refused with `current`: the condition failed and that is what stands there.

    Not done and no `current`: the store did not say; the write may or may not have happened.
    """

    done: bool
    current: Message | Correlation | None = None


class Store(Protocol):
    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        """Make independent conditional writes in as few calls as the store allows, and say what came of each.

        Never raises for an outage. A refused write whose `current` equals what was to be written counts as done: an
        answer was lost and the client library asked twice.
        """
        ...

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        """Return the messages that exist, strongly consistent. Raises UnavailableError."""
        ...

    def due(self, now: datetime, limit: int) -> list[str]:
        """Return ids of messages with `due_at` at or before now, the longest due first. May lag behind writes."""
        ...

    def correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        """Return the meeting points that exist, strongly consistent. Raises UnavailableError."""
        ...

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        """Keep a report for whoever claims the vendor's id, or return the meeting if a message has claimed it.

        Durable when it returns. At most a fixed number of reports wait under one key; further ones are dropped.
        Raises UnavailableError.
        """
        ...

    def claim_correlation(self, key: str, message_id: str) -> Correlation:
        """Claim a vendor's id for a message, unless another has it, and return what stands there now.

        Raises UnavailableError.
        """
        ...


def correlation_key(provider: str, provider_message_id: str) -> str:
    return f"{provider}#{provider_message_id}"


# --- beside the messages ---------------------------------------------------------------------------------------------


class Inbox(Protocol):
    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        """Keep an inbound message, whose event then leaves by the table's stream. False if it was kept before.

        Durable when it returns. Raises UnavailableError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityData:
    """What the directory knows of the numbers, conversations and providers that it was asked about."""

    opted_out: frozenset[str] = field(default=frozenset(), repr=False)
    conversations: Mapping[str, Conversation] = field(default_factory=dict)
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    """By provider; without an entry nothing is known of its templates."""


class Directory(Protocol):
    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        """Return what is known, strongly consistent. Raises UnavailableError."""
        ...

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        """Note a number's wish. The latest one counts, in whatever order they arrive; of two at once, to be left alone.

        Raises UnavailableError.
        """
        ...

    def record_conversation(self, conversation: Conversation) -> None:
        """Note a conversation's last inbound message; an older one than is known changes nothing.

        Raises UnavailableError.
        """
        ...

    def store_catalogue(self, provider: str, catalogue: Catalogue) -> None:
        """Put a catalogue in the place of the one before. Raises UnavailableError."""
        ...

    def count(self, counter: QuotaCounter) -> bool:
        """Count one more, unless there are as many as may be. False: there are. Of several at once no more get in.

        Raises UnavailableError: it may have been counted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """When a vendor has time: taken for whoever asked, or, if that is too far ahead, when it may be asked for again."""

    is_granted: bool
    starts_at: datetime


class RateLimiter(Protocol):
    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        """Take the next `duration` of a vendor's time, which all workers share, if it starts between two instants.

        What is not taken at its time is lost, not saved. Raises UnavailableError: it may have been taken.
        """
        ...


class MediaStore(Protocol):
    def keep(self, message: Message, data: bytes) -> str:
        """Keep a message's file and return the key to it; the same file of the same message has the same key.

        Raises UnavailableError.
        """
        ...

    def fetch(self, key: str) -> bytes:
        """Return a kept file. Raises UnavailableError, also if it is gone."""
        ...

    def discard(self, key: str) -> None:
        """Drop a file that is needed no more. Raises UnavailableError; in the end the file goes by itself."""
        ...


class EncryptionKeyStore(Protocol):
    """Encryption keys of messages, readable only by whoever was given that right."""

    def get_or_create(self, message: Message, proposed: str) -> str:
        """Return the key of a message, which is the proposed one if it had none. Durable. Raises UnavailableError."""
        ...

    def replace(self, message: Message, key: str) -> None:
        """Keep the key that the vendor has chosen instead. Raises UnavailableError."""
        ...


# --- queue, events --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """A note to the send function to look at a waiting message after some seconds (0 to 900)."""

    message_id: str
    attempt: int
    is_urgent: bool
    delay_seconds: int
    group: str | None = None
    """The caller's message group, among which the queue shares fairly."""


class Queue(Protocol):
    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        """Queue the notes. Raises UnavailableError; the due index finds what was not queued."""
        ...


class EventBus(Protocol):
    def put(self, events: Sequence[Event]) -> None:
        """Publish in order. Raises UnavailableError if any was not taken; those before may be published again."""
        ...


# --- vendors --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NoResponse:
    """A vendor call that brought no answer. `may_have_been_sent` is False only if no byte of it left us."""

    may_have_been_sent: bool
    why: str


class Transport(Protocol):
    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends, whatever the other side does, within the deadline. Never raises."""
        ...


# --- configuration --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """The secret document, read."""

    webhook_tokens: tuple[str, ...] = field(default=(), repr=False)
    """The first one is handed to vendors; all are accepted."""
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """By provider."""


class SettingsSource(Protocol):
    def current(self) -> "Settings":
        """Return the settings, at most a minute old. Raises UnavailableError if there never were good ones."""
        ...


class SecretSource(Protocol):
    def current(self) -> Secret:
        """Return the secret, at most a minute old. Raises UnavailableError if there never was one."""
        ...

    def refresh(self) -> None:
        """Forget the cached secret: a vendor or a caller disagrees with it."""
        ...

    def fingerprint_key(self) -> bytes:
        """Return the key under which requests are compared; it never changes."""
        ...


# --- telemetry ------------------------------------------------------------------------------------------------------


class Telemetry(Protocol):
    """Logs and metrics. Fields are ids and facts: never a text, a whole number, a token or a credential."""

    def info(self, what: str, **fields: Any) -> None: ...

    def warning(self, what: str, **fields: Any) -> None: ...

    def error(self, what: str, **fields: Any) -> None: ...

    def count(self, metric: str, *, provider: str | None = None) -> None: ...

    def measure(self, metric: str, value: float, *, provider: str, account: str) -> None:
        """Record what one account at a provider, such as a balance, stands at."""
        ...
