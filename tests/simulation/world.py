"""One run: the real services on a simulated clock, store, queue, bus, vendors and processes, in one thread.

Every port call is one step with a chosen outcome: it takes effect; it does not; it takes effect and its response is
lost; it takes effect in part; it is slow; the process dies after it. A second process runs inside a step of the first,
from start to end (or death). So the simulation covers every interleaving of two processes, at the granularity of port
calls, in which the second ends first. It does not cover three processes, or two that alternate. Fencing, claims and
correlations protect against exactly this: a process that meets the unfinished work of another.
"""

import collections
import heapq
import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import blake2b
from itertools import count
from types import MappingProxyType
from typing import Any, Final, TypeVar
from zlib import crc32

from sampai.adapters.items import DUE_SHARDS
from sampai.adapters.stream import parse_batch
from sampai.domain.http import WebhookRequest
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.follow_up.service import FollowUpService
from sampai.services.follow_up.workers import Workers
from sampai.services.ports.queue import Receipt
from sampai.services.ports.runtime import UnavailableError
from sampai.services.publish import PublishService
from sampai.services.send.batch import Record
from sampai.services.send.service import SendService
from sampai.services.webhook.inbound import InboundService
from sampai.services.webhook.service import Answer, WebhookService
from tests.fakes import (
    START,
    CountedIds,
    InlinePool,
    RecordingTelemetry,
)
from tests.harness.application import token_of
from tests.harness.dynamo import Item
from tests.harness.sending import WEBHOOK_BASE_URL, new_sender
from tests.harness.vendors import Call, Vendor
from tests.simulation.checkers import (
    SEND_LIFETIME,
    BrokenPromiseError,
    Checkers,
    FinalState,
    Process,
    ProcessDiedError,
    require,
)
from tests.simulation.choices import Choices
from tests.simulation.ports import (
    ANSWER_LOST,
    ASK_FAULTS,
    BROKEN_SECRET,
    BROKEN_SETTINGS,
    COMMIT_MANY,
    CREDENTIAL_MISSING,
    CREDENTIAL_UNFIT,
    DAMAGED,
    DIES,
    FORMER_LAYOUT,
    FREEZES,
    HALF_TAKEN,
    INDEX_FAULTS,
    LAGS,
    MEANWHILE,
    MEANWHILE_FOLLOW_UP,
    NEWER_ATTRIBUTES,
    NO_TIME,
    NO_TIME_FOR_PASS,
    NOT_MADE,
    OK,
    OVERLAPS,
    QUIET,
    REROUTED,
    SECRET_CHANGES,
    SEND_FAULTS,
    SETTINGS_CHANGES,
    SILENT,
    SILENT_AFTER,
    SILENT_AFTER_SECONDS,
    SLOW,
    STOPPED,
    TABLES,
    UNKNOWN_STATUS,
    UNNAMED,
    VANISHES,
    VENDOR_OFF,
    VERSIONS,
    WORKER_FAULTS,
    SimulatedAttempts,
    SimulatedBus,
    SimulatedDirectory,
    SimulatedDocuments,
    SimulatedEncryptionKeys,
    SimulatedInbox,
    SimulatedMedia,
    SimulatedQueue,
    SimulatedRateLimiter,
    SimulatedStarter,
    SimulatedStore,
    SimulatedTransport,
    new_secret,
    new_settings,
)
from tests.simulation.scenarios import HORIZON_HOURS, Scenario, quiet_hours
from tests.simulation.vendors import LATE_REFUSALS, LIFECYCLES, Row

T = TypeVar("T")

MAX_STEPS: Final = 4000
STEP_SECONDS: Final = 0.01
SLOW_SECONDS: Final = 4.0
VISIBILITY: Final = timedelta(seconds=180)
MAX_RECEIVES: Final = 5
MAX_RECEIPT_TRIES: Final = 3
MAX_INBOUND_TRIES: Final = 6
"""More than the faults of a run: an inbound message always arrives in the end."""
FREEZE: Final = timedelta(minutes=10)
NEVER: Final = datetime.max.replace(tzinfo=UTC)
SOON: Final = timedelta(seconds=30)
"""The time within which the next events can run inside a step."""

LIFETIMES: Final = {"send": SEND_LIFETIME.seconds, "webhook": 10, "follow_up": 50, "publish": 30}
"""Seconds, as in the template."""

