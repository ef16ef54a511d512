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
from tests.harness.application import RECIPIENTS, House, nusasms_taken, request, smspoh_taken

NUMBER = RECIPIENTS["nusasms"]
OPTED_OUT = Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")

FORM = {"content-type": "application/x-www-form-urlencoded"}


def house_in_jakarta(settings: dict[str, Any] | None = None) -> House:
    return House(nusasms_taken(), settings=settings)


def promotional(message_id: str = "m-1", **changes: Any) -> str:
    return request(message_id, home="nusasms", category="promotional", **changes)


def hear(house: House, text: str, kind: str = "sms-inbox", **changes: str) -> Answer:
    """Receive an inbound message by NusaSMS."""
    fields = {"id": f"in-{len(house.inbox.kept)}", "gateway_number": "6281000", "originator": NUMBER[1:], "msg": text}
    return house.receive("nusasms", kind, method="POST", headers=FORM, body=urlencode({**fields, **changes}).encode())


def deliver(house: House, *records: tuple[str, datetime | None]) -> list[str]:
    """Deliver records to the send function, each a body and the time at which it was queued."""
    batch = [Record(record_id=f"r-{n}", body=body, sent_at=sent_at) for n, (body, sent_at) in enumerate(records)]
    return house.sender.handle(batch, remaining=lambda: 30.0)


def opt_out(number: str = NUMBER) -> str:
    return json.dumps({"opt_out": number})


def opt_in(number: str = NUMBER) -> str:
    return json.dumps({"opt_in": number})


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


# --- by an inbound message ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", Category)
def test_stop_blocks_promotional_messages_and_no_others(category: Category) -> None:
    house = house_in_jakarta()
    assert hear(house, "STOP") is Answer.RECEIVED

    unfinished = house.send(request(home="nusasms", category=category))

    is_refused = category is Category.PROMOTIONAL
    assert unfinished == []
    assert statuses(house.message()) == ([Status.FAILED] if is_refused else [Status.SENDING, Status.ACCEPTED])
    assert house.message().failure == (OPTED_OUT if is_refused else None)
    assert len(house.transport.requests) == (0 if is_refused else 1)


def test_start_allows_promotional_messages_again() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    house.clock.advance(seconds=1)
    hear(house, "START")

    house.send(promotional())

    assert house.message().status is Status.ACCEPTED
    assert house.telemetry.counts["OptedOut", "nusasms"] == 1
    assert house.telemetry.counts["OptedIn", "nusasms"] == 1


def test_any_other_text_changes_nothing() -> None:
    house = house_in_jakarta()
    hear(house, "please stop")
    hear(house, "")

    house.send(promotional())

    assert house.message().status is Status.ACCEPTED
    assert house.directory.consents == {}


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
    house = house_in_jakarta()
    for batch in [records] if together else [[record] for record in records]:
        assert deliver(house, *batch) == []

    house.send(promotional())

    assert house.message().failure == (OPTED_OUT if is_out else None)
    assert len(house.transport.requests) == (0 if is_out else 1)


def test_the_later_of_an_inbound_message_and_a_request_wins() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    deliver(house, (opt_in(), at(-1)))
    assert house.directory.consents == {NUMBER: (at(0), True)}

    deliver(house, (opt_in(), at(1)))
    assert house.directory.consents == {NUMBER: (at(1), False)}


@pytest.mark.parametrize("bodies", [(opt_out(), promotional()), (promotional(), opt_out())], ids=["before", "behind"])
def test_an_opt_out_is_applied_before_any_message_of_its_batch_is_sent(bodies: Sequence[str]) -> None:
    house = house_in_jakarta()

    house.send(*bodies)

    assert house.message().failure == OPTED_OUT
    assert house.transport.requests == []


def test_an_opt_out_request_creates_no_message() -> None:
    house = house_in_jakarta()

    assert house.send(opt_out(), opt_in("+6281234567811")) == []

    assert house.store.messages == {}
    assert (house.store.events, house.bus.events) == ([], [])
    assert (house.telemetry.counts["OptedOut", None], house.telemetry.counts["OptedIn", None]) == (1, 1)


