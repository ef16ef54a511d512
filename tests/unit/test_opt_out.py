"""Who asked to be left alone gets nothing promotional, and everything else as before."""

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
    """Let somebody write to us by NusaSMS."""
    fields = {"id": f"in-{len(house.inbox.kept)}", "gateway_number": "6281000", "originator": NUMBER[1:], "msg": text}
    return house.receive("nusasms", kind, method="POST", headers=FORM, body=urlencode({**fields, **changes}).encode())


def deliver(house: House, *records: tuple[str, datetime | None]) -> list[str]:
    """Deliver bodies, each with the time at which it was put on the queue."""
    batch = [Record(record_id=f"r-{n}", body=body, sent_at=sent_at) for n, (body, sent_at) in enumerate(records)]
    return house.sender.handle(batch, remaining=lambda: 30.0)


def opt_out(number: str = NUMBER) -> str:
    return json.dumps({"opt_out": number})


def opt_in(number: str = NUMBER) -> str:
    return json.dumps({"opt_in": number})


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


# --- by a message ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", Category)
def test_who_wrote_stop_gets_nothing_promotional_and_everything_else(category: Category) -> None:
    house = house_in_jakarta()
    assert hear(house, "STOP") is Answer.RECEIVED

    unfinished = house.send(request(home="nusasms", category=category))

    is_refused = category is Category.PROMOTIONAL
    assert unfinished == []
    assert statuses(house.message()) == ([Status.FAILED] if is_refused else [Status.SENDING, Status.ACCEPTED])
    assert house.message().failure == (OPTED_OUT if is_refused else None)
    assert len(house.transport.requests) == (0 if is_refused else 1)


def test_who_wrote_start_afterwards_gets_promotional_messages_again() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    house.clock.advance(seconds=1)
    hear(house, "START")

    house.send(promotional())

    assert house.message().status is Status.ACCEPTED
    assert house.telemetry.counts["OptedOut", "nusasms"] == 1
    assert house.telemetry.counts["OptedIn", "nusasms"] == 1


def test_who_wrote_something_else_gets_what_they_got_before() -> None:
    house = house_in_jakarta()
    hear(house, "please stop")
    hear(house, "")

    house.send(promotional())

    assert house.message().status is Status.ACCEPTED
    assert house.directory.consents == {}


WORDS = {"*": ["STOP"], "ID": ["Henti kan"], "KH": ["ឈប់"], "MM": ["ရပ်"], "BD": ["বন্ধ"]}

WRITERS = [
    ("a word for all", "6281234567810", "stop.", "+6281234567810"),
    ("a word of the country", "6281234567810", "  HENTI   KAN!", "+6281234567810"),
    ("a word of another country", "6281234567810", "ឈប់", None),
    ("Khmer in Cambodia", "85591234510", "ឈប់។", "+85591234510"),
    ("Burmese in Myanmar", "959777777710", "ရပ်", "+959777777710"),
    ("Bengali in Bangladesh", "8801744977910", "বন্ধ", "+8801744977910"),
    ("a word of Indonesia, in Bangladesh", "8801744977910", "Henti kan", None),
    ("a word that is no longer one", "6281234567810", "UNSUBSCRIBE", None),
    ("a sender that is no number", "Telkomsel", "STOP", None),
]


@pytest.mark.parametrize(("sender", "text", "number"), [w[1:] for w in WRITERS], ids=[w[0] for w in WRITERS])
def test_the_words_of_the_settings_count_in_the_country_of_who_writes(
    sender: str, text: str, number: str | None
) -> None:
    house = house_in_jakarta(settings={"opt_out_words": WORDS})

    assert hear(house, text, "whatsapp-inbox", originator=sender) is Answer.RECEIVED

    assert house.directory.consents == ({number: (START, True)} if number else {})


TIMES = [
    ("start counts from when it was written", [("START", "2026-11-21 16:30:00")], (at(-30), False)),
    ("stop counts from when it came", [("STOP", "2026-11-21 16:30:00")], (at(0), True)),
    (
        "start, written before stop came",
        [("STOP", "2026-11-21 16:30:00"), ("START", "2026-11-21 16:59:59")],
        (at(0), True),
    ),
    ("start, written when stop came", [("STOP", ""), ("START", "2026-11-21 17:00:00")], (at(0), True)),
    ("start, written after stop came", [("STOP", ""), ("START", "2026-11-21 17:00:30")], (at(0.5), False)),
    ("start, by a clock that is ahead", [("START", "2026-11-22 17:00:00"), ("STOP", "")], (at(1), True)),
    ("stop, by a clock that is ahead", [("STOP", "2026-11-22 17:00:00"), ("START", "")], (at(1), False)),
]


