"""Simulated ports: each call asks the world for its outcome and then takes effect accordingly."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sampai.adapters.directory import DynamoDirectory
from sampai.adapters.encryption_keys import DynamoEncryptionKeys
from sampai.adapters.inbox import DynamoInbox
from sampai.adapters.items import to_item
from sampai.adapters.media import DynamoMedia
from sampai.adapters.secret import SecretsManagerSecret
from sampai.adapters.settings import SsmSettings
from sampai.contract.events import Event
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Message
from sampai.domain.quotas import QuotaCounter
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.messages import ONLY_WORKER, DueFamily, Insert, Replace, Worker, Write, WriteResult
from sampai.services.ports.queue import QueueMessage, Receipt
from sampai.services.ports.rate_limiter import Reservation
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from tests.fakes import InMemoryAttempts, InMemoryRateLimiter, RecordingBus, RecordingQueue
from tests.harness.application import SECRET
from tests.harness.dynamo import Item
from tests.harness.table_store import TableStore, read_item
from tests.harness.vendors import (
    BROKEN,
    GARBAGE,
    Call,
    ListedRow,
    Vendor,
    lost,
    newest_first,
    unauthorized,
    unreached,
    vendor_of,
)
from tests.simulation.checkers import require
from tests.simulation.scenarios import CALL_SECONDS
from tests.simulation.vendors import LATE_REFUSALS

if TYPE_CHECKING:
    from tests.simulation.world import World

OK: Final = "ok"
NOT_MADE: Final = "not made"
ANSWER_LOST: Final = "made, answer lost"
SLOW: Final = "slow"
DIES: Final = "process dies after it"
FREEZES: Final = "process freezes before it"
MEANWHILE: Final = ("meanwhile the next event", "meanwhile the event after next")
MEANWHILE_FOLLOW_UP: Final = "meanwhile a follow-up"
OVERLAPS: Final = "meanwhile a follow-up of the same shards"
"""Another run follows up the same messages, and the send function receives its wake-ups."""

NOT_STARTED: Final = "a worker is not started"
STARTED_TWICE: Final = "a worker is started twice"
STARTED_LATE: Final = "a worker is started a minute late"
START_FAULTS: Final = (NOT_STARTED, STARTED_TWICE, STARTED_LATE)
WORKER_FAULTS: Final = (OVERLAPS, *START_FAULTS)

READ: Final = (NOT_MADE, SLOW)
CHANGE: Final = (NOT_MADE, ANSWER_LOST, SLOW)
FIRST_HALF: Final = "first half made"
SECOND_HALF: Final = "second half made"
DIES_HALFWAY: Final = "process dies half-way"
COMMIT_MANY: Final = (*CHANGE, FIRST_HALF, SECOND_HALF, DIES_HALFWAY)

TABLES: Final = ("store", "directory", "inbox", "media", "encryption_keys", "attempts", "limiter")
"""The ports that DynamoDB serves."""

SILENT: Final[Mapping[str, float]] = {"tables silent for 9 s": 9, "tables silent for 40 s": 40}
"""Seconds in which no call to a table is answered, by the name of the fault. The call itself is not made."""
SILENT_AFTER: Final = "made, then tables silent for 9 s"
SILENT_AFTER_SECONDS: Final = 9

NO_TIME: Final = "no time is left for a vendor"
"""The call takes so long that the process may call no vendor any more."""
NO_TIME_FOR_PASS: Final = "time is left for a vendor, not for a pass"

NEWER_ATTRIBUTES: Final = "another version adds attributes"
UNKNOWN_STATUS: Final = "another version writes an unknown status"
DAMAGED: Final = "another version damages an item"
VERSIONS: Final = (NEWER_ATTRIBUTES, UNKNOWN_STATUS, DAMAGED)
"""Another version of the code writes an item, before a call reads or writes items."""
FORMER_LAYOUT: Final = "a release before the families writes"

VANISHES: Final = "an item vanishes at its TTL"

VENDOR_OFF: Final = "settings: vendor off"
REROUTED: Final = "settings: vendor off, another route"
STOPPED: Final = "settings: sending stopped for 3 h"
BROKEN_SETTINGS: Final = "settings: broken"
QUIET: Final = "settings: quiet hours until an hour after the start"
SETTINGS_CHANGES: Final = (VENDOR_OFF, REROUTED, STOPPED, BROKEN_SETTINGS)
CREDENTIAL_MISSING: Final = "secret: credential missing"
CREDENTIAL_UNFIT: Final = "secret: credential unfit"
UNNAMED: Final = "secret: vendor missing"
BROKEN_SECRET: Final = "secret: no tokens"
SECRET_CHANGES: Final = (CREDENTIAL_MISSING, CREDENTIAL_UNFIT, UNNAMED, BROKEN_SECRET)
"""A document changes before a process reads it. A process reads it once a minute, so no other time differs."""

NO_CONNECTION: Final = "no connection"
LOST_UNTAKEN: Final = "not taken, answer lost"
REFUSED: Final = "refused"
THROTTLED: Final = "throttled"
LOCKED_OUT: Final = "account refused"
GARBLED: Final = "taken, answer garbled"
GARBLED_UNTAKEN: Final = "not taken, answer garbled"
BROKE: Final = "taken, 503"
BROKE_UNTAKEN: Final = "not taken, 503"
HALF_TAKEN: Final = "half of it taken"
SEND_FAULTS: Final = (
    NO_CONNECTION, ANSWER_LOST, LOST_UNTAKEN, REFUSED, THROTTLED, LOCKED_OUT, GARBLED, GARBLED_UNTAKEN, BROKE,
    BROKE_UNTAKEN,
)  # fmt: skip
_UNTAKEN: Final = frozenset({LOST_UNTAKEN, REFUSED, THROTTLED, LOCKED_OUT, GARBLED_UNTAKEN, BROKE_UNTAKEN})

LAGS: Final = "lags"
REGRESSED: Final = "regressed"
ASK_FAULTS: Final = (NO_CONNECTION, ANSWER_LOST, GARBLED, BROKE, LAGS, REGRESSED)

SECRET_DOCUMENT: Final = json.dumps(
    {"webhook_tokens": SECRET.webhook_tokens, **SECRET.credentials, "philsms": {"api_token": "2|house"}}
)
FINGERPRINT: Final = "fingerprint"

STALE: Final = "the index shows all in both families"
LACKS: Final = "the index lacks a message"
INDEX_FAULTS: Final = (LACKS, STALE)


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _expiry_of(item: Item) -> datetime:
    return datetime.fromtimestamp(int(item["ttl"]["N"]), UTC)


class SimulatedStore(TableStore):
    """The real store on tables in memory, with faults."""

    def __init__(self, world: "World") -> None:
        super().__init__(clock=world.clock_of_process, telemetry=world.telemetry, retention=world.scenario.retention)
        self._world = world
        self.expires_at = _NEVER
        """The earliest TTL of all messages."""

    def item(self, message_id: str) -> Item | None:
        """Return the item of a message. For the world: it is no step."""
        return self.client.tables["messages"].get(message_id)

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        if not writes:
            return []
        world = self._world
        is_zombie = world.running().name == "send" and bool(world.running().spent)
        faults = COMMIT_MANY if len(writes) > 1 else CHANGE
        outcome = world.step("store.commit", faults, may_freeze=is_zombie)
        world.running().handled |= {write.message.message_id for write in writes if isinstance(write, Replace)}
        half = len(writes) // 2
        made = {
            NOT_MADE: range(0),
            FIRST_HALF: range(half),
            DIES_HALFWAY: range(half),
            SECOND_HALF: range(half, len(writes)),
        }.get(outcome, range(len(writes)))
        written = iter(self.real.commit([write for place, write in enumerate(writes) if place in made]))
        results = [next(written) if place in made else WriteResult(done=False) for place in range(len(writes))]
        world.die_if(DIES if outcome == DIES_HALFWAY else outcome)
        if outcome == ANSWER_LOST:
            return [WriteResult(done=False)] * len(writes)
        stored = (write for write, result in zip(writes, results, strict=True) if result.done)
        world.running().confirmed |= {
            write.message.message_id for write in stored if isinstance(write, Insert | Replace)
        }
        return results

    def written(self, table: str, before: Item | None, after: Item) -> None:
        """Check a write of a service, and put it into the stream."""
        world = self._world
        if table == "correlations" and "message_id" in after and "message_id" not in (before or {}):
            world.checkers.check_link_lifetime(after, now=world.now)
        elif table == "messages":
            world.checkers.check_lifetime(after)
            self.expires_at = min(self.expires_at, _expiry_of(after))
            world.stream.append({"NewImage": after} if before is None else {"OldImage": before, "NewImage": after})
        super().written(table, before, after)

    def message_written(self, former: Message | None, message: Message) -> None:
        if self._world.process is not None:
            self._world.checkers.check_write(self._world.process, former, message)

    def put(self, item: Item) -> None:
        """Store an item without a condition, as an operator or another version of the code does."""
        table = self.client.tables["messages"]
        message_id = item["message_id"]["S"]
        before = table.get(message_id)
        table.put(item)
        self._world.stream.append({"NewImage": item} if before is None else {"OldImage": before, "NewImage": item})
        self.messages.pop(message_id, None)
        if (message := read_item(item)) is not None:
            self.messages[message_id] = message

    def delete_expired(self) -> Message | None:
        """Delete the item with the earliest TTL, and return its message, if this release can read it."""
        table = self.client.tables["messages"]
        item = min(table.items(), key=_expiry_of)
        table.delete(item["message_id"]["S"])
        self._world.stream.append({"OldImage": item})
        self.expires_at = min(map(_expiry_of, table.items()), default=_NEVER)
        return self.messages.pop(item["message_id"]["S"], None)

    def overwrite(self, message: Message) -> None:
        """Store a message without a condition: for services with a planted defect."""
        self._world.die_if(self._world.step("store.overwrite", ()))
        self._world.running().claims[message.message_id] = message
        self.put(to_item(message, retention=self._world.scenario.retention))

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        return self._world.call("store.read", READ, partial(super().read, message_ids))

    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        outcome = self._world.step("store.due", (NOT_MADE, *INDEX_FAULTS))
        if outcome == NOT_MADE:
            raise UnavailableError("due")
        found = super().due(now, limit, family=family, worker=worker)
        self._world.die_if(outcome)
        if outcome == LACKS:
            self._world.running().handled.update(found[-1:])
            return found[:-1]
        return [item["message_id"]["S"] for item in self.items()] if outcome == STALE else found

    def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
        readable = [i for i in message_ids if i in self.messages and i not in self._world.touched]
        require(not readable, "asked", f"{readable} can be read, and lost their place")
        self._world.running().handled.update(message_ids)
        postpone = partial(super().postpone_unreadable, message_ids, now=now, due_at=due_at)
        self._world.call("store.postpone_unreadable", CHANGE, postpone)

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        found = self._world.call("store.correlations", READ, partial(super().find_correlations, keys))
        self._world.running().correlations.update(found)
        return found

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        return self._world.call("store.buffer_report", CHANGE, partial(super().buffer_report, key, report, now))

    def add_report(self, key: str, report: Report) -> None:
        self._world.call("store.add_report", CHANGE, partial(super().add_report, key, report))

    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        claimed = self._world.call("store.claim", CHANGE, partial(super().claim, key, message_id, attempt))
        self._world.running().correlations[key] = claimed
        return claimed

    def mark_reused(self, key: str, message_id: str) -> None:
        self._world.call("store.mark_reused", CHANGE, partial(super().mark_reused, key, message_id))


class SimulatedDirectory(DynamoDirectory):
    def __init__(self, world: "World") -> None:
        super().__init__(world.store.client, table="directory", digest=lambda number: number, telemetry=world.telemetry)
        self._world = world

    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        look = partial(super().look_up, numbers=numbers, conversations=conversations, catalogues=catalogues)
        return self._world.call("directory.look_up", READ, look)

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        self._world.call("directory.set_opt_out", CHANGE, partial(self._opt, number, is_out, at))

    def _opt(self, number: str, is_out: bool, at: datetime) -> None:
        super().set_opt_out(number, is_out=is_out, at=at)
        self._world.checkers.consent_changed(number, is_out=self.has_opted_out(number), now=self._world.now)

    def has_opted_out(self, number: str) -> bool:
        """Return the stored consent of a number. For the checkers: it is no step."""
        return number in super().look_up(numbers={number}, conversations=(), catalogues=()).opted_out

    def record_conversation(self, conversation: Conversation) -> None:
        self._world.call("directory.record_conversation", CHANGE, partial(super().record_conversation, conversation))

    def increment(self, counter: QuotaCounter) -> bool:
        return self._world.call("directory.increment", CHANGE, partial(super().increment, counter))


class SimulatedMedia(DynamoMedia):
    def __init__(self, world: "World") -> None:
        super().__init__(world.store.client, table="media")
        self._world = world

    def store(self, message: Message, data: bytes) -> str:
        return self._world.call("media.store", CHANGE, partial(super().store, message, data))

    def load(self, key: str) -> bytes:
        return self._world.call("media.load", READ, partial(super().load, key))

    def delete(self, key: str) -> None:
        self._world.call("media.delete", CHANGE, partial(super().delete, key))


class SimulatedEncryptionKeys(DynamoEncryptionKeys):
    def __init__(self, world: "World") -> None:
        super().__init__(world.store.client, table="keys", retention=world.scenario.retention)
        self._world = world

    def get_or_create(self, message: Message, proposed: str) -> str:
        get = partial(super().get_or_create, message, proposed)
        return self._world.call("encryption_keys.get_or_create", CHANGE, get)


class SimulatedAttempts(InMemoryAttempts):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def add(self, records: Sequence[AttemptRecord], *, now: datetime) -> None:
        self._world.call("attempts.add", CHANGE, partial(super().add, records, now=now))


class SimulatedRateLimiter(InMemoryRateLimiter):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        take = partial(super().reserve, name, duration, earliest=earliest, latest=latest)
        return self._world.call("limiter.reserve", CHANGE, take)


class SimulatedInbox(DynamoInbox):
    def __init__(self, world: "World") -> None:
        super().__init__(world.store.client, table="inbox")
        self._world = world

    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        return self._world.call("inbox.add", CHANGE, partial(super().add, key, inbound, now))

    def find(self, key: str) -> tuple[Inbound, datetime] | None:
        try:
            return self._world.call("inbox.find", READ, partial(super().find, key))
        except UnavailableError:
            self._world.is_consent_in_doubt = True
            raise


class SimulatedDocuments:
    """Clients of SSM and Secrets Manager for the settings and the secret. An operator changes the documents."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.settings = [world.scenario.settings]
        """All versions."""
        self.secret = [SECRET_DOCUMENT]

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803 - the client's own name
        _, _, wanted = Name.partition(":")
        if not wanted:
            quiet = (QUIET,) if self._world.scenario.is_promotional else ()
            self._read("settings.read", (*SETTINGS_CHANGES, *quiet))
        version = int(wanted or len(self.settings))
        return {"Parameter": {"Version": version, "Value": self.settings[version - 1]}}

    def get_secret_value(self, *, SecretId: str, VersionStage: str = "AWSCURRENT") -> dict[str, Any]:  # noqa: N803
        if SecretId == FINGERPRINT:
            return {"SecretString": "fingerprint-key-of-the-tests"}
        if VersionStage == "AWSCURRENT":
            self._read("secret.read", SECRET_CHANGES)
        place = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}[VersionStage]
        return {"SecretString": self.secret[max(place, -len(self.secret))]}

    def _read(self, port: str, changes: tuple[str, ...]) -> None:
        """Begin to read a document. An operator may change it before."""
        outcome = self._world.step(port, (*READ, *changes))
        if outcome == NOT_MADE:
            raise UnavailableError(port)
        if outcome in changes:
            self._world.change_configuration(outcome)
        self._world.die_if(outcome)


