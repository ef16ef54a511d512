"""Outages of AWS: they cost time, and no message that was not sent becomes `unknown` or a dead letter."""

import json
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from sampai.contract.settings import Settings
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports.messages import Insert, Write, WriteResult
from sampai.services.ports.queue import CarriedOutcome, Receipt
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from sampai.services.send.batch import Batch, Record
from tests.fakes import statuses
from tests.harness.application import Application, nomsa_taken, request
from tests.template import template

SILENT_CALL_SECONDS: Final = 4.6
"""Two tries of two seconds each, and the pause between them."""

THROTTLED: Final = HttpResponse(status=429, headers={"retry-after": "7"}, body=b"{}")


def silence_store(app: Application, seconds: float, *, keeps_writes: bool) -> None:
    """Let the store answer nothing for some seconds from now. `keeps_writes`: it makes the writes all the same."""
    until = app.clock.now.timestamp() + seconds
    commit, read = app.store.commit, app.store.read

    def is_silent() -> bool:
        if app.clock.now.timestamp() >= until:
            return False
        app.clock.advance(seconds=SILENT_CALL_SECONDS)
        return True

    def commit_in_silence(writes: Sequence[Write]) -> list[WriteResult]:
        if not writes or not is_silent():
            return commit(writes)
        if keeps_writes:
            commit(writes)
        return [WriteResult(done=False) for _ in writes]

    def read_in_silence(message_ids: Sequence[str]) -> dict[str, Message]:
        if is_silent():
            raise UnavailableError("silent")
        return read(message_ids)

    app.store.commit = commit_in_silence  # type: ignore[method-assign]
    app.store.read = read_in_silence  # type: ignore[method-assign, assignment]


def then_silence(
    app: Application, reply: HttpResponse, seconds: float, *, keeps_writes: bool = False
) -> Callable[[HttpRequest], HttpResponse | NoResponse]:
    """Return a reply of the vendor after which the store is silent."""

    def answer(_: HttpRequest) -> HttpResponse:
        silence_store(app, seconds, keeps_writes=keeps_writes)
        return reply

    return answer


@pytest.mark.parametrize("keeps_writes", [True, False])
def test_a_message_is_sent_once_after_the_store_was_silent_for_nine_seconds(keeps_writes: bool) -> None:
    app = Application()
    silence_store(app, 9, keeps_writes=keeps_writes)

    assert app.send(request("m-1"), request("m-2", "smspoh")) == []

    assert statuses(app.message("m-1"))[:2] == [Status.SENDING, Status.ACCEPTED]
    assert len(app.transport.requests) == 2


def test_a_claim_is_released_if_the_store_answers_too_late_for_a_call() -> None:
    app = Application()
    silence_store(app, 15, keeps_writes=True)

    assert app.send(request()) == []
    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED]
    app.clock.advance(seconds=6)

    assert app.resume() == []
    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
    assert len(app.transport.requests) == 1


def test_a_request_comes_back_if_its_claim_was_never_stored() -> None:
    app = Application()
    silence_store(app, 15, keeps_writes=False)

    assert app.send(request()) == ["r-1"]
    assert app.store.messages == {}
    assert app.resume() == []  # the outcome of a claim that does not exist

    app.send(request())
    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED]


@pytest.mark.parametrize("lease_ends_first", [True, False])
def test_a_silent_store_leaves_a_claim_to_the_next_worker_which_knows_that_nothing_was_sent(
    lease_ends_first: bool,
) -> None:
    app = Application()
    silence_store(app, 29, keeps_writes=True)
    assert app.send(request()) == ["r-1"]
    assert [json.loads(body)["outcome_of"] for body in app.queue.bodies()] == ["m-1"]
    carried = app.queue.bodies()
    app.clock.advance(seconds=61)
    if lease_ends_first:
        app.follow_up()
        assert app.message().status is Status.UNKNOWN

    assert app.send(*carried, *carried) == []
    assert app.message().status is Status.QUEUED
    app.queue.wake_ups = [wake_up for wake_up in app.queue.wake_ups if not isinstance(wake_up, CarriedOutcome)]
    app.clock.advance(seconds=6)
    app.resume()

    assert app.message().status is Status.ACCEPTED
    assert len(app.transport.requests) == 1
    assert (Status.UNKNOWN in statuses(app.message())) is lease_ends_first


