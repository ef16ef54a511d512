"""Inbound messages: stored once, published once, and their keywords honoured."""

import json
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest

from sampai.contract.events import Event
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Channel
from sampai.domain.status import Status
from sampai.services.publish import PublishService
from sampai.services.webhook.inbound import InboundService
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import START, InMemoryInbox, RecordingBus
from tests.harness.application import Application, nusasms_taken, request

NUMBER = "+6281234567810"
CONVERSATION = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
TEXT = "Saya mau tanya 😀\nsoal tagihan"

FORM = {"content-type": "application/x-www-form-urlencoded"}
FIELDS = {
    "id": "0017",
    "gateway_number": "6281000",
    "originator": NUMBER[1:],
    "receive_date": "2026-11-21 16:58:30",
    "msg": TEXT,
}
DOCUMENT = {
    "room_id": CONVERSATION,
    "ref_no": "0017",
    "text": TEXT,
    "inbox_date": "2026-11-21 16:58:30",
    "sender_number": NUMBER[1:],
}
WRITTEN_AT = START - timedelta(seconds=90)


def inbound(channel: Channel, *, recipient: str | None = "6281000", room_id: str | None = None) -> Inbound:
    return Inbound(
        provider="nusasms",
        channel=channel,
        provider_message_id="0017",
        sender=NUMBER,
        recipient=recipient,
        text=TEXT,
        room_id=room_id,
        received_at=WRITTEN_AT,
    )


KINDS = {
    "sms-inbox": inbound(Channel.SMS),
    "whatsapp-inbox": inbound(Channel.WHATSAPP),
    "whatsapp-official-inbox": inbound(Channel.WHATSAPP_OFFICIAL, recipient=None, room_id=CONVERSATION),
}


def receive(app: Application, kind: str = "sms-inbox", **changes: str | None) -> Answer:
    """Deliver an inbound message as its vendor would; a field that is None is left out."""
    is_official = kind == "whatsapp-official-inbox"
    fields = {n: v for n, v in ((DOCUMENT if is_official else FIELDS) | changes).items() if v is not None}
    body = json.dumps(fields) if is_official else urlencode(fields)
    return app.receive("nusasms", kind, method="POST", headers={} if is_official else FORM, body=body.encode())


def published(app: Application) -> list[Event]:
    """Return the events of the messages in the inbox, as its stream delivers them to the publish function."""
    bus = RecordingBus()
    service = PublishService(bus=bus, media=app.media, encryption_keys=app.encryption_keys, telemetry=app.telemetry)

    assert service.publish_received([*app.inbox.kept.values()]) == len(app.inbox.kept)
    return bus.events


# --- store and publish ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_inbound_message_is_stored_and_published(kind: str) -> None:
    app = Application()

    assert receive(app, kind) is Answer.RECEIVED

    expected = KINDS[kind]
    assert list(app.inbox.kept.values()) == [(expected, START)]
    detail = {
        "provider": "nusasms",
        "channel": expected.channel,
        "provider_message_id": "0017",
        "sender": NUMBER,
        "recipient": expected.recipient,
        "text": TEXT,
        "room_id": expected.room_id,
        "received_at": "2026-11-21T09:58:30.000Z",
    }
    assert published(app) == [Event(detail_type="Message Received", detail=detail)]
    assert app.telemetry.counts["MessageReceived", "nusasms"] == 1


@covers("W10")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("provider_message_id", ["0017", None], ids=["with an id", "without an id"])
def test_a_repeated_webhook_is_one_message(kind: str, provider_message_id: str | None) -> None:
    app = Application()
    name = "ref_no" if kind == "whatsapp-official-inbox" else "id"

    for _ in range(5):
        assert receive(app, kind, **{name: provider_message_id}) is Answer.RECEIVED
        app.clock.advance(hours=1)

    assert len(published(app)) == 1
    assert app.telemetry.counts["MessageReceived", "nusasms"] == 1


