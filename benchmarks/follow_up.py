"""Follow-up: looks per second, wake-ups among looks, slow vendors, and the writes of one message.

The real service and the real store run on `CountingDynamo`, and poll `ListingVendors`. Their time is virtual: a call
moves a clock by the latency of the other side, and calls side by side take as long as the longest. The CPU time of the
run is real. It is added to the waits, as if nothing were computed during a wait.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final

from benchmarks.dynamo import CountingDynamo
from benchmarks.growth import TABLES, accepted_message, correlation_of, new_follow_up, new_store
from benchmarks.listing_vendor import Crowd, ListingVendors
from benchmarks.results import Result
from sampai.adapters.items import to_item
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.domain.times import from_text
from sampai.services.ports.messages import Worker
from tests.fakes import START, FixedClock, InlinePool, RecordingQueue
from tests.harness.application import Application, nomsa_taken, nusasms_taken, request

VENDOR_SECONDS: Final = 0.2
SLOW_VENDOR_SECONDS: Final = 2.0
DYNAMODB_SECONDS: Final = 0.008
RUN_SECONDS: Final = 50.0
"""The time-out of the function."""

BACKLOG: Final = 3_000
VENDORS: Final = ("nomsa", "smsnoc", "nusasms")
"""The vendors that tell about one message by its id. The last one has no list."""
OTHERS: Final = 10 * BACKLOG
"""Rows of other messages between those of the backlog, in the vendors' lists."""
LOOKS_DUE: Final = 10_000

SLOW: Final = "nusasms"
FAST: Final = "nomsa"
AT_VENDORS: Final = {SLOW: 900, FAST: 100}
MAX_RUNS: Final = 60

LEAST_WRITE_UNITS: Final = 6
"""The message before the call, after it and at its end, the correlation, and an index entry that comes and goes."""
DELIVERED: Final = "nomsa-0"
"""The id of a message that `ListingVendors` reports as delivered."""

HOUR: Final = timedelta(hours=1)
PAST_HORIZON: Final = timedelta(hours=73)


def measure() -> list[Result]:
    return [*_measure_rate(), _measure_wake_ups(), _measure_slow_vendor(), *_measure_lives()]


# --- virtual time -----------------------------------------------------------------------------------------------------


class Lanes(InlinePool):
    """A pool whose workers each have a time of their own. With the end of the block it is the time of the last one."""

    def __init__(self, workers: int, clock: FixedClock) -> None:
        super().__init__(workers)
        self._clock = clock
        self._free_at = [clock.now] * workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._clock.now = heappop(self._free_at)
        future = super().submit(fn, *args, **kwargs)
        heappush(self._free_at, self._clock.now)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._clock.now = max(self._free_at)


