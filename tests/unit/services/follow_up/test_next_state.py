"""The decision after a poll: new evidence, the next poll, a second send, or the end."""

from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.status import Source, Status
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import (
    Application,
    lost,
    nomsa_list,
    nomsa_taken,
    request,
    smspoh_history,
    unauthorized,
    unreached,
)

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_polls_follow_the_schedule_of_the_settings() -> None:
    app = Application(nomsa_taken("145"))
    app.send(request())
    pauses = []

    for _ in range(8):
        due_at = app.message().due_at
        assert due_at is not None
        pauses.append((due_at - app.clock()).total_seconds())
        app.clock.now = due_at
        app.follow_up()

    assert pauses == [60, 60, 300, 1800, 7200, 21600, 21600, 21600]


@covers("L4", "I3")
def test_a_status_that_goes_backwards_is_ignored() -> None:
    app = Application(
        nomsa_taken("145"),
        nomsa_taken("145", status="SENT"),
        nomsa_taken("145", status="UNSENT"),
    )
    app.send(request())
    for _ in range(2):
        app.clock.advance(minutes=2)
        app.follow_up()

    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED, Status.SENT]


# --- the report horizon ---------------------------------------------------------------------------------------------


@covers("E1")
def test_a_message_without_final_evidence_is_unconfirmed_at_the_horizon() -> None:
    app = Application(nomsa_taken("145"))
    app.send(request())

    app.clock.advance(hours=72)
    app.follow_up()

    assert app.message().status is Status.UNCONFIRMED
    assert app.message().history[-1].source is Source.SWEEP
    assert (app.message().due_at, app.message().content) == (None, None)


@covers("I4")
def test_the_last_poll_at_the_horizon_still_counts() -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())

    app.clock.advance(hours=72)
    app.follow_up()

    assert app.message().status is Status.DELIVERED


# --- unknown sends that the vendor does not list --------------------------------------------------------------------


@covers("L2", "I1")
def test_an_unknown_send_that_is_not_found_is_not_repeated_by_default() -> None:
    app = Application(lost(), nomsa_list())
    app.send(request())

    for _ in range(10):
        app.clock.advance(hours=12)
        app.follow_up()
        app.resume()

    assert app.message().status is Status.UNCONFIRMED
    assert sum(r.method == "POST" for r in app.transport.requests) == 1


def test_with_resend_an_unknown_send_is_repeated_after_two_polls_that_do_not_find_it() -> None:
    app = Application(lost(), nomsa_list(), nomsa_list(), nomsa_taken("146"))
    app.send(request(on_unknown="resend"))
    for seconds in (15, 60):
        app.clock.advance(seconds=seconds)
        app.follow_up()

    app.resume()

    assert statuses(app.message()) == [
        Status.SENDING,
        Status.UNKNOWN,
        Status.QUEUED,
        Status.SENDING,
        Status.ACCEPTED,
    ]
    assert app.message().attempt == 2


def test_one_poll_that_does_not_find_an_unknown_send_only_schedules_the_next() -> None:
    app = Application(lost(), nomsa_list())
    app.send(request(on_unknown="resend"))

    app.clock.advance(seconds=60)
    app.follow_up()

    assert (app.message().status, app.message().not_found_count) == (Status.UNKNOWN, 1)
    assert app.message().due_at == app.clock() + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("home", "channel"), [("nomsa", "sms"), ("smspoh", "sms"), ("nusasms", "sms"), ("nusasms", "whatsapp")]
)
def test_resend_works_with_a_list_with_look_ups_only_and_without_both(home: str, channel: str) -> None:
    lists = {"nomsa": nomsa_list(), "smspoh": smspoh_history()}
    replies = [lists[home], lists[home]] if home in lists else []
    app = Application(lost(), *replies, lost())
    app.send(request(home=home, channel=channel, on_unknown="resend"))
    for seconds in (15, 60):
        app.clock.advance(seconds=seconds)
        app.follow_up()

    app.resume()

    assert (app.message().attempt, app.message().status) == (2, Status.UNKNOWN)


def test_resend_ends_after_the_maximum_of_attempts() -> None:
    app = Application(lost())
    app.send(request(home="nusasms", on_unknown="resend"))
    for _ in range(20):
        app.clock.advance(hours=2)
        app.follow_up()
        app.resume()

    assert len(app.transport.requests) == app.message().attempt == 5
    assert app.message().status is Status.UNKNOWN


@covers("L2", "I1")
@pytest.mark.parametrize("answer", [unreached(), unauthorized()])
def test_a_failed_poll_does_not_count_as_not_found(answer: Any) -> None:
    app = Application(lost(), answer)
    app.send(request(on_unknown="resend"))

    for _ in range(5):
        app.clock.advance(hours=1)
        app.follow_up()

    assert app.message().status is Status.UNKNOWN
