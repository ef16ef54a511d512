"""A run of follow-up: it processes every due message, whatever the state of the message."""

from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from threading import Barrier
from typing import Any

import pytest

from benchmarks.growth import accepted_message
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.status import Source, Status
from sampai.services.follow_up.service import FollowUpService
from sampai.services.ports.configuration import Secret
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.messages import ONLY_WORKER, DueFamily, Replace, Worker
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import START, InlinePool, InMemoryStore, statuses
from tests.harness.application import (
    Application,
    lost,
    nomsa_list,
    nomsa_taken,
    request,
    smspoh_history,
    smspoh_taken,
    unreached,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_a_poll_applies_the_final_status() -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())
    assert app.follow_up() == 0

    app.clock.advance(seconds=60)

    assert app.follow_up() == 1
    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert app.message().history[-1].source is Source.POLL
    assert app.follow_up() == 0


def test_a_final_message_is_not_polled() -> None:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    app.clock.advance(hours=1)

    assert app.follow_up() == 0
    assert len(app.transport.requests) == 1


def test_a_provider_without_credentials_is_not_called() -> None:
    app = Application(nomsa_taken("145"))
    app.send(request())
    calls = len(app.transport.requests)
    app.secret.secret = Secret()

    app.clock.advance(seconds=60)
    assert app.follow_up() == 1
    assert (app.message().status, app.message().due_at) == (Status.ACCEPTED, app.clock() + timedelta(seconds=60))

    app.clock.advance(hours=72)
    app.follow_up()
    assert app.message().status is Status.UNCONFIRMED
    assert len(app.transport.requests) == calls


@pytest.mark.parametrize("passed", [timedelta(seconds=60), timedelta(hours=73)])
def test_a_message_that_nobody_had_time_to_ask_about_keeps_its_place(passed: timedelta) -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())
    app.clock.now += passed
    before = app.message()
    seconds_left = chain(repeat(30.0, 5), repeat(17.0))

    assert app.follower.run(remaining=lambda: next(seconds_left)) == 1
    assert (app.message(), len(app.transport.requests)) == (before, 1)

    app.follow_up()
    assert app.message().status is Status.DELIVERED


@covers("P17", "L1")
def test_two_overlapping_runs_have_the_result_of_one() -> None:
    def overlap(_: HttpRequest) -> HttpResponse:
        app.transport.replies = [nomsa_taken("145", **DELIVERED)]
        app.follow_up()
        return nomsa_taken("145", status="SENT")

    app = Application(nomsa_taken("145"), overlap)
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert app.sequences() == [1, 2, 3]


@covers("E1", "E3")
def test_a_message_has_a_due_time_until_it_is_final() -> None:
    app = Application(unreached(), lost(), nomsa_list())
    app.send(request("a"), request("b"))
    for _ in range(400):
        assert all((m.due_at is None) == m.status.is_final for m in app.store.messages.values())
        app.clock.advance(minutes=17)
        app.follow_up()
        app.resume()

    assert all(m.status.is_final for m in app.store.messages.values())


# --- the size of a run -----------------------------------------------------------------------------------------

DUE = 250


