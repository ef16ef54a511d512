"""Opt-outs: a recipient that opted out gets no promotional message, and every other message."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpResponse
from sampai.domain.message import Category
from sampai.domain.status import Status
from sampai.services.send.batch import Record
from sampai.services.webhook.service import Answer
from tests.fakes import START, statuses
from tests.harness.application import RECIPIENTS, Application, nusasms_taken, request, smspoh_taken

NUMBER = RECIPIENTS["nusasms"]
OPTED_OUT = Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")

FORM = {"content-type": "application/x-www-form-urlencoded"}


def app_in_jakarta(settings: dict[str, Any] | None = None) -> Application:
    return Application(nusasms_taken(), settings=settings)


def promotional(message_id: str = "m-1", **changes: Any) -> str:
    return request(message_id, home="nusasms", category="promotional", **changes)


def hear(app: Application, text: str, kind: str = "sms-inbox", **changes: str) -> Answer:
    """Receive an inbound message by NusaSMS."""
    fields = {"id": f"in-{len(app.inbox.kept)}", "gateway_number": "6281000", "originator": NUMBER[1:], "msg": text}
    return app.receive("nusasms", kind, method="POST", headers=FORM, body=urlencode({**fields, **changes}).encode())


def deliver(app: Application, *records: tuple[str, datetime | None]) -> list[str]:
    """Deliver records to the send function, each a body and the time at which it was queued."""
    batch = [Record(record_id=f"r-{n}", body=body, sent_at=sent_at) for n, (body, sent_at) in enumerate(records)]
    return app.sender.handle(batch, remaining=lambda: 30.0)


def opt_out(number: str = NUMBER) -> str:
    return json.dumps({"opt_out": number})


def opt_in(number: str = NUMBER) -> str:
    return json.dumps({"opt_in": number})


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


# --- by an inbound message ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", Category)
def test_stop_blocks_promotional_messages_and_no_others(category: Category) -> None:
    app = app_in_jakarta()
    assert hear(app, "STOP") is Answer.RECEIVED

    unfinished = app.send(request(home="nusasms", category=category))

    is_refused = category is Category.PROMOTIONAL
    assert unfinished == []
    assert statuses(app.message()) == ([Status.FAILED] if is_refused else [Status.SENDING, Status.ACCEPTED])
    assert app.message().failure == (OPTED_OUT if is_refused else None)
    assert len(app.transport.requests) == (0 if is_refused else 1)


def test_start_allows_promotional_messages_again() -> None:
    app = app_in_jakarta()
    hear(app, "STOP")
    app.clock.advance(seconds=1)
    hear(app, "START")

    app.send(promotional())

    assert app.message().status is Status.ACCEPTED
    assert app.telemetry.counts["OptedOut", "nusasms"] == 1
    assert app.telemetry.counts["OptedIn", "nusasms"] == 1


def test_any_other_text_changes_nothing() -> None:
    app = app_in_jakarta()
    hear(app, "please stop")
    hear(app, "")

    app.send(promotional())

    assert app.message().status is Status.ACCEPTED
    assert app.directory.consents == {}


# --- by a request ---------------------------------------------------------------------------------------------------

QUEUED: list[tuple[str, list[tuple[str, datetime | None]], bool]] = [
    ("out", [(opt_out(), at(0))], True),
    ("in", [(opt_in(), at(0))], False),
    ("out, in", [(opt_out(), at(0)), (opt_in(), at(1))], False),
    ("in, out", [(opt_in(), at(0)), (opt_out(), at(1))], True),
    ("in overtakes out", [(opt_in(), at(1)), (opt_out(), at(0))], False),
    ("out overtakes in", [(opt_out(), at(1)), (opt_in(), at(0))], True),
    ("out is delivered again after in", [(opt_out(), at(0)), (opt_in(), at(1)), (opt_out(), at(0))], False),
    ("in is delivered again after out", [(opt_in(), at(0)), (opt_out(), at(1)), (opt_in(), at(0))], True),
    ("both at once", [(opt_out(), at(0)), (opt_in(), at(0))], True),
    ("out, without the time of sending", [(opt_in(), at(-1)), (opt_out(), None)], True),
]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize(("records", "is_out"), [q[1:] for q in QUEUED], ids=[q[0] for q in QUEUED])
def test_the_request_that_was_sent_last_wins_in_any_order_of_arrival(
    records: list[tuple[str, datetime | None]], is_out: bool, together: bool
) -> None:
    app = app_in_jakarta()
    for batch in [records] if together else [[record] for record in records]:
        assert deliver(app, *batch) == []

    app.send(promotional())

    assert app.message().failure == (OPTED_OUT if is_out else None)
    assert len(app.transport.requests) == (0 if is_out else 1)


def test_the_later_of_an_inbound_message_and_a_request_wins() -> None:
    app = app_in_jakarta()
    hear(app, "STOP")
    deliver(app, (opt_in(), at(-1)))
    assert app.directory.consents == {NUMBER: (at(0), True)}

    deliver(app, (opt_in(), at(1)))
    assert app.directory.consents == {NUMBER: (at(1), False)}


@pytest.mark.parametrize("bodies", [(opt_out(), promotional()), (promotional(), opt_out())], ids=["before", "behind"])
def test_an_opt_out_is_applied_before_any_message_of_its_batch_is_sent(bodies: Sequence[str]) -> None:
    app = app_in_jakarta()

    app.send(*bodies)

    assert app.message().failure == OPTED_OUT
    assert app.transport.requests == []


def test_an_opt_out_request_creates_no_message() -> None:
    app = app_in_jakarta()

    assert app.send(opt_out(), opt_in("+6281234567811")) == []

    assert app.store.messages == {}
    assert (app.store.events, app.bus.events) == ([], [])
    assert (app.telemetry.counts["OptedOut", None], app.telemetry.counts["OptedIn", None]) == (1, 1)


# --- messages that wait ---------------------------------------------------------------------------------------------


def test_a_scheduled_message_honours_an_opt_out_before_its_time() -> None:
    app = app_in_jakarta()
    app.send(promotional(send_at="2026-11-21T10:10:00Z"))
    assert app.message().status is Status.SCHEDULED
    hear(app, "STOP")

    app.clock.advance(minutes=10)
    assert app.resume() == []

    assert statuses(app.message()) == [Status.SCHEDULED, Status.FAILED]
    assert app.message().failure == OPTED_OUT
    assert app.transport.requests == []


def test_a_scheduled_message_is_sent_after_an_opt_in() -> None:
    app = app_in_jakarta()
    hear(app, "STOP")
    app.send(promotional(send_at="2026-11-21T10:10:00Z"))
    app.clock.advance(minutes=1)
    hear(app, "START")

    app.clock.advance(minutes=9)
    app.resume()

    assert app.message().status is Status.ACCEPTED


def test_a_message_that_waits_for_another_attempt_honours_an_opt_out() -> None:
    app = Application(HttpResponse(status=429, body=b"{}"), nusasms_taken())
    app.send(promotional())
    assert app.message().status is Status.QUEUED
    hear(app, "STOP")

    app.clock.advance(minutes=1)
    app.resume()

    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED, Status.FAILED]
    assert app.message().failure == OPTED_OUT
    assert len(app.transport.requests) == 1


# --- other messages of the batch ------------------------------------------------------------------------------------


def test_an_opted_out_recipient_does_not_block_the_others_of_a_shared_call() -> None:
    app = Application(smspoh_taken("AA-2", reference="m-2"))
    app.send(opt_out("+959777777711"))

    app.send(
        request("m-1", home="smspoh", category="promotional", recipient="+959777777711"),
        request("m-2", home="smspoh", category="promotional"),
    )

    assert [app.message(name).status for name in ("m-1", "m-2")] == [Status.FAILED, Status.ACCEPTED]
    assert [json.loads(r.body)["to"] for r in app.transport.requests] == [RECIPIENTS["smspoh"]]


def test_the_directory_is_read_once_per_batch_and_only_if_a_message_depends_on_it() -> None:
    app = app_in_jakarta()

    app.send(*(request(f"otp-{n}", home="nusasms", category="otp") for n in range(5)))
    assert app.directory.asked == 0

    app.send(*(promotional(f"p-{n}", recipient=f"+628123456781{n}") for n in range(5)))
    assert app.directory.asked == 1


def test_a_directory_outage_returns_only_the_records_that_depend_on_it() -> None:
    app = app_in_jakarta()
    app.send(promotional("due-p", send_at="2026-11-21T10:10:00Z"))
    app.send(request("due-t", home="nusasms", send_at="2026-11-21T10:10:00Z"))
    app.clock.advance(minutes=10)
    promotional_wake_up, other_wake_up = app.queue.bodies()
    batch = [
        (promotional("p"), None),
        (request("otp", home="nusasms", category="otp"), None),
        (request("t", home="nusasms"), None),
        (opt_out("+6281234567811"), at(0)),
        (promotional_wake_up, None),
        (other_wake_up, None),
        (request("bad", recipient="nobody"), None),
        (json.dumps({"cancel": "c"}), None),
    ]

    app.directory.is_down = True
    assert deliver(app, *batch) == ["r-0", "r-3", "r-4"]
    states = {message_id: message.status for message_id, message in app.store.messages.items()}
    assert states == {
        "otp": Status.ACCEPTED,
        "t": Status.ACCEPTED,
        "due-p": Status.SCHEDULED,
        "due-t": Status.ACCEPTED,
        "bad": Status.FAILED,
        "c": Status.CANCELED,
    }
    assert len(app.transport.requests) == 3

    app.directory.is_down = False
    assert deliver(app, *batch) == []
    assert {app.message(name).status for name in ("p", "due-p")} == {Status.ACCEPTED}
    assert len(app.transport.requests) == 5


def test_the_log_does_not_contain_the_number_that_opted_out() -> None:
    app = app_in_jakarta()

    hear(app, "STOP")
    app.send(promotional(), opt_in())
    app.directory.is_down = True
    hear(app, "STOP")
    app.send(promotional("m-2"), opt_out())

    assert NUMBER[1:] not in repr([app.telemetry.lines, app.store.events, app.bus.events, app.message()])
