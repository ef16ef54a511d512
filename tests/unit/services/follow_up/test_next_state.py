"""The decision after a poll: new evidence, the next poll, a second send, or the end."""

from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.status import Source, Status
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import (
    House,
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    request,
    smspoh_history,
    unauthorized,
    unreached,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_polls_follow_the_schedule_of_the_settings() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145")))
    house.send(request())
    pauses = []

    for _ in range(8):
        due_at = house.message().due_at
        assert due_at is not None
        pauses.append((due_at - house.clock()).total_seconds())
        house.clock.now = due_at
        house.follow_up()

    assert pauses == [15, 60, 300, 1800, 7200, 21600, 21600, 21600]


@covers("L4", "I3")
def test_a_status_that_goes_backwards_is_ignored() -> None:
    house = House(
        nomsa_taken("145"),
        nomsa_list(nomsa_row("145", status="SENT")),
        nomsa_list(nomsa_row("145", status="UNSENT")),
    )
    house.send(request())
    for _ in range(2):
        house.clock.advance(minutes=2)
        house.follow_up()

    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.SENT]


# --- the report horizon ---------------------------------------------------------------------------------------------


@covers("E1")
def test_a_message_without_final_evidence_is_unconfirmed_at_the_horizon() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145")))
    house.send(request())

    house.clock.advance(hours=72)
    house.follow_up()

    assert house.message().status is Status.UNCONFIRMED
    assert house.message().history[-1].source is Source.SWEEP
    assert (house.message().due_at, house.message().content) == (None, None)


@covers("I4")
def test_the_last_poll_at_the_horizon_still_counts() -> None:
    house = House(nomsa_taken("145"), nomsa_list(nomsa_row("145", **DELIVERED)))
    house.send(request())

    house.clock.advance(hours=72)
    house.follow_up()

    assert house.message().status is Status.DELIVERED


# --- unknown sends that the vendor does not list --------------------------------------------------------------------


@covers("L2", "I1")
def test_an_unknown_send_that_is_not_found_is_not_repeated_by_default() -> None:
    house = House(lost(), nomsa_list())
    house.send(request())

    for _ in range(10):
        house.clock.advance(hours=12)
        house.follow_up()
        house.resume()

    assert house.message().status is Status.UNCONFIRMED
    assert sum(r.method == "POST" for r in house.transport.requests) == 1


def test_with_resend_an_unknown_send_is_repeated_after_two_polls_that_do_not_find_it() -> None:
    house = House(lost(), nomsa_list(), nomsa_list(), nomsa_taken("146"))
    house.send(request(on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()

    house.resume()

    assert statuses(house.message()) == [
        Status.SENDING,
        Status.UNKNOWN,
        Status.QUEUED,
        Status.SENDING,
        Status.ACCEPTED,
    ]
    assert house.message().attempt == 2


def test_one_poll_that_does_not_find_an_unknown_send_only_schedules_the_next() -> None:
    house = House(lost(), nomsa_list())
    house.send(request(on_unknown="resend"))

    house.clock.advance(seconds=15)
    house.follow_up()

    assert (house.message().status, house.message().not_found_count) == (Status.UNKNOWN, 1)
    assert house.message().due_at == house.clock() + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("home", "channel"), [("nomsa", "sms"), ("smspoh", "sms"), ("nusasms", "sms"), ("nusasms", "whatsapp")]
)
def test_resend_works_with_a_list_with_look_ups_only_and_without_both(home: str, channel: str) -> None:
    lists = {"nomsa": nomsa_list(), "smspoh": smspoh_history()}
    replies = [lists[home], lists[home]] if home in lists else []
    house = House(lost(), *replies, lost())
    house.send(request(home=home, channel=channel, on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()

    house.resume()

    assert (house.message().attempt, house.message().status) == (2, Status.UNKNOWN)


def test_resend_ends_after_the_maximum_of_attempts() -> None:
    house = House(lost())
    house.send(request(home="nusasms", on_unknown="resend"))
    for _ in range(20):
        house.clock.advance(hours=2)
        house.follow_up()
        house.resume()

    assert len(house.transport.requests) == house.message().attempt == 5
    assert house.message().status is Status.UNKNOWN


@covers("L2", "I1")
@pytest.mark.parametrize("answer", [unreached(), unauthorized()])
def test_a_failed_poll_does_not_count_as_not_found(answer: Any) -> None:
    house = House(lost(), answer)
    house.send(request(on_unknown="resend"))

    for _ in range(5):
        house.clock.advance(hours=1)
        house.follow_up()

    assert house.message().status is Status.UNKNOWN
