"""A discrete simulation of the way of messages: queue, workers, vendor, limits, tables, streams, events. Pure.

Nothing here reads a clock or a network: the same plan and seed give the same run. Times are seconds from the start.
Messages are counted, not kept: one event moves a batch, so that 100,000 a second can be simulated.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import ceil, inf
from random import Random
from typing import Final

WORKERS: Final = "send functions at work"
FUNCTIONS: Final = "functions at work, all"
TABLE: Final = "messages table: write units a second"
INDEX: Final = "due index: write units a second"
PUBLISH: Final = "publish: shards at work"
PUTS: Final = "PutEvents requests a second"
DELIVERIES: Final = "events to one rule a second"
WEBHOOKS: Final = "receipts a second"
FOLLOW_UP: Final = "follow_up: seconds of work a minute"
TURNS: Final = "a vendor's clock, if all is for it: writes a second"
SETTINGS: Final = "reads of the settings a second"
"""Names of the resources, with their units."""

SETTINGS_AGE: Final = 60.0
"""How long a function keeps the settings."""

MIN_PAUSE: Final = 0.05
MIN_DEFERRAL: Final = 15.0
MAX_DEFERRAL: Final = 300.0
"""Between two looks at a vendor's clock; before a message without a turn comes back. See services/send/pacer.py."""

ARRIVAL_STEP: Final = 0.005
"""Messages that arrive within this time arrive together."""

GATHER_SECONDS: Final = 0.25
"""An idle shard of a stream is looked at four times a second."""

FOLLOW_UP_EVERY: Final = 60.0
LOOKS_SIDE_BY_SIDE: Final = 16
ROWS_PER_PAGE: Final = 100
MAX_PAGES: Final = 10
WINDOW_SECONDS: Final = 375.0
"""How far back a list reaches that is asked a minute after the attempt: five minutes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated. A rate of `inf` stands for a resource without a limit."""

    per_second: float = 0.0
    """Messages that arrive."""
    backlog: int = 0
    """Messages that wait when it begins."""
    seconds: float = 180.0
    warm_up: float = 0.0
    """How long nothing is measured."""

    # The send function and what feeds it
    batch: int = 10
    concurrency: int = 10
    pollers: float = 5.0
    pollers_per_minute: float = 300.0
    threads: int = 32
    fixed_seconds: float = 0.02
    message_seconds: float = 0.005
    call_seconds: float = 0.008
    """One request to DynamoDB."""
    machine: float = inf
    """Seconds of work of our own that are done in a second: all invocations share it. One processor has 1."""

    # The vendor
    vendor_seconds: float = 0.2
    vendor_spread: float = 0.2
    """By how much a call may be faster or slower."""
    max_per_second: float | None = None
    turns_per_second: float = 1000.0
    """Writes to one item."""
    ahead: float = 1.0
    """How far ahead a vendor's time is taken."""
    patience: float = 12.0
    """How long a batch waits inside the function for its turn; then its messages are held, and come back by notes."""

    # DynamoDB
    table_units: float = inf
    index_units: float = inf
    units_per_write: float = 1.0
    """An item of 1 KiB at most; a long text takes two."""
    index_units_per_claim: float = 1.0
    index_units_per_change: float = 2.0
    """A new `due_at` takes the old entry out of the index and puts another in."""
    index_units_per_end: float = 1.0

    # Events
    shards: int = 4
    lanes: int = 1
    """Invocations of publish at a time for each shard."""
    records: int = 100
    publish_seconds: float = 0.02
    put_seconds: float = 0.012
    puts_per_second: float = inf
    rules: int = 1
    deliveries_per_second: float = inf

    # What comes back
    reported: float = 0.5
    """Share of the messages whose vendor calls the webhook; the others are asked about."""
    receipts: float = 2.0
    receipt_seconds: float = 3.0
    webhook_seconds: float = 0.04
    webhooks_per_second: float = inf
    first_look: float = 15.0
    due_shards: int = 8
    pass_size: int = 200
    follow_up_seconds: float = 30.0
    """How long a run begins further passes."""


@dataclass(slots=True)
class Meter:
    """Does a number of units in a second, in the order in which they are asked for."""

    per_second: float
    asked: float = 0.0
    _free_at: float = 0.0

    def take(self, now: float, units: float) -> float:
        """Return the seconds until these units are done."""
        self.asked += units
        if self.per_second == inf:
            return 0.0
        self._free_at = max(self._free_at, now) + units / self.per_second
        return self._free_at - now


