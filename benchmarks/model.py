"""A discrete-event simulation of the stack: queue, workers, vendor, rate limit, tables, event bus, receipts, looks.

It uses no clock and no network: the same plan and seed give the same run. Times are seconds from the start. One event
moves a whole batch and messages are only numbers, so that 100,000 per second can be simulated.
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

from sampai.services.follow_up.due import LIST_SIZE
from sampai.services.follow_up.poller import LOOKUP_THREADS
from sampai.services.reservations import MIN_PAUSE
from sampai.services.send.pacer import MAX_DEFERRAL, MIN_DEFERRAL

# The resources, with their units.
WORKERS: Final = "busy send functions"
FUNCTIONS: Final = "busy functions of all kinds"
TABLE: Final = "messages table, write units per second"
INDEX: Final = "due index, write units per second"
PUBLISH: Final = "publish, busy shards"
PUTS: Final = "PutEvents requests per second"
DELIVERIES: Final = "events to one rule per second"
WEBHOOKS: Final = "receipts per second"
FOLLOW_UP: Final = "follow_up, seconds of work per minute, all workers"
LOOKUPS: Final = "look-ups at one vendor per second"
RESERVATIONS: Final = "rate limiter, all messages for one vendor, writes per second"
SETTINGS: Final = "reads of the settings per second"

SETTINGS_MAX_AGE: Final = 60.0
"""Seconds after which a function reads the settings again."""

ARRIVAL_STEP: Final = 0.005
"""Messages that arrive within this time arrive together."""

STREAM_POLL_SECONDS: Final = 0.25
"""Lambda polls an idle shard of a stream four times per second."""

FOLLOW_UP_INTERVAL: Final = 60.0
RUN_SECONDS: Final = 50.0
"""A run has ended after this time, its time-out."""

KEYS_PER_READ: Final = 100
STATEMENTS_PER_WRITE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The input of a simulation. `inf` means no limit. Names without another unit are seconds or counts."""

    per_second: float = 0.0
    """Messages that arrive."""
    backlog: int = 0
    """Messages that wait at the start."""
    seconds: float = 180.0
    warm_up: float = 0.0
    """The first part of the run, without measurements."""

    # The send function and its queue
    batch: int = 10
    concurrency: int = 10
    pollers: float = 5.0
    pollers_per_minute: float = 300.0
    threads: int = 32
    fixed_seconds: float = 0.02
    message_seconds: float = 0.005
    call_seconds: float = 0.008
    """One request to DynamoDB."""
    processors: float = inf
    """Processors of the machine, if all invocations share it."""

    # The vendor
    vendor_seconds: float = 0.2
    vendor_spread: float = 0.2
    """The largest deviation of a call, as a share of `vendor_seconds`."""
    max_per_second: float | None = None
    """The rate limit."""
    reservations_per_second: float = 1000.0
    """Writes to the one item of the rate limiter."""
    ahead: float = 1.0
    """The time for which the rate limiter gives reservations in advance."""
    max_inline_wait: float = 12.0
    """The time that a batch waits in the function for a reservation. Then its messages are deferred."""

    # DynamoDB
    table_units: float = inf
    index_units: float = inf
    units_per_write: float = 1.0
    """For an item of at most 1 KiB. A long text costs two."""
    index_units_per_claim: float = 1.0
    index_units_per_change: float = 0.0
    """`due_at` stays when a vendor takes a message."""
    index_units_per_move: float = 2.0
    """A new `due_at` deletes the old entry of the index and writes a new one."""
    index_units_per_end: float = 1.0

    # The stream and the event bus
    shards: int = 4
    parallelization: int = 1
    """Concurrent invocations of publish for each shard."""
    stream_batch: int = 100
    publish_seconds: float = 0.02
    put_seconds: float = 0.012
    puts_per_second: float = inf
    rules: int = 1
    deliveries_per_second: float = inf

    # Receipts
    reported: float = 0.45
    """The share of messages at vendors with webhooks whose receipts come."""
    late: float = 0.02
    """The share of all messages whose receipt is so late that the vendor is asked first, a part of `reported`."""
    silent: float = 0.05
    """The share at vendors that cannot be asked, without a receipt: they end at the horizon. The rest is polled."""
    receipts: float = 2.0
    """For each message at vendors with webhooks."""
    receipt_seconds: float = 3.0
    webhook_seconds: float = 0.04
    webhooks_per_second: float = inf

    # Looks
    first_look: float = 60.0
    next_look: float = 120.0
    """Seconds after a look that found nothing new."""
    vain: float = 0.2
    """The share of looks that find nothing new: the phone is off, or the receipt is late."""
    due_shards: int = 8
    pass_size: int = 200
    follow_up_seconds: float = 30.0
    """The time within which a run starts passes."""
    follow_up_workers: int = 1
    look_seconds: float = 0.0021
    """CPU time of a look, on the share of a processor that a function with 512 MB has."""
    polled_vendors: int = 2
    max_lookups_per_second: float = inf
    """The limit of each polled vendor, for all workers together."""

    @property
    def polled(self) -> float:
        """The share of messages about which a vendor is asked."""
        return 1 - self.reported - self.silent + self.late

    @property
    def looks(self) -> float:
        """Looks of a message about which a vendor is asked, on average."""
        return 1 / (1 - self.vain)


