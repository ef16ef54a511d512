"""An operator turns sending off: messages wait, and are sent once after it is on again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from sampai.services.ports.queue import WakeUp
from tests.fakes import START, statuses
from tests.harness.application import Application, lost, nomsa_list, nomsa_taken, request, unreached
from tests.unit.application.providers import PROVIDERS, THAI, change_settings, new_application

EXPIRED = Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


def test_a_new_message_waits_while_sending_is_off() -> None:
    app = new_application(sending_enabled=False)

    unfinished = app.send(request())

    message = app.message()
    assert unfinished == []
    assert app.transport.requests == []
    assert (statuses(message), message.failure, message.attempt) == ([Status.QUEUED], None, 0)
    assert message.due_at == START + timedelta(seconds=180)
    assert app.queue.wake_ups == [WakeUp(message_id="m-1", attempt=0, is_urgent=False, delay_seconds=60)]


def test_a_waiting_message_is_checked_repeatedly_without_further_events() -> None:
    app = new_application(sending_enabled=False)
    app.send(request())

    for _ in range(30):
        app.clock.advance(minutes=2)
        app.resume()
        app.follow_up()

    assert app.transport.requests == []
    assert statuses(app.message()) == [Status.QUEUED]
    assert app.sequences() == [1]


def _send_new(app: Application) -> None:
    change_settings(app, sending_enabled=False)
    app.send(request())


def _schedule(app: Application) -> None:
    app.send(request(send_at="2026-11-21T10:05:00Z"))
    change_settings(app, sending_enabled=False)
    app.clock.advance(minutes=5)
    app.resume()


def _fail_first_attempt(app: Application) -> None:
    app.transport.replies = [unreached()]
    app.send(request())
    change_settings(app, sending_enabled=False)
    app.clock.advance(seconds=5)
    app.resume()


def _lose_answer(app: Application) -> None:
    app.transport.replies = [lost(), nomsa_list(), nomsa_list()]
    app.send(request(on_unknown="resend"))
    change_settings(app, sending_enabled=False)
    for _ in range(2):
        app.clock.advance(minutes=2)
        app.follow_up()
    app.resume()


@pytest.mark.parametrize("make_message_wait", [_send_new, _schedule, _fail_first_attempt, _lose_answer])
def test_a_waiting_message_is_sent_once_after_sending_is_on_again(
    make_message_wait: Callable[[Application], None],
) -> None:
    app = new_application()
    make_message_wait(app)
    before = len(app.transport.requests)
    assert app.message().status is Status.QUEUED
    assert app.message().due_at is not None

    app.transport.replies = [nomsa_taken()]
    app.clock.advance(minutes=10)
    app.follow_up()
    app.resume()
    assert len(app.transport.requests) == before

    change_settings(app)
    app.clock.advance(minutes=10)
    app.follow_up()
    app.resume()
    assert app.message().status is Status.ACCEPTED
    assert len(app.transport.requests) == before + 1


def test_a_message_waits_while_sending_and_its_provider_are_off() -> None:
    app = new_application(sending_enabled=False)
    app.send(request())
    change_settings(app, sending_enabled=False, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    app.clock.advance(minutes=3)
    app.follow_up()
    app.resume()

    assert (app.message().status, app.message().failure) == (Status.QUEUED, None)


def test_a_message_fails_if_only_its_provider_is_off() -> None:
    app = new_application(sending_enabled=False)
    app.send(request())
    change_settings(app, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    app.clock.advance(minutes=3)
    app.follow_up()
    app.resume()

    assert app.message().failure == Failure(
        reason=Reason.UNROUTABLE, detail="provider: turned off or without credentials"
    )


def test_while_sending_is_off_a_message_expires() -> None:
    app = new_application(sending_enabled=False)
    app.send(request(expires_at="2026-11-21T10:05:00Z"))

    app.clock.advance(minutes=5)
    app.follow_up()

    assert statuses(app.message()) == [Status.QUEUED, Status.FAILED]
    assert app.message().failure == EXPIRED


def stop(app: Application, hours: float) -> None:
    """Turn sending off for some hours, with a run of the follow-up at the end, and turn it on again."""
    change_settings(app, sending_enabled=False)
    app.follow_up()
    app.resume()
    app.clock.advance(hours=hours)
    app.follow_up()
    app.resume()
    change_settings(app)


@pytest.mark.parametrize("stops", [[80.0], [30.0, 30.0, 30.0]], ids=["one", "three"])
def test_time_under_a_stop_does_not_count_towards_the_horizon(stops: list[float]) -> None:
    app = new_application(sending_enabled=False)
    app.transport.replies = [unreached()]
    app.send(request())
    for hours in stops:
        stop(app, hours)
        app.clock.advance(minutes=2)
        app.follow_up()
        app.resume()
    assert app.message().status is Status.QUEUED

    app.clock.advance(hours=71)
    app.follow_up()
    app.resume()
    assert app.message().status is Status.QUEUED

    app.clock.advance(hours=2)
    app.follow_up()
    assert app.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no connection: refused")


def test_message_that_has_not_met_a_stop_does_not_fail_during_it() -> None:
    app = new_application()
    app.transport.replies = [unreached()]
    app.send(request())
    change_settings(app, sending_enabled=False)

    app.clock.advance(hours=80)
    app.follow_up()

    assert app.message().status is Status.QUEUED


def test_a_message_can_be_canceled_and_a_sent_one_polled_while_sending_is_off() -> None:
    app = new_application()
    app.send(request("m-2"))
    change_settings(app, sending_enabled=False)
    app.send(request("m-1"))

    app.send('{"cancel": "m-1"}')
    app.clock.advance(minutes=1)
    app.follow_up()

    assert app.message("m-1").status is Status.CANCELED
    assert {sent.method for sent in app.transport.requests[1:]} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipient": "+855"}, Reason.INVALID_REQUEST),
        ({"recipient": THAI}, Reason.UNROUTABLE),
        ({"channel": "whatsapp", "provider": "nomsa"}, Reason.UNSUPPORTED),
    ],
)
def test_an_unsendable_message_fails_at_once_while_sending_is_off(changes: dict[str, Any], reason: Reason) -> None:
    app = new_application(sending_enabled=False, routes={})

    app.send(request(**changes))

    assert app.failure_reason() is reason


def test_wait_for_the_rate_limit_after_a_stop_counts_towards_the_horizon() -> None:
    limited = PROVIDERS | {"nomsa": {"max_per_second": 1}}
    app = new_application(sending_enabled=False, providers=limited)
    app.send(request())
    app.clock.advance(hours=80)
    change_settings(app, providers=limited)
    app.limiter.is_busy = True
    app.follow_up()
    app.resume()
    assert app.message().status is Status.QUEUED

    app.clock.advance(hours=73)
    app.follow_up()

    assert app.failure_reason() is Reason.PROVIDER_ERROR