@dataclass(slots=True)
class TurnClock:
    """The clock of a vendor, which all workers share: the time until which it is taken."""

    per_second: float
    ahead: float
    taken_until: float = 0.0

    def reserve(self, now: float, messages: int) -> tuple[bool, float]:
        """Return whether the turn was taken, and the time at which it begins; one too far ahead is not taken."""
        starts_at = max(now, self.taken_until)
        if starts_at > now + self.ahead:
            return False, starts_at
        self.taken_until = starts_at + messages / self.per_second
        return True, starts_at


class Queue:
    """Waits in order of arrival; knows since when."""

    def __init__(self) -> None:
        self.length = 0
        self._chunks: deque[tuple[float, int]] = deque()

    def add(self, since: float, messages: int) -> None:
        self.length += messages
        self._chunks.append((since, messages))

    def take(self, most: int) -> list[tuple[float, int]]:
        """Return what was taken, as pairs of the time of arrival and a number."""
        taken: list[tuple[float, int]] = []
        while most and self._chunks:
            since, messages = self._chunks.popleft()
            part = min(most, messages)
            taken.append((since, part))
            most -= part
            self.length -= part
            if messages > part:
                self._chunks.appendleft((since, messages - part))
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was seen after the warm-up. `asked` has how much of each resource was wanted, in its own unit, by name."""

    accepted: int
    per_second: float
    waited_median: float
    waited_99: float
    """Seconds from arrival to the vendor's answer."""
    left: int
    """Messages that still wait in the queue."""
    held: int
    """How often a message was held, because its turn was too far off."""
    invocations: int
    workers_busy: float
    """Mean number of send functions at work."""
    unpublished: int
    not_followed_up: int
    asked: dict[str, float]
    first_at: float
    finished_at: float
    """When the first messages and the last were accepted."""


@dataclass(slots=True)
class _Counts:
    accepted: int = 0
    held: int = 0
    invocations: int = 0
    busy_seconds: float = 0.0
    filled_seconds: float = 0.0
    waits: list[tuple[float, int]] = field(default_factory=list)
    other_busy_seconds: float = 0.0
    records: float = 0.0
    most_workers: int = 0


