"""What the services rely on in a store, asked of the fake and of DynamoDB as the local AWS has it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from local.emulator.partiql_proxy import LocalDynamoDb
from sampai.adapters.dynamo import MAX_ROUNDS, get_all
from sampai.adapters.store import DynamoStore
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
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import Insert, Replace, Write, WriteResult
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.emulator import Emulator, unreachable
from tests.fakes import START, FixedClock, InMemoryStore

LEASE = timedelta(seconds=60)


@pytest.fixture(params=["memory", "dynamodb", "dynamodb as local functions find it"])
def store(request: pytest.FixtureRequest) -> Iterator[DynamoStore | InMemoryStore]:
    if request.param == "memory":
        yield InMemoryStore()
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


def _dynamo(emulator: Emulator, client: Any = None) -> DynamoStore:
    messages_table, correlations_table = emulator.new_tables()
    return DynamoStore(
        client or emulator.client("dynamodb"),
        messages_table=messages_table,
        correlations_table=correlations_table,
        clock=FixedClock(),
        sleep=lambda _: None,
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


def test_what_is_stored_is_read_as_it_was(store: DynamoStore | InMemoryStore) -> None:
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
def test_an_id_is_taken_once(store: DynamoStore | InMemoryStore) -> None:
    store.commit([Insert(message=claimed(attempt_id="a-1"))])

    written = store.commit([Insert(message=claimed(attempt_id="a-2")), Insert(message=claimed("m-2"))])

    assert written == [WriteResult(done=False, current=claimed(attempt_id="a-1")), WriteResult(done=True)]


@covers("D2")
def test_a_write_of_ones_own_that_comes_twice_counts_as_done(store: DynamoStore | InMemoryStore) -> None:
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


def test_a_change_of_what_is_not_there_is_refused(store: DynamoStore | InMemoryStore) -> None:
    written = store.commit([Replace(before=claimed(), message=accepted(claimed()))])

    assert written == [WriteResult(done=False)]


def test_a_final_message_keeps_no_content(store: DynamoStore | InMemoryStore) -> None:
    store.commit([Insert(message=claimed())])
    final = apply_report(claimed(), report(), now=START, source=Source.WEBHOOK)

    store.commit([Replace(before=claimed(), message=final)])

    assert store.read(["m-1"])["m-1"].content is None
    assert store.due(START + timedelta(days=400), 10) == []


@pytest.mark.parametrize("count", [1, 25, 26, 60])
def test_any_number_of_writes_is_answered_in_order(store: DynamoStore | InMemoryStore, count: int) -> None:
    store.commit([Insert(message=claimed("m-7"))])

    written = store.commit([Insert(message=claimed(f"m-{n}", attempt_id=f"a-{n}")) for n in range(count)])

    assert [n for n, w in enumerate(written) if not w.done] == [n for n in range(count) if n == 7]


def test_one_id_may_come_twice_among_the_writes(store: DynamoStore | InMemoryStore) -> None:
    written = store.commit(
        [Insert(message=claimed()), Replace(before=claimed(), message=accepted(claimed())), Insert(message=claimed())]
    )

    assert [w.done for w in written] == [True, True, False]


@covers("L3")
def test_due_messages_come_longest_due_first_and_no_others(store: DynamoStore | InMemoryStore) -> None:
    for n in (3, 1, 2, 9):
        due = replace(claimed(f"m-{n}"), due_at=START + timedelta(minutes=n))
        store.commit([Insert(message=due)])

    assert store.due(START + timedelta(minutes=3), 10) == ["m-1", "m-2", "m-3"]
    assert store.due(START + timedelta(minutes=3), 2) == ["m-1", "m-2"]
    assert store.due(START, 10) == []


def test_the_sender_may_be_first_at_the_meeting_point(store: DynamoStore | InMemoryStore) -> None:
    store.commit([LinkCorrelation(key="nomsa#145", message_id="m-1", attempt=1)])

    assert store.buffer_report("nomsa#145", report(), START) == Correlation(
        key="nomsa#145", message_id="m-1", attempt=1
    )
    assert store.find_correlations(["nomsa#145", "nomsa#9"]) == {
        "nomsa#145": Correlation(key="nomsa#145", message_id="m-1", attempt=1)
    }


@covers("W1", "I4")
def test_the_report_may_be_first_at_the_meeting_point(store: DynamoStore | InMemoryStore) -> None:
    assert store.buffer_report("nomsa#145", report(), START) is None

    written = store.commit([LinkCorrelation(key="nomsa#145", message_id="m-1", attempt=1)])

    assert written == [WriteResult(done=False, current=Correlation(key="nomsa#145", reports=(report(),)))]
    met = Correlation(key="nomsa#145", message_id="m-1", reports=(report(),))
    assert store.claim("nomsa#145", "m-1") == met
    assert store.claim("nomsa#145", "m-1") == met
    assert store.claim("nomsa#145", "m-2") == met


def test_a_meeting_point_that_nobody_wrote_can_be_adopted(store: DynamoStore | InMemoryStore) -> None:
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
def test_parked_reports_keep_one_of_each_status_however_many_come(store: DynamoStore | InMemoryStore) -> None:
    sent, other = report(Status.SENT, "Sent"), report(None, "Levitating")
    for _ in range(30):
        for buffered in (sent, report(), report(None, "Floating"), other):
            store.buffer_report("smspoh#145", buffered, START)

    correlation = store.find_correlations(["smspoh#145"])["smspoh#145"]

    assert set(correlation.reports) == {sent, report(), other}
    assert len(correlation.reports) == 3


# --- what only the real one can do ----------------------------------------------------------------------------------


class _Flaky:
    """A client of which some calls go wrong as DynamoDB's do."""

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
def test_statements_throttled_inside_a_good_answer_are_repeated_alone(emulator: Emulator) -> None:
    client = _Flaky(emulator.client("dynamodb"), _throttle_second)
    store = _dynamo(emulator, client)

    written = store.commit([Insert(message=claimed("m-1")), Insert(message=claimed("m-2"))])

    assert written == [WriteResult(done=True), WriteResult(done=True)]
    assert client.calls == ["BatchExecuteStatement"] * 2
    assert set(store.read(["m-1", "m-2"])) == {"m-1", "m-2"}