def new_settings(world: "World", process: str) -> SsmSettings:
    """Return the settings as a new process of a function reads them."""
    return SsmSettings(
        lambda: world.documents, name="settings", clock=world.clock_of(process), telemetry=world.telemetry
    )


def new_secret(world: "World", process: str) -> SecretsManagerSecret:
    """Return the secret as a new process of a function reads it."""
    return SecretsManagerSecret(
        lambda: world.documents,
        arn="secret",
        fingerprint_arn=FINGERPRINT,
        clock=world.clock_of(process),
        telemetry=world.telemetry,
    )


class SimulatedQueue(RecordingQueue):
    """Delivers wake-ups to the send function after their delay."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def put(self, messages: Sequence[QueueMessage]) -> None:
        if not messages:
            return
        try:
            self._world.call("queue.put", CHANGE, partial(self._put, messages))
        except UnavailableError:
            self._world.running().is_cut_off = True
            raise

    def _put(self, messages: Sequence[QueueMessage]) -> None:
        self._world.checkers.check_wake_ups(self._world.running(), messages)
        self.wake_ups = list(messages)
        for message, body in zip(messages, self.bodies(), strict=True):
            self._world.enqueue([body], when=self._world.now + timedelta(seconds=message.delay_seconds))

    def postpone(self, receipts: Sequence[Receipt], *, seconds: int) -> None:
        if receipts:
            self._world.call("queue.postpone", CHANGE, partial(super().postpone, receipts, seconds=seconds))


class SimulatedStarter:
    """Starts the other workers of follow_up: asynchronously, and at least once."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def start(self, event: Mapping[str, Any]) -> None:
        outcome = self._world.step("workers.start", START_FAULTS)
        if outcome == NOT_STARTED:
            raise UnavailableError("workers")
        late = timedelta(minutes=1) if outcome == STARTED_LATE else timedelta(0)
        for _ in range(2 if outcome == STARTED_TWICE else 1):
            self._world.start_worker(event, when=self._world.now + late)
        self._world.die_if(outcome)


