"""Growth: the work of follow_up and send for a constant number of messages, with more and more messages in flight.

The real services and the real store run on `CountingDynamo`, and poll `ListingVendors`. The smallest run is repeated on
the local AWS: its requests, and the tables after it, must be the same.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

from benchmarks.dynamo import CountingDynamo
from benchmarks.listing_vendor import Crowd, ListingVendors
from benchmarks.results import Result
from sampai.adapters.items import DUE_SHARDS, to_item
from sampai.adapters.store import DynamoStore
from sampai.contract.settings import parse_settings
from sampai.domain.message import Channel, HistoryEntry, Message
from sampai.domain.status import Source, Status
from sampai.services.follow_up.service import FollowUpService
from sampai.services.ports.correlations import correlation_key
from sampai.services.ports.queue import Queue
from sampai.services.ports.runtime import NewPool
from sampai.services.ports.transport import Transport
from tests.emulator import running as running_emulator
from tests.fakes import (
    START,
    FixedClock,
    FixedSecret,
    FixedSettings,
    InlinePool,
    InMemoryRateLimiter,
    RecordingQueue,
    RecordingTelemetry,
)
from tests.harness.application import RECIPIENTS, SECRET, Application, request, smspoh_taken
from tests.template import table

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
DUE: Final = 400
VENDORS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")
"""Each has a quarter of the messages; NusaSMS those of WhatsApp, which it offers no list for."""

TABLES: Final = {"messages": "MessagesTable", "correlations": "CorrelationsTable"}

HORIZON: Final = timedelta(hours=72)
GAP: Final = timedelta(hours=48)
"""The time between the other messages and the due ones, so that no list contains both."""

GROUPS: Final = 1_000
"""The messages in flight were sent at so many different times."""

BATCH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The usage of one run."""

    requests: int
    read_units: float
    write_units: int
    vendor_calls: int

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.read_units:g} RRU, {self.write_units} WRU, {self.vendor_calls} calls"


def measure() -> list[Result]:
    """Measure every size. Raises AssertionError if `CountingDynamo` and the local AWS disagree."""
    _compare_with_local_aws()
    return [*_measure_separate_lists(), *_measure_crowded_lists(), *_measure_send()]


# --- follow_up --------------------------------------------------------------------------------------------------------


def _measure_separate_lists() -> Iterator[Result]:
    """Run follow_up where the lists that it reads contain only due messages."""
    works = {size: run_follow_up(size, is_separate=True) for size in SIZES}
    labels = {
        "requests": "DynamoDB requests",
        "read_units": "read units",
        "write_units": "write units",
        "vendor_calls": "vendor calls",
    }
    for name, label in labels.items():
        yield Result(
            key=f"growth.follow-up.{name}",
            label=f"{label} for {DUE} due, 10³ to 10⁶ in flight: max ÷ min",
            value=_spread([getattr(work, name) for work in works.values()]),
            floor=1,
            goal=1.10,
            note=_describe(works) if name == "requests" else "",
        )


def _measure_crowded_lists() -> Iterator[Result]:
    """Run follow_up where the lists that it reads contain all messages in flight."""
    works = {size: run_follow_up(size, is_separate=False) for size in SIZES}
    units = [(work.requests, work.read_units, work.write_units) for work in works.values()]
    calls = [work.vendor_calls for work in works.values()]
    yield Result(
        key="growth.follow-up.crowded",
        label="the same if the vendors' lists contain all messages in flight: DynamoDB, max ÷ min",
        value=max(map(_spread, zip(*units, strict=True))),
        floor=1,
        goal=1.10,
        note=_describe(works),
    )
    yield Result(
        key="growth.follow-up.crowded-calls",
        label="vendor calls per due message with these lists, maximum",
        value=max(calls) / DUE,
        unit="calls",
        goal=1.10,
        note="a crowded list shows few due messages; a look-up of each costs one call",
    )
    yield Result(
        key="growth.follow-up.crowded-calls-growth",
        label="vendor calls with these lists, max ÷ min",
        value=_spread(calls),
        note="a few list calls become one look-up for each message",
    )


def _spread(values: Sequence[float]) -> float:
    return max(values) / min(values)


def _describe(works: Mapping[int, Work]) -> str:
    return " · ".join(f"{size:,}: {work}" for size, work in works.items())


