"""Waking messages that wait: scheduled ones, and queued ones with a lost wake-up."""

from datetime import timedelta

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import House, nomsa_taken, request, unreached


@covers("P1")
def test_a_message_with_a_lost_wake_up_is_woken_again() -> None:
    house = House(unreached(), nomsa_taken())
    house.send(request())
    house.queue.wake_ups.clear()

    house.clock.advance(seconds=200)
    house.follow_up()
    house.resume()

    assert house.message().status is Status.ACCEPTED


def test_a_scheduled_message_is_sent_at_its_time() -> None:
    house = House()
    house.send(request(send_at="2026-11-22T10:00:00Z"))

    house.clock.now = START + timedelta(days=1)
    house.follow_up()
    house.resume()

    assert statuses(house.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


@covers("I7")
def test_a_waiting_message_that_has_expired_fails() -> None:
    house = House(unreached())
    house.send(request(expires_at="2026-11-21T10:01:00Z"))
    house.queue.wake_ups.clear()

    house.clock.advance(seconds=200)
    house.follow_up()

    assert house.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


@covers("V8", "E1", "E2")
def test_a_message_fails_at_the_horizon_if_its_provider_stays_down() -> None:
    house = House(unreached())
    house.send(request())

    for _ in range(200):
        house.clock.advance(minutes=30)
        house.follow_up()
        house.resume()

    assert house.message().status is Status.FAILED
    assert house.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no connection: refused")
    assert house.message().due_at is None
    assert house.sequences() == list(range(1, house.message().sequence + 1))


def test_a_queue_outage_leaves_the_wake_up_to_the_next_run() -> None:
    house = House(unreached(), nomsa_taken())
    house.send(request())
    house.queue.wake_ups.clear()
    house.queue.is_down = True
    house.clock.advance(seconds=200)
    house.follow_up()
    assert [line for level, line, _ in house.telemetry.lines if level == "warning"][-1] == "wake-ups not queued"

    house.queue.is_down = False
    house.clock.advance(seconds=200)
    house.follow_up()
    house.resume()

    assert house.message().status is Status.ACCEPTED