@dataclass(slots=True)
class Meter:
    """A resource with a limited rate, which serves requests in the order of their arrival."""

    per_second: float
    requested: float = 0.0
    """The sum of all requested units."""
    _free_at: float = 0.0

    def request(self, now: float, units: float) -> float:
        """Request some units, and return the seconds until they are served."""
        self.requested += units
        if self.per_second == inf:
            return 0.0
        self._free_at = max(self._free_at, now) + units / self.per_second
        return self._free_at - now


@dataclass(slots=True)
class RateLimiter:
    """The rate limiter of a vendor: all workers share the time until which the capacity is reserved."""

    per_second: float
    ahead: float
    reserved_until: float = 0.0

    def reserve(self, now: float, messages: int) -> tuple[bool, float]:
        """Reserve capacity, unless it begins too late. Return whether it is reserved, and the time of its begin."""
        starts_at = max(now, self.reserved_until)
        if starts_at > now + self.ahead:
            return False, starts_at
        self.reserved_until = starts_at + messages / self.per_second
        return True, starts_at


class Queue:
    """Messages in the order of their arrival, in chunks with the same time."""

    def __init__(self) -> None:
        self.length = 0
        self._chunks: deque[tuple[float, int]] = deque()

    def add(self, arrived_at: float, messages: int) -> None:
        self.length += messages
        self._chunks.append((arrived_at, messages))

    def take(self, limit: int) -> list[tuple[float, int]]:
        """Remove messages, and return pairs of an arrival time and a number."""
        taken: list[tuple[float, int]] = []
        while limit and self._chunks:
            arrived_at, messages = self._chunks.popleft()
            part = min(limit, messages)
            taken.append((arrived_at, part))
            limit -= part
            self.length -= part
            if messages > part:
                self._chunks.appendleft((arrived_at, messages - part))
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The measurements after the warm-up."""

    accepted: int
    per_second: float
    wait_median: float
    wait_99: float
    """Seconds from arrival to the vendor's response: median and 99th percentile."""
    waiting: int
    """Messages in the queue at the end."""
    deferred: int
    """Deferrals of messages, because their reservation was too distant."""
    invocations: int
    busy_workers: float
    """The mean number of busy send functions."""
    unpublished: int
    left_over: tuple[float, ...]
    """Messages that were due at the start of a run of follow_up and still at its end, for each run."""
    needed: dict[str, float]
    """The needed amount of each resource, by name."""
    first_at: float
    finished_at: float
    """When the first and the last messages were accepted."""


