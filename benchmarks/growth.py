"""Growth: what follow_up does for a constant number of messages that are due, however many are in flight.

The real services and the real store run over a DynamoDB of this process that counts (see `dynamo`), and ask vendors
that hold every message in flight and show it in their lists (see `lists`). At a thousand the same run is made on the
local AWS: the requests must be the same, and so must what it leaves in the tables.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from benchmarks.dynamo import CountingDynamo
from benchmarks.listing_vendor import Crowd, ListingVendors
from benchmarks.results import Figure
from sampai.adapters.items import due_shard_of, to_item
from sampai.adapters.store import DynamoStore
from sampai.contract.settings import parse_settings
from sampai.domain.message import Channel, HistoryEntry, Message, Text
from sampai.domain.status import Source, Status
from sampai.services.follow_up.service import FollowUpService
from sampai.services.ports.correlations import correlation_key
from tests.emulator import running as running_emulator
from tests.fakes import START, FixedClock, FixedSecret, FixedSettings, InlinePool, RecordingQueue, RecordingTelemetry
from tests.harness.application import SECRET, House, request, smspoh_taken
from tests.template import table

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
DUE: Final = 400
VENDORS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")
"""Each has a quarter of the messages; NusaSMS on WhatsApp, which can be asked about one message at a time alone."""

TABLES: Final = {"messages": "MessagesTable", "correlations": "CorrelationsTable"}

HORIZON: Final = timedelta(hours=72)
APART: Final = timedelta(hours=48)
"""How long before the messages that are due the others were sent, so that no list shows both."""

GROUPS: Final = 1_000
"""Instants at which the messages in flight were sent."""

BATCH: Final = 100

RECIPIENTS: Final = {
    "nomsa": "+85591234510",
    "smsnoc": "+8801744977910",
    "smspoh": "+959777777710",
    "nusasms": "+6281234567810",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one run took."""

    requests: int
    read_units: float
    write_units: int
    vendor_calls: int

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.read_units:g} RRU, {self.write_units} WRU, {self.vendor_calls} calls"


def measure() -> list[Figure]:
    """Measure at every size. Raises AssertionError if the counting DynamoDB and the local AWS disagree."""
    _hold_to_the_local_aws()
    return [*_follow_up("apart"), *_follow_up("among"), *_send()]


# --- follow_up --------------------------------------------------------------------------------------------------------


def _follow_up(lists: str) -> Iterator[Figure]:
    """`apart`: the lists that are read hold what is due alone. `among`: they hold the messages in flight as well."""
    works = {size: followed_up(size, is_apart=lists == "apart") for size in SIZES}
    note = " · ".join(f"{size:,}: {work}" for size, work in works.items())
    if lists == "apart":
        for name, what in (
            ("requests", "DynamoDB requests"),
            ("read_units", "read units"),
            ("write_units", "write units"),
            ("vendor_calls", "vendor calls"),
        ):
            values = [getattr(work, name) for work in works.values()]
            yield Figure(
                key=f"growth.follow-up.{name}",
                what=f"{what} for {DUE} due, 10³ to 10⁶ in flight: max ÷ min",
                value=max(values) / min(values),
                floor=1,
                goal=1.10,
                note=note if name == "requests" else "",
            )
        return
    table = [(work.requests, work.read_units, work.write_units) for work in works.values()]
    yield Figure(
        key="growth.follow-up.crowded",
        what="the same where the vendors' lists show those in flight too: DynamoDB, max ÷ min",
        value=max(max(values) / min(values) for values in zip(*table, strict=True)),
        floor=1,
        goal=1.10,
        note=note,
    )
    calls = [work.vendor_calls for work in works.values()]
    yield Figure(
        key="growth.follow-up.crowded-calls",
        what="vendor calls of a message that is due there, at most",
        value=max(calls) / DUE,
        unit="calls",
        goal=1.10,
        note="a crowded list shows few of ours; looking each up costs one",
    )
    yield Figure(
        key="growth.follow-up.crowded-calls-growth",
        what="vendor calls there, max ÷ min",
        value=max(calls) / min(calls),
        note="few calls, while lists hold little else, become a look-up each",
    )


