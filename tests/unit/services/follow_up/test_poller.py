"""Polling a vendor: a list for many messages, look-ups where the list does not help."""

import json
from datetime import timedelta
from itertools import count
from urllib.parse import urlsplit

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.services.ports.transport import NoResponse
from tests.fakes import START
from tests.harness.application import (
    Application,
    lost,
    nomsa_list,
    nomsa_row,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
    unauthorized,
    unreached,
)
from tests.harness.vendors import BROKEN, GARBAGE

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}


def test_one_list_call_reports_on_many_messages() -> None:
    rows = [nomsa_row(str(n), **DELIVERED) for n in range(50)]
    app = Application(*(nomsa_taken(str(n)) for n in range(50)), nomsa_list(*rows))
    app.send(*(request(f"m-{n}") for n in range(50)))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert {m.status for m in app.store.messages.values()} == {Status.DELIVERED}
    assert len(app.transport.requests) == 51


def test_a_message_that_is_not_in_the_list_is_looked_up_by_id() -> None:
    listed = nomsa_list(nomsa_row("145", **DELIVERED))
    app = Application(nomsa_taken("145"), nomsa_taken("146"), listed, nomsa_taken("146", **DELIVERED))
    app.send(request("m-1"), request("m-2"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert {message.status for message in app.store.messages.values()} == {Status.DELIVERED}
    assert app.transport.requests[-1].url.endswith("/146")


def test_a_single_message_is_looked_up_at_once() -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
    assert len(app.transport.requests) == 2


def list_with(ours_per_page: int) -> tuple[Application, list[str]]:
    """Follow up thirty delivered messages; each page of the list has some of them among rows of others.

    Return the paths that were requested: `sms` for a page, else the id of a look-up.
    """
    paths: list[str] = []

    def answer(wanted: HttpRequest) -> HttpResponse:
        path = urlsplit(wanted.url).path.rpartition("/")[2]
        if wanted.method == "POST":
            return nomsa_taken(str(next(numbers)))
        paths.append(path)
        if path != "sms":
            return nomsa_taken(path, **DELIVERED)
        page = paths.count("sms") - 1
        ours = [
            nomsa_row(str(n), **DELIVERED) for n in range(page * ours_per_page, page * ours_per_page + ours_per_page)
        ]
        others = [nomsa_row(f"others-{page}-{n}") for n in range(100 - ours_per_page)]
        return HttpResponse(status=200, body=json.dumps({"has_more": True, "data": [*ours, *others]}).encode())

    numbers = iter(range(30))
    app = Application(answer)
    app.send(*(request(f"m-{n}") for n in range(30)))
    app.clock.advance(seconds=60)
    app.follow_up()
    return app, paths


@pytest.mark.parametrize(("ours_per_page", "pages"), [(15, 2), (3, 10), (1, 1), (0, 1)])
def test_look_ups_replace_a_list_with_few_of_our_messages(ours_per_page: int, pages: int) -> None:
    app, paths = list_with(ours_per_page)

    assert {message.status for message in app.store.messages.values()} == {Status.DELIVERED}
    assert paths.count("sms") == pages
    assert len(paths) == pages + 30 - pages * ours_per_page


def test_a_list_that_is_cut_does_not_prove_that_a_message_is_missing() -> None:
    rows = count()

    def answer(wanted: HttpRequest) -> HttpResponse:
        if wanted.method == "POST":
            raise AssertionError("sent again")
        page = [smspoh_row(f"others-{next(rows)}", "others") for _ in range(100)]
        document = {"messages": page, "limit": 100, "records": 100_000, "start": 0}
        return HttpResponse(
            status=200, headers={"content-type": "application/json"}, body=json.dumps(document).encode()
        )

    app = Application(lost(), answer)
    app.send(request(home="smspoh", on_unknown="resend"))
    for _ in range(4):
        app.clock.advance(minutes=30)
        app.follow_up()
        app.resume()

    assert (app.message().status, app.message().not_found_count) == (Status.UNKNOWN, 0)
    assert len(app.transport.requests) == 1 + 4 * 10


def test_a_failed_poll_is_repeated_later() -> None:
    app = Application(nomsa_taken("145"), unreached())
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.ACCEPTED
    assert app.message().due_at == app.clock() + timedelta(seconds=60)


def test_a_vendor_without_a_list_and_look_ups_is_not_called() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert len(app.transport.requests) == 1
    assert app.message().due_at == START + timedelta(hours=72)


def test_no_look_up_begins_without_time_left() -> None:
    app = Application(nomsa_taken("145"), nomsa_list())
    app.send(request())
    app.clock.advance(seconds=60)
    seconds = iter([50.0, 13.0])

    app.follower.run(remaining=lambda: next(seconds, 12.0))

    assert [r.method for r in app.transport.requests] == ["POST"]
    assert app.message().status is Status.ACCEPTED


def test_pages_that_repeat_end_the_list() -> None:
    page = json.dumps({"has_more": True, "data": [nomsa_row("others-1"), nomsa_row("others-2")]}).encode()
    app = Application(lost(), HttpResponse(status=200, body=page))
    app.send(request(content={"type": "text", "text": "Another text"}))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert len(app.transport.requests) == 1 + 13
    assert app.message().not_found_count == 0


@pytest.mark.parametrize(("answer", "status"), [("145", Status.DELIVERED), ("999", Status.ACCEPTED)])
def test_a_look_up_that_answers_about_another_id_is_no_evidence(answer: str, status: Status) -> None:
    app = Application(nomsa_taken("145"), nomsa_taken(answer, **DELIVERED))
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is status
    assert app.telemetry.counts.get(("StatusPollFailed", "nomsa"), 0) == (answer != "145")


def test_a_refused_look_up_does_not_count_as_not_found() -> None:
    app = Application(nomsa_taken("145"), unauthorized())
    app.send(request())
    app.clock.advance(seconds=60)

    app.follow_up()

    assert (app.message().lookups, app.message().not_found_count) == (1, 0)


# --- errors in the story of a message -------------------------------------------------------------------------------

ERRORS = [
    ("refused", unauthorized(), "HTTP 401: UnreadableAnswerError"),
    ("outage", BROKEN, "HTTP 503: UnreadableAnswerError"),
    ("unreadable", GARBAGE, "HTTP 200: JSONDecodeError"),
    ("no response", lost(), "timed out"),
    ("no connection", unreached(), "refused"),
    ("another id", nomsa_taken("999"), "answer about another id"),
]


def errors_of(app: Application, *, polls: int) -> list[tuple[str | None, int]]:
    """Follow up so many times, and return the error of the message and its count after each."""
    found = []
    for _ in range(polls):
        app.clock.advance(hours=6)
        app.follow_up()
        found.append((app.message().lookup_error, app.message().lookup_errors))
    return found


@pytest.mark.parametrize(("answer", "error"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
def test_error_of_a_look_up_is_stored_with_its_count_until_the_vendor_answers(
    answer: HttpResponse | NoResponse, error: str
) -> None:
    app = Application(nomsa_taken("145"), answer, answer, nomsa_taken("145"))
    app.send(request())

    assert errors_of(app, polls=3) == [(error, 1), (error, 2), (None, 0)]


def test_another_error_begins_a_new_count() -> None:
    app = Application(nomsa_taken("145"), unauthorized(), BROKEN, BROKEN)
    app.send(request())

    assert errors_of(app, polls=3) == [
        ("HTTP 401: UnreadableAnswerError", 1),
        ("HTTP 503: UnreadableAnswerError", 1),
        ("HTTP 503: UnreadableAnswerError", 2),
    ]


def test_error_of_a_list_is_that_of_each_message_that_it_was_to_answer() -> None:
    app = Application(lost(), unauthorized(), smspoh_history())
    app.send(request(home="smspoh"))

    assert errors_of(app, polls=2) == [("HTTP 401: UnreadableAnswerError", 1), (None, 0)]
    assert (app.message().status, app.message().not_found_count) == (Status.UNKNOWN, 1)


def test_list_that_fails_is_no_error_of_a_message_with_an_answer_of_its_own() -> None:
    def answer(wanted: HttpRequest) -> HttpResponse:
        path = urlsplit(wanted.url).path.rpartition("/")[2]
        if wanted.method == "POST":
            return nomsa_taken(str(next(numbers)))
        return BROKEN if path == "sms" else nomsa_taken(path)

    numbers = count()
    app = Application(answer)
    app.send(request("m-1"), request("m-2"))
    app.clock.advance(hours=1)

    app.follow_up()

    assert [m.lookup_error for m in app.store.messages.values()] == [None, None]


def test_message_that_was_not_asked_about_keeps_its_error() -> None:
    app = Application(nomsa_taken("145"), unauthorized(), nomsa_taken("145"))
    app.send(request())
    errors_of(app, polls=1)
    before = app.message()
    seconds = iter([50.0, 13.0])
    app.clock.advance(hours=6)

    app.follower.run(remaining=lambda: next(seconds, 12.0))

    assert (app.message(), before.lookup_error) == (before, "HTTP 401: UnreadableAnswerError")
