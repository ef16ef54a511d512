"""A run of follow-up: it processes every due message, whatever the state of the message."""

from collections.abc import Collection
from datetime import datetime, timedelta

from benchmarks.growth import accepted_message
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.status import Source, Status
from sampai.services.follow_up.service import FollowUpService
from sampai.services.ports.configuration import Secret
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import START, InlinePool, InMemoryStore, statuses
from tests.harness.application import (
    House,
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    request,
    smspoh_taken,
    unreached,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_a_poll_applies_the_final_status() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)))
    house.send(request())
    assert house.follow_up() == 0

    house.clock.advance(seconds=15)

    assert house.follow_up() == 1
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert house.message().history[-1].source is Source.POLL
    assert house.follow_up() == 0


def test_a_final_message_is_not_polled() -> None:
    house = House(smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    house.clock.advance(hours=1)

    assert house.follow_up() == 0
    assert len(house.transport.requests) == 1


def test_a_provider_without_credentials_is_not_called() -> None:
    house = House(nomsa_taken("145"))
    house.send(request())
    calls = len(house.transport.requests)
    house.secret.secret = Secret()

    house.clock.advance(seconds=15)
    assert house.follow_up() == 1
    assert (house.message().status, house.message().due_at) == (Status.ACCEPTED, house.clock() + timedelta(seconds=60))

    house.clock.advance(hours=72)
    house.follow_up()
    assert house.message().status is Status.UNCONFIRMED
    assert len(house.transport.requests) == calls


@covers("P17", "L1")
def test_two_overlapping_runs_have_the_result_of_one() -> None:
    def overlap(_: HttpRequest) -> HttpResponse:
        house.transport.replies = [nomsa_list(nomsa_row("145", **DELIVERED))]
        house.follow_up()
        return nomsa_list(nomsa_row("145", status="SENT"))

    house = House(nomsa_taken("145"), overlap)
    house.send(request())
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.DELIVERED
    assert house.sequences() == [1, 2, 3]


@covers("E1", "E3")
def test_a_message_has_a_due_time_until_it_is_final() -> None:
    house = House(unreached(), lost(), nomsa_list())
    house.send(request("a"), request("b"))
    for _ in range(400):
        assert all((m.due_at is None) == m.status.is_final for m in house.store.messages.values())
        house.clock.advance(minutes=17)
        house.follow_up()
        house.resume()

    assert all(m.status.is_final for m in house.store.messages.values())


# --- the size of a run -----------------------------------------------------------------------------------------

DUE = 250


class CountingStore(InMemoryStore):
    """Records each read: its name, the number of keys or the limit, and the number of results."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int, int]] = []

    def due(self, now: datetime, limit: int) -> list[str]:
        found = super().due(now, limit)
        self.reads.append(("due", limit, len(found)))
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
    house, store = House(nomsa_list()), CountingStore()
    now = house.clock()
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
        queue=house.queue,
        transport=house.transport,
        settings=house.settings,
        secret=house.secret,
        clock=house.clock,
        telemetry=house.telemetry,
        webhook_base_url="https://hooks.example.net",
        new_pool=InlinePool,
    )

    assert service.run(remaining=lambda: 50.0) == DUE

    return store.reads, [len(writes) for writes in store.commits], len(house.transport.requests)


def test_the_cost_of_a_run_does_not_depend_on_the_messages_in_flight() -> None:
    assert run_with(10_000) == run_with(10)


# --- items that cannot be read, and the age of due messages -------------------------------------------------------


def test_unreadable_items_do_not_stop_the_run_and_are_not_first_for_ever() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)))
    house.send(request())
    house.store.unreadable = {f"paused-{n}": START for n in range(3)}
    house.clock.advance(seconds=15)

    assert house.follow_up() == 4

    assert house.message().status is Status.DELIVERED
    assert set(house.store.unreadable.values()) == {house.clock() + timedelta(hours=1)}
    assert house.follow_up() == 0


def test_unreadable_items_that_cannot_be_postponed_do_not_stop_the_run() -> None:
    class Stuck(InMemoryStore):
        def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
            raise UnavailableError("down")

    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)), store=Stuck())
    house.send(request())
    house.store.unreadable = {"paused": START}
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.DELIVERED


def test_age_of_the_oldest_due_message_is_measured_in_seconds_without_a_dimension() -> None:
    house = House(nomsa_taken("145"), nomsa_list())
    house.send(request())

    house.follow_up()
    assert house.telemetry.measures == {("OldestDueAge", None, None): 0.0}

    house.clock.advance(seconds=15 + 700)
    house.follow_up()
    assert house.telemetry.measures == {("OldestDueAge", None, None): 700.0}