class CountingStore(InMemoryStore):
    """Records each read: its name, the number of keys or the limit, and the number of results."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int, int]] = []

    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        found = super().due(now, limit, family=family, worker=worker)
        self.reads.append((f"due {family}", limit, len(found)))
        return found

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        found = super().read(message_ids)
        self.reads.append(("messages", len(message_ids), len(found)))
        return found

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        found = super().find_correlations(keys)
        self.reads.append(("correlations", len(keys), len(found)))
        return found


def run_with(in_flight: int) -> tuple[list[tuple[str, int, int]], list[int], int]:
    """Return the reads of a run, the number of writes in each commit, and the number of vendor calls."""
    app, store = Application(nomsa_list()), CountingStore()
    now = app.clock()
    messages = [
        *(accepted_message(f"due-{n}", "nomsa", at=now - timedelta(seconds=n), due_at=now) for n in range(DUE)),
        *(
            accepted_message(f"flight-{n}", "nomsa", at=now, due_at=now + timedelta(seconds=1 + n))
            for n in range(in_flight)
        ),
    ]
    store.messages = {message.message_id: message for message in messages}
    service = FollowUpService(
        messages=store,
        correlations=store,
        queue=app.queue,
        transport=app.transport,
        settings=app.settings,
        secret=app.secret,
        clock=app.clock,
        telemetry=app.telemetry,
        webhook_base_url="https://hooks.example.net",
        new_pool=InlinePool,
        limiter=app.limiter,
        sleep=app.sleep,
    )

    assert service.run(remaining=lambda: 50.0) == DUE

    return store.reads, [len(writes) for writes in store.commits], len(app.transport.requests)


def test_the_cost_of_a_run_does_not_depend_on_the_messages_in_flight() -> None:
    assert run_with(10_000) == run_with(10)


# --- items that cannot be read, and the age of due messages -------------------------------------------------------


def test_unreadable_items_do_not_stop_the_run_and_are_not_first_for_ever() -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())
    app.store.unreadable = {f"paused-{n}": START for n in range(3)}
    app.clock.advance(seconds=60)

    assert app.follow_up() == 4

    assert app.message().status is Status.DELIVERED
    assert set(app.store.unreadable.values()) == {app.clock() + timedelta(hours=1)}
    assert app.follow_up() == 0


def test_unreadable_items_that_cannot_be_postponed_do_not_stop_the_run() -> None:
    class Stuck(InMemoryStore):
        def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
            raise UnavailableError("down")

    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED), store=Stuck())
    app.send(request())
    app.store.unreadable = {"paused": START}
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.DELIVERED


@pytest.mark.parametrize(
    ("status", "broken"),
    [
        pytest.param(Status.ACCEPTED, {"lookups": -100}, id="a poll"),
        pytest.param(Status.SCHEDULED, {"created_at": datetime(2026, 11, 21)}, id="a wake-up"),  # noqa: DTZ001
        pytest.param(Status.SENDING, {"history": None}, id="an expired lease"),
    ],
)
def test_message_that_breaks_the_code_is_postponed_and_its_neighbours_are_followed_up(
    status: Status, broken: dict[str, Any]
) -> None:
    app = Application(nomsa_list())
    now = app.clock()
    good = [accepted_message(f"m-{n}", "nomsa", at=now, due_at=now) for n in range(9)]
    if status is not Status.ACCEPTED:
        good = [replace(message, status=status, provider_message_id=None) for message in good]
    app.store.messages = {message.message_id: message for message in good}
    app.store.messages["m-4"] = replace(good[4], **broken)

    assert app.follow_up() == 9

    changed = [message_id for message_id, message in app.store.messages.items() if message.revision > 2]
    assert changed == [f"m-{n}" for n in range(9) if n != 4]
    assert app.message("m-4").due_at == now + timedelta(hours=1)
    assert app.telemetry.counts["ItemUnreadable", None] == 1
    errors = [fields["message_ids"] for level, _, fields in app.telemetry.lines if level == "error"]
    assert errors == [["m-4"]]


def test_due_messages_and_the_age_of_the_oldest_in_seconds_are_measured_without_a_dimension() -> None:
    app = Application(nomsa_taken("145"), nomsa_list())
    app.send(request())

    app.follow_up()
    assert app.telemetry.measures == {("OldestDueAge", None, None): 0.0, ("DueMessages", None, None): 0}

    app.clock.advance(seconds=60 + 700)
    app.follow_up()
    assert app.telemetry.measures == {("OldestDueAge", None, None): 700.0, ("DueMessages", None, None): 1}


# --- order and workers --------------------------------------------------------------------------------------------


def test_wake_ups_and_leases_come_before_the_polls_that_are_due_longer() -> None:
    app = Application(nomsa_list())
    now = app.clock()
    polls = [accepted_message(f"poll-{n}", "nomsa", at=now, due_at=now - timedelta(hours=1)) for n in range(250)]
    waiting = replace(polls[0], message_id="waiting", status=Status.QUEUED, provider_message_id=None, due_at=now)
    leased = replace(waiting, message_id="leased", status=Status.SENDING)
    app.store.messages = {message.message_id: message for message in (*polls, waiting, leased)}

    app.follow_up()

    changed = [
        write.message.message_id for writes in app.store.commits for write in writes if isinstance(write, Replace)
    ]
    assert set(changed[:2]) == {"waiting", "leased"}
    assert len(changed) == 252


def first_looks(count: int, *, at: datetime) -> list[Message]:
    """Return messages that a vendor has taken, all due at an instant."""
    return [accepted_message(f"look-{n:05}", "nomsa", at=at - timedelta(minutes=1), due_at=at) for n in range(count)]


def stored(app: Application) -> list[str]:
    """Return the ids of the changed messages, in order."""
    return [write.message.message_id for writes in app.store.commits for write in writes if isinstance(write, Replace)]


def test_wake_ups_and_leases_never_wait_behind_first_looks_and_these_are_read_once() -> None:
    app = Application(nomsa_list(), store=(store := CountingStore()))
    now = app.clock()
    looks = first_looks(10_000, at=now - timedelta(hours=1))
    waiting = replace(looks[0], message_id="waiting", status=Status.QUEUED, provider_message_id=None, due_at=now)
    leased = replace(waiting, message_id="leased", status=Status.SENDING)
    store.messages = {message.message_id: message for message in (*looks, waiting, leased)}

    app.follow_up()

    changed = stored(app)
    assert changed[:2] == ["waiting", "leased"]
    assert len(changed) == 10_002
    read = Counter(name for name, _, _ in store.reads)
    assert sum(keys for name, keys, _ in store.reads if name == "messages") == 10_002
    assert (read["due waiting"], read["due claimed"], read["due polled"]) == (1, 3, 1)


def test_backlog_of_first_looks_leaves_half_of_the_time_for_the_vendors() -> None:
    """A run reads until half of its time is left, and then asks about the messages that it has read."""
    app = Application(nomsa_list(), store=(store := CountingStore()))
    store.messages = {message.message_id: message for message in first_looks(3000, at=app.clock())}
    seconds = 50.0

    def remaining() -> float:
        nonlocal seconds
        seconds -= 2 if len(stored(app)) == 0 and seconds > 30 else 0
        return seconds

    app.follower.run(remaining=remaining)

    assert 0 < len(stored(app)) < 3000


def test_first_looks_and_later_polls_take_turns() -> None:
    app = Application(nomsa_list())
    now = app.clock()
    looks = first_looks(600, at=now)
    polls = [replace(message, message_id=f"poll-{n}", lookups=1) for n, message in enumerate(looks[:600])]
    app.store.messages = {message.message_id: message for message in (*looks, *polls)}

    app.follow_up()

    families = [message_id.partition("-")[0] for message_id in stored(app)]
    assert families == (["look"] * 200 + ["poll"] * 200) * 3


@pytest.mark.parametrize("status", [Status.SENDING, Status.ACCEPTED], ids=["an expired lease", "a poll"])
def test_message_of_the_layout_without_families_is_followed_up(status: Status) -> None:
    class OneFamily(InMemoryStore):
        def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
            return ["m-1"] if family is DueFamily.WAITING and self.messages["m-1"].revision == 2 else []

    app = Application(nomsa_taken("145", **DELIVERED), store=OneFamily())
    message = accepted_message("m-1", "nomsa", at=app.clock(), due_at=app.clock())
    named = None if status is Status.SENDING else "145"
    app.store.messages["m-1"] = replace(message, status=status, provider_message_id=named)

    app.follow_up()

    assert app.message().status is (Status.UNKNOWN if status is Status.SENDING else Status.DELIVERED)


def test_worker_follows_up_its_share_of_the_messages() -> None:
    app = Application(nomsa_list())
    now = app.clock()
    messages = [accepted_message(f"m-{n}", "nomsa", at=now, due_at=now) for n in range(40)]
    app.store.messages = {message.message_id: message for message in messages}

    counts = [app.follower.run(remaining=lambda: 50.0, worker=Worker(index, 4)) for index in range(4)]

    assert sum(counts) == 40
    assert all(message.revision == 3 for message in app.store.messages.values())


def test_message_of_a_list_that_nobody_had_time_to_read_keeps_its_place() -> None:
    app = Application(smspoh_taken("AA-1", "m-1"), smspoh_taken("AA-2", "m-2"), smspoh_history())
    for name in ("m-1", "m-2"):
        app.send(request(name, home="smspoh", recipient=f"+9597777777{name[-1]}0"))
        app.clock.advance(hours=2)  # too far apart for one list
    before = dict(app.store.messages)
    # The time is over after the call for the first number.
    asked = len(app.transport.requests)

    app.follower.run(remaining=lambda: 30.0 if len(app.transport.requests) == asked else 17.0)

    moved = {name for name, message in app.store.messages.items() if message != before[name]}
    assert len(app.transport.requests) == asked + 1
    assert moved == {"m-1"}


def test_slow_vendor_does_not_keep_another_waiting() -> None:
    """Both vendors are asked at the same time: each one's answer waits for the other's call."""
    together = Barrier(2, timeout=5)

    def answer(sent: HttpRequest) -> HttpResponse:
        together.wait()
        return nomsa_taken("145", **DELIVERED) if "nomsa" in sent.url else smspoh_history()

    app = Application(nomsa_taken("145"), smspoh_taken("AA-1", "m-2"), answer)
    app.send(request())
    app.send(request("m-2", home="smspoh"))
    app.clock.advance(minutes=3)
    service = FollowUpService(
        messages=app.store,
        correlations=app.store,
        queue=app.queue,
        transport=app.transport,
        settings=app.settings,
        secret=app.secret,
        clock=app.clock,
        telemetry=app.telemetry,
        webhook_base_url="https://hooks.example.net",
        new_pool=ThreadPoolExecutor,
        limiter=app.limiter,
        sleep=app.sleep,
    )

    assert service.run(remaining=lambda: 50.0) == 2

    assert app.message().status is Status.DELIVERED