def run_follow_up(in_flight: int, *, is_separate: bool) -> Work:
    """Run follow_up with `DUE` due messages and others in flight. `is_separate`: no list contains both."""
    client = CountingDynamo(**TABLES)
    vendors = _fill_tables(client, in_flight, is_separate=is_separate)
    _follow_up(client, vendors)
    return _work(client, vendors.calls.total())


def _fill_tables(client: CountingDynamo, in_flight: int, *, is_separate: bool) -> ListingVendors:
    """Put the messages in flight and the due messages into the tables, and return vendors that accepted them."""
    latest = START - (GAP if is_separate else timedelta(0))
    _fill(client, in_flight, until=latest)
    crowd = Crowd(name="crowd", count=in_flight // len(VENDORS), since=START - HORIZON, until=latest)
    vendors = ListingVendors(crowds=dict.fromkeys(VENDORS, crowd))
    for message in due_messages(START, is_spread=not is_separate):
        client.tables["messages"].put(to_item(message))
        client.tables["correlations"].put(correlation_of(message))
        vendors.add(message.provider or "", (message.attempted_at or START, message.provider_message_id or ""))
    return vendors


def _fill(client: CountingDynamo, count: int, *, until: datetime) -> None:
    """Load messages that were sent evenly in the time before `until`, and are due more than an hour after START."""
    messages, shared = client.tables["messages"], dict[tuple[int, int], dict[str, Any]]()
    since, due_at = START - HORIZON, START + timedelta(hours=1)
    for number in range(count):
        key, group = f"flight-{number:07}", number % GROUPS
        shard = crc32(key.encode()) % DUE_SHARDS
        if (group, shard) not in shared:
            sent_at, due = since + (until - since) * group / GROUPS, due_at + timedelta(seconds=group)
            item = to_item(accepted_message(key, VENDORS[group % len(VENDORS)], at=sent_at, due_at=due))
            shared[group, shard] = {name: value for name, value in item.items() if name != "message_id"}
        messages.load(key, shared[group, shard])
    messages.sort_index()


def due_messages(now: datetime, *, is_spread: bool) -> list[Message]:
    """Return messages that are due now: sent at the same time, or spread over the schedule of their polls."""
    steps = [timedelta(seconds=seconds) for seconds in parse_settings("{}").poll_seconds]
    ages = [sum(steps[: polls + 1], timedelta(0)) for polls in range(len(steps))]
    ages += [ages[-1] + steps[-1] * more for more in range(1, 9)]
    messages = []
    for number in range(DUE):
        polls = number // len(VENDORS) % len(ages) if is_spread else 1
        vendor = VENDORS[number % len(VENDORS)]
        message = accepted_message(f"due-{number}", vendor, at=now - ages[polls], due_at=now)
        messages.append(replace(message, lookups=polls))
    return messages


def accepted_message(message_id: str, provider: str, *, at: datetime, due_at: datetime) -> Message:
    """Return a message as the send function stores it after the vendor has accepted it."""
    return Message(
        message_id=message_id,
        status=Status.ACCEPTED,
        revision=2,
        sequence=2,
        channel=Channel.WHATSAPP if provider == "nusasms" else Channel.SMS,
        recipient=RECIPIENTS[provider],
        route=(provider,),
        provider=provider,
        provider_message_id=f"{provider}-{message_id.rpartition('-')[2]}",
        provider_status="Accepted",
        metadata={"order": "4711"},
        attempt=1,
        attempt_id="0123456789abcdef0123456789abcdef",
        attempted_at=at,
        due_at=due_at,
        fingerprint="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        created_at=at,
        updated_at=at,
        occurred_at=at,
        history=tuple(HistoryEntry(status=s, at=at, source=Source.SEND) for s in (Status.SENDING, Status.ACCEPTED)),
    )


def correlation_of(message: Message) -> dict[str, Any]:
    """Return the item that maps the vendor's id to the message."""
    key = correlation_key(message.provider or "", message.channel, message.provider_message_id or "")
    return {"correlation_key": {"S": key}, "message_id": {"S": message.message_id}, "ttl": {"N": "1803031200"}}


def new_store(client: Any, clock: FixedClock, telemetry: RecordingTelemetry) -> DynamoStore:
    """Return a store on a client with the tables of `TABLES`."""
    return DynamoStore(
        client, messages_table="messages", correlations_table="correlations", clock=clock, telemetry=telemetry
    )


def new_follow_up(
    client: Any, transport: Transport, *, queue: Queue, clock: FixedClock, new_pool: NewPool = InlinePool
) -> FollowUpService:
    """Return the service on a client with the tables of `TABLES`."""
    telemetry = RecordingTelemetry()
    store = new_store(client, clock, telemetry)
    return FollowUpService(
        messages=store,
        correlations=store,
        queue=queue,
        transport=transport,
        settings=FixedSettings(),
        secret=FixedSecret(SECRET),
        clock=clock,
        telemetry=telemetry,
        webhook_base_url="https://hooks.example.net",
        new_pool=new_pool,
        limiter=InMemoryRateLimiter(),
        sleep=lambda seconds: clock.advance(seconds=seconds),
    )


def _follow_up(client: Any, vendors: ListingVendors) -> None:
    """Run follow_up on a client with the tables of `TABLES`."""
    service = new_follow_up(client, vendors, queue=RecordingQueue(), clock=FixedClock(START))
    followed_up = service.run(remaining=lambda: 50.0)
    if followed_up != DUE:
        raise AssertionError(f"follow_up found {followed_up} due messages, not {DUE}")


def _work(client: CountingDynamo, vendor_calls: int) -> Work:
    return Work(
        requests=client.requests.total(),
        read_units=client.read_units,
        write_units=client.write_units,
        vendor_calls=vendor_calls,
    )


def _compare_with_local_aws() -> None:
    """Make the smallest run on both. Raises AssertionError unless requests, vendor calls and tables are the same."""
    counting = CountingDynamo(**TABLES)
    vendors = _fill_tables(counting, SIZES[0], is_separate=True)
    requests = Counter[str]()

    def count_request(event_name: str, **_: Any) -> None:
        requests[event_name.rpartition(".")[2]] += 1

    with running_emulator() as emulator:
        client = emulator.client("dynamodb")
        for name, logical_id in TABLES.items():
            client.create_table(TableName=name, **table(logical_id))
            put_items(client, name, counting.tables[name].items())
        client.meta.events.register("before-send.dynamodb", count_request)
        _follow_up(client, vendors)
        client.meta.events.unregister("before-send.dynamodb", count_request)
        tables = {name: _scan(client, name) for name in TABLES}
    calls = vendors.calls.copy()
    vendors.calls.clear()
    _follow_up(counting, vendors)
    if (counting.requests, vendors.calls) != (requests, calls):
        raise AssertionError(f"the local AWS received {requests}, CountingDynamo {counting.requests}")
    if tables != {name: table.items() for name, table in counting.tables.items()}:
        raise AssertionError("the items of the local AWS and of CountingDynamo differ")


def _scan(client: Any, name: str) -> list[dict[str, Any]]:
    """Return the items of a table, sorted by key."""
    key = table(TABLES[name])["KeySchema"][0]["AttributeName"]
    pages = client.get_paginator("scan").paginate(TableName=name)
    return sorted((item for page in pages for item in page["Items"]), key=lambda item: str(item[key]["S"]))


def put_items(client: Any, table_name: str, items: Sequence[dict[str, Any]]) -> None:
    """Write items to a table of the local AWS, 25 per request."""
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        client.batch_write_item(RequestItems={table_name: requests})


# --- send -------------------------------------------------------------------------------------------------------------


def _measure_send() -> Iterator[Result]:
    works = {size: _send_batch(size) for size in (SIZES[0], SIZES[-1])}
    units = [(work.requests, work.write_units) for work in works.values()]
    yield Result(
        key="growth.send",
        label=f"send, {BATCH} messages, 10³ and 10⁶ in the table: DynamoDB requests and write units, max ÷ min",
        value=max(map(_spread, zip(*units, strict=True))),
        floor=1,
        goal=1.10,
        note=_describe(works),
    )


def _send_batch(in_table: int) -> Work:
    """Send a batch with so many other messages in the table."""
    client = CountingDynamo(**TABLES)
    _fill(client, in_table, until=START)
    application = Application(*(smspoh_taken(f"AA-{number}", f"new-{number}") for number in range(BATCH)))
    store = new_store(client, application.clock, application.telemetry)
    application.store = store  # type: ignore[assignment]
    bodies = [request(f"new-{number}", home="smspoh") for number in range(BATCH)]
    assert application.send(*bodies, sender=application.new_sender()) == []
    return _work(client, len(application.transport.requests))