class Simulation:
    """One run of a plan."""

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self._plan = plan
        self._random = Random(seed)  # noqa: S311 - repeatable, not secret
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now = 0.0
        self._queue = Queue()
        self._workers = 0
        self._seen = _Counts()
        self._first_at: float | None = None
        self._finished_at = 0.0
        self._machine = Meter(plan.machine)
        self._meters = {
            TABLE: Meter(plan.table_units),
            INDEX: Meter(plan.index_units),
            PUTS: Meter(plan.puts_per_second),
            DELIVERIES: Meter(plan.deliveries_per_second),
            WEBHOOKS: Meter(plan.webhooks_per_second),
        }
        self._clock = TurnClock(plan.max_per_second, plan.ahead) if plan.max_per_second else None
        self._turns = Meter(plan.turns_per_second)
        self._shards = [_Shard() for _ in range(plan.shards)]
        self._due: deque[tuple[float, float]] = deque()

    def run(self) -> Run:
        """Run the plan to its end; one without arrivals ends when its backlog is done."""
        plan = self._plan
        if plan.backlog:
            self._queue.add(0.0, plan.backlog)
            self._at(0.0, self._work)
        if plan.per_second:
            self._at(0.0, self._arrive)
        self._at(FOLLOW_UP_EVERY, self._follow_up)
        if plan.warm_up:
            self._at(plan.warm_up, self._forget)
        until = plan.seconds
        while self._events and self._events[0][0] <= until:
            self._now, _, action = heappop(self._events)
            action()
            if not plan.per_second and self._seen.accepted >= plan.backlog:
                break
        return self._report(until if plan.per_second else self._now)

    def _at(self, time: float, action: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._order), action))

    def _forget(self) -> None:
        self._seen = _Counts()
        self._turns.asked = self._machine.asked = 0.0
        for meter in self._meters.values():
            meter.asked = 0.0
        for shard in self._shards:
            shard.busy_seconds = 0.0

    # --- the queue and the send function ----------------------------------------------------------------------------

    def _arrive(self) -> None:
        rate = self._plan.per_second
        gap = max(ARRIVAL_STEP, 1 / rate)
        self._queue.add(self._now, max(1, round(rate * gap)))
        # Between half and one and a half of the gap: as many in the end, but not in step with the workers.
        self._at(self._now + gap * (0.5 + self._random.random()), self._arrive)
        self._work()

    def _work(self) -> None:
        plan = self._plan
        allowed = min(float(plan.concurrency), plan.pollers + plan.pollers_per_minute * self._now / 60)
        while self._queue.length and self._workers + 1 <= allowed:
            self._workers += 1
            self._seen.most_workers = max(self._seen.most_workers, self._workers)
            batch = _Batch(begun_at=self._now, taken=self._queue.take(plan.batch))
            if self._clock is None:
                self._claim(batch, starts_at=self._now)
            else:
                self._ask_for_turn(batch, self._clock)

    def _ask_for_turn(self, batch: "_Batch", clock: TurnClock) -> None:
        plan = self._plan
        asked = self._now + plan.call_seconds + self._turns.take(self._now, 1)
        is_granted, starts_at = clock.reserve(asked, batch.size)
        if is_granted:
            self._at(asked, lambda: self._claim(batch, starts_at=starts_at))
            return
        again = max(starts_at - clock.ahead, asked + MIN_PAUSE)
        if again <= batch.begun_at + plan.patience:
            self._at(again, lambda: self._ask_for_turn(batch, clock))
        else:
            self._hold(batch)

    def _hold(self, batch: "_Batch") -> None:
        """Let messages wait in the table; a note brings each back after a quarter of the time that it has waited."""
        plan = self._plan
        self._seen.held += batch.size
        for since, messages in batch.taken:
            pause = min(max((self._now - since) / 4, MIN_DEFERRAL), MAX_DEFERRAL)
            self._at(self._now + pause, partial(self._come_back, since, messages))
        stored = self._write(batch.size, plan.index_units_per_claim)
        self._at(self._now + self._own_seconds(batch.size) + plan.call_seconds + stored, lambda: self._end(batch))

    def _come_back(self, since: float, messages: int) -> None:
        self._queue.add(since, messages)
        self._work()

    def _claim(self, batch: "_Batch", starts_at: float) -> None:
        plan = self._plan
        own = self._own_seconds(batch.size)
        stored = self._write(batch.size, plan.index_units_per_claim)
        # With a turn, the messages of a batch go out one by one, as the vendor has time for them.
        lasts = (batch.size - 1) / self._clock.per_second if self._clock else 0.0
        claimed = self._now + own + plan.call_seconds + stored
        self._at(max(claimed, starts_at + lasts), lambda: self._call(batch))

    def _call(self, batch: "_Batch") -> None:
        plan = self._plan
        rounds = ceil(batch.size / plan.threads)
        spread = 1 + plan.vendor_spread * (2 * self._random.random() - 1)
        self._at(self._now + rounds * plan.vendor_seconds * spread, lambda: self._settle(batch))

    def _settle(self, batch: "_Batch") -> None:
        plan, seen = self._plan, self._seen
        own = self._own_seconds(batch.size)
        stored = self._write(batch.size, plan.index_units_per_change)
        seen.accepted += batch.size
        self._first_at = self._now if self._first_at is None else self._first_at
        self._finished_at = self._now
        seen.waits += [(self._now - since, messages) for since, messages in batch.taken]
        self._at(self._now + own + plan.call_seconds + stored, lambda: self._end(batch))
        reported = batch.size * plan.reported
        self._at(self._now + plan.receipt_seconds, lambda: self._receive(reported))
        self._due.append((self._now + plan.first_look, batch.size - reported))

    def _end(self, batch: "_Batch") -> None:
        lasted = self._now - batch.begun_at
        self._seen.invocations += 1
        self._seen.busy_seconds += lasted
        self._seen.filled_seconds += lasted * batch.size / self._plan.batch
        self._workers -= 1
        self._work()

    def _own_seconds(self, messages: int) -> float:
        """Return how long half of an invocation's own work takes: one half is before the call, one after."""
        work = (self._plan.fixed_seconds + self._plan.message_seconds * messages) / 2
        return max(work if self._plan.machine == inf else 0.0, self._machine.take(self._now, work))

    # --- tables, events, what comes back ----------------------------------------------------------------------------

    def _write(self, messages: float, index_units: float) -> float:
        """Write messages down, and have it told. Return the seconds until the tables have taken it."""
        units = messages * self._plan.units_per_write
        waited = self._meters[TABLE].take(self._now, units)
        waited = max(waited, self._meters[INDEX].take(self._now, messages * index_units))
        shard = self._shards[self._random.randrange(len(self._shards))]
        shard.records += messages
        self._seen.records += messages
        if not shard.is_waking:
            shard.is_waking = True
            self._at(self._now + GATHER_SECONDS, lambda: self._publish(shard))
        return waited

    def _publish(self, shard: "_Shard") -> None:
        plan = self._plan
        shard.is_waking = False
        while shard.records > 0.5 and shard.lanes < plan.lanes:
            records = min(shard.records, float(plan.records))
            shard.records -= records
            shard.lanes += 1
            puts = ceil(records / 10)
            waited = self._meters[PUTS].take(self._now, puts)
            self._meters[DELIVERIES].take(self._now, records * plan.rules)
            lasts = max(self._publish_seconds(records), waited)
            shard.busy_seconds += lasts
            self._at(self._now + lasts, lambda: self._published(shard))

    def _publish_seconds(self, records: float) -> float:
        return self._plan.publish_seconds + ceil(records / 10) * self._plan.put_seconds

    def _published(self, shard: "_Shard") -> None:
        shard.lanes -= 1
        self._publish(shard)

    def _receive(self, messages: float) -> None:
        plan = self._plan
        self._meters[WEBHOOKS].take(self._now, messages * plan.receipts)
        self._seen.other_busy_seconds += messages * plan.receipts * plan.webhook_seconds
        # Only the last report takes the message out of the index; those before it leave its `due_at` alone.
        self._write(messages * plan.receipts, plan.index_units_per_end / max(plan.receipts, 1.0))

    def _follow_up(self) -> None:
        """Look at what is due, in passes, until nothing is or the time is over."""
        plan, spent = self._plan, 0.0
        while spent < plan.follow_up_seconds and (due := self._take_due(plan.pass_size)):
            spent += pass_seconds(plan, due)
            self._write(due, plan.index_units_per_end)
        self._seen.other_busy_seconds += spent
        self._at(self._now + FOLLOW_UP_EVERY, self._follow_up)

    def _take_due(self, most: float) -> float:
        taken = 0.0
        while self._due and self._due[0][0] <= self._now and taken < most:
            since, messages = self._due.popleft()
            part = min(messages, most - taken)
            taken += part
            if messages > part:
                self._due.appendleft((since, messages - part))
        return taken

    # --- what was seen ----------------------------------------------------------------------------------------------

    def _report(self, until: float) -> Run:
        plan, seen = self._plan, self._seen
        seconds = max(until - plan.warm_up, 1e-9)
        rate = seen.accepted / seconds
        publishing = sum(shard.busy_seconds for shard in self._shards)
        busy = seen.busy_seconds + publishing + seen.other_busy_seconds
        asked = {
            # In full batches: workers that find little to do could do more.
            WORKERS: seen.filled_seconds / seconds,
            FUNCTIONS: busy / seconds,
            SETTINGS: seen.most_workers / SETTINGS_AGE,
            TURNS: (self._turns.asked if self._clock else seen.invocations) / seconds,
            PUBLISH: seen.records / seconds * self._publish_seconds(plan.records) / plan.records,
            FOLLOW_UP: rate
            * (1 - plan.reported)
            * FOLLOW_UP_EVERY
            * pass_seconds(plan, plan.pass_size)
            / plan.pass_size,
        }
        waits = sorted(seen.waits)
        return Run(
            accepted=seen.accepted,
            per_second=rate,
            waited_median=_percentile(waits, 0.5),
            waited_99=_percentile(waits, 0.99),
            left=self._queue.length,
            held=seen.held,
            invocations=seen.invocations,
            workers_busy=seen.busy_seconds / seconds,
            unpublished=round(sum(shard.records for shard in self._shards)),
            not_followed_up=round(sum(messages for at, messages in self._due if at <= self._now)),
            asked=asked | {name: meter.asked / seconds for name, meter in self._meters.items()},
            first_at=self._first_at or 0.0,
            finished_at=self._finished_at,
        )


