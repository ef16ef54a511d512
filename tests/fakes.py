"""Fakes of the ports, shared by all tests. `tests/ports` runs the same tests on them and on the real adapters."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from zlib import crc32

from sampai.adapters.items import DUE_SHARDS
from sampai.adapters.queue import to_body
from sampai.adapters.rate_limiter import MAX_LEAD
from sampai.contract.events import Event, status_changed
from sampai.contract.settings import Settings, parse_settings
from sampai.domain.callback_progress import CallbackProgress
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Attachments, Message
from sampai.domain.quotas import QuotaCounter
from sampai.domain.recipient import fold
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.template import Catalogue
from sampai.services.follow_up.lookup_pacer import LookupPacer
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.configuration import Secret
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.messages import (
    ONLY_WORKER,
    DueFamily,
    Insert,
    Replace,
    UnreadableItem,
    Worker,
    Write,
    WriteResult,
    due_family_of,
)
from sampai.services.ports.queue import QueueMessage, Receipt
from sampai.services.ports.rate_limiter import Reservation
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Unit
from sampai.services.ports.transport import NoResponse

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class FixedClock:
    """A clock that only a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class CountedIds:
    """Ids 1, 2, 3 …"""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"id-{next(self._numbers)}"


class InMemoryStore:
    """The store as the port describes it. `is_down`, `outages` and `before_commit` inject faults.

    Every stored change of status is kept in `events`, as the stream of the real table sends it to the publisher.
    """

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.buffered: dict[str, Correlation] = {}
        self.events: list[Event] = []
        self.commits: list[tuple[Write, ...]] = []
        self.is_down = False
        self.before_commit: Callable[[Sequence[Write]], None] | None = None
        self.unreadable: dict[str, datetime] = {}
        """The `due_at` of items that a newer release wrote, by message id."""
        self.unfit: set[str] = set()
        """Ids of messages that cannot be stored with their values."""
        self.shown_due: list[str] | None = None
        """The ids that the due index shows while it lags behind the messages."""
        self.outages: list[type[Write]] = []
        """Kinds of write that fail without an answer, each once."""

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        if writes:
            self.commits.append(tuple(writes))
        if self.before_commit is not None:
            self.before_commit(writes)
        return [self._commit(write) for write in writes]

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self._require_up()
        return {i: self.messages[i] for i in message_ids if i in self.messages}

    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        self._require_up()
        if self.shown_due is not None:
            return self.shown_due
        messages = [m for m in self.messages.values() if due_family_of(m) is family]
        due = [(m.due_at, m.message_id) for m in messages if m.due_at is not None]
        if family is DueFamily.WAITING:
            due += [(due_at, message_id) for message_id, due_at in self.unreadable.items()]
        due = sorted(entry for entry in due if crc32(entry[1].encode()) % DUE_SHARDS % worker.count == worker.index)
        return [message_id for due_at, message_id in due if due_at <= now][:limit]

    def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
        self._require_up()
        self.unreadable |= {i: due_at for i in message_ids if i in self.unreadable and self.unreadable[i] <= now}
        for message in [self.messages[i] for i in message_ids if i in self.messages]:
            if message.due_at is not None and message.due_at <= now:
                self.messages[message.message_id] = replace(message, due_at=due_at)

    def add_report(self, key: str, report: Report) -> None:
        self._require_up()
        correlation = self.buffered[key]
        kept = {known.status: known for known in correlation.reports} | {report.status: report}
        self.buffered[key] = replace(correlation, reports=_in_order(kept.values()))

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        self._require_up()
        return {key: self.buffered[key] for key in keys if key in self.buffered}

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        self._require_up()
        correlation = self.buffered.get(key, Correlation(key=key))
        if correlation.message_id is not None:
            return correlation
        kept = {known.status: known for known in correlation.reports} | {report.status: report}
        self.buffered[key] = replace(correlation, reports=_in_order(kept.values()))
        return None

    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        self._require_up()
        correlation = self.buffered.get(key, Correlation(key=key))
        if correlation.message_id in (None, message_id):
            attempt = attempt if attempt is not None else correlation.attempt
            correlation = self.buffered[key] = replace(correlation, message_id=message_id, attempt=attempt)
        return correlation

    def mark_reused(self, key: str, message_id: str) -> None:
        self._require_up()
        correlation = self.buffered.get(key)
        if correlation is not None and correlation.message_id not in (None, message_id):
            self.buffered[key] = replace(correlation, is_reused=True)

    def _commit(self, write: Write) -> WriteResult:
        if self.is_down:
            return WriteResult(done=False)
        if type(write) in self.outages:
            self.outages.remove(type(write))
            return WriteResult(done=False)
        if isinstance(write, LinkCorrelation):
            return self._meet(write)
        if write.message.message_id in self.unreadable:
            return WriteResult(done=False, current=UnreadableItem(key=write.message.message_id))
        if write.message.message_id in self.unfit and write.message.recipient is not None:
            return WriteResult(done=False, is_unfit=True)
        before = self.messages.get(write.message.message_id)
        is_free = before is None if isinstance(write, Insert) else _is_revision(before, write)
        if not is_free:
            return WriteResult(done=True) if before == write.message else WriteResult(done=False, current=before)
        self.messages[write.message.message_id] = replace(write.message, attachments=Attachments())
        if before is None or before.sequence != write.message.sequence:
            self.events.append(status_changed(write.message, previous=before.status if before else None))
        return WriteResult(done=True)

    def _meet(self, write: LinkCorrelation) -> WriteResult:
        correlation = self.buffered.get(write.key)
        if correlation is None:
            self.buffered[write.key] = Correlation(key=write.key, message_id=write.message_id, attempt=write.attempt)
            return WriteResult(done=True)
        is_ours = correlation.message_id == write.message_id
        return WriteResult(done=True) if is_ours else WriteResult(done=False, current=correlation)

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


