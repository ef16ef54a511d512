"""The admission stage: one item for each message that a batch may send."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sampai.contract.events import request_rejected
from sampai.domain.message import Category
from sampai.domain.status import Status
from sampai.services.circuit_breakers import CircuitBreakers
from sampai.services.send.admitter import Admitter
from sampai.services.send.batch import Batch
from tests.fakes import CountedIds, InMemoryDirectory, InMemoryStore, RecordingTelemetry
from tests.harness.application import request
from tests.harness.sending import new_batch
from tests.unit.services.send.items import queued

PROMOTION = request("m-1", category=Category.PROMOTIONAL)
DETAIL = "message_id: already stands for a different request"


def wake_up(message_id: str = "m-1", attempt: int = 0) -> str:
    return json.dumps({"resume": message_id, "attempt": attempt})


class Stage:
    """The stage on fakes."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.directory = InMemoryDirectory()
        self.telemetry = RecordingTelemetry()
        self.admitter = Admitter(
            messages=self.store,
            eligibility=self.directory,
            circuit_breakers=CircuitBreakers(),
            new_id=CountedIds(),
            new_key=lambda: "key",
            telemetry=self.telemetry,
        )

    def admit(self, *bodies: str, settings: dict[str, Any] | None = None) -> Batch:
        batch = new_batch(*bodies, settings=settings)
        self.admitter.admit(batch)
        return batch


def summaries(batch: Batch) -> list[tuple[str, Status, list[str]]]:
    return [(item.message.message_id, item.message.status, item.record_ids) for item in batch.items]


BATCHES: list[tuple[str, Sequence[str], list[tuple[str, Status, list[str]]]]] = [
    ("nothing", [], []),
    ("a request", [request()], [("m-1", Status.SENDING, ["r-1"])]),
    ("the same request twice", [request(), request()], [("m-1", Status.SENDING, ["r-1", "r-2"])]),
    (
        "two requests",
        [request("m-1"), request("m-2")],
        [("m-1", Status.SENDING, ["r-1"]), ("m-2", Status.SENDING, ["r-2"])],
    ),
    ("an invalid request", [request(colour="red")], [("m-1", Status.FAILED, ["r-1"])]),
    ("an unreadable body", ["not json"], [("r-1", Status.FAILED, ["r-1"])]),
    ("a request without a route", [request(recipient="+819012345678")], [("m-1", Status.FAILED, ["r-1"])]),
    ("a command", [json.dumps({"cancel": "m-1"})], []),
    ("a wake-up", [wake_up("stored")], [("stored", Status.SENDING, ["r-1"])]),
    ("two wake-ups", [wake_up("stored"), wake_up("stored", 7)], [("stored", Status.SENDING, ["r-1", "r-2"])]),
    ("an old wake-up", [wake_up("stored", 7)], []),
    ("a wake-up for no message", [wake_up("missing")], []),
    (
        "a request and a wake-up",
        [wake_up("stored"), request()],
        [("m-1", Status.SENDING, ["r-2"]), ("stored", Status.SENDING, ["r-1"])],
    ),
]


@pytest.mark.parametrize(("bodies", "expected"), [b[1:] for b in BATCHES], ids=[b[0] for b in BATCHES])
def test_each_message_becomes_one_item(bodies: Sequence[str], expected: list[tuple[str, Status, list[str]]]) -> None:
    stage = Stage()
    stage.store.messages["stored"] = queued("stored")

    batch = stage.admit(*bodies)

    assert summaries(batch) == expected
    assert batch.unfinished == set()


def test_a_started_message_remembers_the_revision_that_was_read() -> None:
    stage = Stage()
    stage.store.messages["m-1"] = queued()

    (item,) = stage.admit(wake_up()).items

    assert (item.before, item.message.attempt_id, item.is_new) == (queued(), "id-1", False)


def test_a_new_message_remembers_its_draft_with_the_route() -> None:
    (item,) = Stage().admit(request()).items

    assert (item.before.revision, item.before.route, item.before.status) == (0, ("nomsa",), Status.QUEUED)


def test_another_request_under_the_same_id_is_rejected() -> None:
    stage = Stage()

    batch = stage.admit(request(), request(recipient="+85591234511"))

    assert summaries(batch) == [("m-1", Status.SENDING, ["r-1"])]
    assert (batch.rejected, batch.rejected_records) == ([request_rejected("m-1", "id_conflict", DETAIL)], {"r-2"})
    assert stage.telemetry.counts == {("IdConflict", None): 1}


def test_a_body_without_an_id_is_stored_under_its_record_and_reported() -> None:
    batch = Stage().admit("not json")

    detail = "body: not JSON in UTF-8"
    assert batch.rejected == [request_rejected("r-1", "invalid_request", detail)]


OUTAGES: list[tuple[str, str, Sequence[str], set[str], list[str]]] = [
    ("the directory, for a promotion", "directory", [PROMOTION, request("m-2")], {"r-1"}, ["m-2"]),
    ("the directory, for nothing that needs it", "directory", [request("m-1"), request("m-2")], set(), ["m-1", "m-2"]),
    ("the store, for a wake-up", "store", [wake_up("m-1"), request("m-2")], {"r-1"}, ["m-2"]),
]


@pytest.mark.parametrize(
    ("port", "bodies", "unfinished", "admitted"), [o[1:] for o in OUTAGES], ids=[o[0] for o in OUTAGES]
)
def test_an_outage_redelivers_only_the_records_that_depend_on_the_port(
    port: str, bodies: Sequence[str], unfinished: set[str], admitted: list[str]
) -> None:
    stage = Stage()
    getattr(stage, port).is_down = True

    batch = stage.admit(*bodies)

    assert batch.unfinished == unfinished
    assert [item.message.message_id for item in batch.items] == admitted


def test_a_promotion_that_waited_is_redelivered_while_the_directory_is_down() -> None:
    stage = Stage()
    stage.store.messages["m-1"] = queued(category=Category.PROMOTIONAL)
    stage.directory.is_down = True

    batch = stage.admit(wake_up())

    assert (batch.unfinished, batch.items) == ({"r-1"}, [])


def test_a_wake_up_that_starts_nothing_asks_nothing() -> None:
    stage = Stage()
    stage.store.messages["m-1"] = queued(category=Category.PROMOTIONAL)

    stage.admit(wake_up(attempt=7))

    assert stage.directory.asked == 0


def test_a_bug_in_one_request_leaves_the_others_alone() -> None:
    stage = Stage()
    ids = iter(["a-1"])

    def fail_first() -> str:
        if stage.telemetry.lines:
            return next(ids)
        raise ZeroDivisionError

    stage.admitter._new_id = fail_first

    batch = stage.admit(request("m-1"), request("m-2"))

    assert batch.unfinished == {"r-1"}
    assert [item.message.message_id for item in batch.items] == ["m-2"]
    assert stage.telemetry.lines == [
        ("error", "request not admitted", {"record_ids": ["r-1"], "error": "ZeroDivisionError"})
    ]
