"""An operator turns sending off: messages wait, and are sent once after it is on again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from sampai.services.ports.queue import WakeUp
from tests.fakes import START, statuses
from tests.harness.application import House, lost, nomsa_list, nomsa_taken, request, unreached
from tests.unit.application.providers import PROVIDERS, THAI, change_settings, new_application

EXPIRED = Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


def test_a_new_message_waits_while_sending_is_off() -> None:
    house = new_application(sending_enabled=False)

    unfinished = house.send(request())

    message = house.message()
    assert unfinished == []
    assert house.transport.requests == []
    assert (statuses(message), message.failure, message.attempt) == ([Status.QUEUED], None, 0)
    assert message.due_at == START + timedelta(seconds=180)
    assert house.queue.wake_ups == [WakeUp(message_id="m-1", attempt=0, is_urgent=False, delay_seconds=60)]


def test_a_waiting_message_is_checked_repeatedly_without_further_events() -> None:
    house = new_application(sending_enabled=False)
    house.send(request())

    for _ in range(30):
        house.clock.advance(minutes=2)
        house.resume()
        house.follow_up()

    assert house.transport.requests == []
    assert statuses(house.message()) == [Status.QUEUED]
    assert house.sequences() == [1]


def _send_new(house: House) -> None:
    change_settings(house, sending_enabled=False)
    house.send(request())


def _schedule(house: House) -> None:
    house.send(request(send_at="2026-11-21T10:05:00Z"))
    change_settings(house, sending_enabled=False)
    house.clock.advance(minutes=5)
    house.resume()


def _fail_first_attempt(house: House) -> None:
    house.transport.replies = [unreached()]
    house.send(request())
    change_settings(house, sending_enabled=False)
    house.clock.advance(seconds=5)
    house.resume()


def _lose_answer(house: House) -> None:
    house.transport.replies = [lost(), nomsa_list(), nomsa_list()]
    house.send(request(on_unknown="resend"))
    change_settings(house, sending_enabled=False)
    for _ in range(2):
        house.clock.advance(minutes=2)
        house.follow_up()
    house.resume()


@pytest.mark.parametrize("make_message_wait", [_send_new, _schedule, _fail_first_attempt, _lose_answer])
def test_a_waiting_message_is_sent_once_after_sending_is_on_again(
    make_message_wait: Callable[[House], None],
) -> None:
    house = new_application()
    make_message_wait(house)
    before = len(house.transport.requests)
    assert house.message().status is Status.QUEUED
    assert house.message().due_at is not None

    house.transport.replies = [nomsa_taken()]
    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()
    assert len(house.transport.requests) == before

    change_settings(house)
    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()
    assert house.message().status is Status.ACCEPTED
    assert len(house.transport.requests) == before + 1


def test_a_message_waits_while_sending_and_its_provider_are_off() -> None:
    house = new_application(sending_enabled=False)
    house.send(request())
    change_settings(house, sending_enabled=False, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    house.clock.advance(minutes=3)
    house.follow_up()
    house.resume()

    assert (house.message().status, house.message().failure) == (Status.QUEUED, None)


def test_a_message_fails_if_only_its_provider_is_off() -> None:
    house = new_application(sending_enabled=False)
    house.send(request())
    change_settings(house, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    house.clock.advance(minutes=3)
    house.follow_up()
    house.resume()

    assert house.message().failure == Failure(reason=Reason.UNROUTABLE, detail="provider: turned off")


@pytest.mark.parametrize(
    ("changes", "minutes", "failure"),
    [
        ({"expires_at": "2026-11-21T10:05:00Z"}, 5, EXPIRED),
        ({}, 72 * 60, Failure(reason=Reason.PROVIDER_ERROR, detail="no provider could be asked in time")),
    ],
)
def test_a_waiting_message_fails_only_after_its_time_limit(
    changes: dict[str, Any], minutes: int, failure: Failure
) -> None:
    house = new_application(sending_enabled=False)
    house.send(request(**changes))

    house.clock.advance(minutes=minutes)
    house.follow_up()

    assert statuses(house.message()) == [Status.QUEUED, Status.FAILED]
    assert house.message().failure == failure


def test_a_message_can_be_canceled_and_a_sent_one_polled_while_sending_is_off() -> None:
    house = new_application()
    house.send(request("m-2"))
    change_settings(house, sending_enabled=False)
    house.send(request("m-1"))

    house.send('{"cancel": "m-1"}')
    house.clock.advance(minutes=1)
    house.follow_up()

    assert house.message("m-1").status is Status.CANCELED
    assert {sent.method for sent in house.transport.requests[1:]} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipient": "+855"}, Reason.INVALID_REQUEST),
        ({"recipient": THAI}, Reason.UNROUTABLE),
        ({"channel": "whatsapp", "provider": "nomsa"}, Reason.UNSUPPORTED),
    ],
)
def test_an_unsendable_message_fails_at_once_while_sending_is_off(changes: dict[str, Any], reason: Reason) -> None:
    house = new_application(sending_enabled=False, routes={})

    house.send(request(**changes))

    assert house.failure_reason() is reason
