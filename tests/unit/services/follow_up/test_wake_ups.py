"""Waking messages that wait: scheduled ones, and queued ones with a lost wake-up."""

from datetime import timedelta

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import Application, nomsa_taken, request, unreached


@covers("P1")
def test_a_message_with_a_lost_wake_up_is_woken_again() -> None:
    app = Application(unreached(), nomsa_taken())
    app.send(request())
    app.queue.wake_ups.clear()

    app.clock.advance(seconds=200)
    app.follow_up()
    app.resume()

    assert app.message().status is Status.ACCEPTED


def test_run_leaves_a_message_alone_that_an_overlapping_run_has_woken() -> None:
    app = Application(unreached(), nomsa_taken())
    app.send(request())
    app.queue.wake_ups.clear()
    app.clock.advance(seconds=200)

    def overlap(_: object) -> None:
        app.store.before_commit = None
        app.clock.advance(seconds=1)
        app.follow_up()
        app.resume()

    app.store.before_commit = overlap
    app.follow_up()

    assert app.message().status is Status.ACCEPTED
    assert app.queue.wake_ups == []


def test_a_scheduled_message_is_sent_at_its_time() -> None:
    app = Application()
    app.send(request(send_at="2026-11-22T10:00:00Z"))

    app.clock.now = START + timedelta(days=1)
    app.follow_up()
    app.resume()

    assert statuses(app.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


@covers("I7")
def test_a_waiting_message_that_has_expired_fails() -> None:
    app = Application(unreached())
    app.send(request(expires_at="2026-11-21T10:01:00Z"))
    app.queue.wake_ups.clear()

    app.clock.advance(seconds=200)
    app.follow_up()

    assert app.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


@covers("V8", "E1", "E2")
def test_a_message_fails_at_the_horizon_if_its_provider_stays_down() -> None:
    app = Application(unreached())
    app.send(request())

    for _ in range(200):
        app.clock.advance(minutes=30)
        app.follow_up()
        app.resume()

    assert app.message().status is Status.FAILED
    assert app.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no connection: refused")
    assert app.message().due_at is None
    assert app.sequences() == list(range(1, app.message().sequence + 1))


def test_a_queue_outage_leaves_the_wake_up_to_the_next_run() -> None:
    app = Application(unreached(), nomsa_taken())
    app.send(request())
    app.queue.wake_ups.clear()
    app.queue.is_down = True
    app.clock.advance(seconds=200)
    app.follow_up()
    assert [line for level, line, _ in app.telemetry.lines if level == "warning"][-1] == "wake-ups not queued"

    app.queue.is_down = False
    app.clock.advance(seconds=200)
    app.follow_up()
    app.resume()

    assert app.message().status is Status.ACCEPTED