@pytest.mark.parametrize("keeps_writes", [True, False])
def test_a_refusal_is_stored_after_nine_seconds_without_the_store(keeps_writes: bool) -> None:
    app = Application()
    app.transport.replies = [then_silence(app, THROTTLED, 9, keeps_writes=keeps_writes)]

    assert app.send(request()) == []

    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED]
    assert [wake_up.message_id for wake_up in app.queue.wake_ups] == ["m-1"]


CARRIED = [
    ("refused", THROTTLED, Status.QUEUED, None),
    ("accepted", nomsa_taken("v-1"), Status.ACCEPTED, "v-1"),
]


@pytest.mark.parametrize("lease_ends_first", [True, False])
@pytest.mark.parametrize(
    ("reply", "status", "provider_message_id"), [c[1:] for c in CARRIED], ids=[c[0] for c in CARRIED]
)
def test_a_known_outcome_reaches_a_store_that_stays_silent_through_the_queue(
    reply: HttpResponse, status: Status, provider_message_id: str | None, lease_ends_first: bool
) -> None:
    app = Application()
    app.transport.replies = [then_silence(app, reply, 60)]
    assert app.send(request()) == []
    (body,) = app.queue.bodies()
    assert not [text for text in ("Your code", "85591234510") if text in body]
    app.clock.advance(seconds=61)
    if lease_ends_first:
        app.follow_up()

    assert app.resume() == []

    assert (app.message().status, app.message().provider_message_id) == (status, provider_message_id)
    assert [request.method for request in app.transport.requests].count("POST") == 1


def test_a_carried_outcome_of_another_attempt_changes_nothing() -> None:
    app = Application()
    app.send(request())
    before = app.message()
    forged = {"outcome_of": "m-1", "attempt_id": "guessed", "taken": {"provider_message_id": "v-9"}}

    assert app.send(json.dumps(forged)) == []
    assert app.message() == before


def test_a_carried_outcome_comes_back_while_the_store_is_silent_and_is_not_queued_again() -> None:
    app = Application()
    app.transport.replies = [then_silence(app, THROTTLED, 60)]
    app.send(request())

    assert app.resume() == ["r-2"]
    assert app.queue.wake_ups == []


def test_a_record_comes_back_if_neither_the_store_nor_the_queue_takes_its_outcome() -> None:
    app = Application()
    app.transport.replies = [then_silence(app, THROTTLED, 60)]
    app.queue.is_down = True

    assert app.send(request()) == ["r-1"]


# --- no dead letters ------------------------------------------------------------------------------------------------

QUEUES: Final = {name: template()["Resources"][name]["Properties"] for name in ("SendQueue", "UrgentQueue")}
OUTAGE_SECONDS: Final = 15 * 60


def deliveries(app: Application, queue: str, until: float) -> list[float]:
    """Deliver a request as a queue of the template does, until it is done, a dead letter or it is late."""
    visibility = QUEUES[queue]["VisibilityTimeout"]
    maximum = QUEUES[queue]["RedrivePolicy"]["maxReceiveCount"]
    started, times = app.clock.now, []
    for receives in range(1, maximum + 1):
        times.append((app.clock.now - started).total_seconds())
        record = Record(
            record_id="r-1", body=request(), receipt=Receipt(queue_name=queue, handle="h-1"), receives=receives
        )
        app.queue.postponed.clear()
        began = app.clock.now
        unfinished = app.sender.handle(
            [record],
            remaining=lambda began=began: 30 - (app.clock.now - began).total_seconds(),  # type: ignore[misc]
        )
        if not unfinished or times[-1] > until:
            return times
        app.clock.advance(seconds=app.queue.postponed.get("h-1", visibility))
    return [*times, (app.clock.now - started).total_seconds()]