def followed_up(in_flight: int, *, is_apart: bool) -> Work:
    """Return what a run of follow_up takes with so many messages in flight and `DUE` more that are due."""
    client = CountingDynamo(**TABLES)
    vendors, now = _world(client, in_flight, is_apart=is_apart)
    _run(client, vendors, now)
    return _work(client, vendors.calls.total())


def _world(client: CountingDynamo, in_flight: int, *, is_apart: bool) -> tuple[ListingVendors, datetime]:
    now = START
    latest = now - (APART if is_apart else timedelta(0))
    _fill(client, in_flight, since=now - HORIZON, until=latest, due_at=now + timedelta(hours=1))
    each = in_flight // len(VENDORS)
    vendors = ListingVendors(
        crowds={name: Crowd(name="crowd", count=each, since=now - HORIZON, until=latest) for name in VENDORS}
    )
    for message in due_messages(now, is_spread=not is_apart):
        client.tables["messages"].put(to_item(message))
        client.tables["correlations"].put(correlation_of(message))
        vendors.take(message.provider or "", (message.attempted_at or now, message.provider_message_id or ""))
    client.tables["messages"].settle()
    return vendors, now


def _fill(client: CountingDynamo, count: int, *, since: datetime, until: datetime, due_at: datetime) -> None:
    """Put messages into the table that were sent evenly from `since` to `until` and are due after `due_at`."""
    table, shared = client.tables["messages"], dict[tuple[int, str], dict[str, Any]]()
    for number in range(count):
        key, group = f"flight-{number:07}", number % GROUPS
        shard = due_shard_of(key)
        if (group, shard) not in shared:
            at, due = since + (until - since) * group / GROUPS, due_at + timedelta(seconds=group)
            message = accepted(key, VENDORS[group % len(VENDORS)], at=at, due_at=due)
            shared[group, shard] = {name: value for name, value in to_item(message).items() if name != "message_id"}
        table.load(key, shared[group, shard])
    table.settle()


def due_messages(now: datetime, *, is_spread: bool) -> list[Message]:
    """Return messages that are due now: sent at one time, or spread over the schedule of their polls."""
    steps = [timedelta(seconds=seconds) for seconds in parse_settings("{}").poll_seconds]
    ages = [sum(steps[: polls + 1], timedelta(0)) for polls in range(len(steps))]
    ages += [ages[-1] + steps[-1] * more for more in range(1, 9)]
    found = []
    for number in range(DUE):
        polls = number // len(VENDORS) % len(ages) if is_spread else 1
        message = accepted(f"due-{number}", VENDORS[number % len(VENDORS)], at=now - ages[polls], due_at=now)
        found.append(replace(message, lookups=polls))
    return found