HANG_SECONDS: Final = 4.0
"""The time after which a call to a silent table fails."""

SECONDS_LEFT: Final[Mapping[str, float]] = {NO_TIME: 12.0, NO_TIME_FOR_PASS: 19.0}
"""The rest of the time of a process that runs out of it, by the fault."""

OTHER_VERSION_LASTS: Final = timedelta(minutes=10)
"""The time in which items that this release cannot read stay so."""

CONFIGURATION_LASTS: Final = timedelta(minutes=30)
STOP_LASTS: Final = timedelta(hours=HORIZON_HOURS + 1)

SKEWS: Final = ("clocks agree", *(f"{name} {sign}30" for name in LIFETIMES if name != "publish" for sign in "+-"))

DELIVER: Final = (OK, "delayed", "delivered twice")
DELETE: Final = (OK, "delete lost")
RECEIPT: Final = (OK, "receipt lost", "receipt late", "receipt twice")


KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "processes and clocks": (DIES, FREEZES, *MEANWHILE, MEANWHILE_FOLLOW_UP, *SKEWS[1:]),
    "workers that overlap": WORKER_FAULTS,
    "families of the due index": (*INDEX_FAULTS, FORMER_LAYOUT),
    "time that runs out": tuple(SECONDS_LEFT),
    "calls": (*COMMIT_MANY, LAGS),
    "silent tables": (*SILENT, SILENT_AFTER),
    "queue": (*DELIVER[1:], *DELETE[1:]),
    "another version": VERSIONS,
    "TTL": (VANISHES,),
    "settings and secret": (*SETTINGS_CHANGES, QUIET, *SECRET_CHANGES),
    "vendors": (*SEND_FAULTS, HALF_TAKEN, *ASK_FAULTS, *list(LIFECYCLES)[1:]),
    "refusals after the hand-over": tuple(fault for faults in LATE_REFUSALS.values() for fault in faults),
    "receipts": RECEIPT[1:],
}
"""All faults by their kind. A fault of two kinds is counted in the first one."""


@cache
def _options(
    faults: tuple[str, ...], events: int, is_due: bool, may_freeze: bool, disturbances: tuple[str, ...]
) -> tuple[str, ...]:
    return (
        OK,
        *faults,
        DIES,
        *MEANWHILE[:events],
        *([MEANWHILE_FOLLOW_UP] if is_due else []),
        *([FREEZES] if may_freeze else []),
        *disturbances,
    )


@dataclass(slots=True, kw_only=True)
class QueuedRecord:
    """One record of the request queue and its state."""

    record_id: str
    body: str
    sent_at: datetime
    receives: int = 0
    is_deleted: bool = False
    reason: str = ""
    """The reason of its last return to the queue."""


@dataclass(order=True, slots=True)
class _Event:
    at: datetime
    number: int
    label: str = field(compare=False)
    action: Callable[[], None] = field(compare=False)


