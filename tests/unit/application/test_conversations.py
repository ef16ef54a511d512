"""Replies in a conversation: sent while it is open, afterwards only as the template that the request names."""

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
from tests.harness.application import Application, request, unauthorized

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


def app_with(*replies: HttpResponse) -> Application:
    return Application(*(replies or (taken(),)), settings=SETTINGS)


def reply(message_id: str = "m-1", **changes: Any) -> str:
    document = {"recipient": None, "room_id": CONVERSATION, "channel": "whatsapp_official"}
    return request(message_id, **(document | changes))


def hear(app: Application, text: str = "Halo", **changes: str) -> Answer:
    """Receive an inbound message of the conversation."""
    said = {"room_id": CONVERSATION, "ref_no": f"in-{len(app.inbox.kept)}", "text": text, "sender_number": NUMBER[1:]}
    body = json.dumps(said | changes).encode()
    return app.receive("nusasms", "whatsapp-official-inbox", method="POST", body=body)


def operation(sent: HttpRequest) -> str:
    return sent.url.rpartition("/")[2]


# --- open conversations ---------------------------------------------------------------------------------------------


def test_an_inbound_message_opens_its_conversation_for_a_reply() -> None:
    app = app_with()
    assert hear(app) is Answer.RECEIVED

    assert app.send(reply()) == []

    (sent,) = app.transport.requests
    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED]
    assert (app.message().room_id, app.message().recipient) == (CONVERSATION, NUMBER)
    assert operation(sent) == "reply"
    assert f'name="room_id"\r\n\r\n{CONVERSATION}\r\n'.encode() in sent.body


@pytest.mark.parametrize("recipient", [NUMBER, "+6281234567811"])
def test_a_reply_fails_unless_its_number_is_that_of_the_conversation(recipient: str) -> None:
    app = app_with()
    hear(app)

    app.send(reply(recipient=recipient))

    is_same = recipient == NUMBER
    other = Failure(reason=Reason.INVALID_RECIPIENT, detail="recipient: is not the number of the conversation")
    assert app.message().failure == (None if is_same else other)
    assert len(app.transport.requests) == is_same


def test_a_conversation_without_a_known_number_is_open() -> None:
    app = app_with()
    app.directory.record_conversation(Conversation(room_id=CONVERSATION, last_inbound_at=START))

    app.send(reply())

    assert (app.message().status, app.message().recipient) == (Status.ACCEPTED, None)


AGES = [
    ("at once", timedelta(0), True),
    ("just before a day", DAY - MILLISECOND, True),
    ("after a day", DAY, False),
    ("after a week", 7 * DAY, False),
]


@pytest.mark.parametrize(("age", "is_open"), [a[1:] for a in AGES], ids=[a[0] for a in AGES])
def test_a_conversation_is_open_for_24_hours(age: timedelta, is_open: bool) -> None:
    app = app_with()
    hear(app)
    app.clock.now += age

    assert app.send(reply()) == []

    assert app.message().status is (Status.ACCEPTED if is_open else Status.FAILED)
    assert app.message().failure == (None if is_open else CLOSED)
    assert len(app.transport.requests) == (1 if is_open else 0)


def test_an_unknown_conversation_is_closed() -> None:
    app = app_with()
    hear(app)

    app.send(reply(room_id=OTHER_ROOM), reply("m-2"))

    assert app.message().failure == CLOSED
    assert app.message("m-2").status is Status.ACCEPTED
    assert len(app.transport.requests) == 1


CLOCKS = [
    ("the vendor's clock, in Jakarta", "2026-11-21 16:00:00", timedelta(hours=-1)),
    ("a clock ahead of ours", "2026-11-22 17:00:00", timedelta(0)),
    ("an unreadable time", "yesterday", timedelta(0)),
]