def pass_seconds(plan: Plan, due: float) -> float:
    """Return how long follow_up takes for messages that are due together, most of it waiting for the vendor.

    It reads each shard of the index, then pages of the vendor's list, then asks for what was not in them one by one.
    """
    rows = plan.per_second * (1 - plan.reported) * WINDOW_SECONDS
    pages = min(MAX_PAGES, 1 + rows // ROWS_PER_PAGE)
    missing = due * max(0.0, 1 - pages * ROWS_PER_PAGE / rows) if rows else 0.0
    reads = (plan.due_shards + ceil(due / 100) + 2 * ceil(due / 25)) * plan.call_seconds
    return reads + (pages + ceil(missing / LOOKS_SIDE_BY_SIDE)) * plan.vendor_seconds


@dataclass(slots=True, kw_only=True)
class _Batch:
    begun_at: float
    taken: list[tuple[float, int]]
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(messages for _, messages in self.taken)


@dataclass(slots=True)
class _Shard:
    records: float = 0.0
    lanes: int = 0
    is_waking: bool = False
    busy_seconds: float = 0.0


def _percentile(waits: Sequence[tuple[float, int]], share: float) -> float:
    """Return the wait that this share of the messages did not exceed; the waits are in order."""
    wanted = share * sum(messages for _, messages in waits)
    passed = 0
    for wait, messages in waits:
        passed += messages
        if passed >= wanted:
            return wait
    return 0.0
