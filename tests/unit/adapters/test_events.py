"""Events for the callers on EventBridge. That a rule delivers them is tested in `tests/ports`."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Lock
from time import sleep
from typing import Any

import pytest
from botocore.stub import Stubber

from sampai.adapters.aws import Aws
from sampai.adapters.events import MAX_BATCH_BYTES, EventBridgeBus
from sampai.contract.events import Event
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import InlinePool, RecordingTelemetry
from tests.unit.adapters.calls import Calls, watch

PARTS = ("Source", "DetailType", "Detail")
"""The parts of an entry that count for its size."""


@dataclass
class Bus:
    client: Any
    calls: Calls
    telemetry: RecordingTelemetry = field(default_factory=RecordingTelemetry)

    def put(self, events: Sequence[Event]) -> None:
        EventBridgeBus(self.client, bus_name="bus", telemetry=self.telemetry, new_pool=InlinePool).put(events)

    def numbers(self) -> list[list[int]]:
        """Return the numbers of the events in each call."""
        return [[json.loads(entry["Detail"])["n"] for entry in entries] for entries in self.calls.values("Entries")]


@pytest.fixture
def bus(aws: Aws) -> Bus:
    events = aws.client("events")
    events.create_event_bus(Name="bus")
    return Bus(events, watch(events, "PutEvents"))


def events(count: int, padding: str = "") -> list[Event]:
    return [Event(detail_type="Message Received", detail={"n": n, "text": padding}) for n in range(count)]


def test_event_carries_its_source_its_type_and_its_detail(bus: Bus) -> None:
    bus.put([Event(detail_type="Message Received", detail={"text": "សួស្តី"})])

    ((entry,),) = bus.calls.values("Entries")
    assert json.loads(entry.pop("Detail")) == {"text": "សួស្តី"}
    assert entry == {"EventBusName": "bus", "Source": "sampai", "DetailType": "Message Received"}


def test_events_go_out_in_order_ten_at_a_time(bus: Bus) -> None:
    bus.put(events(23))

    assert bus.numbers() == [list(range(10)), list(range(10, 20)), [20, 21, 22]]


def test_call_stays_below_the_size_that_eventbridge_takes(bus: Bus) -> None:
    bus.put(events(7, padding="x" * 100_000))

    sizes = [sum(len(e[part]) for e in call for part in PARTS) for call in bus.calls.values("Entries")]
    assert bus.numbers() == [[0, 1], [2, 3], [4, 5], [6]]
    assert max(sizes) <= MAX_BATCH_BYTES


def test_no_events_are_no_call(bus: Bus) -> None:
    bus.put([])

    assert len(bus.calls) == 0


# --- calls side by side -----------------------------------------------------------------------------------------------


def change(message_id: str, sequence: int) -> Event:
    return Event(detail_type="Message Status Changed", detail={"message_id": message_id, "sequence": sequence})


class SlowClient:
    """Answers a call when a number of them are under way, and not at once. Records the begin and the end of each."""

    def __init__(self, *, together: int = 1) -> None:
        self.together = Barrier(together, timeout=5)
        self.lock = Lock()
        self.steps: list[tuple[str, list[str]]] = []
        self.refused: set[str] = set()

    def put_events(self, *, Entries: Sequence[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        details = [json.loads(entry["Detail"]) for entry in Entries]
        names = [f"{detail['message_id']}#{detail['sequence']}" for detail in details]
        with self.lock:
            self.steps.append(("begin", names))
        self.together.wait()
        sleep(0.02)  # so that a call that does not wait for another one begins before the other ends
        with self.lock:
            self.steps.append(("end", names))
        return {"Entries": [{"ErrorCode": "InternalFailure"} if n in self.refused else {} for n in names]}

    def put(self, *events: Event) -> None:
        telemetry = RecordingTelemetry()
        EventBridgeBus(self, bus_name="bus", telemetry=telemetry, new_pool=ThreadPoolExecutor).put(events)

    def calls(self) -> list[list[str]]:
        return [names for step, names in self.steps if step == "begin"]


def test_events_of_different_messages_go_out_side_by_side() -> None:
    """Each call is answered only when four are under way."""
    client = SlowClient(together=4)

    client.put(*(change(f"m-{n}", 1) for n in range(40)))

    assert sorted(len(names) for names in client.calls()) == [10, 10, 10, 10]


@pytest.mark.parametrize(
    ("sequence", "calls"),
    [
        pytest.param([(f"m-{n}", s) for n in range(33) for s in (1, 2, 3)], 10, id="one message after the other"),
        pytest.param([(f"m-{n}", s) for s in (1, 2, 3) for n in range(33)], 10, id="one status after the other"),
        pytest.param([("m-1", s) for s in range(1, 24)], 3, id="one message alone"),
        pytest.param([("m-1", 1), *((f"x-{n}", 1) for n in range(20)), ("m-1", 2)], 3, id="far apart"),
    ],
)
def test_event_leaves_after_the_earlier_ones_of_its_message_in_full_calls(
    sequence: list[tuple[str, int]], calls: int
) -> None:
    client = SlowClient()

    client.put(*(change(*each) for each in sequence))

    assert len(client.calls()) == calls
    ended: list[str] = []
    for step, names in client.steps:
        for place, name in enumerate(names):
            message_id, _, number = name.partition("#")
            earlier = {f"{message_id}#{n}" for n in range(1, int(number))}
            assert step == "end" or earlier <= {*ended, *names[:place]}
        ended += names if step == "end" else []
    assert sorted(ended) == sorted(f"{message_id}#{number}" for message_id, number in sequence)


def test_event_whose_predecessor_was_not_taken_does_not_leave() -> None:
    client = SlowClient()
    client.refused = {"m-1#1"}

    with pytest.raises(UnavailableError, match=r"^events: not accepted$"):
        client.put(change("m-1", 1), *(change(f"x-{n}", 1) for n in range(19)), change("m-1", 2))

    assert all("m-1#2" not in names for names in client.calls())


# --- refusals: moto makes none ----------------------------------------------------------------------------------------


@pytest.fixture
def stubber(bus: Bus) -> Iterator[Stubber]:
    with Stubber(bus.client) as stubber:
        yield stubber


def answer(count: int, *refused: int) -> dict[str, Any]:
    """Return the answer to so many events, with the positions that were refused."""
    entries = [{"ErrorCode": "InternalFailure"} if n in refused else {"EventId": str(n)} for n in range(count)]
    return {"FailedEntryCount": len(refused), "Entries": entries}


@covers("D8")
def test_refused_event_is_sent_once_more_with_all_that_followed_it(bus: Bus, stubber: Stubber) -> None:
    for each in (answer(10, 3, 5), answer(7), answer(2)):
        stubber.add_response("put_events", each)

    bus.put(events(12))

    assert bus.numbers() == [list(range(10)), list(range(3, 10)), [10, 11]]


@covers("D8", "E2")
@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([answer(10, 3), answer(7, 0)], [list(range(10)), list(range(3, 10))]),
        (["ServiceUnavailable"], [list(range(10))]),
        ([answer(10, 3), "ThrottlingException"], [list(range(10)), list(range(3, 10))]),
    ],
    ids=["refused twice", "an outage", "an outage after a refusal"],
)
def test_no_event_overtakes_one_that_was_not_taken(
    bus: Bus, stubber: Stubber, answers: list[dict[str, Any] | str], calls: list[list[int]]
) -> None:
    for each in answers:
        if isinstance(each, str):
            stubber.add_client_error("put_events", each)
        else:
            stubber.add_response("put_events", each)

    with pytest.raises(UnavailableError, match=r"^events: "):
        bus.put(events(12))

    assert bus.numbers() == calls


def test_bus_that_does_not_exist_is_unavailable(aws: Aws) -> None:
    with pytest.raises(UnavailableError, match=r"^events: ResourceNotFoundException$"):
        EventBridgeBus(
            aws.client("events"), bus_name="nowhere", telemetry=RecordingTelemetry(), new_pool=InlinePool
        ).put(events(1))


def test_outage_is_unavailable(bus: Bus) -> None:
    bus.calls.cut()

    with pytest.raises(UnavailableError, match=r"^events: EndpointConnectionError$"):
        bus.put(events(1))


# --- events that are never accepted -------------------------------------------------------------------------------


def test_event_that_is_too_large_does_not_block_the_others(bus: Bus) -> None:
    large = Event(detail_type="Message Received", detail={"n": 1, "message_id": "m-1", "text": "x" * MAX_BATCH_BYTES})

    bus.put([*events(1), large, *events(3)[2:]])

    assert bus.numbers() == [[0, 2]]
    assert bus.telemetry.counts == {("EventRefused", None): 1}


def test_event_that_is_refused_for_good_does_not_block_the_others(bus: Bus, stubber: Stubber) -> None:
    refused = answer(10)
    refused["Entries"][3] = {"ErrorCode": "MalformedDetail"}
    for each in (refused, answer(2)):
        stubber.add_response("put_events", each)

    bus.put(events(12))

    assert bus.numbers() == [list(range(10)), [10, 11]]
    assert bus.telemetry.counts == {("EventRefused", None): 1}
