"""Notes to ourselves on SQS, events to the callers on EventBridge."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sampai.adapters.events import MAX_BATCH_BYTES, EventBridgeBus
from sampai.adapters.queue import SqsQueue
from sampai.contract.events import Event
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers

OUTAGE = EndpointConnectionError(endpoint_url="http://127.0.0.1")
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents")


# --- queue ----------------------------------------------------------------------------------------------------------


class Sqs:
    """Takes every entry, except those that carry a refused message id; a call may fail whole."""

    def __init__(self, *, refused: Sequence[str] = (), failures: Sequence[Exception | None] = ()) -> None:
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []
        self._refused = refused
        self._failures = list(failures)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.batches.append((QueueUrl, Entries))
        if self._failures and (failure := self._failures.pop(0)):
            raise failure
        failed = [entry for entry in Entries if json.loads(entry["MessageBody"])["resume"] in self._refused]
        return {"Successful": [], "Failed": [{"Id": entry["Id"]} for entry in failed]}


def queue_on(sqs: Sqs) -> SqsQueue:
    return SqsQueue(sqs, send_url="send", urgent_url="urgent")


def wake_ups(count: int, *, is_urgent: bool = False) -> list[WakeUp]:
    return [WakeUp(message_id=f"m{i}", attempt=1, is_urgent=is_urgent, delay_seconds=0) for i in range(count)]


def test_a_note_names_the_message_and_its_attempt() -> None:
    sqs = Sqs()

    queue_on(sqs).put([WakeUp(message_id="otp-1", attempt=2, is_urgent=True, delay_seconds=60)])

    entry = {"Id": "0", "MessageBody": '{"resume": "otp-1", "attempt": 2}', "DelaySeconds": 60}
    assert sqs.batches == [("urgent", [entry])]


def test_a_note_stays_in_the_message_group_of_its_request() -> None:
    sqs = Sqs()

    queue_on(sqs).put(
        [replace(wake_up, group=group) for wake_up, group in zip(wake_ups(2), ("shop-a", None), strict=True)]
    )

    assert [entry.get("MessageGroupId") for entry in sqs.batches[0][1]] == ["shop-a", None]


def test_notes_go_out_by_queue_in_batches_of_ten() -> None:
    sqs = Sqs()

    queue_on(sqs).put([*wake_ups(12), *wake_ups(11, is_urgent=True), *wake_ups(9)])

    sizes = [(url, [entry["Id"] for entry in entries]) for url, entries in sqs.batches]
    ten = [str(i) for i in range(10)]
    assert sizes == [("send", ten), ("send", ten), ("send", ["0"]), ("urgent", ten), ("urgent", ["0"])]


@pytest.mark.parametrize(("delay", "expected"), [(-5, 0), (0, 0), (900, 900), (4000, 900)])
def test_a_delay_is_what_the_queue_can_hold(delay: int, expected: int) -> None:
    sqs = Sqs()

    queue_on(sqs).put([WakeUp(message_id="m", attempt=1, is_urgent=False, delay_seconds=delay)])

    assert sqs.batches[0][1][0]["DelaySeconds"] == expected


def test_nothing_to_say_is_no_call() -> None:
    sqs = Sqs()

    queue_on(sqs).put([])

    assert sqs.batches == []


@pytest.mark.parametrize(
    ("sqs", "told"),
    [
        (Sqs(refused=["m3", "m10"]), "queue: 2 not accepted"),
        (Sqs(failures=[OUTAGE]), "queue: 10 not accepted"),
        (Sqs(failures=[None, THROTTLED]), "queue: 2 not accepted"),
    ],
    ids=["entries", "the first call", "the last call"],
)
def test_a_refusal_is_told_after_every_batch_was_tried(sqs: Sqs, told: str) -> None:
    with pytest.raises(UnavailableError, match=f"^{told}$"):
        queue_on(sqs).put(wake_ups(12))

    assert [len(entries) for _, entries in sqs.batches] == [10, 2]


# --- events ---------------------------------------------------------------------------------------------------------


class EventBridge:
    """Answers each call as told: with the positions that it refuses, or with an error; later calls take everything."""

    def __init__(self, *answers: Sequence[int] | Exception) -> None:
        self.calls: list[list[dict[str, str]]] = []
        self._answers = list(answers)

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(Entries)
        answer = self._answers.pop(0) if self._answers else ()
        if isinstance(answer, Exception):
            raise answer
        entries = [{"ErrorCode": "InternalFailure"} if i in answer else {"EventId": "e"} for i in range(len(Entries))]
        return {"FailedEntryCount": len(answer), "Entries": entries}

    def numbers(self) -> list[list[int]]:
        return [[json.loads(entry["Detail"])["n"] for entry in entries] for entries in self.calls]


def events(count: int, padding: str = "") -> list[Event]:
    return [Event(detail_type="Message Received", detail={"n": n, "text": padding}) for n in range(count)]


def publish(bridge: EventBridge, published: Sequence[Event]) -> None:
    EventBridgeBus(bridge, bus_name="bus").put(published)


def test_an_event_says_what_it_is_and_where_it_comes_from() -> None:
    bridge = EventBridge()

    publish(bridge, [Event(detail_type="Message Received", detail={"text": "សួស្តី"})])

    ((entry,),) = bridge.calls
    assert json.loads(entry.pop("Detail")) == {"text": "សួស្តី"}
    assert entry == {"EventBusName": "bus", "Source": "sampai", "DetailType": "Message Received"}


def test_events_go_out_in_order_ten_at_a_time() -> None:
    bridge = EventBridge()

    publish(bridge, events(23))

    assert bridge.numbers() == [list(range(10)), list(range(10, 20)), [20, 21, 22]]


def test_a_call_stays_below_what_eventbridge_takes() -> None:
    bridge = EventBridge()

    publish(bridge, events(7, padding="x" * 100_000))

    sizes = [sum(len(e["Detail"]) + len(e["Source"]) + len(e["DetailType"]) for e in call) for call in bridge.calls]
    assert bridge.numbers() == [[0, 1], [2, 3], [4, 5], [6]]
    assert max(sizes) <= MAX_BATCH_BYTES


def test_no_events_are_no_call() -> None:
    bridge = EventBridge()

    publish(bridge, [])

    assert bridge.calls == []


@covers("D8")
def test_what_was_refused_is_sent_once_more_with_all_that_followed_it() -> None:
    bridge = EventBridge([3, 5])

    publish(bridge, events(12))

    assert bridge.numbers() == [list(range(10)), list(range(3, 10)), [10, 11]]


@covers("D8", "E2")
@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([[3], [0]], [list(range(10)), list(range(3, 10))]),
        ([OUTAGE], [list(range(10))]),
        ([[3], THROTTLED], [list(range(10)), list(range(3, 10))]),
    ],
    ids=["refused twice", "an outage", "an outage after a refusal"],
)
def test_nothing_overtakes_an_event_that_was_not_taken(
    answers: Sequence[Sequence[int] | Exception], calls: list[list[int]]
) -> None:
    bridge = EventBridge(*answers)

    with pytest.raises(UnavailableError, match=r"^events: "):
        publish(bridge, events(12))

    assert bridge.numbers() == calls