def accepted(message_id: str, provider: str, *, at: datetime, due_at: datetime) -> Message:
    """Return a message that its vendor has taken, as the send function leaves it."""
    channel = Channel.WHATSAPP if provider == "nusasms" else Channel.SMS
    name = f"{provider}-{message_id.rpartition('-')[2]}"
    return Message(
        message_id=message_id,
        status=Status.ACCEPTED,
        revision=2,
        sequence=2,
        channel=channel,
        recipient=RECIPIENTS[provider],
        content=Text(text="Your code is 1234. Do not tell it to anybody."),
        route=(provider,),
        provider=provider,
        provider_message_id=name,
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
    """Return the item that says whose a vendor's id is, once the message has claimed it."""
    key = correlation_key(message.provider or "", message.channel, message.provider_message_id or "")
    return {"correlation_key": {"S": key}, "message_id": {"S": message.message_id}, "ttl": {"N": "1803031200"}}


def _run(client: Any, vendors: ListingVendors, now: datetime) -> None:
    """Run follow_up over a client whose tables are `messages` and `meetings`."""
    clock = FixedClock(now)
    store = DynamoStore(client, messages_table="messages", correlations_table="correlations", clock=clock)
    service = FollowUpService(
        messages=store,
        correlations=store,
        queue=RecordingQueue(),
        transport=vendors,
        settings=FixedSettings(),
        secret=FixedSecret(SECRET),
        clock=clock,
        telemetry=RecordingTelemetry(),
        webhook_base_url="https://hooks.example.net",
        new_pool=InlinePool,
    )
    seen = service.run(remaining=lambda: 50.0)
    if seen != DUE:
        raise AssertionError(f"{seen} messages were followed up")


def _work(client: CountingDynamo, vendor_calls: int) -> Work:
    return Work(
        requests=client.requests.total(),
        read_units=client.read_units,
        write_units=client.write_units,
        vendor_calls=vendor_calls,
    )


def _hold_to_the_local_aws() -> None:
    """Make the smallest run on both, and raise AssertionError unless requests and tables are the same."""
    counting = CountingDynamo(**TABLES)
    vendors, now = _world(counting, SIZES[0], is_apart=True)
    before = {name: table.items() for name, table in counting.tables.items()}
    with running_emulator() as emulator:
        client = emulator.client("dynamodb")
        requests = Counter[str]()
        for name, logical_id in TABLES.items():
            client.create_table(TableName=name, **table(logical_id))
            for batch in in_batches(before[name]):
                client.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": item}} for item in batch]})

        def note(event_name: str, **_: Any) -> None:
            requests[event_name.rpartition(".")[2]] += 1

        client.meta.events.register("before-send.dynamodb", note)
        _run(client, vendors, now)
        found = requests.copy()
        after = {name: _all(client, name) for name in TABLES}
    calls = vendors.calls.copy()
    vendors.calls.clear()
    _run(counting, vendors, now)
    if (counting.requests, vendors.calls) != (found, calls):
        raise AssertionError(f"the local AWS was asked {found}, the counting one {counting.requests}")
    if after != {name: table.items() for name, table in counting.tables.items()}:
        raise AssertionError("the local AWS holds other items than the counting one")


def _all(client: Any, name: str) -> list[dict[str, Any]]:
    """Return what stands in a table, in the order of its keys."""
    key = table(TABLES[name])["KeySchema"][0]["AttributeName"]
    pages = client.get_paginator("scan").paginate(TableName=name)
    return sorted((item for page in pages for item in page["Items"]), key=lambda item: str(item[key]["S"]))


def in_batches(items: list[dict[str, Any]], size: int = 25) -> Iterator[list[dict[str, Any]]]:
    """Yield the items in parts of a size that one call may write."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


# --- send -------------------------------------------------------------------------------------------------------------


def _send() -> Iterator[Figure]:
    works = {size: _sent(size) for size in (SIZES[0], SIZES[-1])}
    values = [(work.requests, work.write_units) for work in works.values()]
    yield Figure(
        key="growth.send",
        what=f"send, {BATCH} messages, 10³ and 10⁶ in the table: DynamoDB requests and write units, max ÷ min",
        value=max(max(pair) / min(pair) for pair in zip(*values, strict=True)),
        floor=1,
        goal=1.10,
        note=" · ".join(f"{size:,}: {work}" for size, work in works.items()),
    )


def _sent(in_table: int) -> Work:
    client = CountingDynamo(**TABLES)
    _fill(client, in_table, since=START - HORIZON, until=START, due_at=START + timedelta(hours=1))
    house = House(*(smspoh_taken(f"AA-{number}", f"new-{number}") for number in range(BATCH)))
    store = DynamoStore(client, messages_table="messages", correlations_table="correlations", clock=house.clock)
    house.store = store  # type: ignore[assignment]
    bodies = [request(f"new-{number}", home="smspoh") for number in range(BATCH)]
    assert house.send(*bodies, sender=house.new_sender()) == []
    return _work(client, len(house.transport.requests))