@dataclass(slots=True)
class _Counts:
    accepted: int = 0
    deferred: int = 0
    invocations: int = 0
    busy_seconds: float = 0.0
    full_batch_seconds: float = 0.0
    """`busy_seconds` as if all batches had been full."""
    other_busy_seconds: float = 0.0
    """Of webhook and follow_up."""
    waits: list[tuple[float, int]] = field(default_factory=list)
    records: float = 0.0
    left_over: list[float] = field(default_factory=list)
    max_workers: int = 0


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
        self._counts = _Counts()
        self._first_at: float | None = None
        self._finished_at = 0.0
        self._processors = Meter(plan.processors)
        self._meters = {
            TABLE: Meter(plan.table_units),
            INDEX: Meter(plan.index_units),
            PUTS: Meter(plan.puts_per_second),
            DELIVERIES: Meter(plan.deliveries_per_second),
            WEBHOOKS: Meter(plan.webhooks_per_second),
        }
        self._limiter = RateLimiter(plan.max_per_second, plan.ahead) if plan.max_per_second else None
        self._reservations = Meter(plan.reservations_per_second)
        self._shards = [_Shard() for _ in range(plan.shards)]
        self._due: list[tuple[float, float]] = []
        """A heap of pairs: a due time and a number of messages about which a vendor is asked."""
        self._ending = 0.0
        """Messages at their horizon. Those of this run stand for those that were sent three days ago."""

    def run(self) -> Run:
        """Run to the end of the plan. A plan without arrivals ends when its backlog is accepted."""
        plan = self._plan
        if plan.backlog:
            self._queue.add(0.0, plan.backlog)
            self._schedule(0.0, self._start_workers)
        if plan.per_second:
            self._schedule(0.0, self._arrive)
        self._schedule(FOLLOW_UP_INTERVAL, self._follow_up)
        if plan.warm_up:
            self._schedule(plan.warm_up, self._reset_counts)
        while self._events and self._events[0][0] <= plan.seconds:
            self._now, _, action = heappop(self._events)
            action()
            if not plan.per_second and self._counts.accepted >= plan.backlog:
                break
        return self._measurements(until=plan.seconds if plan.per_second else self._now)

    def _schedule(self, time: float, action: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._order), action))

    def _reset_counts(self) -> None:
        self._counts = _Counts()
        for meter in (self._reservations, self._processors, *self._meters.values()):
            meter.requested = 0.0
        for shard in self._shards:
            shard.busy_seconds = 0.0

    # --- the queue and the send function ----------------------------------------------------------------------------

    def _arrive(self) -> None:
        rate = self._plan.per_second
        gap = max(ARRIVAL_STEP, 1 / rate)
        self._queue.add(self._now, max(1, round(rate * gap)))
        # Random gaps, so that arrivals and workers are not synchronous. Their mean is `gap`.
        self._schedule(self._now + gap * (0.5 + self._random.random()), self._arrive)
        self._start_workers()

    def _start_workers(self) -> None:
        plan, counts = self._plan, self._counts
        allowed = min(float(plan.concurrency), plan.pollers + plan.pollers_per_minute * self._now / 60)
        while self._queue.length and self._workers + 1 <= allowed:
            self._workers += 1
            counts.max_workers = max(counts.max_workers, self._workers)
            batch = _Batch(started_at=self._now, chunks=self._queue.take(plan.batch))
            if self._limiter is None:
                self._claim(batch, starts_at=self._now)
            else:
                self._reserve(batch, self._limiter)

    def _reserve(self, batch: "_Batch", limiter: RateLimiter) -> None:
        plan = self._plan
        answered_at = self._now + plan.call_seconds + self._reservations.request(self._now, 1)
        is_reserved, starts_at = limiter.reserve(answered_at, batch.size)
        if is_reserved:
            self._schedule(answered_at, lambda: self._claim(batch, starts_at=starts_at))
            return
        retry_at = max(starts_at - limiter.ahead, answered_at + MIN_PAUSE.total_seconds())
        if retry_at <= batch.started_at + plan.max_inline_wait:
            self._schedule(retry_at, lambda: self._reserve(batch, limiter))
        else:
            self._defer(batch)

    def _defer(self, batch: "_Batch") -> None:
        """Store messages as queued. A wake-up returns each after a quarter of its waiting time."""
        plan = self._plan
        self._counts.deferred += batch.size
        for arrived_at, messages in batch.chunks:
            pause = max((self._now - arrived_at) / 4, MIN_DEFERRAL.total_seconds())
            wakes_at = self._now + min(pause, MAX_DEFERRAL.total_seconds())
            self._schedule(wakes_at, partial(self._requeue, arrived_at, messages))
        stored = self._write(batch.size, plan.index_units_per_claim)
        self._schedule(self._now + self._work(batch.size) + plan.call_seconds + stored, lambda: self._finish(batch))

    def _requeue(self, arrived_at: float, messages: int) -> None:
        self._queue.add(arrived_at, messages)
        self._start_workers()

    def _claim(self, batch: "_Batch", starts_at: float) -> None:
        plan = self._plan
        worked = self._work(batch.size)
        stored = self._write(batch.size, plan.index_units_per_claim)
        # With a rate limit, the messages of a batch are sent one after another.
        spread = (batch.size - 1) / self._limiter.per_second if self._limiter else 0.0
        claimed_at = self._now + worked + plan.call_seconds + stored
        self._schedule(max(claimed_at, starts_at + spread), lambda: self._call(batch))

    def _call(self, batch: "_Batch") -> None:
        plan = self._plan
        rounds = ceil(batch.size / plan.threads)
        factor = 1 + plan.vendor_spread * (2 * self._random.random() - 1)
        self._schedule(self._now + rounds * plan.vendor_seconds * factor, lambda: self._accept(batch))

    def _accept(self, batch: "_Batch") -> None:
        plan, counts = self._plan, self._counts
        worked = self._work(batch.size)
        stored = self._write(batch.size, plan.index_units_per_change)
        counts.accepted += batch.size
        self._first_at = self._now if self._first_at is None else self._first_at
        self._finished_at = self._now
        counts.waits += [(self._now - arrived_at, messages) for arrived_at, messages in batch.chunks]
        self._schedule(self._now + worked + plan.call_seconds + stored, lambda: self._finish(batch))
        reported = batch.size * plan.reported
        self._schedule(self._now + plan.receipt_seconds, lambda: self._receive(reported))
        heappush(self._due, (self._now + plan.first_look, batch.size * plan.polled))
        self._ending += batch.size * plan.silent
        self._meters[INDEX].request(self._now, batch.size * plan.silent * plan.index_units_per_move)

    def _finish(self, batch: "_Batch") -> None:
        duration = self._now - batch.started_at
        self._counts.invocations += 1
        self._counts.busy_seconds += duration
        self._counts.full_batch_seconds += duration * batch.size / self._plan.batch
        self._workers -= 1
        self._start_workers()

    def _work(self, messages: int) -> float:
        """Use CPU time for half of an invocation, before or after the vendor call. Return the seconds until it ends."""
        work = (self._plan.fixed_seconds + self._plan.message_seconds * messages) / 2
        return max(work if self._plan.processors == inf else 0.0, self._processors.request(self._now, work))

    # --- tables, events, receipts, polls ----------------------------------------------------------------------------

    def _write(self, messages: float, index_units: float) -> float:
        """Write messages to the table, and so to the stream. Return the seconds until the table has stored them."""
        stored = self._meters[TABLE].request(self._now, messages * self._plan.units_per_write)
        stored = max(stored, self._meters[INDEX].request(self._now, messages * index_units))
        shard = self._shards[self._random.randrange(len(self._shards))]
        shard.records += messages
        self._counts.records += messages
        if not shard.is_polled:
            shard.is_polled = True
            self._schedule(self._now + STREAM_POLL_SECONDS, lambda: self._publish(shard))
        return stored

    def _publish(self, shard: "_Shard") -> None:
        plan = self._plan
        shard.is_polled = False
        while shard.records > 0.5 and shard.invocations < plan.parallelization:
            records = min(shard.records, float(plan.stream_batch))
            shard.records -= records
            shard.invocations += 1
            waited = self._meters[PUTS].request(self._now, ceil(records / 10))
            self._meters[DELIVERIES].request(self._now, records * plan.rules)
            duration = max(self._publish_seconds(records), waited)
            shard.busy_seconds += duration
            self._schedule(self._now + duration, lambda: self._finish_publish(shard))

    def _publish_seconds(self, records: float) -> float:
        return self._plan.publish_seconds + ceil(records / 10) * self._plan.put_seconds

    def _finish_publish(self, shard: "_Shard") -> None:
        shard.invocations -= 1
        self._publish(shard)

    def _receive(self, messages: float) -> None:
        plan = self._plan
        receipts = messages * plan.receipts
        self._meters[WEBHOOKS].request(self._now, receipts)
        self._counts.other_busy_seconds += receipts * plan.webhook_seconds
        # Only the last receipt deletes the entry of the index. The others do not change `due_at`.
        self._write(receipts, plan.index_units_per_end / max(plan.receipts, 1.0))

    def _follow_up(self) -> None:
        """Start a run of each worker."""
        started_at = self._now
        for _ in range(self._plan.follow_up_workers):
            self._pass(started_at)
        self._schedule(started_at + RUN_SECONDS, lambda: self._count_left_over(started_at))
        self._schedule(started_at + FOLLOW_UP_INTERVAL, self._follow_up)

    def _pass(self, started_at: float) -> None:
        """Let a worker look at due messages, in passes, until none is due or the time of its run is over."""
        plan = self._plan
        ended = min(self._ending, plan.pass_size)
        asked = self._take_due(started_at, plan.pass_size - ended)
        if not asked and not ended:
            return
        self._ending -= ended
        factor = 1 + plan.vendor_spread * (2 * self._random.random() - 1)
        seconds = pass_seconds(plan, asked, ended) * factor
        self._counts.other_busy_seconds += seconds
        self._schedule(self._now + seconds, lambda: self._finish_pass(started_at, asked, ended))

    def _finish_pass(self, started_at: float, asked: float, ended: float) -> None:
        plan = self._plan
        vain = asked * plan.vain
        if vain:
            heappush(self._due, (self._now + plan.next_look, vain))
        self._write(vain, plan.index_units_per_move)
        self._write(asked - vain + ended, plan.index_units_per_end)
        if self._now < started_at + plan.follow_up_seconds:
            self._pass(started_at)

    def _count_left_over(self, started_at: float) -> None:
        due = sum(number for due_at, number in self._due if due_at <= started_at)
        self._counts.left_over.append(due)

    def _take_due(self, until: float, limit: float) -> float:
        """Take messages that were due at a time, the longest due first, and return their number."""
        taken = 0.0
        while self._due and self._due[0][0] <= until and taken < limit:
            due_at, messages = heappop(self._due)
            part = min(messages, limit - taken)
            taken += part
            if messages > part:
                heappush(self._due, (due_at, messages - part))
        return taken

    # --- measurements -----------------------------------------------------------------------------------------------

    def _measurements(self, until: float) -> Run:
        plan, counts = self._plan, self._counts
        seconds = max(until - plan.warm_up, 1e-9)
        rate = counts.accepted / seconds
        publishing = sum(shard.busy_seconds for shard in self._shards)
        looks = rate * plan.polled * plan.looks
        due = max(looks + rate * plan.silent, 1e-9)
        a_pass = pass_seconds(plan, plan.pass_size * looks / due, plan.pass_size * rate * plan.silent / due)
        needed = {
            # In full batches: workers with small batches have spare capacity.
            WORKERS: counts.full_batch_seconds / seconds,
            FUNCTIONS: (counts.busy_seconds + publishing + counts.other_busy_seconds) / seconds,
            SETTINGS: counts.max_workers / SETTINGS_MAX_AGE,
            RESERVATIONS: (self._reservations.requested if self._limiter else counts.invocations) / seconds,
            PUBLISH: counts.records / seconds * self._publish_seconds(plan.stream_batch) / plan.stream_batch,
            FOLLOW_UP: due * FOLLOW_UP_INTERVAL / plan.pass_size * a_pass,
            LOOKUPS: looks / plan.polled_vendors,
        }
        waits = sorted(counts.waits)
        return Run(
            accepted=counts.accepted,
            per_second=rate,
            wait_median=_percentile(waits, 0.5),
            wait_99=_percentile(waits, 0.99),
            waiting=self._queue.length,
            deferred=counts.deferred,
            invocations=counts.invocations,
            busy_workers=counts.busy_seconds / seconds,
            left_over=tuple(counts.left_over),
            unpublished=round(sum(shard.records for shard in self._shards)),
            needed=needed | {name: meter.requested / seconds for name, meter in self._meters.items()},
            first_at=self._first_at or 0.0,
            finished_at=self._finished_at,
        )