def _is_revision(before: Message | None, write: Replace) -> bool:
    return before is not None and before.revision == write.before.revision


def _in_order(reports: Collection[Report]) -> tuple[Report, ...]:
    return tuple(sorted(reports, key=lambda report: report.status or "other"))


class InMemoryDirectory:
    """Opt-outs, conversations, catalogues and quota counters; `asked` counts the look-ups."""

    def __init__(self) -> None:
        self.consents: dict[str, tuple[datetime, bool]] = {}
        self.conversations: dict[str, Conversation] = {}
        self.catalogues: dict[str, Catalogue] = {}
        self.counts: dict[str, int] = {}
        self.asked = 0
        self.is_down = False
        self.before_count: Callable[[QuotaCounter], None] | None = None

    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        self._require_up()
        self.asked += 1
        return EligibilityData(
            opted_out=frozenset(number for number in numbers if self.consents.get(fold(number), (None, False))[1]),
            conversations={
                conversation: self.conversations[conversation]
                for conversation in conversations
                if conversation in self.conversations
            },
            catalogues={name: self.catalogues[name] for name in catalogues if name in self.catalogues},
        )

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        self._require_up()
        # If an opt-out and an opt-in have the same time, the opt-out counts: False sorts before True.
        recipient = fold(number)
        self.consents[recipient] = max(self.consents.get(recipient, (at, is_out)), (at, is_out))

    def record_conversation(self, conversation: Conversation) -> None:
        self._require_up()
        known = self.conversations.get(conversation.room_id)
        if known is None or known.last_inbound_at < conversation.last_inbound_at:
            number = conversation.number or (known.number if known else None)
            self.conversations[conversation.room_id] = replace(conversation, number=number)

    def store_catalogue(self, provider: str, catalogue: Catalogue) -> None:
        self._require_up()
        self.catalogues[provider] = catalogue

    def increment(self, counter: QuotaCounter) -> bool:
        self._require_up()
        if self.before_count is not None:
            self.before_count(counter)
        is_counted = self.counts.get(counter.key, 0) < counter.maximum
        if is_counted:
            self.counts[counter.key] = self.counts.get(counter.key, 0) + 1
        return is_counted

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


class InMemoryInbox:
    def __init__(self) -> None:
        self.kept: dict[str, tuple[Inbound, datetime]] = {}
        self.is_down = False

    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        self._require_up()
        is_new = key not in self.kept
        self.kept.setdefault(key, (inbound, now))
        return is_new

    def find(self, key: str) -> tuple[Inbound, datetime] | None:
        self._require_up()
        return self.kept.get(key)

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


class InMemoryMedia:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.is_down = False

    def store(self, message: Message, data: bytes) -> str:
        self._require_up()
        key = f"{message.message_id}/{sha256(data).hexdigest()[:8]}"
        self.files[key] = data
        return key

    def load(self, key: str) -> bytes:
        self._require_up()
        if key not in self.files:
            raise UnavailableError("gone")
        return self.files[key]

    def delete(self, key: str) -> None:
        self._require_up()
        self.files.pop(key, None)

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


class InMemoryEncryptionKeys:
    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.is_down = False

    def get_or_create(self, message: Message, proposed: str) -> str:
        self._require_up()
        return self.keys.setdefault(message.message_id, proposed)

    def replace(self, message: Message, key: str) -> None:
        self._require_up()
        self.keys[message.message_id] = key

    def delete(self, message_id: str) -> None:
        self._require_up()
        self.keys.pop(message_id, None)

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


class InMemoryAttempts:
    def __init__(self) -> None:
        self.records: dict[tuple[str, int, str], AttemptRecord] = {}
        self.calls = 0
        self.is_down = False

    def add(self, records: Sequence[AttemptRecord], *, now: datetime) -> None:
        self.calls += 1
        self._require_up()
        for record in records:
            self.records.setdefault((record.message_id, record.attempt, record.attempt_id), record)

    def read(self, message_id: str) -> list[AttemptRecord]:
        self._require_up()
        return [record for key, record in sorted(self.records.items()) if key[0] == message_id]

    def delete(self, message_id: str) -> None:
        self._require_up()
        self.records = {key: record for key, record in self.records.items() if key[0] != message_id}

    def _require_up(self) -> None:
        if self.is_down:
            raise UnavailableError("down")