def test_a_message_without_an_id_and_a_time_has_our_time() -> None:
    app = Application()
    app.clock.advance(seconds=7)

    receive(app, id=None, receive_date=None)
    app.clock.advance(seconds=52)
    receive(app, id=None, receive_date="some day")

    assert [event.detail["received_at"] for event in published(app)] == ["2026-11-21T10:00:07.000Z"]


def test_the_same_id_on_three_channels_is_three_messages() -> None:
    app = Application()

    for kind in KINDS:
        receive(app, kind)

    assert [event.detail["channel"] for event in published(app)] == ["sms", "whatsapp", "whatsapp_official"]


READABLE: list[tuple[str, dict[str, str | None], Answer]] = [
    ("sms-inbox", {"originator": None}, Answer.MALFORMED),
    ("sms-inbox", {"originator": "62\n81"}, Answer.MALFORMED),
    ("sms-inbox", {"msg": None}, Answer.RECEIVED),
    ("sms-inbox", {"msg": "a\x00b"}, Answer.RECEIVED),
    ("sms-inbox", {"msg": ""}, Answer.RECEIVED),
    ("sms-inbox", {"originator": "Telkomsel"}, Answer.RECEIVED),
    ("sms-inbox", {"id": "a b"}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"room_id": None}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"sender_number": None}, Answer.MALFORMED),
    ("whatsapp-official-inbox", {"text": "half an emoji \ud83d"}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"text": "a\x00b"}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"text": None}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"text": "x" * 70_000}, Answer.MALFORMED),
]


@pytest.mark.parametrize(("kind", "changes", "answer"), READABLE)
def test_only_a_readable_message_is_stored(kind: str, changes: dict[str, str | None], answer: Answer) -> None:
    app = Application()

    assert receive(app, kind, **changes) is answer

    assert len(app.inbox.kept) == (1 if answer is Answer.RECEIVED else 0)


def test_a_message_with_a_wrong_token_or_provider_is_not_stored() -> None:
    app = Application()

    answers = [
        app.receive("nusasms", "sms-inbox", token="guess", method="POST", headers=FORM, body=b"originator=62&msg=STOP"),
        app.receive("smspoh", "sms-inbox", method="POST", headers=FORM, body=b"originator=62&msg=STOP"),
    ]

    assert answers == [Answer.NOT_FOUND, Answer.NOT_FOUND]
    assert (app.inbox.kept, app.directory.consents) == ({}, {})


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_contains_neither_the_number_nor_the_text(kind: str) -> None:
    app = Application()

    receive(app, kind)
    receive(app, kind)
    app.inbox.is_down = True
    receive(app, kind)

    assert not [private for private in (NUMBER[1:], "tagihan", "6281000") if private in repr(app.telemetry.lines)]


# --- conversations and keywords -------------------------------------------------------------------------------------


def test_an_inbound_message_changes_no_message_of_ours() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))

    for kind in KINDS:
        receive(app, kind)

    assert app.message().status is Status.ACCEPTED
    assert app.store.buffered.keys() == {"nusasms#sms#0017"}
    assert app.store.buffered["nusasms#sms#0017"].reports == ()


def test_a_conversation_is_recorded_and_its_keyword_honoured() -> None:
    app = Application()

    receive(app, "whatsapp-official-inbox", text="Stop.")

    assert app.directory.conversations == {
        CONVERSATION: Conversation(room_id=CONVERSATION, number=NUMBER, last_inbound_at=WRITTEN_AT)
    }
    assert app.directory.consents == {NUMBER: (START, True)}


def test_a_conversation_with_an_unreadable_number_is_recorded_without_it() -> None:
    app = Application()

    receive(app, "whatsapp-official-inbox", sender_number="Telkomsel", text="STOP")

    assert app.directory.conversations == {CONVERSATION: Conversation(room_id=CONVERSATION, last_inbound_at=WRITTEN_AT)}
    assert app.directory.consents == {}


KEYWORDS = {"*": ["STOP"], "ID": ["Henti kan"], "KH": ["ឈប់"], "MM": ["ရပ်"], "BD": ["বন্ধ"]}