class RemoteDynamo(CountingDynamo):
    """A DynamoDB that takes its time for each request."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__(**TABLES)
        self._clock = clock

    def count(self, operation: str) -> None:
        super().count(operation)
        self._clock.advance(seconds=DYNAMODB_SECONDS)


class RemoteVendors:
    """Vendors that take their time for each call: a transport for the services."""

    def __init__(self, clock: FixedClock, *, slow: Sequence[str] = ()) -> None:
        self.lists = ListingVendors()
        self.before_first_call: Callable[[], None] = lambda: None
        self._clock = clock
        self._slow = slow

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse:
        if not self.lists.calls:
            self.before_first_call()
        is_slow = any(name in request.url for name in self._slow)
        self._clock.advance(seconds=SLOW_VENDOR_SECONDS if is_slow else VENDOR_SECONDS)
        return self.lists.call(request, deadline_seconds=deadline_seconds)


class World:
    """Tables and vendors with messages, and the workers that follow up."""

    def __init__(self, *, slow: Sequence[str] = ()) -> None:
        self.clock = FixedClock(START)
        self.client = RemoteDynamo(self.clock)
        self.vendors = RemoteVendors(self.clock, slow=slow)
        self.queue = RecordingQueue()
        self._follow_up = new_follow_up(
            self.client, self.vendors, queue=self.queue, clock=self.clock, new_pool=lambda n: Lanes(n, self.clock)
        )

    def add(self, *messages: Message) -> None:
        for message in messages:
            self.client.tables["messages"].put(to_item(message))
            if message.provider_message_id is not None:
                self.client.tables["correlations"].put(correlation_of(message))

    def add_accepted(self, vendor: str, count: int, *, until: datetime) -> None:
        """Add messages that the vendor accepted in the hour before `until`, and that were due in the last hour.

        The vendor has delivered every second one.
        """
        times = [until - HOUR * number / count for number in range(count)]
        messages = [
            accepted_message(f"{vendor}-{n}", vendor, at=at, due_at=START - (until - at)) for n, at in enumerate(times)
        ]
        self.add(*(replace(message, lookups=2) for message in messages))
        self.vendors.lists.messages[vendor] = sorted((at, f"{vendor}-{n}") for n, at in enumerate(times))

    def run(self, workers: int = 1) -> int:
        """Run the workers at the same time, and return the number of messages that they followed up."""
        started_at = self.clock.now

        def remaining() -> float:
            return RUN_SECONDS - (self.clock.now - started_at).total_seconds()

        with Lanes(workers, self.clock) as pool:
            runs = [
                pool.submit(self._follow_up.run, remaining=remaining, worker=Worker(index=index, count=workers))
                for index in range(workers)
            ]
        return sum(run.result() for run in runs)

    def statuses(self) -> dict[str, str]:
        """Return the statuses of all messages by id."""
        return {item["message_id"]["S"]: item["status"]["S"] for item in self.client.tables["messages"].items()}


# --- looks per second -------------------------------------------------------------------------------------------------


def looks_per_second(vendor: str, *, workers: int) -> float:
    """Follow up a backlog at one vendor. Raises AssertionError if the vendor's words are not stored."""
    world = World()
    world.add_accepted(vendor, BACKLOG, until=START - HOUR)
    crowd = Crowd(name="crowd", count=OTHERS, since=START - 2 * HOUR, until=START - HOUR)
    world.vendors.lists.crowds = {vendor: crowd}
    cpu = time.process_time()
    while world.run(workers):
        pass
    cpu = time.process_time() - cpu
    delivered = list(world.statuses().values()).count(Status.DELIVERED)
    if delivered != BACKLOG // 2:
        raise AssertionError(f"{vendor}: {delivered} of {BACKLOG} messages are delivered, not every second one")
    return BACKLOG / ((world.clock.now - START).total_seconds() + cpu / workers)


def _measure_rate() -> Iterator[Result]:
    alone, both = ({vendor: looks_per_second(vendor, workers=n) for vendor in VENDORS} for n in (1, 2))
    slowest = min(VENDORS, key=alone.__getitem__)
    yield Result(
        key="follow-up.looks",
        label=f"looks per second of one worker, {BACKLOG:,} due, the slowest of {len(VENDORS)} vendors",
        value=alone[slowest],
        unit="",
        goal=66,
        at_least=True,
        note=f"{_rates(alone)}; vendor {VENDOR_SECONDS * 1000:.0f} ms, DynamoDB {DYNAMODB_SECONDS * 1000:.0f} ms",
    )
    yield Result(
        key="follow-up.looks.two-workers",
        label="looks per second of two workers ÷ one worker, at this vendor",
        value=both[slowest] / alone[slowest],
        goal=1.8,
        at_least=True,
        note=_rates(both),
    )


def _rates(rates: Mapping[str, float]) -> str:
    return " · ".join(f"{vendor} {rate:.0f}" for vendor, rate in rates.items())


# --- starvation -------------------------------------------------------------------------------------------------------


def _measure_wake_ups() -> Result:
    return Result(
        key="follow-up.first",
        label=f"a scheduled message and an expired lease, handled before the first of {LOOKS_DUE:,} looks",
        value=count_handled_first(),
        unit="of 2",
        goal=2,
        at_least=True,
    )