class SimulatedBus(RecordingBus):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def put(self, events: Sequence[Event]) -> None:
        """Publish in order. If the bus fails half-way, the first events are published and will be repeated."""
        if not events:
            return
        outcome = self._world.step("bus.put", (*CHANGE, FIRST_HALF))
        published = {NOT_MADE: 0, FIRST_HALF: len(events) // 2}.get(outcome, len(events))
        super().put(events[:published])
        self._world.die_if(outcome)
        if outcome in (NOT_MADE, FIRST_HALF, ANSWER_LOST):
            raise UnavailableError("bus")


class SimulatedTransport:
    """Delivers requests to the vendors, and most of the responses."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        vendor = vendor_of(request)
        call = vendor.read(request)
        answer = self._send(vendor, call) if call.sent else self._ask(vendor, call)
        lasted = CALL_SECONDS if call.sent else self._world.scenario.ask_seconds
        if isinstance(answer, NoResponse) and answer.may_have_been_sent:
            lasted = deadline_seconds
        self._world.now += timedelta(seconds=lasted)
        return answer

    def _send(self, vendor: Vendor, call: Call) -> HttpResponse | NoResponse:
        world, is_bulk = self._world, len(call.sent) > 1
        started_at = world.now
        late = LATE_REFUSALS.get(vendor.name, {})
        faults = (*SEND_FAULTS, *late, HALF_TAKEN) if is_bulk else (*SEND_FAULTS, *late)
        outcome = world.step(f"{vendor.name}.send", faults)
        claims = world.checkers.check_send(world.running(), call.sent, world.store.messages, started_at)
        if outcome == NO_CONNECTION:
            return unreached()
        if outcome in _UNTAKEN:
            if outcome == BROKE_UNTAKEN and vendor.keeps_bare_rows:
                world.take(vendor, call, claims, is_taken=False)
            return _refuse(vendor, call, outcome)
        kept = claims[: len(claims) // 2] if outcome == HALF_TAKEN else claims
        rows = world.take(vendor, call, kept, is_taken=True)
        world.die_if(outcome)
        world.die_if(world.step(f"{vendor.name}.answer", ()))
        if outcome == ANSWER_LOST:
            return lost()
        answers = {GARBLED: GARBAGE, BROKE: BROKEN, **late}
        return answers.get(outcome) or vendor.taken(rows, is_bulk=is_bulk)

    def _ask(self, vendor: Vendor, call: Call) -> HttpResponse | NoResponse:
        world = self._world
        outcome = world.step(f"{vendor.name}.ask", ASK_FAULTS)
        is_silent = outcome in (NO_CONNECTION, ANSWER_LOST)
        subject = "" if is_silent else call.looked_up or call.query.get("to", "")
        stored = world.store.messages
        world.checkers.check_ask(world.running(), stored, vendor, subject, is_answered=outcome == OK)
        world.die_if(outcome)
        if is_silent:
            return NoResponse(may_have_been_sent=outcome == ANSWER_LOST, why="no answer")
        if outcome in (GARBLED, BROKE):
            return GARBAGE if outcome == GARBLED else BROKEN
        lag = timedelta(seconds=world.scenario.list_lag)
        rows = [row for row in world.rows if row.vendor is vendor and row.created_at + lag <= world.now]
        statuses = [Status.ACCEPTED if outcome == REGRESSED else row.status_at(world.now) for row in rows]
        if call.looked_up is None:
            shown = newest_first([ListedRow(row, status) for row, status in zip(rows, statuses, strict=True)])
            return vendor.listed(call.query, shown[1:] if outcome == LAGS else shown)
        place = next((i for i, row in enumerate(rows) if row.provider_message_id == call.looked_up), None)
        if place is None or outcome == LAGS:
            return vendor.found(None, Status.ACCEPTED)
        return vendor.found(rows[place], statuses[place])


def _refuse(vendor: Vendor, call: Call, outcome: str) -> HttpResponse | NoResponse:
    """Answer a send that the vendor did not accept."""
    answers: dict[str, HttpResponse | NoResponse] = {
        LOST_UNTAKEN: NoResponse(may_have_been_sent=True, why="reset"),
        REFUSED: vendor.refusal,
        THROTTLED: vendor.throttled(call.sent[0].number),
        LOCKED_OUT: unauthorized(),
        GARBLED_UNTAKEN: GARBAGE,
        BROKE_UNTAKEN: BROKEN,
    }
    return answers[outcome]