@pytest.mark.parametrize(("messages", "consent"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_a_wish_has_its_time_and_where_it_may_be_wrong_nobody_is_written_to(
    messages: list[tuple[str, str]], consent: tuple[datetime, bool]
) -> None:
    house = house_in_jakarta()

    for text, receive_date in messages:
        hear(house, text, receive_date=receive_date)
        house.clock.advance(minutes=1)

    assert house.directory.consents == {NUMBER: consent}


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
    ("out, of which nobody knows when it was sent", [(opt_in(), at(-1)), (opt_out(), None)], True),
]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize(("records", "is_out"), [q[1:] for q in QUEUED], ids=[q[0] for q in QUEUED])
def test_the_request_that_was_sent_last_counts_in_whatever_order_they_come(
    records: list[tuple[str, datetime | None]], is_out: bool, together: bool
) -> None:
    house = house_in_jakarta()
    for batch in [records] if together else [[record] for record in records]:
        assert deliver(house, *batch) == []

    house.send(promotional())

    assert house.message().failure == (OPTED_OUT if is_out else None)
    assert len(house.transport.requests) == (0 if is_out else 1)


def test_a_message_and_a_request_are_weighed_by_their_times() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    deliver(house, (opt_in(), at(-1)))
    assert house.directory.consents == {NUMBER: (at(0), True)}

    deliver(house, (opt_in(), at(1)))
    assert house.directory.consents == {NUMBER: (at(1), False)}


@pytest.mark.parametrize("bodies", [(opt_out(), promotional()), (promotional(), opt_out())], ids=["before", "behind"])
def test_a_wish_is_heeded_before_anything_of_its_batch_goes_out(bodies: Sequence[str]) -> None:
    house = house_in_jakarta()

    house.send(*bodies)

    assert house.message().failure == OPTED_OUT
    assert house.transport.requests == []


def test_a_wish_is_no_message() -> None:
    house = house_in_jakarta()

    assert house.send(opt_out(), opt_in("+6281234567811")) == []

    assert house.store.messages == {}
    assert (house.store.events, house.bus.events) == ([], [])
    assert (house.telemetry.counts["OptedOut", None], house.telemetry.counts["OptedIn", None]) == (1, 1)


# --- messages that wait ---------------------------------------------------------------------------------------------


def test_a_scheduled_message_heeds_what_was_asked_before_its_time() -> None:
    house = house_in_jakarta()
    house.send(promotional(send_at="2026-11-21T10:10:00Z"))
    assert house.message().status is Status.SCHEDULED
    hear(house, "STOP")

    house.clock.advance(minutes=10)
    assert house.resume() == []

    assert statuses(house.message()) == [Status.SCHEDULED, Status.FAILED]
    assert house.message().failure == OPTED_OUT
    assert house.transport.requests == []


def test_a_scheduled_message_goes_out_to_who_changed_their_mind() -> None:
    house = house_in_jakarta()
    hear(house, "STOP")
    house.send(promotional(send_at="2026-11-21T10:10:00Z"))
    house.clock.advance(minutes=1)
    hear(house, "START")

    house.clock.advance(minutes=9)
    house.resume()

    assert house.message().status is Status.ACCEPTED


def test_a_message_that_waits_for_another_attempt_is_not_sent_to_who_opted_out_meanwhile() -> None:
    house = House(HttpResponse(status=429, body=b"{}"), nusasms_taken())
    house.send(promotional())
    assert house.message().status is Status.QUEUED
    hear(house, "STOP")

    house.clock.advance(minutes=1)
    house.resume()

    assert statuses(house.message()) == [Status.SENDING, Status.QUEUED, Status.FAILED]
    assert house.message().failure == OPTED_OUT
    assert len(house.transport.requests) == 1


# --- neighbours -----------------------------------------------------------------------------------------------------


def test_one_who_opted_out_keeps_nobody_else_from_a_shared_call() -> None:
    house = House(smspoh_taken("AA-2", reference="m-2"))
    house.send(opt_out("+959777777711"))

    house.send(
        request("m-1", home="smspoh", category="promotional", recipient="+959777777711"),
        request("m-2", home="smspoh", category="promotional"),
    )

    assert [house.message(name).status for name in ("m-1", "m-2")] == [Status.FAILED, Status.ACCEPTED]
    assert [json.loads(r.body)["to"] for r in house.transport.requests] == [RECIPIENTS["smspoh"]]


def test_the_directory_is_asked_once_for_a_batch_and_not_at_all_where_nothing_depends_on_it() -> None:
    house = house_in_jakarta()

    house.send(*(request(f"otp-{n}", home="nusasms", category="otp") for n in range(5)))
    assert house.directory.asked == 0

    house.send(*(promotional(f"p-{n}", recipient=f"+628123456781{n}") for n in range(5)))
    assert house.directory.asked == 1


def test_while_the_directory_is_down_only_what_depends_on_it_comes_back() -> None:
    house = house_in_jakarta()
    house.send(promotional("due-p", send_at="2026-11-21T10:10:00Z"))
    house.send(request("due-t", home="nusasms", send_at="2026-11-21T10:10:00Z"))
    house.clock.advance(minutes=10)
    promotional_note, other_note = house.queue.bodies()
    batch = [
        (promotional("p"), None),
        (request("otp", home="nusasms", category="otp"), None),
        (request("t", home="nusasms"), None),
        (opt_out("+6281234567811"), at(0)),
        (promotional_note, None),
        (other_note, None),
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


def test_who_opted_out_is_named_in_no_log() -> None:
    house = house_in_jakarta()

    hear(house, "STOP")
    house.send(promotional(), opt_in())
    house.directory.is_down = True
    hear(house, "STOP")
    house.send(promotional("m-2"), opt_out())

    assert NUMBER[1:] not in repr([house.telemetry.lines, house.store.events, house.bus.events, house.message()])