def count_handled_first() -> int:
    """Follow up many looks, a message to be sent now, and an expired lease. Return how many of the two come first."""
    world, handled = World(), 0

    def look() -> None:
        nonlocal handled
        woken = [wake_up.message_id for wake_up in world.queue.wake_ups]
        handled = woken.count("scheduled") + (world.statuses()["leased"] == Status.UNKNOWN)

    world.vendors.before_first_call = look
    world.add_accepted("nomsa", LOOKS_DUE, until=START - HOUR)
    waiting = replace(accepted_message("scheduled", "nomsa", at=START, due_at=START), provider_message_id=None)
    world.add(
        replace(waiting, status=Status.SCHEDULED, provider=None, attempted_at=None, send_at=START),
        replace(waiting, message_id="leased", status=Status.SENDING),
    )
    world.run()
    return handled


def _measure_slow_vendor() -> Result:
    lost = count_wrongly_unconfirmed()
    return Result(
        key="follow-up.slow-neighbour",
        label=f"of {AT_VENDORS[FAST] // 2} delivered messages, `unconfirmed` beside a vendor that takes "
        f"{SLOW_VENDOR_SECONDS:.0f} s a call",
        value=lost,
        unit="",
        floor=0,
        goal=0,
        note=f"{AT_VENDORS[SLOW]} messages at the other vendor; all past their horizon",
    )


def count_wrongly_unconfirmed() -> int:
    """Follow up messages past their horizon, at a slow and a fast vendor. Return the lost words of the fast one."""
    world = World(slow=[SLOW])
    for vendor, count in AT_VENDORS.items():
        world.add_accepted(vendor, count, until=START - PAST_HORIZON)
    for _ in range(MAX_RUNS):
        begun_at = world.clock.now
        if not world.run():
            break
        world.clock.now = max(world.clock.now, begun_at + timedelta(minutes=1))
    unconfirmed = [message_id for message_id, status in world.statuses().items() if status == Status.UNCONFIRMED]
    return sum(message_id.startswith(FAST) and int(message_id[-1]) % 2 == 0 for message_id in unconfirmed)


# --- the life of one message ------------------------------------------------------------------------------------------


def _measure_lives() -> Iterator[Result]:
    sms, silent = "a Nomsa SMS that is delivered", "a message without a receipt at a vendor that cannot be asked"
    _, client = walk_life("nomsa", nomsa_taken(DELIVERED), end=Status.DELIVERED)
    yield Result(
        key="follow-up.life.write-units",
        label=f"write units of {sms}",
        value=client.write_units,
        unit="",
        floor=LEAST_WRITE_UNITS,
        goal=LEAST_WRITE_UNITS,
    )
    yield Result(
        key="follow-up.life.index-writes", label=f"index writes of {sms}", value=client.index_writes, unit="", goal=2
    )
    looks, client = walk_life("nusasms", nusasms_taken(), end=Status.UNCONFIRMED)
    yield Result(key="follow-up.silent.looks", label=f"looks at {silent}", value=looks, unit="", floor=1, goal=2)
    yield Result(
        key="follow-up.silent.write-units", label=f"write units of {silent}", value=client.write_units, unit="", goal=10
    )


def walk_life(vendor: str, taken: HttpResponse, *, end: Status) -> tuple[int, CountingDynamo]:
    """Send a message and follow it up whenever it is due. Return the looks, and the DynamoDB that counted the writes.

    Raises AssertionError if the message does not end as `end`.
    """
    client, lists = CountingDynamo(**TABLES), ListingVendors(messages={vendor: [(START, DELIVERED)]})
    application = Application(taken, lambda poll: lists.call(poll, deadline_seconds=0))
    store = new_store(client, application.clock, application.telemetry)
    application.store = store  # type: ignore[assignment]
    assert application.send(request("m-1", home=vendor), sender=application.new_sender()) == []
    follow_up = new_follow_up(client, application.transport, queue=application.queue, clock=application.clock)
    looks = 0
    while "due_at" in (item := client.tables["messages"].items()[0]):
        application.clock.now = from_text(item["due_at"]["S"])
        looks += follow_up.run(remaining=lambda: RUN_SECONDS)
    if item["status"]["S"] != end:
        raise AssertionError(f"the message ended {item['status']['S']}")
    return looks, client