@pytest.mark.parametrize(("inbox_date", "opened"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_the_24_hours_begin_at_the_vendors_time_or_ours_if_that_is_earlier(inbox_date: str, opened: timedelta) -> None:
    app = app_with()

    hear(app, inbox_date=inbox_date)

    assert app.directory.conversations == {
        CONVERSATION: Conversation(room_id=CONVERSATION, number=NUMBER, last_inbound_at=START + opened)
    }


def test_another_inbound_message_opens_a_closed_conversation() -> None:
    app = app_with()
    hear(app)
    app.clock.now += DAY
    hear(app)

    app.send(reply())

    assert app.message().status is Status.ACCEPTED


# --- a template in place of a reply ---------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, {"type": "media", "media_base64": "AAEC", "file_name": "f.pdf"}])
def test_in_a_closed_conversation_the_named_template_is_sent(content: object) -> None:
    app = app_with()
    hear(app)
    app.clock.now += DAY
    named: dict[str, Any] = {"content": content} if content else {}

    assert app.send(reply(provider_options=INSTEAD, **named)) == []

    (sent,) = app.transport.requests
    assert (operation(sent), json.loads(sent.body)) == ("broadcast", BROADCAST)
    message = app.message()
    assert (message.status, message.recipient, message.room_id) == (Status.ACCEPTED, NUMBER, None)
    assert app.media.files == {}


def test_in_an_open_conversation_the_reply_is_sent() -> None:
    app = app_with()
    hear(app)

    app.send(reply(provider_options=INSTEAD))

    assert [operation(sent) for sent in app.transport.requests] == ["reply"]


@pytest.mark.parametrize("number", [None, NUMBER], ids=["without a number", "with the number of the request"])
def test_in_an_unknown_conversation_a_template_needs_a_number(number: str | None) -> None:
    app = app_with()

    app.send(reply(provider_options=INSTEAD, recipient=number))

    assert app.message().failure == (None if number else CLOSED)
    assert [operation(sent) for sent in app.transport.requests] == (["broadcast"] if number else [])


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
def test_a_template_in_place_of_a_reply_is_checked_against_the_catalogue(
    catalogue: Catalogue, failure: Failure | None
) -> None:
    app = app_with()
    hear(app)
    app.clock.now += DAY
    app.directory.store_catalogue("nusasms", catalogue)

    app.send(reply(provider_options=INSTEAD))

    assert app.message().failure == failure
    assert len(app.transport.requests) == (0 if failure else 1)


def test_a_template_in_place_of_a_reply_needs_a_sender() -> None:
    app = Application(taken())
    hear(app)
    app.clock.now += DAY

    app.send(reply(provider_options=INSTEAD))

    assert app.message().failure == Failure(
        reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings"
    )
    assert app.transport.requests == []


# --- waiting replies ------------------------------------------------------------------------------------------------


def test_a_waiting_reply_is_sent_while_the_conversation_is_open() -> None:
    app = app_with(throttled(), taken())
    hear(app)
    app.send(reply())
    assert app.message().status is Status.QUEUED

    app.clock.advance(minutes=1)
    app.resume()

    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
    assert [operation(sent) for sent in app.transport.requests] == ["reply", "reply"]


@pytest.mark.parametrize("options", [{}, INSTEAD], ids=["no template named", "a template named"])
def test_a_waiting_reply_is_not_sent_as_a_reply_after_the_conversation_closes(options: dict[str, Any]) -> None:
    app = app_with(throttled(), taken())
    hear(app)
    app.clock.now += DAY - MILLISECOND
    app.send(reply(provider_options=options))

    app.clock.advance(minutes=1)
    app.resume()

    assert [operation(sent) for sent in app.transport.requests] == ["reply", *(["broadcast"] if options else [])]
    assert app.message().failure == (None if options else CLOSED)


def test_a_scheduled_reply_needs_an_open_conversation_at_its_time() -> None:
    app = app_with()
    app.send(reply("early", send_at="2026-11-21T10:10:00Z"), reply("late", send_at="2026-11-22T10:05:00Z"))
    assert {app.message(name).status for name in ("early", "late")} == {Status.SCHEDULED}
    app.clock.advance(minutes=5)
    hear(app)

    app.clock.advance(minutes=5)
    app.resume()
    app.clock.now = START + DAY + timedelta(minutes=5)
    app.follow_up()
    app.resume()

    assert statuses(app.message("early")) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]
    assert statuses(app.message("late")) == [Status.SCHEDULED, Status.FAILED]
    assert app.message("late").failure == CLOSED


def test_a_reply_behind_an_open_circuit_waits_unchanged() -> None:
    app = app_with(unauthorized(), taken())
    hear(app)
    app.send(reply("first"))

    app.send(reply("second", provider_options=INSTEAD))
    assert (app.message("second").status, app.message("second").room_id) == (Status.QUEUED, CONVERSATION)

    app.clock.now += DAY
    app.resume()
    app.clock.advance(minutes=1)
    app.follow_up()
    app.resume()
    assert app.message("second").status is Status.ACCEPTED
    assert json.loads(app.transport.requests[-1].body) == BROADCAST


# --- promotional replies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipient", [None, NUMBER], ids=["to the conversation", "to its number"])
@pytest.mark.parametrize("age", [timedelta(0), DAY], ids=["open", "closed"])
def test_a_promotional_reply_honours_an_opt_out_of_the_conversations_number(
    recipient: str | None, age: timedelta
) -> None:
    app = app_with()
    hear(app, "STOP")
    app.clock.now += age

    app.send(
        reply(category="promotional", recipient=recipient, provider_options=INSTEAD),
        reply("m-2", provider_options=INSTEAD),
    )

    by_number = Failure(reason=Reason.OPTED_OUT, detail="recipient: asked for no promotional messages")
    assert app.message().failure == (by_number if recipient else OPTED_OUT)
    assert app.message("m-2").status is Status.ACCEPTED
    assert len(app.transport.requests) == 1


def test_an_opt_out_in_another_conversation_does_not_block_a_promotional_reply() -> None:
    app = app_with()
    hear(app)
    hear(app, "STOP", room_id=OTHER_ROOM, sender_number="6281234567899")

    app.send(reply(category="promotional"))

    assert app.message().status is Status.ACCEPTED


# --- other messages of the batch ------------------------------------------------------------------------------------


def test_a_directory_outage_returns_replies_and_sends_the_other_messages() -> None:
    app = Application(taken(), settings=SETTINGS)
    hear(app)
    app.directory.is_down = True

    unfinished = app.send(reply(), request("m-2", home="nusasms", channel="whatsapp"))

    assert unfinished == ["r-1"]
    assert app.store.messages.keys() == {"m-2"}

    app.directory.is_down = False
    assert app.send(reply()) == []
    assert app.message().status is Status.ACCEPTED


def test_a_reply_with_a_file_carries_the_file() -> None:
    app = app_with()
    hear(app)
    content = {"type": "media", "media_base64": b64encode(b"%PDF-\x00\xff").decode(), "file_name": "bill.pdf"}

    app.send(reply(content=content | {"caption": "Your bill"}))

    (sent,) = app.transport.requests
    assert app.message().status is Status.ACCEPTED
    assert b'filename="bill.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-\x00\xff\r\n' in sent.body