# --- messages that wait ---------------------------------------------------------------------------------------------


def test_a_scheduled_message_honours_an_opt_out_before_its_time() -> None:
    house = house_in_jakarta()
    house.send(promotional(send_at="2026-11-21T10:10:00Z"))
    assert house.message().status is Status.SCHEDULED
    hear(house, "STOP")

    house.clock.advance(minutes=10)
    assert house.resume() == []

    assert statuses(house.message()) == [Status.SCHEDULED, Status.FAILED]
    assert house.message().failure == OPTED_OUT
    assert house.transport.requests == []


def test_a_scheduled_message_is_sent_after_an_opt_in() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    house.send(promotional(send_at="2026-11-21T10:10:00Z"))
    house.clock.advance(minutes=1)
    hear(house, "START")

    house.clock.advance(minutes=9)
    house.resume()

    assert house.message().status is Status.ACCEPTED


def test_a_message_that_waits_for_another_attempt_honours_an_opt_out() -> None:
    house = House(HttpResponse(status=429, body=b"{}"), nusasms_taken())
    house.send(promotional())
    assert house.message().status is Status.QUEUED
    hear(house, "STOP")

    house.clock.advance(minutes=1)
    house.resume()

    assert statuses(house.message()) == [Status.SENDING, Status.QUEUED, Status.FAILED]
    assert house.message().failure == OPTED_OUT
    assert len(house.transport.requests) == 1


# --- other messages of the batch ------------------------------------------------------------------------------------


def test_an_opted_out_recipient_does_not_block_the_others_of_a_shared_call() -> None:
    house = House(smspoh_taken("AA-2", reference="m-2"))
    house.send(opt_out("+959777777711"))

    house.send(
        request("m-1", home="smspoh", category="promotional", recipient="+959777777711"),
        request("m-2", home="smspoh", category="promotional"),
    )

    assert [house.message(name).status for name in ("m-1", "m-2")] == [Status.FAILED, Status.ACCEPTED]
    assert [json.loads(r.body)["to"] for r in house.transport.requests] == [RECIPIENTS["smspoh"]]


def test_the_directory_is_read_once_per_batch_and_only_if_a_message_depends_on_it() -> None:
    house = house_in_jakarta()

    house.send(*(request(f"otp-{n}", home="nusasms", category="otp") for n in range(5)))
    assert house.directory.asked == 0

    house.send(*(promotional(f"p-{n}", recipient=f"+628123456781{n}") for n in range(5)))
    assert house.directory.asked == 1


def test_a_directory_outage_returns_only_the_records_that_depend_on_it() -> None:
    house = house_in_jakarta()
    house.send(promotional("due-p", send_at="2026-11-21T10:10:00Z"))
    house.send(request("due-t", home="nusasms", send_at="2026-11-21T10:10:00Z"))
    house.clock.advance(minutes=10)
    promotional_wake_up, other_wake_up = house.queue.bodies()
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

    house.directory.is_down = True
    assert deliver(house, *batch) == ["r-0", "r-3", "r-4"]
    states = {message_id: message.status for message_id, message in house.store.messages.items()}
    assert states == {
        "otp": Status.ACCEPTED,
        "t": Status.ACCEPTED,
        "due-p": Status.SCHEDULED,
        "due-t": Status.ACCEPTED,
        "bad": Status.FAILED,
        "c": Status.CANCELED,
    }
    assert len(house.transport.requests) == 3

    house.directory.is_down = False
    assert deliver(house, *batch) == []
    assert {house.message(name).status for name in ("p", "due-p")} == {Status.ACCEPTED}
    assert len(house.transport.requests) == 5


def test_the_log_does_not_contain_the_number_that_opted_out() -> None:
    house = house_in_jakarta()

    hear(house, "STOP")
    house.send(promotional(), opt_in())
    house.directory.is_down = True
    hear(house, "STOP")
    house.send(promotional("m-2"), opt_out())

    assert NUMBER[1:] not in repr([house.telemetry.lines, house.store.events, house.bus.events, house.message()])