@covers("P3", "D1")
@pytest.mark.parametrize("fault", [_apply_and_lose, _refuse])
def test_a_call_without_answer_is_neither_done_nor_refused(
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
    "due": lambda store: store.due(START, 10),
    "find_correlations": lambda store: store.find_correlations(["nomsa#1"]),
    "buffer_report": lambda store: store.buffer_report("nomsa#1", report(), START),
    "claim_correlation": lambda store: store.claim("nomsa#1", "m-1"),
    "mark_reused": lambda store: store.mark_reused("nomsa#1", "m-1"),
}


@covers("D1", "I10")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_outage_raises_and_names_nothing_private(operation: str) -> None:
    store = DynamoStore(
        unreachable("dynamodb"), messages_table="m", correlations_table="c", clock=FixedClock(), sleep=lambda _: None
    )

    with pytest.raises(UnavailableError, match=r"^\w+: EndpointConnectionError$"):
        OPERATIONS[operation](store)


def test_a_batch_that_goes_well_is_one_call(emulator: Emulator) -> None:
    client = _Flaky(emulator.client("dynamodb"))
    store = _dynamo(emulator, client)

    store.commit([Insert(message=claimed(f"m-{n}")) for n in range(25)])

    assert client.calls == ["BatchExecuteStatement"]


class _Busy:
    """A client that answers a read in part: one key a call, and none at all for some calls before."""

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
def test_what_a_read_left_out_is_asked_for_again_after_a_while(emulator: Emulator, keys: int, refusals: int) -> None:
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
def test_a_read_that_is_never_answered_whole_is_unavailable(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    busy = _Busy(client, refusals=99)

    with pytest.raises(UnavailableError):
        get_all(busy, table, "media_key", ["key-1"], sleep=lambda _: None)

    assert busy.asked == [1] * MAX_ROUNDS


def test_what_local_functions_write_reaches_the_stream(emulator: Emulator) -> None:
    messages_table, correlations_table = emulator.new_tables()
    with as_local_functions_find_it(emulator) as client:
        store = DynamoStore(
            client,
            messages_table=messages_table,
            correlations_table=correlations_table,
            clock=FixedClock(),
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