def pass_seconds(plan: Plan, asked: float, ended: float = 0.0) -> float:
    """Return the duration of a worker's pass. Most of it is waiting for the vendor.

    A pass lists the worker's shards, once per `LIST_SIZE` messages, reads messages and correlations, reads one page of
    each vendor's list, looks the messages up, and stores the results. Vendors are asked side by side; those at their
    horizon are not asked about.
    """
    number = asked + ended
    shards = plan.due_shards / plan.follow_up_workers
    calls = shards * number / LIST_SIZE + 3 * ceil(number / KEYS_PER_READ) + ceil(number / STATEMENTS_PER_WRITE)
    share = asked / plan.polled_vendors
    rounds = 1 + ceil(share / LOOKUP_THREADS) if asked else 0
    # All workers share the vendor's limit.
    limited = share * plan.follow_up_workers / plan.max_lookups_per_second
    return calls * plan.call_seconds + number * plan.look_seconds + max(rounds * plan.vendor_seconds, limited)


def looks_per_second(plan: Plan) -> float:
    """Return the looks per second of one worker: sustained, with the pauses between its runs."""
    at_work = plan.pass_size / pass_seconds(plan, plan.pass_size)
    return at_work * plan.follow_up_seconds / FOLLOW_UP_INTERVAL


@dataclass(slots=True, kw_only=True)
class _Batch:
    started_at: float
    chunks: list[tuple[float, int]]
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(messages for _, messages in self.chunks)


@dataclass(slots=True)
class _Shard:
    records: float = 0.0
    invocations: int = 0
    is_polled: bool = False
    busy_seconds: float = 0.0


def _percentile(waits: Sequence[tuple[float, int]], share: float) -> float:
    """Return the wait that this share of the messages did not exceed. `waits` must be sorted."""
    wanted = share * sum(messages for _, messages in waits)
    passed = 0
    for wait, messages in waits:
        passed += messages
        if passed >= wanted:
            return wait
    return 0.0
