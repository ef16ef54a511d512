"""Cancel, opt-out and opt-in requests."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, blank_message, cancel, fail
from sampai.domain.status import Source, Status
from sampai.services.ports.messages import Insert
from sampai.services.send.commands import Commands
from tests.fakes import START, FixedClock, InMemoryDirectory, InMemoryStore, RecordingTelemetry
from tests.harness.sending import new_batch
from tests.unit.services.send.items import claimed, queued

CANCEL = json.dumps({"cancel": "m-1"})
NUMBER = "+85591234510"


def commands(store: InMemoryStore, directory: InMemoryDirectory, telemetry: RecordingTelemetry) -> Commands:
    return Commands(messages=store, suppression_list=directory, clock=FixedClock(), telemetry=telemetry)


def execute(*bodies: str, store: InMemoryStore | None = None) -> tuple[set[str], InMemoryStore, RecordingTelemetry]:
    store, telemetry = store or InMemoryStore(), RecordingTelemetry()
    batch = new_batch(*bodies)
    commands(store, InMemoryDirectory(), telemetry).execute(batch)
    return batch.unfinished, store, telemetry


FAILED = fail(queued(), Failure(reason=Reason.EXPIRED), now=START, source=Source.SEND)

STORED = [
    ("no message", None, Status.CANCELED),
    ("queued", queued(), Status.CANCELED),
    ("scheduled", replace(queued(), status=Status.SCHEDULED), Status.CANCELED),
    ("sending", claimed(), Status.SENDING),
    ("accepted", replace(claimed(), status=Status.ACCEPTED), Status.ACCEPTED),
    ("failed", FAILED, Status.FAILED),
]


@pytest.mark.parametrize(("before", "status"), [s[1:] for s in STORED], ids=[s[0] for s in STORED])
def test_a_cancel_ends_only_a_message_that_waits(before: Message | None, status: Status) -> None:
    store = InMemoryStore()
    if before is not None:
        store.messages["m-1"] = before

    unfinished, _, telemetry = execute(CANCEL, store=store)

    assert (unfinished, store.messages["m-1"].status) == (set(), status)
    fields = {"message_id": "m-1", "status": status, "caller": None}
    assert telemetry.lines == ([] if before is None else [("info", "cancel requested", fields)])


def test_a_cancel_that_comes_first_stores_a_canceled_message_for_its_request_to_find() -> None:
    _, store, _ = execute(CANCEL, CANCEL)

    expected = cancel(blank_message("m-1", now=START), now=START)
    assert store.messages == {"m-1": expected}
    assert store.commits == [(Insert(message=expected),)]


def test_a_message_made_from_a_cancel_has_the_caller_of_the_first_cancel() -> None:
    store, telemetry = InMemoryStore(), RecordingTelemetry()

    for caller_id in ("AROASHOP", "AROABANK"):
        batch = new_batch(CANCEL, settings={"callers": {"AROASHOP": {"name": "shop"}}}, caller_id=caller_id)
        commands(store, InMemoryDirectory(), telemetry).execute(batch)

    assert store.messages["m-1"].caller == Caller(id="AROASHOP", name="shop")
    fields = {"message_id": "m-1", "status": Status.CANCELED, "caller": "AROABANK"}
    assert telemetry.lines == [("info", "cancel requested", fields)]


def test_a_cancel_that_is_not_stored_comes_back_and_leaves_the_others() -> None:
    store = InMemoryStore()
    store.outages.append(Insert)

    unfinished, store, _ = execute(CANCEL, CANCEL, json.dumps({"cancel": "m-2"}), store=store)

    assert unfinished == {"r-1", "r-2"}
    assert store.messages.keys() == {"m-2"}


@pytest.mark.parametrize(
    ("body", "is_out", "metric"),
    [({"opt_out": NUMBER}, True, "OptedOut"), ({"opt_in": NUMBER}, False, "OptedIn")],
    ids=["out", "in"],
)
def test_consent_has_the_time_at_which_its_record_was_queued(body: dict[str, str], is_out: bool, metric: str) -> None:
    directory, telemetry = InMemoryDirectory(), RecordingTelemetry()
    batch = new_batch(json.dumps(body))
    record, request = batch.requests[0]
    queued_at = START - timedelta(minutes=3)
    batch.requests = [(replace(record, sent_at=queued_at), request)]

    commands(InMemoryStore(), directory, telemetry).execute(batch)

    assert directory.consents == {NUMBER: (queued_at, is_out)}
    assert telemetry.counts == {(metric, None): 1}


OUT_AT_9, IN_AT_10 = {"opt_out": NUMBER, "at": "2026-11-20T09:00:00Z"}, {"opt_in": NUMBER, "at": "2026-11-20T10:00:00Z"}

WISHES = [
    ("an old opt-in that comes late", [{"opt_out": NUMBER}, IN_AT_10], True),
    ("a repeated old opt-out", [OUT_AT_9, IN_AT_10, OUT_AT_9], False),
    ("in the wrong order", [IN_AT_10, OUT_AT_9], False),
    ("an opt-in in the future", [{"opt_in": NUMBER, "at": "2027-01-01T00:00:00Z"}, {"opt_out": NUMBER}], True),
]


@pytest.mark.parametrize(("bodies", "is_out"), [w[1:] for w in WISHES], ids=[w[0] for w in WISHES])
def test_newest_wish_wins(bodies: list[dict[str, str]], is_out: bool) -> None:
    directory = InMemoryDirectory()

    for body in bodies:
        commands(InMemoryStore(), directory, RecordingTelemetry()).execute(new_batch(json.dumps(body)))

    assert directory.consents[NUMBER][1] is is_out


def test_consent_that_is_not_stored_comes_back_uncounted() -> None:
    directory, telemetry = InMemoryDirectory(), RecordingTelemetry()
    directory.is_down = True
    batch = new_batch(json.dumps({"opt_out": NUMBER}))

    commands(InMemoryStore(), directory, telemetry).execute(batch)

    assert (batch.unfinished, telemetry.counts) == ({"r-1"}, {})
