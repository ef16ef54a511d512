"""The contract of the store, checked on the fake and on DynamoDB of the local AWS."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from local.emulator.partiql_proxy import LocalDynamoDb
from sampai.adapters.dynamo import MAX_ROUNDS, get_all
from sampai.adapters.items import to_report_attribute
from sampai.adapters.store import DynamoStore
from sampai.contract.settings import parse_settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Channel,
    Message,
    OnUnknown,
    Text,
    accept,
    apply_report,
    cancel,
    claim,
    fail,
    mark_unknown,
    schedule_poll,
)
from sampai.domain.outcome import Taken
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.domain.times import to_text
from sampai.services.attempt import apply_outcome
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import DueFamily, Insert, Replace, UnreadableItem, Worker, Write, WriteResult
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.emulator import Emulator, unreachable
from tests.fakes import START, FixedClock, InMemoryStore, RecordingTelemetry
from tests.harness.table_store import TableStore

LEASE = timedelta(seconds=60)


@pytest.fixture(params=["memory", "tables in memory", "dynamodb", "dynamodb as local functions find it"])
def store(request: pytest.FixtureRequest) -> Iterator[DynamoStore | InMemoryStore]:
    if request.param == "memory":
        yield InMemoryStore()
    elif request.param == "tables in memory":
        yield TableStore(clock=FixedClock(), telemetry=RecordingTelemetry())
    elif request.param == "dynamodb":
        yield _dynamo(request.getfixturevalue("emulator"))
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        with as_local_functions_find_it(emulator) as client:
            yield _dynamo(emulator, client)


@contextmanager
def as_local_functions_find_it(emulator: Emulator) -> Iterator[Any]:
    with LocalDynamoDb(0, emulator.endpoint_url) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        client = replace(emulator, endpoint_url=f"http://127.0.0.1:{server.server_port}").client("dynamodb")
        yield client
        client.close()
        server.shutdown()
        thread.join()


def _dynamo(
    emulator: Emulator, client: Any = None, telemetry: RecordingTelemetry | None = None, **options: Any
) -> DynamoStore:
    messages_table, correlations_table = emulator.new_tables()
    return DynamoStore(
        client or emulator.client("dynamodb"),
        messages_table=messages_table,
        correlations_table=correlations_table,
        clock=FixedClock(),
        telemetry=telemetry or RecordingTelemetry(),
        sleep=lambda _: None,
        **options,
    )


def draft(message_id: str = "m-1", **changes: Any) -> Message:
    values: dict[str, Any] = {
        "message_id": message_id,
        "status": Status.QUEUED,
        "recipient": "+85591234511",
        "sender": "mcs-otp",
        "content": Text(text="it's “1234”\n😀"),
        "route": ("nomsa", "smspoh"),
        "provider_options": {"smspoh": {"unicode": True}},
        "on_unknown": OnUnknown.RESEND,
        "send_at": START,
        "expires_at": START + timedelta(hours=1),
        "metadata": {"order": "4711"},
        "fingerprint": "f" * 64,
        "created_at": START,
        "updated_at": START,
        "occurred_at": START,
    }
    return Message(**values | changes)


def claimed(message_id: str = "m-1", attempt_id: str = "a-1", **changes: Any) -> Message:
    return claim(draft(message_id, **changes), provider="nomsa", attempt_id=attempt_id, now=START, lease=LEASE)


def accepted(message: Message) -> Message:
    due_at = START + timedelta(seconds=15)
    return accept(
        message, provider_message_id="145", provider_status="UNSENT", now=START, due_at=due_at, source=Source.SEND
    )


def report(status: Status | None = Status.DELIVERED, word: str = "Success") -> Report:
    return Report(
        provider_message_id="145",
        status=status,
        provider_status=word,
        reference="m-1",
        reason=Reason.UNREACHABLE,
        provider_code="7",
        occurred_at=START,
    )


def test_message_is_read_as_it_was_stored(store: DynamoStore | InMemoryStore) -> None:
    failed = fail(
        claimed("m-2", channel=Channel.WHATSAPP),
        Failure(reason=Reason.TOO_LONG, provider_code="-14", detail="content.text"),
        now=START,
        source=Source.SEND,
    )
    bare_message = Message(
        message_id="m-3", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START
    )
    bare = cancel(bare_message, now=START)

    store.commit([Insert(message=m) for m in (accepted(claimed()), failed, bare)])

    assert store.read(["m-1", "m-2", "m-3", "nobody"]) == {"m-1": accepted(claimed()), "m-2": failed, "m-3": bare}


@covers("Q1", "I1")
def test_id_can_be_inserted_once(store: DynamoStore | InMemoryStore) -> None:
    store.commit([Insert(message=claimed(attempt_id="a-1"))])

    written = store.commit([Insert(message=claimed(attempt_id="a-2")), Insert(message=claimed("m-2"))])

    assert written == [WriteResult(done=False, current=claimed(attempt_id="a-1")), WriteResult(done=True)]


@covers("D2")
def test_repeated_write_counts_as_done(store: DynamoStore | InMemoryStore) -> None:
    writes: list[Write] = [Insert(message=claimed()), LinkCorrelation(key="nomsa#145", message_id="m-1", attempt=1)]
    store.commit(writes)
    over = Replace(before=claimed(), message=accepted(claimed()))
    store.commit([over])

    assert store.commit([over]) == [WriteResult(done=True)]
    assert store.commit([writes[1]]) == [WriteResult(done=True)]


@covers("W4", "I6")
def test_a_change_is_stored_only_over_the_revision_that_it_was_made_from(store: DynamoStore | InMemoryStore) -> None:
    store.commit([Insert(message=claimed())])
    first = accepted(claimed())
    second = mark_unknown(claimed(), now=START, due_at=START, source=Source.SEND)

    results = [store.commit([Replace(before=claimed(), message=message)])[0] for message in (first, second)]

    assert results == [WriteResult(done=True), WriteResult(done=False, current=first)]
    assert store.read(["m-1"]) == {"m-1": first}


def test_change_of_a_message_that_does_not_exist_is_refused(store: DynamoStore | InMemoryStore) -> None:
    written = store.commit([Replace(before=claimed(), message=accepted(claimed()))])

    assert written == [WriteResult(done=False)]


def test_a_final_message_keeps_no_content(store: DynamoStore | InMemoryStore) -> None:
    store.commit([Insert(message=claimed())])
    final = apply_report(claimed(), report(), now=START, source=Source.WEBHOOK)

    store.commit([Replace(before=claimed(), message=final)])

    assert store.read(["m-1"])["m-1"].content is None
    assert store.due(START + timedelta(days=400), 10, family=DueFamily.CLAIMED) == []


@pytest.mark.parametrize("count", [1, 25, 26, 60])
def test_results_are_in_the_order_of_the_writes(store: DynamoStore | InMemoryStore, count: int) -> None:
    store.commit([Insert(message=claimed("m-7"))])

    written = store.commit([Insert(message=claimed(f"m-{n}", attempt_id=f"a-{n}")) for n in range(count)])

    assert [n for n, w in enumerate(written) if not w.done] == [n for n in range(count) if n == 7]


def test_one_id_may_occur_twice_in_a_commit(store: DynamoStore | InMemoryStore) -> None:
    written = store.commit(
        [Insert(message=claimed()), Replace(before=claimed(), message=accepted(claimed())), Insert(message=claimed())]
    )

    assert [w.done for w in written] == [True, True, False]


def test_due_messages_are_in_three_families(store: DynamoStore | InMemoryStore) -> None:
    due = [draft("m-1"), claimed("m-2"), accepted(claimed("m-3")), replace(accepted(claimed("m-4")), lookups=1)]
    store.commit([Insert(message=replace(message, due_at=START)) for message in due])

    listed = {family: store.due(START, 10, family=family) for family in DueFamily}

    assert listed == {DueFamily.WAITING: ["m-1"], DueFamily.CLAIMED: ["m-2", "m-3"], DueFamily.POLLED: ["m-4"]}


def test_message_keeps_its_entry_of_the_due_index_until_it_is_looked_at(emulator: Emulator) -> None:
    """So a message that a receipt ends costs two writes of the index: one entry made, and one deleted."""
    store = _dynamo(emulator)
    sending = claimed()
    taken = apply_outcome(
        sending, Taken(provider_message_id="145"), now=START + timedelta(seconds=1), settings=parse_settings("{}")
    )
    sent = apply_report(taken, report(status=Status.SENT), now=START + timedelta(seconds=2), source=Source.WEBHOOK)
    looked_at = schedule_poll(sent, now=START + LEASE, due_at=START + 2 * LEASE)
    entries = []

    store.commit([Insert(message=sending)])
    for before, after in pairwise([sending, taken, sent, looked_at]):
        entries.append({name: _item(emulator, store, "m-1")[name] for name in ("due_shard", "due_at")})
        assert store.commit([Replace(before=before, message=after)]) == [WriteResult(done=True)]

    assert entries == [entries[0]] * 3
    assert entries[0]["due_at"] == {"S": to_text(START + LEASE)}
    assert store.due(START + 2 * LEASE, 10, family=DueFamily.POLLED) == ["m-1"]


def test_workers_share_the_due_messages_without_gap_or_overlap(store: DynamoStore | InMemoryStore) -> None:
    names = [f"m-{n}" for n in range(40)]
    store.commit([Insert(message=replace(claimed(name), due_at=START)) for name in names])

    shares = [store.due(START, 100, family=DueFamily.CLAIMED, worker=Worker(index, 3)) for index in range(3)]

    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(shares)


def test_polled_message_of_the_layout_without_families_is_found(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    store.commit([Insert(message=replace(accepted(claimed()), due_at=START))])
    _raw(emulator, store, "m-1", due_shard={"S": "3"})

    assert store.due(START, 10, family=DueFamily.WAITING) == ["m-1"]


@covers("L3")
def test_due_messages_are_listed_oldest_first(store: DynamoStore | InMemoryStore) -> None:
    for n in (3, 1, 2, 9):
        due = replace(claimed(f"m-{n}"), due_at=START + timedelta(minutes=n))
        store.commit([Insert(message=due)])

    assert store.due(START + timedelta(minutes=3), 10, family=DueFamily.CLAIMED) == ["m-1", "m-2", "m-3"]
    assert store.due(START + timedelta(minutes=3), 2, family=DueFamily.CLAIMED) == ["m-1", "m-2"]
    assert store.due(START, 10, family=DueFamily.CLAIMED) == []


def test_sender_may_link_the_correlation_first(store: DynamoStore | InMemoryStore) -> None:
    store.commit([LinkCorrelation(key="nomsa#145", message_id="m-1", attempt=1)])

    assert store.buffer_report("nomsa#145", report(), START) == Correlation(
        key="nomsa#145", message_id="m-1", attempt=1
    )
    assert store.find_correlations(["nomsa#145", "nomsa#9"]) == {
        "nomsa#145": Correlation(key="nomsa#145", message_id="m-1", attempt=1)
    }


@covers("W1", "I4")
def test_report_may_arrive_before_the_correlation_is_linked(store: DynamoStore | InMemoryStore) -> None:
    assert store.buffer_report("nomsa#145", report(), START) is None

    written = store.commit([LinkCorrelation(key="nomsa#145", message_id="m-1", attempt=1)])

    assert written == [WriteResult(done=False, current=Correlation(key="nomsa#145", reports=(report(),)))]
    met = Correlation(key="nomsa#145", message_id="m-1", reports=(report(),))
    assert store.claim("nomsa#145", "m-1") == met
    assert store.claim("nomsa#145", "m-1") == met
    assert store.claim("nomsa#145", "m-2") == met


def test_correlation_that_does_not_exist_can_be_claimed(store: DynamoStore | InMemoryStore) -> None:
    assert store.claim("nomsa#145", "m-1") == Correlation(key="nomsa#145", message_id="m-1")
    assert store.claim("nomsa#145", "m-1", 2) == Correlation(key="nomsa#145", message_id="m-1", attempt=2)
    assert store.claim("nomsa#145", "m-1") == Correlation(key="nomsa#145", message_id="m-1", attempt=2)


def test_a_vendor_id_is_reused_only_after_another_message_has_it(store: DynamoStore | InMemoryStore) -> None:
    store.mark_reused("nomsa#145", "m-1")
    store.claim("nomsa#145", "m-1")
    store.mark_reused("nomsa#145", "m-1")
    unmarked = store.find_correlations(["nomsa#145"])["nomsa#145"]

    store.mark_reused("nomsa#145", "m-2")

    assert unmarked == Correlation(key="nomsa#145", message_id="m-1")
    assert store.find_correlations(["nomsa#145"]) == {
        "nomsa#145": Correlation(key="nomsa#145", message_id="m-1", is_reused=True)
    }


@covers("W2", "I10")
def test_buffer_keeps_one_report_for_each_status(store: DynamoStore | InMemoryStore) -> None:
    sent, other = report(Status.SENT, "Sent"), report(None, "Levitating")
    for _ in range(30):
        for buffered in (sent, report(), report(None, "Floating"), other):
            store.buffer_report("smspoh#145", buffered, START)

    correlation = store.find_correlations(["smspoh#145"])["smspoh#145"]

    assert set(correlation.reports) == {sent, report(), other}
    assert len(correlation.reports) == 3


# --- DynamoDB only ----------------------------------------------------------------------------------------------------


class _Flaky:
    """A client with faults that DynamoDB has."""

    def __init__(self, client: Any, *faults: Callable[[Any, list[Any]], Any]) -> None:
        self._client = client
        self._faults = list(faults)
        self.exceptions = client.exceptions
        self.calls: list[str] = []

    def batch_execute_statement(self, *, Statements: list[Any]) -> Any:  # noqa: N803
        self.calls.append("BatchExecuteStatement")
        if self._faults:
            return self._faults.pop(0)(self._client, Statements)
        return self._client.batch_execute_statement(Statements=Statements)

    def batch_get_item(self, **request: Any) -> Any:
        self.calls.append("BatchGetItem")
        return self._client.batch_get_item(**request)


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "+85591234511"}}, "BatchExecuteStatement")


def _throttle_second(client: Any, statements: Sequence[Any]) -> Any:
    made = client.batch_execute_statement(Statements=[statements[0]])["Responses"]
    return {"Responses": [*made, {"Error": {"Code": "ThrottlingError"}}, *({} for _ in statements[2:])]}


def _apply_and_lose(client: Any, statements: list[Any]) -> Any:
    client.batch_execute_statement(Statements=statements)
    raise ReadTimeoutError(endpoint_url="http://127.0.0.1")


def _refuse(_: Any, __: list[Any]) -> Any:
    raise _error("ProvisionedThroughputExceededException")


@covers("D4")
def test_only_the_throttled_statements_of_a_batch_are_repeated(emulator: Emulator) -> None:
    client = _Flaky(emulator.client("dynamodb"), _throttle_second)
    store = _dynamo(emulator, client)

    written = store.commit([Insert(message=claimed("m-1")), Insert(message=claimed("m-2"))])

    assert written == [WriteResult(done=True), WriteResult(done=True)]
    assert client.calls == ["BatchExecuteStatement"] * 2
    assert set(store.read(["m-1", "m-2"])) == {"m-1", "m-2"}


@covers("P3", "D1")
@pytest.mark.parametrize("fault", [_apply_and_lose, _refuse])
def test_call_without_an_answer_is_not_done_and_has_no_conflict(
    emulator: Emulator, fault: Callable[[Any, list[Any]], Any]
) -> None:
    store = _dynamo(emulator, _Flaky(emulator.client("dynamodb"), fault))

    assert store.commit([Insert(message=claimed())]) == [WriteResult(done=False)]


def _throttle_first(_: Any, statements: Sequence[Any]) -> Any:
    return {"Responses": [{"Error": {"Code": "ThrottlingError"}}, *({} for _ in statements[1:])]}


@covers("D4")
def test_statements_throttled_in_every_round_are_not_done(emulator: Emulator) -> None:
    client = _Flaky(emulator.client("dynamodb"), *[_throttle_first] * MAX_ROUNDS)

    assert _dynamo(emulator, client).commit([Insert(message=claimed())]) == [WriteResult(done=False)]
    assert client.calls == ["BatchExecuteStatement"] * MAX_ROUNDS


@covers("I10")
def test_conflict_that_cannot_be_read_is_reported_without_the_stored_item(emulator: Emulator) -> None:
    client = emulator.client("dynamodb")
    store = _dynamo(emulator, client)
    store.commit([Insert(message=claimed(attempt_id="a-1")), LinkCorrelation(key="k", message_id="m-1", attempt=1)])
    refused: list[Write] = [
        Insert(message=claimed(attempt_id="a-2")),
        LinkCorrelation(key="k", message_id="m-2", attempt=1),
    ]

    client.meta.events.register("before-call.dynamodb.BatchGetItem", _cut_off)

    assert store.commit(refused) == [WriteResult(done=False)] * 2


def _cut_off(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1")


OPERATIONS: dict[str, Callable[[DynamoStore], object]] = {
    "read": lambda store: store.read(["m-1"]),
    "due": lambda store: store.due(START, 10, family=DueFamily.WAITING),
    "find_correlations": lambda store: store.find_correlations(["nomsa#1"]),
    "buffer_report": lambda store: store.buffer_report("nomsa#1", report(), START),
    "claim_correlation": lambda store: store.claim("nomsa#1", "m-1"),
    "mark_reused": lambda store: store.mark_reused("nomsa#1", "m-1"),
}


@covers("D1", "I10")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_outage_raises_and_names_nothing_private(operation: str) -> None:
    store = DynamoStore(
        unreachable("dynamodb"),
        messages_table="m",
        correlations_table="c",
        clock=FixedClock(),
        telemetry=RecordingTelemetry(),
        sleep=lambda _: None,
    )

    with pytest.raises(UnavailableError, match=r"^\w+: EndpointConnectionError$"):
        OPERATIONS[operation](store)


def test_commit_is_one_call(emulator: Emulator) -> None:
    client = _Flaky(emulator.client("dynamodb"))
    store = _dynamo(emulator, client)

    store.commit([Insert(message=claimed(f"m-{n}")) for n in range(25)])

    assert client.calls == ["BatchExecuteStatement"]


class _Busy:
    """A client that answers reads in part: no key in the first calls, then one key per call."""

    def __init__(self, client: Any, *, refusals: int = 0) -> None:
        self._client = client
        self._refusals = refusals
        self.asked: list[int] = []

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Any:  # noqa: N803
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]
        self.asked.append(len(keys))
        answered = 0 if len(self.asked) <= self._refusals else 1
        answer: dict[str, Any] = {"Responses": {}}
        if answered:
            answer = self._client.batch_get_item(RequestItems={table: request | {"Keys": keys[:answered]}})
        return answer | {"UnprocessedKeys": {table: request | {"Keys": keys[answered:]}} if keys[answered:] else {}}


@covers("D4")
@pytest.mark.parametrize(("keys", "refusals"), [(1, 0), (4, 0), (1, 3), (2, 2)])
def test_unprocessed_keys_are_read_again_after_a_pause(emulator: Emulator, keys: int, refusals: int) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    names = [f"key-{n}" for n in range(keys)]
    for name in names:
        client.put_item(TableName=table, Item={"media_key": {"S": name}})
    busy, pauses = _Busy(client, refusals=refusals), list[float]()

    items = get_all(busy, table, "media_key", names, sleep=pauses.append)

    assert sorted(item["media_key"]["S"] for item in items) == names
    assert busy.asked == [*[keys] * refusals, *range(keys, 0, -1)]
    assert pauses == [0.1, 0.2, 0.4][: len(busy.asked) - 1]


@covers("D4", "I10")
def test_read_that_stays_incomplete_is_unavailable(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    busy = _Busy(client, refusals=99)

    with pytest.raises(UnavailableError):
        get_all(busy, table, "media_key", ["key-1"], sleep=lambda _: None)

    assert busy.asked == [1] * MAX_ROUNDS


def test_writes_of_the_local_functions_reach_the_stream(emulator: Emulator) -> None:
    messages_table, correlations_table = emulator.new_tables()
    with as_local_functions_find_it(emulator) as client:
        store = DynamoStore(
            client,
            messages_table=messages_table,
            correlations_table=correlations_table,
            clock=FixedClock(),
            telemetry=RecordingTelemetry(),
            sleep=_never,
        )
        store.commit([Insert(message=claimed())])
        store.commit([Replace(before=claimed(), message=accepted(claimed()))])
        store.commit([Insert(message=claimed()), Replace(before=claimed(), message=accepted(claimed()))])

    records = emulator.stream_records(messages_table)

    assert [(r["eventName"], _status(r, "OldImage"), _status(r, "NewImage")) for r in records] == [
        ("INSERT", None, "sending"),
        ("MODIFY", "sending", "accepted"),
    ]


def _status(record: dict[str, Any], image: str) -> str | None:
    status: str | None = record["dynamodb"].get(image, {}).get("status", {}).get("S")
    return status


def _never(_: float) -> None:
    raise AssertionError("nothing is throttled here")


# --- items that this release cannot read, and writes that cannot be stored --------------------------------------------


def _raw(emulator: Emulator, store: DynamoStore, message_id: str, **attributes: Any) -> None:
    """Set attributes of a stored item as another release would."""
    emulator.client("dynamodb").update_item(
        TableName=store._messages,
        Key={"message_id": {"S": message_id}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        ExpressionAttributeNames={f"#{name}": name for name in attributes},
        ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
    )


def _item(emulator: Emulator, store: DynamoStore, message_id: str) -> dict[str, Any]:
    key = {"message_id": {"S": message_id}}
    item: dict[str, Any] = emulator.client("dynamodb").get_item(
        TableName=store._messages, Key=key, ConsistentRead=True
    )["Item"]
    return item


def test_unreadable_item_is_left_out_and_reported(emulator: Emulator) -> None:
    telemetry = RecordingTelemetry()
    store = _dynamo(emulator, telemetry=telemetry)
    store.commit([Insert(message=claimed("m-1")), Insert(message=claimed("m-2"))])
    _raw(emulator, store, "m-1", status={"S": "paused"})

    assert store.read(["m-1", "m-2"]) == {"m-2": claimed("m-2")}
    assert telemetry.counts == {("ItemUnreadable", None): 1}
    assert telemetry.lines[0][2]["message_id"] == "m-1"


def test_write_over_an_unreadable_item_is_refused_and_its_neighbours_are_stored(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    store.commit([Insert(message=claimed("m-1")), Insert(message=claimed("m-2"))])
    _raw(emulator, store, "m-1", status={"S": "paused"}, revision={"N": "7"})
    unreadable = WriteResult(done=False, current=UnreadableItem(key="m-1"))

    inserted = store.commit([Insert(message=claimed("m-1", attempt_id="a-2")), Insert(message=claimed("m-3"))])
    replaced = store.commit(
        [
            Replace(before=claimed("m-1"), message=accepted(claimed("m-1"))),
            Replace(before=claimed("m-2"), message=accepted(claimed("m-2"))),
        ]
    )

    assert inserted == [unreadable, WriteResult(done=True)]
    assert replaced == [unreadable, WriteResult(done=True)]
    assert _item(emulator, store, "m-1")["status"] == {"S": "paused"}


def test_postponed_item_changes_in_nothing_but_its_due_time(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    for name in ("m-1", "m-2"):
        store.commit([Insert(message=replace(claimed(name), due_at=START))])
    _raw(emulator, store, "m-1", status={"S": "paused"}, priority={"N": "7"})
    before = _item(emulator, store, "m-1")
    later = START + timedelta(hours=1)

    store.postpone_unreadable(["m-1", "deleted"], now=START, due_at=later)

    assert _item(emulator, store, "m-1") == before | {"due_at": {"S": to_text(later)}}
    assert store.due(START, 10, family=DueFamily.CLAIMED) == ["m-2"]
    assert store.due(later, 10, family=DueFamily.CLAIMED) == ["m-2", "m-1"]


def test_postponing_leaves_an_item_that_is_not_due(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    store.commit([Insert(message=claimed())])

    store.postpone_unreadable(["m-1"], now=START, due_at=START + timedelta(hours=1))

    assert store.read(["m-1"]) == {"m-1": claimed()}


def test_postponing_works_for_local_functions(emulator: Emulator) -> None:
    messages_table, correlations_table = emulator.new_tables()
    with as_local_functions_find_it(emulator) as client:
        store = DynamoStore(
            client,
            messages_table=messages_table,
            correlations_table=correlations_table,
            clock=FixedClock(),
            telemetry=RecordingTelemetry(),
            sleep=_never,
        )
        store.commit([Insert(message=replace(claimed(), due_at=START))])
        store.postpone_unreadable(["m-1"], now=START, due_at=START + timedelta(hours=1))

        assert store.due(START, 10, family=DueFamily.CLAIMED) == []
        assert store.due(START + timedelta(hours=1), 10, family=DueFamily.CLAIMED) == ["m-1"]


def test_unknown_attributes_and_words_survive_a_rewrite(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    store.commit([Insert(message=claimed())])
    new = {
        "priority": {"N": "7"},
        "schema_version": {"N": "2"},
        "category": {"S": "marketing"},
        "due_shard": {"S": "11"},
    }
    _raw(emulator, store, "m-1", **new)
    before = store.read(["m-1"])["m-1"]

    store.commit([Replace(before=before, message=mark_unknown(before, now=START, due_at=START, source=Source.SEND))])

    item = _item(emulator, store, "m-1")
    assert item["status"] == {"S": "unknown"}
    assert {name: item[name] for name in new} == new


def test_unknown_content_is_removed_once_the_status_is_final(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    store.commit([Insert(message=claimed())])
    _raw(emulator, store, "m-1", content={"M": {"type": {"S": "poll"}, "question": {"S": "Tea?"}}})
    before = store.read(["m-1"])["m-1"]

    store.commit([Replace(before=before, message=cancel(before, now=START))])

    assert "content" not in _item(emulator, store, "m-1")


def test_due_messages_are_found_after_the_number_of_shards_was_raised(emulator: Emulator) -> None:
    store = _dynamo(emulator, due_shards=8)
    names = [f"m-{n}" for n in range(40)]
    store.commit([Insert(message=replace(claimed(name), due_at=START)) for name in names[:20]])

    raised = DynamoStore(
        emulator.client("dynamodb"),
        messages_table=store._messages,
        correlations_table=store._correlations,
        clock=FixedClock(),
        telemetry=RecordingTelemetry(),
        due_shards=32,
    )
    raised.commit([Insert(message=replace(claimed(name), due_at=START)) for name in names[20:]])

    assert sorted(raised.due(START, 100, family=DueFamily.CLAIMED)) == sorted(names)
    assert len(store.due(START, 100, family=DueFamily.CLAIMED)) < len(names)


def test_retention_is_that_of_the_store(emulator: Emulator) -> None:
    store = _dynamo(emulator, retention=timedelta(days=62))
    store.commit([Insert(message=claimed(send_at=START - timedelta(days=100)))])
    store.claim("nomsa#1", "m-1")
    store.commit([LinkCorrelation(key="nomsa#2", message_id="m-1", attempt=1)])
    store.buffer_report("nomsa#3", report(), START)

    correlations = emulator.client("dynamodb").scan(TableName=store._correlations)["Items"]
    days = {item["correlation_key"]["S"]: _days(item) for item in correlations}
    assert _days(_item(emulator, store, "m-1")) == 62
    assert days == {"nomsa#1": 62, "nomsa#2": 62, "nomsa#3": 7}


def _days(item: dict[str, Any]) -> float:
    """Return the days from START to the end of an item."""
    return (int(item["ttl"]["N"]) - START.timestamp()) / 86_400


def test_reads_are_strongly_consistent(emulator: Emulator) -> None:
    client = emulator.client("dynamodb")
    asked: list[str] = []
    client.meta.events.register(
        "before-call.dynamodb.BatchGetItem", lambda params, **_: asked.append(params["body"].decode())
    )
    store = _dynamo(emulator, client)

    store.read(["m-1"])
    store.find_correlations(["nomsa#1"])

    assert ['"ConsistentRead": true' in body for body in asked] == [True, True]


@covers("D2")
def test_one_write_that_cannot_be_serialised_does_not_prevent_the_others(emulator: Emulator) -> None:
    store = _dynamo(emulator)
    unfit = claimed("m-5", send_at=datetime(9999, 12, 31, tzinfo=UTC))
    writes = [Insert(message=unfit if n == 5 else claimed(f"m-{n}")) for n in range(10)]

    written = store.commit(writes)

    assert [n for n, result in enumerate(written) if not result.done] == [5]
    assert written[5] == WriteResult(done=False, is_unfit=True)
    assert set(store.read([f"m-{n}" for n in range(10)])) == {f"m-{n}" for n in range(10) if n != 5}


def test_call_that_is_refused_for_one_write_is_repeated_for_each(emulator: Emulator) -> None:
    def refuse_third(client: Any, statements: list[Any]) -> Any:
        if any({"S": "m-3"} in statement["Parameters"] for statement in statements):
            raise _error("ValidationException")
        return client.batch_execute_statement(Statements=statements)

    client = _Flaky(emulator.client("dynamodb"), *[refuse_third] * 6)
    store = _dynamo(emulator, client)

    written = store.commit([Insert(message=claimed(f"m-{n}")) for n in range(5)])

    assert [result.done for result in written] == [True, True, True, False, True]
    assert written[3].is_unfit


def test_report_is_added_to_a_correlation_that_is_claimed(store: DynamoStore | InMemoryStore) -> None:
    store.claim("nomsa#145", "m-1")

    store.add_report("nomsa#145", report())

    assert store.claim("nomsa#145", "m-1") == Correlation(key="nomsa#145", message_id="m-1", reports=(report(),))


def test_buffered_report_of_a_newer_release_harms_no_other(emulator: Emulator) -> None:
    telemetry = RecordingTelemetry()
    store = _dynamo(emulator, telemetry=telemetry)
    store.buffer_report("nomsa#145", report(), START)
    report_fields = to_report_attribute(report(Status.SENT, "Sent"))[1]["M"]
    emulator.client("dynamodb").update_item(
        TableName=store._correlations,
        Key={"correlation_key": {"S": "nomsa#145"}},
        UpdateExpression="SET report_paused = :paused, report_new = :new, priority = :new",
        ExpressionAttributeValues={
            ":paused": {"M": report_fields | {"status": {"S": "paused"}, "score": {"N": "1"}}},
            ":new": {"S": "?"},
        },
    )

    correlation = store.find_correlations(["nomsa#145"])["nomsa#145"]

    assert correlation.reports == (report(), replace(report(Status.SENT, "Sent"), status=None))
    assert telemetry.counts == {("ItemUnreadable", None): 1}
