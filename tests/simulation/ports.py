"""Simulated ports: each call asks the world for its outcome and then takes effect accordingly."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from sampai.contract.events import Event
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.domain.quotas import QuotaCounter
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.services.ports.configuration import Secret
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.messages import Write, WriteResult
from sampai.services.ports.queue import QueueMessage, Receipt
from sampai.services.ports.rate_limiter import Reservation
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from tests.fakes import (
    FixedSecret,
    InMemoryDirectory,
    InMemoryEncryptionKeys,
    InMemoryInbox,
    InMemoryMedia,
    InMemoryRateLimiter,
    InMemoryStore,
    RecordingBus,
    RecordingQueue,
)
from tests.harness.application import SECRET
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

if TYPE_CHECKING:
    from tests.simulation.world import World

CALL_SECONDS: Final = 0.3

OK: Final = "ok"
NOT_MADE: Final = "not made"
ANSWER_LOST: Final = "made, answer lost"
SLOW: Final = "slow"
DIES: Final = "process dies after it"
FREEZES: Final = "process freezes before it"
MEANWHILE: Final = ("meanwhile the next event", "meanwhile the event after next")
MEANWHILE_FOLLOW_UP: Final = "meanwhile a follow-up"

READ: Final = (NOT_MADE, SLOW)
CHANGE: Final = (NOT_MADE, ANSWER_LOST, SLOW)
FIRST_HALF: Final = "first half made"
SECOND_HALF: Final = "second half made"
DIES_HALFWAY: Final = "process dies half-way"
COMMIT_MANY: Final = (*CHANGE, FIRST_HALF, SECOND_HALF, DIES_HALFWAY)

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

STALE: Final = "stale"
DUE_FAULTS: Final = (NOT_MADE, LAGS, STALE)


class SimulatedStore(InMemoryStore):
    """The in-memory store, which passes the tests of the real store, with faults."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        if not writes:
            return []
        world = self._world
        is_zombie = world.running().name == "send" and bool(world.running().spent)
        faults = COMMIT_MANY if len(writes) > 1 else CHANGE
        outcome = world.step("store.commit", faults, may_freeze=is_zombie)
        half = len(writes) // 2
        made = {
            NOT_MADE: range(0),
            FIRST_HALF: range(half),
            DIES_HALFWAY: range(half),
            SECOND_HALF: range(half, len(writes)),
        }.get(outcome, range(len(writes)))
        written = [self._commit(w) if place in made else WriteResult(done=False) for place, w in enumerate(writes)]
        world.die_if(DIES if outcome == DIES_HALFWAY else outcome)
        return [WriteResult(done=False)] * len(writes) if outcome == ANSWER_LOST else written

    def _commit(self, write: Write) -> WriteResult:
        if isinstance(write, LinkCorrelation):
            return super()._commit(write)
        message_id = write.message.message_id
        before = self.messages.get(message_id)
        written = super()._commit(write)
        after = self.messages[message_id]
        if after is not before:
            self._world.stream.append((before, after))
            self._world.checkers.check_write(self._world.running(), before, after)
        return written

    def overwrite(self, message: Message) -> None:
        """Store a message without a condition: for services with a planted defect."""
        self._world.die_if(self._world.step("store.overwrite", ()))
        self._world.running().claims[message.message_id] = message
        self._world.stream.append((self.messages.get(message.message_id), message))
        self.messages[message.message_id] = message

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        return self._world.call("store.read", READ, partial(super().read, message_ids))

    def due(self, now: datetime, limit: int) -> list[str]:
        outcome = self._world.step("store.due", DUE_FAULTS)
        if outcome == NOT_MADE:
            raise UnavailableError("due")
        found = super().due(now, limit)
        self._world.die_if(outcome)
        if outcome == LAGS:
            return found[:-1]
        return list(self.messages) if outcome == STALE else found

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        return self._world.call("store.correlations", READ, partial(super().find_correlations, keys))

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        return self._world.call("store.buffer_report", CHANGE, partial(super().buffer_report, key, report, now))

    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        return self._world.call("store.claim", CHANGE, partial(super().claim, key, message_id, attempt))

    def mark_reused(self, key: str, message_id: str) -> None:
        self._world.call("store.mark_reused", CHANGE, partial(super().mark_reused, key, message_id))


class SimulatedDirectory(InMemoryDirectory):
    def __init__(self, world: "World") -> None:
        super().__init__()
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
        if is_out:
            self._world.checkers.opted_out.setdefault(number, self._world.now)

    def increment(self, counter: QuotaCounter) -> bool:
        return self._world.call("directory.increment", CHANGE, partial(super().increment, counter))


class SimulatedMedia(InMemoryMedia):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def store(self, message: Message, data: bytes) -> str:
        return self._world.call("media.store", CHANGE, partial(super().store, message, data))

    def load(self, key: str) -> bytes:
        return self._world.call("media.load", READ, partial(super().load, key))

    def delete(self, key: str) -> None:
        self._world.call("media.delete", CHANGE, partial(super().delete, key))


class SimulatedEncryptionKeys(InMemoryEncryptionKeys):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def get_or_create(self, message: Message, proposed: str) -> str:
        return self._world.call(
            "encryption_keys.get_or_create", CHANGE, partial(super().get_or_create, message, proposed)
        )


class SimulatedRateLimiter(InMemoryRateLimiter):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        take = partial(super().reserve, name, duration, earliest=earliest, latest=latest)
        return self._world.call("limiter.reserve", CHANGE, take)


class SimulatedInbox(InMemoryInbox):
    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        return self._world.call("inbox.add", CHANGE, partial(super().add, key, inbound, now))


class SimulatedSecret(FixedSecret):
    def __init__(self, world: "World") -> None:
        super().__init__(SECRET)
        self._world = world

    def current(self) -> Secret:
        return self._world.call("secret.current", READ, super().current)


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
        self.wake_ups = list(messages)
        for message, body in zip(messages, self.bodies(), strict=True):
            self._world.enqueue([body], when=self._world.now + timedelta(seconds=message.delay_seconds))

    def postpone(self, receipts: Sequence[Receipt], *, seconds: int) -> None:
        if receipts:
            self._world.call("queue.postpone", CHANGE, partial(super().postpone, receipts, seconds=seconds))


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
        lasted = deadline_seconds if isinstance(answer, NoResponse) and answer.may_have_been_sent else CALL_SECONDS
        self._world.now += timedelta(seconds=lasted)
        return answer

    def _send(self, vendor: Vendor, call: Call) -> HttpResponse | NoResponse:
        world, is_bulk = self._world, len(call.sent) > 1
        started_at = world.now
        outcome = world.step(f"{vendor.name}.send", (*SEND_FAULTS, HALF_TAKEN) if is_bulk else SEND_FAULTS)
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
        return {GARBLED: GARBAGE, BROKE: BROKEN}.get(outcome) or vendor.taken(rows, is_bulk=is_bulk)

    def _ask(self, vendor: Vendor, call: Call) -> HttpResponse | NoResponse:
        world = self._world
        outcome = world.step(f"{vendor.name}.ask", ASK_FAULTS)
        world.die_if(outcome)
        if outcome in (NO_CONNECTION, ANSWER_LOST):
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