TEXTS = [
    ("a keyword for all countries", "6281234567810", "stop.", "+6281234567810"),
    ("a keyword of the country", "6281234567810", "  HENTI   KAN!", "+6281234567810"),
    ("a keyword of another country", "6281234567810", "ឈប់", None),
    ("Khmer in Cambodia", "85591234510", "ឈប់។", "+85591234510"),
    ("Burmese in Myanmar", "959777777710", "ရပ်", "+959777777710"),
    ("Bengali in Bangladesh", "8801744977910", "বন্ধ", "+8801744977910"),
    ("a keyword of Indonesia, in Bangladesh", "8801744977910", "Henti kan", None),
    ("a keyword that the settings removed", "6281234567810", "UNSUBSCRIBE", None),
    ("a sender that is not a number", "Telkomsel", "STOP", None),
]


@pytest.mark.parametrize(("sender", "text", "number"), [t[1:] for t in TEXTS], ids=[t[0] for t in TEXTS])
def test_keywords_depend_on_the_country_of_the_sender(sender: str, text: str, number: str | None) -> None:
    app = Application(settings={"opt_out_words": KEYWORDS})

    assert receive(app, "whatsapp-inbox", originator=sender, msg=text) is Answer.RECEIVED

    assert app.directory.consents == ({number: (START, True)} if number else {})


DEFAULTS = [
    ("85591234510", ["ឈប់", "បញ្ឈប់។"], ["ចាប់ផ្តើម", "ចាប់ផ្ដើម"]),
    ("8801744977910", ["বন্ধ", "বন্ধ করুন"], ["শুরু", "চালু"]),
    ("959777777710", ["ရပ်", "ရပ်ပါ။"], ["စတင်", "စပါ"]),
    ("6281234567810", ["STOP", "Berhenti"], ["START", "Mulai"]),
]


@pytest.mark.parametrize(("sender", "out", "back"), DEFAULTS, ids=["Khmer", "Bengali", "Burmese", "Indonesian"])
def test_default_keywords_are_in_the_language_of_the_sender(sender: str, out: list[str], back: list[str]) -> None:
    for words, is_out in ((out, True), (back, False)):
        for word in words:
            app = Application()
            receive(app, "whatsapp-inbox", originator=sender, msg=word, receive_date="")
            assert app.directory.consents == {f"+{sender}": (START, is_out)}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


TIMES = [
    ("START counts from the vendor's time", [("START", "2026-11-21 16:30:00")], (at(-30), False)),
    ("STOP counts from our time", [("STOP", "2026-11-21 16:30:00")], (at(0), True)),
    (
        "START, written before STOP arrived",
        [("STOP", "2026-11-21 16:30:00"), ("START", "2026-11-21 16:59:59")],
        (at(0), True),
    ),
    ("START, written when STOP arrived", [("STOP", ""), ("START", "2026-11-21 17:00:00")], (at(0), True)),
    ("START, written after STOP arrived", [("STOP", ""), ("START", "2026-11-21 17:00:30")], (at(0.5), False)),
    ("START, with a clock that is ahead", [("START", "2026-11-22 17:00:00"), ("STOP", "")], (at(1), True)),
    ("STOP, with a clock that is ahead", [("STOP", "2026-11-22 17:00:00"), ("START", "")], (at(1), False)),
]