class World:
    """The state of one run of one scenario."""

    def __init__(self, scenario: Scenario, choices: Choices) -> None:
        self.scenario = scenario
        self.choices = choices
        self.now = START
        self.process: Process | None = None
        self.checkers = Checkers(
            max_per_recipient=scenario.max_per_recipient,
            retention=scenario.retention,
            quiet_minutes=scenario.quiet_minutes,
        )
        self.trace: list[tuple[datetime, str, str, str]] = []
        self.faults: collections.Counter[str] = collections.Counter()
        self.steps = 0
        self.rows: list[Row] = []
        self.stream: list[dict[str, Item]] = []
        """Images of items before and after each write to the table of messages."""
        self.dead_letters: list[QueuedRecord] = []
        self.telemetry = RecordingTelemetry()
        self.store = SimulatedStore(self)
        self.directory = SimulatedDirectory(self)
        self.media = SimulatedMedia(self)
        self.encryption_keys = SimulatedEncryptionKeys(self)
        self.attempts = SimulatedAttempts(self)
        self.limiter = SimulatedRateLimiter(self)
        self.inbox = SimulatedInbox(self)
        self.queue = SimulatedQueue(self)
        self.bus = SimulatedBus(self)
        self.publisher = PublishService(
            bus=self.bus, media=self.media, encryption_keys=self.encryption_keys, telemetry=self.telemetry
        )
        self.transport = SimulatedTransport(self)
        self.documents = SimulatedDocuments(self)
        self.touched: dict[str, str] = {}
        """Faults of another version of the code, by message id."""
        self.vanished: dict[str, Message] = {}
        """Messages that were deleted at their TTL."""
        self.is_consent_in_doubt = False
        """Whether an inbound message could not be compared with the earlier ones. In doubt an opt-out counts."""
        self._silent_until = START
        self._events: list[_Event] = []
        self._event_numbers = count()
        self._record_numbers = count(1)
        self._row_numbers: collections.Counter[str] = collections.Counter()
        self._last_tick = START
        self._faults_stop = START + timedelta(seconds=scenario.faults_stop)
        self._new_id = CountedIds()
        self._senders: dict[int, SendService] = {}
        self._skews = _skews(self.choose("clocks", SKEWS))
        self._disturb: Mapping[str, Callable[[], None]] = {
            SLOW: partial(self._sleep, SLOW_SECONDS),
            **{fault: partial(self._use_up_time, seconds) for fault, seconds in SECONDS_LEFT.items()},
            FREEZES: self._freeze,
            VANISHES: self._delete_expired,
            MEANWHILE_FOLLOW_UP: self._follow_up,
            OVERLAPS: self._overlap,
            FORMER_LAYOUT: self._write_as_the_release_before_the_families,
            **{name: partial(self._run_event_early, place) for place, name in enumerate(MEANWHILE)},
            **{kind: partial(self._write_as_another_version, kind) for kind in VERSIONS},
        }
        """What happens before or during a call that succeeds all the same, by the outcome of its step."""
        self.workers = Workers(count=scenario.workers, starter=SimulatedStarter(self), telemetry=self.telemetry)
        self.receiver = self._new_receiver()
        self.follower = self._new_follower()

    # --- services -----------------------------------------------------------------------------------------------------

    def clock_of(self, name: str) -> Callable[[], datetime]:
        skew = self._skews.get(name)
        return (lambda: self.now) if skew is None else (lambda: self.now + skew)

    def clock_of_process(self) -> datetime:
        """Return the time by the clock of the process that runs."""
        return self.now if self.process is None else self.now + self.process.skew

    def _sender(self, depth: int) -> SendService:
        """Return the execution environment of this depth: concurrent send functions have different ones."""
        if depth not in self._senders:
            sender = new_sender(
                self,
                settings=new_settings(self, "send"),
                secret=new_secret(self, "send"),
                clock=self.clock_of("send"),
                sleep=self._sleep,
                new_id=self._new_id,
                new_key=self._new_id,
            )
            self._senders[depth] = sender
        return self._senders[depth]

    def _new_receiver(self) -> WebhookService:
        clock, settings = self.clock_of("webhook"), new_settings(self, "webhook")
        inbound_service = InboundService(
            inbox=self.inbox,
            suppression_list=self.directory,
            conversations=self.directory,
            settings=settings,
            clock=clock,
            telemetry=self.telemetry,
        )
        return WebhookService(
            messages=self.store,
            correlations=self.store,
            inbound_service=lambda: inbound_service,
            settings=lambda: settings,
            secret=new_secret(self, "webhook"),
            clock=clock,
            telemetry=self.telemetry,
        )

    def _new_follower(self) -> FollowUpService:
        return FollowUpService(
            messages=self.store,
            correlations=self.store,
            queue=self.queue,
            transport=self.transport,
            settings=new_settings(self, "follow_up"),
            secret=new_secret(self, "follow_up"),
            clock=self.clock_of("follow_up"),
            telemetry=self.telemetry,
            webhook_base_url=WEBHOOK_BASE_URL,
            new_pool=InlinePool,
            limiter=self.limiter,
            sleep=self._sleep,
        )

    # --- choices ------------------------------------------------------------------------------------------------------

    def choose(self, label: str, options: tuple[str, ...]) -> str:
        """Return one of the options: the first one after the faults have stopped."""
        chosen = self.choices.choose(options) if self.now < self._faults_stop else options[0]
        if chosen is not options[0]:
            self.faults[chosen] += 1
        self.trace.append((self.now, self.process.name if self.process else "world", label, chosen))
        return chosen

    def step(self, port: str, faults: tuple[str, ...], *, may_freeze: bool = False) -> str:
        """Begin a port call of the current process and return its outcome. Raise ProcessDiedError.

        `faults[0]` is the outcome during an outage of the port.
        """
        process = self.running()
        self.steps += 1
        require(self.steps < MAX_STEPS, "I10", "the run does not end")
        self.now += timedelta(seconds=STEP_SECONDS)
        self._require_alive(process)
        if self._is_unavailable(port):
            self.trace.append((self.now, process.name, port, "outage"))
            return faults[0]
        if self.now < self._silent_until and port.startswith(TABLES):
            return self._hang(process, port, faults[0])
        outcome = self.choose(port, self._options(process, port, faults, may_freeze=may_freeze))
        if outcome in SILENT or outcome == SILENT_AFTER:
            self._silent_until = self.now + timedelta(seconds=SILENT.get(outcome, SILENT_AFTER_SECONDS))
            return self._hang(process, port, ANSWER_LOST if outcome == SILENT_AFTER else faults[0])
        if outcome not in self._disturb:
            return outcome
        self._disturb[outcome]()
        self._require_alive(process)
        return OK

    def call(self, port: str, faults: tuple[str, ...], effect: Callable[[], T]) -> T:
        """Make a port call. Raise UnavailableError if the effect is unknown to the caller."""
        outcome = self.step(port, faults)
        if outcome == NOT_MADE:
            raise UnavailableError(port)
        result = effect()
        if outcome == ANSWER_LOST:
            raise UnavailableError(port)
        self.die_if(outcome)
        return result

    @staticmethod
    def die_if(outcome: str) -> None:
        if outcome == DIES:
            raise ProcessDiedError

    def running(self) -> Process:
        if self.process is None:
            raise BrokenPromiseError("harness: a port call outside any process")
        return self.process

    def _options(self, process: Process, port: str, faults: tuple[str, ...], *, may_freeze: bool) -> tuple[str, ...]:
        if process.depth > 1:
            return _options(faults, 0, False, False, ())
        soon = sum(event.at <= self.now + SOON for event in heapq.nsmallest(len(MEANWHILE), self._events))
        is_due = process.name != "follow_up" and self._due_from() <= self.now
        return _options(faults, soon, is_due, may_freeze, self._disturbances(process, port, faults))

    def _disturbances(self, process: Process, port: str, faults: tuple[str, ...]) -> tuple[str, ...]:
        """Return the faults that are not those of the port itself, in this state of the world."""
        found: list[str] = []
        if port.startswith(TABLES) and faults:
            found += SILENT
            if ANSWER_LOST in faults:
                found.append(SILENT_AFTER)
        if port.startswith("store.") and self._open_id() is not None:
            found += VERSIONS
        if process.name == "follow_up" and self._due_from() <= self.now:
            found.append(OVERLAPS)
        if port.startswith("store.") and self._id_in_new_layout() is not None:
            found.append(FORMER_LAYOUT)
        if process.name in ("send", "follow_up") and process.dies_at is not NEVER:
            kinds = SECONDS_LEFT if process.name == "follow_up" else (NO_TIME,)
            left = (process.dies_at - self.now).total_seconds()
            found += [fault for fault in kinds if left > SECONDS_LEFT[fault]]
        if self.now >= self.store.expires_at:
            found.append(VANISHES)
        return tuple(found)

    def _open_id(self) -> str | None:
        """Return the id of the first message that is not final and that no other version has written yet."""
        messages = self.store.messages
        return min((i for i, m in messages.items() if not m.status.is_final and i not in self.touched), default=None)

    def _id_in_new_layout(self) -> str | None:
        """Return the id of the first message in a shard that the releases before the families do not have."""
        items = self.store.client.tables["messages"].items()
        found = [item for item in items if "-" in item.get("due_shard", {}).get("S", "")]
        return min((item["message_id"]["S"] for item in found), default=None)

    def _require_alive(self, process: Process) -> None:
        if self.now >= process.dies_at:
            self.trace.append((self.now, process.name, "time-out", ""))
            raise ProcessDiedError

    def _is_unavailable(self, port: str) -> bool:
        since = (self.now - START).total_seconds()
        return any(port.startswith(o.port) and o.since <= since < o.until for o in self.scenario.outages)

    # --- disturbances -------------------------------------------------------------------------------------------------

    def _hang(self, process: Process, port: str, outcome: str) -> str:
        """Let a call wait for a silent table until it fails, and return its outcome."""
        self.now += timedelta(seconds=HANG_SECONDS)
        self._require_alive(process)
        self.trace.append((self.now, process.name, port, "silent"))
        return outcome

    def _use_up_time(self, seconds_left: float) -> None:
        self.now = max(self.now, self.running().dies_at - timedelta(seconds=seconds_left))

    def _overlap(self) -> None:
        """Let another run of the same worker begin and end, and deliver its wake-ups."""
        worker = self.running().worker
        self._follow_up({"worker": {"index": worker.index, "count": worker.count}})
        while self._events and self._events[0].at <= self.now:
            heapq.heappop(self._events).action()

    def _freeze(self) -> None:
        self.running().dies_at = NEVER
        self.run_until(self.now + FREEZE)

    def _write_as_another_version(self, kind: str) -> None:
        """Let another version of the code change an item. One that this release cannot read is readable again later."""
        message_id = self._open_id()
        item = self.store.item(message_id or "")
        if message_id is None or item is None:
            raise BrokenPromiseError("harness: no item to change")
        self.touched[message_id] = kind
        changes: Mapping[str, Item] = {
            NEWER_ATTRIBUTES: {"schema_version": {"N": "2"}, "priority": {"N": "7"}},
            UNKNOWN_STATUS: {"status": {"S": "paused"}},
            DAMAGED: {"route": {"S": "nomsa"}},
        }
        self._put_changed(item, changes[kind])
        if kind != NEWER_ATTRIBUTES:
            former = {name: item[name] for name in changes[kind]}
            self.at(self.now + OTHER_VERSION_LASTS, "readable again", partial(self._restore, message_id, former))

    def _write_as_the_release_before_the_families(self) -> None:
        """Let a release write an item that has one family, and shards without a prefix."""
        item = self.store.item(self._id_in_new_layout() or "")
        if item is None:
            raise BrokenPromiseError("harness: no item to change")
        self._put_changed(item, {"due_shard": {"S": item["due_shard"]["S"].rpartition("-")[2]}})

    def _restore(self, message_id: str, former: Item) -> None:
        item = self.store.item(message_id)
        if item is not None:
            self._put_changed(item, former)

    def _put_changed(self, item: Item, changes: Item) -> None:
        self.store.put({**item, **changes, "revision": {"N": str(int(item["revision"]["N"]) + 1)}})

    def _delete_expired(self) -> None:
        deleted = self.store.delete_expired()
        if deleted is not None:
            self.checkers.check_deleted(deleted, now=self.now)
            self.vanished[deleted.message_id] = deleted

    def change_configuration(self, kind: str) -> None:
        """Change the settings or the secret, and repair them after a time."""
        self.checkers.may_be_unaskable = True
        self.documents.settings.append("{" if kind == BROKEN_SETTINGS else json.dumps(self._changed_settings(kind)))
        self.documents.secret.append(json.dumps(self._changed_secret(kind)))
        lasts = STOP_LASTS if kind == STOPPED else CONFIGURATION_LASTS
        self.at(self.now + lasts, "configuration repaired", self._repair_configuration)

    def _changed_settings(self, kind: str) -> dict[str, Any]:
        name, settings = self.scenario.vendor, json.loads(self.documents.settings[0])
        if kind in (VENDOR_OFF, REROUTED):
            settings["providers"].setdefault(name, {})["enabled"] = False
        if kind == REROUTED:
            settings["routes"]["sms"] = {"*": [other for other in ("smspoh", "nomsa") if other != name]}
        if kind == STOPPED:
            settings["sending_enabled"] = False
        if kind == QUIET:
            settings["quiet_hours"] = quiet_hours(0, 60)
        return dict(settings)

    def _changed_secret(self, kind: str) -> dict[str, Any]:
        name, secret = self.scenario.vendor, json.loads(self.documents.secret[0])
        field = next(iter(secret[name]))
        if kind == CREDENTIAL_MISSING:
            del secret[name][field]
        if kind == CREDENTIAL_UNFIT:
            secret[name][field] = "house\u200bkey"
        if kind == UNNAMED:
            del secret[name]
        if kind == BROKEN_SECRET:
            del secret["webhook_tokens"]
        return dict(secret)

    def _repair_configuration(self) -> None:
        self.documents.settings.append(self.documents.settings[0])
        self.documents.secret.append(self.documents.secret[0])

    # --- processes ----------------------------------------------------------------------------------------------------

    def invoke(self, name: str, work: Callable[[], T]) -> T | None:
        """Run one invocation and return its result; None if it died or failed."""
        outer = self.process
        self.process = Process(
            name=name,
            started_at=self.now,
            dies_at=self.now + timedelta(seconds=LIFETIMES[name]),
            skew=self._skews.get(name, timedelta(0)),
            depth=1 if outer is None else outer.depth + 1,
        )
        try:
            answer = work()
            self.checkers.ended(self.process)
            return answer
        except ProcessDiedError:
            self.trace.append((self.now, name, "died", ""))
            return None
        except UnavailableError:
            return None
        finally:
            self.process = outer

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _remaining(self) -> float:
        return (self.running().dies_at - self.now).total_seconds()

    def _depth(self) -> int:
        return 0 if self.process is None else self.process.depth

    def _process_batch(self, records: Sequence[QueuedRecord]) -> None:
        """Run the send function on a batch. Unfinished records return after the visibility timeout."""
        waiting = [record for record in records if not record.is_deleted]
        for record in waiting:
            record.receives += 1
        dead = [record for record in waiting if record.receives > MAX_RECEIVES]
        self.dead_letters += dead
        batch = [record for record in waiting if record.receives <= MAX_RECEIVES]
        if not batch:
            return
        depth = self._depth()
        envelope = [self._receive_record(record) for record in batch]
        sender = self._sender(depth)
        unfinished = self.invoke("send", lambda: sender.handle(envelope, remaining=self._remaining))
        if unfinished is None:
            self._senders.pop(depth, None)
        is_lost = unfinished is not None and self.choose("delete", DELETE) != OK
        for record in batch:
            if unfinished is None or is_lost or record.record_id in unfinished:
                record.reason = "died" if unfinished is None else "came back"
            else:
                record.is_deleted = True
        self._redeliver([record for record in batch if not record.is_deleted])

    def _receive_record(self, record: QueuedRecord) -> Record:
        """Return a record as the send function gets it. Its visibility timeout begins again."""
        self.queue.postponed.pop(record.record_id, None)
        return Record(
            record_id=record.record_id,
            body=record.body,
            sent_at=record.sent_at,
            receipt=Receipt(queue_name="requests", handle=record.record_id),
            receives=record.receives,
        )

    def _redeliver(self, records: Sequence[QueuedRecord]) -> None:
        """Deliver records again after the visibility timeout, or after the pause that the function has set."""
        rest: dict[timedelta, list[QueuedRecord]] = {}
        for record in records:
            postponed = self.queue.postponed.get(record.record_id)
            pause = VISIBILITY if postponed is None else timedelta(seconds=postponed)
            rest.setdefault(pause, []).append(record)
        for pause, together in rest.items():
            self.at(self.now + pause, "redelivery", partial(self._process_batch, together))

    def _follow_up(self, event: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Run a worker of follow_up: the one of the event, or the first one, which starts the others."""

        def work() -> int:
            process = self.running()
            process.worker = self.workers.begin(event)
            process.waiting = self._waiting_for(process)
            return self.follower.run(remaining=self._remaining, worker=process.worker)

        self.invoke("follow_up", work)

    def start_worker(self, event: Mapping[str, Any], *, when: datetime) -> None:
        self.at(when, "worker", partial(self._follow_up, event))

    def _waiting_for(self, process: Process) -> Mapping[str, int]:
        """Return the revisions of the messages that a worker of follow_up must handle before any poll."""
        now, worker = self.now + process.skew, process.worker
        due = [m for m in self.store.messages.values() if m.due_at is not None and m.due_at <= now]
        waiting = {m.message_id: m.revision for m in due if m.status.rank <= Status.SENDING.rank}
        shards = {message_id: crc32(message_id.encode()) % DUE_SHARDS for message_id in waiting}
        return {i: waiting[i] for i, shard in shards.items() if shard % worker.count == worker.index}

    def _receive(self, provider: str, kind: str, request: WebhookRequest) -> Answer | None:
        return self.invoke(
            "webhook",
            lambda: self.receiver.handle(provider=provider, kind=kind, token=token_of(provider), request=request),
        )

    def _publish(self) -> None:
        """Publish the records of the table's stream. After a failure, the whole batch is repeated."""
        images = list(self.stream)
        if not images:
            return
        batch = parse_batch({"Records": [{"dynamodb": image} for image in images]}, self.telemetry)
        if self.invoke("publish", lambda: self.publisher.publish(batch.changes)) is not None:
            del self.stream[: len(images)]

    # --- events -------------------------------------------------------------------------------------------------------

    def at(self, when: datetime, label: str, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, _Event(when, next(self._event_numbers), label, action))

    def enqueue(self, bodies: Sequence[str], *, when: datetime, times: int = 1) -> None:
        """Put records on the request queue, to be delivered as one batch."""
        records = [
            QueuedRecord(record_id=f"r-{next(self._record_numbers)}", body=body, sent_at=when) for body in bodies
        ]
        for _ in range(times):
            self.at(when, "delivery", partial(self._deliver, records))

    def _deliver(self, records: list[QueuedRecord]) -> None:
        chosen = self.choose("delivery", DELIVER)
        if chosen == DELIVER[1]:
            self.at(self.now + timedelta(seconds=200), "delivery", partial(self._process_batch, records))
            return
        if chosen == DELIVER[2]:
            self.at(self.now, "delivery again", partial(self._process_batch, records))
        self._process_batch(records)

    def take(self, vendor: Vendor, call: Call, claims: Sequence[Message], *, is_taken: bool) -> list[Row]:
        """Add accepted messages to the ledger of a vendor and schedule its receipts."""
        rows = []
        for sent, claim in zip(call.sent, claims, strict=False):
            name = self.choose(f"{vendor.name} lifecycle", tuple(LIFECYCLES)) if is_taken else "never reported"
            row = Row(
                vendor=vendor,
                provider_message_id=self._name_row(vendor),
                sent=sent,
                created_at=self.now,
                taken_at=self.now if is_taken else None,
                lifecycle=LIFECYCLES[name],
                message_id=claim.message_id,
            )
            self.rows.append(row)
            rows.append(row)
            if is_taken:
                self.checkers.count_acceptance(claim)
                self._schedule_receipts(row)
        return rows

    def _name_row(self, vendor: Vendor) -> str:
        """Return the next id of a vendor. Each channel counts by itself, so a vendor may use an id on both."""
        key = f"{vendor.name}/{vendor.channel}"
        self._row_numbers[key] += 1
        return f"{vendor.name}-{self._row_numbers[key]}"

    def _schedule_receipts(self, row: Row) -> None:
        if row.vendor.webhook is None or not self.scenario.has_receipts:
            return
        for after, status in row.lifecycle[1:]:
            deliver = partial(self._start_receipt, row, status, MAX_RECEIPT_TRIES)
            self.at(self.now + timedelta(seconds=after), f"receipt {status}", deliver)

    def _start_receipt(self, row: Row, status: Status, tries: int) -> None:
        row.reached = max(row.reached or status, status, key=lambda known: known.rank)
        chosen = self.choose(f"receipt {status}", RECEIPT)
        again = partial(self._deliver_receipt, row, status, tries)
        if chosen == RECEIPT[2]:
            self.at(self.now + timedelta(minutes=5), "receipt late", again)
        elif chosen != RECEIPT[1]:
            self._deliver_receipt(row, status, tries)
        if chosen == RECEIPT[3]:
            self.at(self.now + timedelta(seconds=5), "receipt again", again)

    def _deliver_receipt(self, row: Row, status: Status, tries: int) -> None:
        """Deliver a receipt until it is answered with 200, at most `tries` times."""
        receipt = row.vendor.receipt(row, row.vendor.words[status])
        answer = self._receive(row.vendor.name, row.vendor.webhook or "", receipt)
        if answer is Answer.RECEIVED:
            row.acknowledged = max(row.acknowledged or status, status, key=lambda known: known.rank)
        elif tries > 1:
            again = partial(self._deliver_receipt, row, status, tries - 1)
            self.at(self.now + timedelta(seconds=60), "receipt again", again)

    def _deliver_inbound(self, request: WebhookRequest, tries: int) -> None:
        answer = self._receive("nusasms", "sms-inbox", request)
        if answer is not Answer.RECEIVED and tries > 1:
            again = partial(self._deliver_inbound, request, tries - 1)
            self.at(self.now + timedelta(seconds=60), "inbound again", again)

    def _redrive(self) -> None:
        letters, self.dead_letters = self.dead_letters, []
        if letters:
            self.enqueue([letter.body for letter in letters], when=self.now)

    def _run_event_early(self, place: int) -> None:
        event = heapq.nsmallest(place + 1, self._events)[place]
        self._events.remove(event)
        heapq.heapify(self._events)
        event.action()

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until after the horizon and check the final state. Raise BrokenPromiseError."""
        for delivery in self.scenario.deliveries:
            when = START + timedelta(seconds=delivery.at)
            self.enqueue(delivery.bodies, when=when, times=delivery.times)
        for at, request in self.scenario.inbound:
            self.at(
                START + timedelta(seconds=at), "inbound", partial(self._deliver_inbound, request, MAX_INBOUND_TRIES)
            )
        if self.scenario.redrive_at is not None:
            self.at(START + timedelta(seconds=self.scenario.redrive_at), "redrive", self._redrive)
        try:
            self.run_until(START + timedelta(hours=2 * HORIZON_HOURS + 4))
        except Exception as error:
            raise BrokenPromiseError(f"I9: {type(error).__name__} left a service: {error}") from error
        self.checkers.check_final_state(self._final_state())

    def run_until(self, end: datetime) -> None:
        """Run events at their times, the follow-up every minute in which a message is due, and the stream."""
        while True:
            self._publish()
            next_event, tick = self._events[0].at if self._events else NEVER, self._next_tick()
            when = min(next_event, tick)
            if when > end:
                break
            self.now = max(self.now, when)
            if next_event <= tick:
                heapq.heappop(self._events).action()
            else:
                self._last_tick = when
                self._follow_up()
        self.now = max(self.now, end) if self.process else self.now
        while self.stream:
            self._publish()

    def _due_from(self) -> datetime:
        """Return the time from which a message is due by the clock of the follow-up."""
        due = [message.due_at for message in self.store.messages.values() if message.due_at is not None]
        return min(due) - self._skews.get("follow_up", timedelta(0)) if due else NEVER

    def _next_tick(self) -> datetime:
        """Return the next whole minute at which a message is due. Earlier runs would find none."""
        due_from = self._due_from()
        if due_from is NEVER:
            return NEVER
        minutes = -((START - max(due_from, self.now)) // timedelta(minutes=1))
        tick = START + timedelta(minutes=minutes)
        return tick if tick > self._last_tick else self._last_tick + timedelta(minutes=1)

    def excused(self) -> Set[str]:
        """Return the messages that could not be read while another fault happened."""
        is_alone = self.faults.total() == 1
        return {i for i, kind in self.touched.items() if kind != NEWER_ATTRIBUTES and not is_alone}

    def message(self, message_id: str) -> Message:
        """Return a message, also one that was deleted at its TTL. Raise BrokenPromiseError if there is none."""
        message = self.store.messages.get(message_id) or self.vanished.get(message_id)
        if message is None:
            raise BrokenPromiseError(f"harmless: {message_id} does not exist")
        return message

    # --- the end ------------------------------------------------------------------------------------------------------

    def _final_state(self) -> FinalState:
        return FinalState(
            messages={**self.vanished, **self.store.messages},
            items={item["message_id"]["S"]: item for item in self.store.items()},
            touched=self.touched,
            excused=self.excused(),
            correlations=self.store.buffered.values(),
            consents={number: self.directory.has_opted_out(number) for number in self.scenario.opted_out},
            expected_consents=self.scenario.opted_out,
            is_consent_in_doubt=self.is_consent_in_doubt,
            rows=self.rows,
            events=self.bus.events,
            dead_letters={_message_id_of(record.body): record.reason for record in self.dead_letters},
            requested=self.scenario.requested,
            conflicts=self.scenario.conflicts,
            now=self.now,
        )

    def digest(self) -> int:
        """Return a hash of the run."""
        lines = [f"{when.timestamp()} {name} {label} {outcome}" for when, name, label, outcome in self.trace]
        lines += [f"{m.message_id} {m.status} {m.revision}" for m in self.store.messages.values()]
        return int.from_bytes(blake2b("\n".join(lines).encode(), digest_size=8).digest())


def _skews(chosen: str) -> dict[str, timedelta]:
    name, _, seconds = chosen.partition(" ")
    return {name: timedelta(seconds=int(seconds))} if name in LIFETIMES else {}


def _message_id_of(body: str) -> str:
    document = json.loads(body)
    names = (document.get(field) for field in ("message_id", "cancel", "resume", "outcome_of"))
    return str(next((name for name in names if name), None))
