"""Replies in a conversation: while it is open, as a template where one was named, and otherwise not at all."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation
from sampai.domain.status import Status
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.services.webhook.service import Answer
from tests.fakes import START, statuses
from tests.harness.application import House, request, unauthorized

CONVERSATION = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
OTHER_ROOM = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c02"
CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"
TEMPLATE = "5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c04"
NUMBER = "+6281234567810"

SETTINGS = {"providers": {"nusasms": {"senders": {"whatsapp_official": CHANNEL}}}}
DAY = timedelta(hours=24)
MILLISECOND = timedelta(milliseconds=1)

CLOSED = Failure(reason=Reason.WINDOW_CLOSED, detail="room_id: no message came in within the last 24 hours")
OPTED_OUT = Failure(reason=Reason.OPTED_OUT, detail="room_id: its number asked for no promotional messages")

INSTEAD = {"nusasms": {"template": {"template_id": TEMPLATE, "parameters": ["1234"], "recipient_name": "Dewi"}}}
BROADCAST = {
    "destination": NUMBER[1:],
    "destination_name": "Dewi",
    "template_id": TEMPLATE,
    "channel_id": CHANNEL,
    "parameters": {"body": [{"key": "1", "value": "parameter_1", "value_text": "1234"}]},
}


def taken(ref_no: str = "0017") -> HttpResponse:
    return _json(201, {"error": False, "message": "Send reply message", "data": {"ref_no": ref_no}})


def throttled() -> HttpResponse:
    return _json(429, {"error": True, "message": "Too many requests"})


def _json(status: int, document: Any) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def house_with(*replies: HttpResponse) -> House:
    return House(*(replies or (taken(),)), settings=SETTINGS)


def reply(message_id: str = "m-1", **changes: Any) -> str:
    document = {"recipient": None, "room_id": CONVERSATION, "channel": "whatsapp_official"}
    return request(message_id, **(document | changes))


def hear(house: House, text: str = "Halo", **changes: str) -> Answer:
    """Let somebody write in the conversation."""
    said = {"room_id": CONVERSATION, "ref_no": f"in-{len(house.inbox.kept)}", "text": text, "sender_number": NUMBER[1:]}
    body = json.dumps(said | changes).encode()
    return house.receive("nusasms", "whatsapp-official-inbox", method="POST", body=body)


def operation(sent: HttpRequest) -> str:
    return sent.url.rpartition("/")[2]


# --- open -----------------------------------------------------------------------------------------------------------


def test_a_message_that_comes_in_opens_its_conversation_for_a_reply() -> None:
    house = house_with()
    assert hear(house) is Answer.RECEIVED

    assert house.send(reply()) == []

    (sent,) = house.transport.requests
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED]
    assert (house.message().room_id, house.message().recipient) == (CONVERSATION, NUMBER)
    assert operation(sent) == "reply"
    assert f'name="room_id"\r\n\r\n{CONVERSATION}\r\n'.encode() in sent.body


@pytest.mark.parametrize("recipient", [NUMBER, "+6281234567811"])
def test_a_reply_goes_to_the_number_of_its_conversation_or_to_nobody(recipient: str) -> None:
    house = house_with()
    hear(house)

    house.send(reply(recipient=recipient))

    is_theirs = recipient == NUMBER
    other = Failure(reason=Reason.INVALID_RECIPIENT, detail="recipient: is not the number of the conversation")
    assert house.message().failure == (None if is_theirs else other)
    assert len(house.transport.requests) == is_theirs


def test_a_conversation_whose_number_nobody_knows_is_open_all_the_same() -> None:
    house = house_with()
    house.directory.record_conversation(Conversation(room_id=CONVERSATION, last_inbound_at=START))

    house.send(reply())

    assert (house.message().status, house.message().recipient) == (Status.ACCEPTED, None)


AGES = [
    ("at once", timedelta(0), True),
    ("just before a day", DAY - MILLISECOND, True),
    ("after a day", DAY, False),
    ("after a week", 7 * DAY, False),
]


@pytest.mark.parametrize(("age", "is_open"), [a[1:] for a in AGES], ids=[a[0] for a in AGES])
def test_a_conversation_takes_replies_for_a_day(age: timedelta, is_open: bool) -> None:
    house = house_with()
    hear(house)
    house.clock.now += age

    assert house.send(reply()) == []

    assert house.message().status is (Status.ACCEPTED if is_open else Status.FAILED)
    assert house.message().failure == (None if is_open else CLOSED)
    assert len(house.transport.requests) == (1 if is_open else 0)


def test_a_conversation_of_which_nobody_knows_is_closed() -> None:
    house = house_with()
    hear(house)

    house.send(reply(room_id=OTHER_ROOM), reply("m-2"))

    assert house.message().failure == CLOSED
    assert house.message("m-2").status is Status.ACCEPTED
    assert len(house.transport.requests) == 1


CLOCKS = [
    ("the vendor's clock, in Jakarta", "2026-11-21 16:00:00", timedelta(hours=-1)),
    ("a clock that is ahead of ours", "2026-11-22 17:00:00", timedelta(0)),
    ("no clock that can be read", "yesterday", timedelta(0)),
]


@pytest.mark.parametrize(("inbox_date", "opened"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_the_day_begins_when_the_message_was_written_and_never_in_the_future(
    inbox_date: str, opened: timedelta
) -> None:
    house = house_with()

    hear(house, inbox_date=inbox_date)

    assert house.directory.conversations == {
        CONVERSATION: Conversation(room_id=CONVERSATION, number=NUMBER, last_inbound_at=START + opened)
    }


def test_a_further_message_opens_a_conversation_again() -> None:
    house = house_with()
    hear(house)
    house.clock.now += DAY
    hear(house)

    house.send(reply())

    assert house.message().status is Status.ACCEPTED


# --- a template instead ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, {"type": "media", "media_base64": "AAEC", "file_name": "f.pdf"}])
def test_where_the_conversation_is_closed_the_template_that_was_named_goes_out(content: object) -> None:
    house = house_with()
    hear(house)
    house.clock.now += DAY
    named: dict[str, Any] = {"content": content} if content else {}

    assert house.send(reply(provider_options=INSTEAD, **named)) == []

    (sent,) = house.transport.requests
    assert (operation(sent), json.loads(sent.body)) == ("broadcast", BROADCAST)
    message = house.message()
    assert (message.status, message.recipient, message.room_id) == (Status.ACCEPTED, NUMBER, None)
    assert house.media.files == {}


def test_while_the_conversation_is_open_the_reply_itself_goes_out() -> None:
    house = house_with()
    hear(house)

    house.send(reply(provider_options=INSTEAD))

    assert [operation(sent) for sent in house.transport.requests] == ["reply"]


@pytest.mark.parametrize("number", [None, NUMBER], ids=["without a number", "with the number of the request"])
def test_in_an_unknown_conversation_a_template_needs_a_number(number: str | None) -> None:
    house = house_with()

    house.send(reply(provider_options=INSTEAD, recipient=number))

    assert house.message().failure == (None if number else CLOSED)
    assert [operation(sent) for sent in house.transport.requests] == (["broadcast"] if number else [])


CATALOGUES = [
    ("approved", Catalogue(refreshed_at=START + DAY, templates={TEMPLATE: TemplateInfo(is_approved=True)}), None),
    (
        "not approved",
        Catalogue(refreshed_at=START + DAY, templates={TEMPLATE: TemplateInfo(is_approved=False)}),
        Failure(reason=Reason.TEMPLATE_REJECTED, detail="content.template_id: the template is not approved"),
    ),
    (
        "from another channel",
        Catalogue(refreshed_at=START + DAY, senders=frozenset({OTHER_ROOM})),
        Failure(reason=Reason.INVALID_SENDER, detail="sender: no such channel in the account"),
    ),
]


@pytest.mark.parametrize(("catalogue", "failure"), [c[1:] for c in CATALOGUES], ids=[c[0] for c in CATALOGUES])
def test_a_template_that_stands_in_is_checked_as_any_other(catalogue: Catalogue, failure: Failure | None) -> None:
    house = house_with()
    hear(house)
    house.clock.now += DAY
    house.directory.store_catalogue("nusasms", catalogue)

    house.send(reply(provider_options=INSTEAD))

    assert house.message().failure == failure
    assert len(house.transport.requests) == (0 if failure else 1)


def test_a_template_that_stands_in_needs_a_channel_to_go_out_from() -> None:
    house = House(taken())
    hear(house)
    house.clock.now += DAY

    house.send(reply(provider_options=INSTEAD))

    assert house.message().failure == Failure(
        reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings"
    )
    assert house.transport.requests == []


# --- replies that wait ----------------------------------------------------------------------------------------------


def test_a_reply_that_waits_for_another_attempt_goes_out_while_the_conversation_is_open() -> None:
    house = house_with(throttled(), taken())
    hear(house)
    house.send(reply())
    assert house.message().status is Status.QUEUED

    house.clock.advance(minutes=1)
    house.resume()

    assert statuses(house.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
    assert [operation(sent) for sent in house.transport.requests] == ["reply", "reply"]


@pytest.mark.parametrize("options", [{}, INSTEAD], ids=["no template named", "a template named"])
def test_a_reply_that_waited_until_the_conversation_was_closed_is_no_reply_any_more(options: dict[str, Any]) -> None:
    house = house_with(throttled(), taken())
    hear(house)
    house.clock.now += DAY - MILLISECOND
    house.send(reply(provider_options=options))

    house.clock.advance(minutes=1)
    house.resume()

    assert [operation(sent) for sent in house.transport.requests] == ["reply", *(["broadcast"] if options else [])]
    assert house.message().failure == (None if options else CLOSED)


def test_a_scheduled_reply_needs_an_open_conversation_only_when_its_time_has_come() -> None:
    house = house_with()
    house.send(reply("early", send_at="2026-11-21T10:10:00Z"), reply("late", send_at="2026-11-22T10:05:00Z"))
    assert {house.message(name).status for name in ("early", "late")} == {Status.SCHEDULED}
    house.clock.advance(minutes=5)
    hear(house)

    house.clock.advance(minutes=5)
    house.resume()
    house.clock.now = START + DAY + timedelta(minutes=5)
    house.follow_up()
    house.resume()

    assert statuses(house.message("early")) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]
    assert statuses(house.message("late")) == [Status.SCHEDULED, Status.FAILED]
    assert house.message("late").failure == CLOSED


def test_a_reply_that_is_held_for_a_provider_out_of_order_waits_as_it_is() -> None:
    house = house_with(unauthorized(), taken())
    hear(house)
    house.send(reply("first"))

    house.send(reply("second", provider_options=INSTEAD))
    assert (house.message("second").status, house.message("second").room_id) == (Status.QUEUED, CONVERSATION)

    house.clock.now += DAY
    house.resume()
    house.clock.advance(minutes=1)
    house.follow_up()
    house.resume()
    assert house.message("second").status is Status.ACCEPTED
    assert json.loads(house.transport.requests[-1].body) == BROADCAST


# --- promotional replies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipient", [None, NUMBER], ids=["to the conversation", "to its number"])
@pytest.mark.parametrize("age", [timedelta(0), DAY], ids=["open", "closed"])
def test_a_promotional_reply_heeds_the_wish_of_the_conversations_number(recipient: str | None, age: timedelta) -> None:
    house = house_with()
    hear(house, "STOP")
    house.clock.now += age

    house.send(
        reply(category="promotional", recipient=recipient, provider_options=INSTEAD),
        reply("m-2", provider_options=INSTEAD),
    )

    by_number = Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")
    assert house.message().failure == (by_number if recipient else OPTED_OUT)
    assert house.message("m-2").status is Status.ACCEPTED
    assert len(house.transport.requests) == 1


def test_a_promotional_reply_to_who_did_not_opt_out_goes_out() -> None:
    house = house_with()
    hear(house)
    hear(house, "STOP", room_id=OTHER_ROOM, sender_number="6281234567899")

    house.send(reply(category="promotional"))

    assert house.message().status is Status.ACCEPTED


# --- neighbours -----------------------------------------------------------------------------------------------------


def test_while_the_directory_is_down_replies_come_back_and_their_neighbours_go_out() -> None:
    house = House(taken(), settings=SETTINGS)
    hear(house)
    house.directory.is_down = True

    unfinished = house.send(reply(), request("m-2", home="nusasms", channel="whatsapp"))

    assert unfinished == ["r-1"]
    assert house.store.messages.keys() == {"m-2"}

    house.directory.is_down = False
    assert house.send(reply()) == []
    assert house.message().status is Status.ACCEPTED


def test_a_reply_with_a_file_carries_the_file() -> None:
    house = house_with()
    hear(house)
    content = {"type": "media", "media_base64": b64encode(b"%PDF-\x00\xff").decode(), "file_name": "bill.pdf"}

    house.send(reply(content=content | {"caption": "Your bill"}))

    (sent,) = house.transport.requests
    assert house.message().status is Status.ACCEPTED
    assert b'filename="bill.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-\x00\xff\r\n' in sent.body