@pytest.mark.parametrize(("messages", "consent"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_the_latest_keyword_wins_and_in_doubt_the_opt_out(
    messages: list[tuple[str, str]], consent: tuple[datetime, bool]
) -> None:
    app = Application()

    for number, (text, receive_date) in enumerate(messages):
        receive(app, id=f"in-{number}", msg=text, receive_date=receive_date)
        app.clock.advance(minutes=1)

    assert app.directory.consents == {NUMBER: consent}


# --- outages --------------------------------------------------------------------------------------------------------


@covers("W7", "W10", "I4")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("down", ["inbox", "directory", "settings"])
def test_incomplete_work_is_answered_with_503_and_completed_once_by_the_repetition(kind: str, down: str) -> None:
    app = Application()
    stop: dict[str, str | None] = {"text": "STOP"} if kind == "whatsapp-official-inbox" else {"msg": "STOP"}

    getattr(app, down).is_down = True
    assert receive(app, kind, **stop) is Answer.UNAVAILABLE

    getattr(app, down).is_down = False
    app.clock.advance(minutes=5)
    assert receive(app, kind, **stop) is Answer.RECEIVED
    first = START + timedelta(minutes=5) if down == "inbox" else START
    assert app.directory.consents == {NUMBER: (first, True)}
    assert len(published(app)) == 1
    assert app.telemetry.counts["MessageReceived", "nusasms"] == 1


@pytest.mark.parametrize("down", ["directory", "settings"])
def test_a_message_is_stored_even_if_its_keyword_cannot_be_honoured(down: str) -> None:
    app = Application()
    getattr(app, down).is_down = True

    receive(app, msg="STOP")

    assert [event.detail["text"] for event in published(app)] == ["STOP"]


def test_a_keyword_is_honoured_even_if_its_message_cannot_be_stored() -> None:
    app = Application()
    app.inbox.is_down = True

    receive(app, msg="STOP")

    assert app.directory.consents == {NUMBER: (START, True)}


def test_a_message_is_stored_after_its_conversation_and_opt_out() -> None:
    app = Application()
    known_when_stored: list[set[str]] = []

    class ObservedInbox(InMemoryInbox):
        def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
            known_when_stored.append({*app.directory.conversations, *app.directory.consents})
            return super().add(key, inbound, now)

    app.inbound_service = InboundService(
        inbox=ObservedInbox(),
        suppression_list=app.directory,
        conversations=app.directory,
        settings=app.settings,
        clock=app.clock,
        telemetry=app.telemetry,
    )

    receive(app, "whatsapp-official-inbox", text="STOP")

    assert known_when_stored == [{CONVERSATION, NUMBER}]


# --- whose consent it is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sms-inbox", "whatsapp-inbox"])
@pytest.mark.parametrize(
    "originator", ["+62 812-3456-7810", "0062812 3456 7810", "6281234567810", "081234567810", "6281234567810@c.us"]
)
def test_number_in_any_notation_opts_out(kind: str, originator: str) -> None:
    app = Application()

    receive(app, kind, originator=originator, msg="STOP")

    assert app.directory.consents == {NUMBER: (START, True)}


@pytest.mark.parametrize("text", ["STOP", "start", "Berhenti"])
def test_consent_of_an_unreadable_number_is_logged_without_it_and_counted(text: str) -> None:
    app = Application()

    assert receive(app, originator="Telkomsel", msg=text) is Answer.RECEIVED

    fields = {"provider": "nusasms", "channel": Channel.SMS, "provider_message_id": "0017"}
    assert ("warning", "consent unreadable", fields) in app.telemetry.lines
    assert app.telemetry.counts["ConsentUnreadable", "nusasms"] == 1


def test_other_text_of_an_unreadable_number_is_not_counted() -> None:
    app = Application()

    receive(app, originator="Telkomsel")

    assert ("ConsentUnreadable", "nusasms") not in app.telemetry.counts


@pytest.mark.parametrize(
    ("first", "then", "is_out"), [("STOP", "START", False), ("START", "STOP", True)], ids=["old STOP", "old START"]
)
def test_repeated_webhook_does_not_undo_a_later_wish(first: str, then: str, is_out: bool) -> None:
    app = Application()
    for provider_message_id, text in (("1", first), ("2", then), ("1", first)):
        receive(app, id=provider_message_id, msg=text, receive_date="")
        app.clock.advance(hours=1)

    assert app.directory.consents == {NUMBER: (START + timedelta(hours=1), is_out)}


def test_used_id_with_another_text_is_no_repetition() -> None:
    app = Application()
    for text in ("START", "STOP"):
        receive(app, id="1", msg=text, receive_date="")
        app.clock.advance(hours=1)

    assert app.directory.consents == {NUMBER: (START + timedelta(hours=1), True)}