class InMemoryRateLimiter:
    """The schedule of each vendor. `reservations` has the granted ones: name, start and seconds."""

    def __init__(self) -> None:
        self.taken_until: dict[str, datetime] = {}
        self.reservations: list[tuple[str, datetime, float]] = []
        self.asked = 0
        self.is_down = False
        self.is_busy = False
        """Grant nothing: other workers need all of the time."""

    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        if self.is_down:
            raise UnavailableError("down")
        self.asked += 1
        if self.is_busy:
            return Reservation(is_granted=False, starts_at=latest + timedelta(seconds=60))
        starts_at = max(earliest, self.taken_until.get(name, earliest))
        if starts_at > latest + MAX_LEAD:  # another clock
            starts_at = earliest
        if starts_at > latest:
            return Reservation(is_granted=False, starts_at=starts_at)
        self.taken_until[name] = starts_at + duration
        self.reservations.append((name, starts_at, duration.total_seconds()))
        return Reservation(is_granted=True, starts_at=starts_at)


class InMemoryCallbackProgress:
    """The progress of callbacks as the port describes it."""

    def __init__(self) -> None:
        self.stored: dict[str, CallbackProgress] = {}
        self.is_down = False

    def load(self, message_id: str) -> CallbackProgress:
        if self.is_down:
            raise UnavailableError("down")
        return self.stored.get(message_id, CallbackProgress())

    def replace(self, message_id: str, progress: CallbackProgress) -> bool:
        if progress.revision != self.load(message_id).revision + 1:
            return False
        self.stored[message_id] = progress
        return True


def new_pacer() -> LookupPacer:
    """Return the reservations of a vendor that has no rate."""
    clock = FixedClock()
    return LookupPacer(limiter=InMemoryRateLimiter(), clock=clock, sleep=lambda _: None, telemetry=RecordingTelemetry())


class RecordingQueue:
    def __init__(self) -> None:
        self.wake_ups: list[QueueMessage] = []
        self.postponed: dict[str, int] = {}
        """Seconds by receipt handle."""
        self.is_down = False

    def put(self, messages: Sequence[QueueMessage]) -> None:
        if self.is_down and messages:
            raise UnavailableError("down")
        self.wake_ups += messages

    def postpone(self, receipts: Sequence[Receipt], *, seconds: int) -> None:
        if self.is_down and receipts:
            raise UnavailableError("down")
        self.postponed |= {receipt.handle: seconds for receipt in receipts}

    def bodies(self) -> list[str]:
        """Return the wake-ups as the bodies that the send function gets from its queue."""
        return [to_body(message) for message in self.wake_ups]


class RecordingBus:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_down = False

    def put(self, events: Sequence[Event]) -> None:
        if self.is_down and events:
            raise UnavailableError("down")
        self.events += events


Reply = HttpResponse | NoResponse | Callable[[HttpRequest], HttpResponse | NoResponse]


class RecordingTransport:
    """Answers each call with the next reply and repeats the last one. Keeps the requests."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[HttpRequest] = []

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        self.requests.append(request)
        reply = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
        return reply(request) if callable(reply) else reply


class FixedSettings:
    def __init__(self, document: Mapping[str, Any] | None = None) -> None:
        self.settings = parse_settings(json.dumps(document or {}))
        self.is_down = False

    def current(self) -> Settings:
        if self.is_down:
            raise UnavailableError("down")
        return self.settings


class FixedSecret:
    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.refreshed = 0

    def current(self) -> Secret:
        return self.secret

    def refresh(self) -> None:
        self.refreshed += 1

    def fingerprint_key(self) -> bytes:
        return b"fingerprint-key-of-the-tests"


class InlinePool(Executor):
    """Runs each call when it is submitted, so the order of a test's steps is the order of its lines."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class RecordingTelemetry:
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    counts: dict[tuple[str, str | None], int] = field(default_factory=dict)
    measures: dict[tuple[str, str | None, str | None], float] = field(default_factory=dict)
    """By metric, provider and account."""
    observed: dict[tuple[str, str | None, str], list[float]] = field(default_factory=dict)
    """By metric, provider and category."""

    def info(self, line: str, /, **fields: Any) -> None:
        self.lines.append(("info", line, fields))

    def warning(self, line: str, /, **fields: Any) -> None:
        self.lines.append(("warning", line, fields))

    def error(self, line: str, /, **fields: Any) -> None:
        self.lines.append(("error", line, fields))

    def count(self, metric: str, *, provider: str | None = None) -> None:
        self.counts[metric, provider] = self.counts.get((metric, provider), 0) + 1

    def observe(
        self, metric: str, value: float, *, provider: str | None, category: str, unit: Unit = "Seconds"
    ) -> None:
        self.observed.setdefault((metric, provider, category), []).append(value)

    def measure(self, metric: str, value: float, *, provider: str | None = None, account: str | None = None) -> None:
        self.measures[metric, provider, account] = value


def statuses(message: Message) -> list[Status]:
    """Return the statuses that a message went through, in order."""
    return [entry.status for entry in message.history]