def stop_settings(app: Application) -> None:
    app.settings.is_down = True


def break_settings(app: Application) -> None:
    def break_down() -> Settings:
        raise ZeroDivisionError

    app.settings.current = break_down  # type: ignore[method-assign]


def stop_tables(app: Application) -> None:
    app.store.is_down = app.directory.is_down = app.media.is_down = True


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("stop", [stop_settings, break_settings, stop_tables])
def test_fifteen_minutes_without_settings_or_tables_make_no_dead_letter(
    stop: Callable[[Application], None], queue: str
) -> None:
    app = Application()
    stop(app)

    times = deliveries(app, queue, until=OUTAGE_SECONDS)

    assert times[-1] > OUTAGE_SECONDS
    assert len(times) <= QUEUES[queue]["RedrivePolicy"]["maxReceiveCount"]
    assert times[1] <= 120, "a short outage delays a message by more than two minutes"


@pytest.mark.parametrize("queue", QUEUES)
def test_a_record_that_breaks_the_code_is_a_dead_letter_within_half_an_hour(queue: str) -> None:
    app = Application()

    def break_down(_: Sequence[Write]) -> None:
        raise OverflowError

    app.store.before_commit = break_down

    times = deliveries(app, queue, until=24 * 3600)

    assert len(times) == QUEUES[queue]["RedrivePolicy"]["maxReceiveCount"] + 1
    assert times[-1] <= 30 * 60


# --- one bad record -------------------------------------------------------------------------------------------------

NAMES: Final = [f"m-{number}" for number in range(1, 11)]


def break_store(app: Application) -> None:
    """Let the item of the fifth message break every commit that holds it, as a date that cannot be stored does."""

    def refuse(writes: Sequence[Write]) -> None:
        if any(isinstance(write, Insert) and write.message.message_id == "m-5" for write in writes):
            raise OverflowError

    app.store.before_commit = refuse


def break_stage(name: str, method: str) -> Callable[[Application], None]:
    """Let the fifth message break a stage before the claim."""

    def breaks(app: Application) -> None:
        stage = getattr(app.sender.stages, name)
        work = getattr(stage, method)

        def broken(batch: Batch) -> None:
            if any("m-5" in record.body for record, _ in batch.requests):
                raise ZeroDivisionError
            work(batch)

        setattr(stage, method, broken)

    return breaks


BREAKS: Final = [
    ("its item", break_store),
    ("commands", break_stage("commands", "execute")),
    ("admission", break_stage("admitter", "admit")),
    ("quotas", break_stage("quotas", "enforce")),
    ("pacing", break_stage("pacer", "reserve")),
]


@pytest.mark.parametrize("breaks", [b[1] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_nine_neighbours_of_a_record_that_breaks_something_are_sent(breaks: Callable[[Application], None]) -> None:
    app = Application(*(nomsa_taken(f"v-{number}") for number in range(1, 10)))
    breaks(app)

    unfinished = app.send(*map(request, NAMES))

    assert unfinished == ["r-5"]
    assert {name: message.status for name, message in app.store.messages.items()} == {
        name: Status.ACCEPTED for name in NAMES if name != "m-5"
    }
    assert len(app.transport.requests) == 9


AFTER_CLAIM: Final = [("pacer", "renew"), ("circuits", "record"), ("releases", "store"), ("outbox", "flush")]


@pytest.mark.parametrize(("stage", "method"), AFTER_CLAIM)
def test_a_stage_that_breaks_after_the_claim_keeps_no_outcome_from_the_store(stage: str, method: str) -> None:
    app = Application()

    def break_down(_: Batch) -> None:
        raise ZeroDivisionError

    setattr(getattr(app.sender.stages, stage), method, break_down)

    assert app.send(request()) == ["r-1"]

    assert app.message().status is Status.ACCEPTED
    assert [fields["error"] for _, line, fields in app.telemetry.lines if line == "stage failed"] == [
        "ZeroDivisionError"
    ]
