"""Messages that come in: kept once, told once, and heeded."""

import json
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest

from sampai.contract.events import Event
from sampai.domain.inbound import Conversation, Inbound
from sampai.domain.message import Channel
from sampai.domain.status import Status
from sampai.services.ports.runtime import UnavailableError
from sampai.services.publish import publish_received
from sampai.services.webhook.inbound import InboundService
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import START, InMemoryInbox, RecordingBus
from tests.harness.application import House, nusasms_taken, request

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


def inbound(channel: Channel, **changes: object) -> Inbound:
    values: dict[str, object] = {
        "provider": "nusasms",
        "channel": channel,
        "provider_message_id": "0017",
        "sender": NUMBER,
        "recipient": "6281000",
        "text": TEXT,
        "received_at": WRITTEN_AT,
    }
    return Inbound(**values | changes)  # type: ignore[arg-type]


KINDS = {
    "sms-inbox": inbound(Channel.SMS),
    "whatsapp-inbox": inbound(Channel.WHATSAPP),
    "whatsapp-official-inbox": inbound(Channel.WHATSAPP_OFFICIAL, recipient=None, room_id=CONVERSATION),
}


def hear(house: House, kind: str = "sms-inbox", **changes: str | None) -> Answer:
    """Let the vendor bring a message; a field that is None is left out."""
    is_official = kind == "whatsapp-official-inbox"
    said = {n: v for n, v in ((DOCUMENT if is_official else FIELDS) | changes).items() if v is not None}
    body = json.dumps(said) if is_official else urlencode(said)
    return house.receive("nusasms", kind, method="POST", headers={} if is_official else FORM, body=body.encode())


def told(house: House) -> list[Event]:
    """Return the events of what is in the inbox, as its stream brings them to the publisher."""
    bus = RecordingBus()
    assert publish_received(house.inbox.kept.values(), bus=bus) == len(house.inbox.kept)
    return bus.events


# --- kept and told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_in_is_kept_and_told(kind: str) -> None:
    house = House()

    assert hear(house, kind) is Answer.RECEIVED

    expected = KINDS[kind]
    assert list(house.inbox.kept.values()) == [(expected, START)]
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
    assert told(house) == [Event(detail_type="Message Received", detail=detail)]
    assert house.telemetry.counts["MessageReceived", "nusasms"] == 1


@covers("W10")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("provider_message_id", ["0017", None], ids=["named", "nameless"])
def test_a_callback_that_is_repeated_is_one_message(kind: str, provider_message_id: str | None) -> None:
    house = House()
    name = "ref_no" if kind == "whatsapp-official-inbox" else "id"

    for _ in range(5):
        assert hear(house, kind, **{name: provider_message_id}) is Answer.RECEIVED
        house.clock.advance(hours=1)

    assert len(told(house)) == 1
    assert house.telemetry.counts["MessageReceived", "nusasms"] == 1


def test_a_nameless_message_without_a_time_is_told_at_ours() -> None:
    house = House()
    house.clock.advance(seconds=7)

    hear(house, id=None, receive_date=None)
    house.clock.advance(seconds=52)
    hear(house, id=None, receive_date="some day")

    assert [event.detail["received_at"] for event in told(house)] == ["2026-11-21T10:00:07.000Z"]


def test_one_id_on_three_channels_is_three_messages() -> None:
    house = House()

    for kind in KINDS:
        hear(house, kind)

    assert [event.detail["channel"] for event in told(house)] == ["sms", "whatsapp", "whatsapp_official"]


UNREADABLE = [
    ("sms-inbox", {"originator": None}, Answer.MALFORMED),
    ("sms-inbox", {"originator": "62\n81"}, Answer.MALFORMED),
    ("sms-inbox", {"msg": None}, Answer.MALFORMED),
    ("sms-inbox", {"msg": "a\x00b"}, Answer.MALFORMED),
    ("sms-inbox", {"msg": ""}, Answer.RECEIVED),
    ("sms-inbox", {"originator": "Telkomsel"}, Answer.RECEIVED),
    ("sms-inbox", {"id": "a b"}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"room_id": None}, Answer.MALFORMED),
    ("whatsapp-official-inbox", {"sender_number": None}, Answer.MALFORMED),
    ("whatsapp-official-inbox", {"text": "half an emoji \ud83d"}, Answer.MALFORMED),
    ("whatsapp-official-inbox", {"text": "a\x00b"}, Answer.MALFORMED),
    ("whatsapp-official-inbox", {"text": None}, Answer.RECEIVED),
    ("whatsapp-official-inbox", {"text": "x" * 70_000}, Answer.MALFORMED),
]


@pytest.mark.parametrize(("kind", "changes", "answer"), UNREADABLE)
def test_only_what_can_be_read_is_kept(kind: str, changes: dict[str, str | None], answer: Answer) -> None:
    house = House()

    assert hear(house, kind, **changes) is answer

    assert len(house.inbox.kept) == (1 if answer is Answer.RECEIVED else 0)


def test_nothing_is_kept_of_a_caller_without_the_token() -> None:
    house = House()

    answers = [
        house.receive(
            "nusasms", "sms-inbox", token="guess", method="POST", headers=FORM, body=b"originator=62&msg=STOP"
        ),
        house.receive("smspoh", "sms-inbox", method="POST", headers=FORM, body=b"originator=62&msg=STOP"),
    ]

    assert answers == [Answer.NOT_FOUND, Answer.NOT_FOUND]
    assert (house.inbox.kept, house.directory.consents) == ({}, {})


@pytest.mark.parametrize("kind", KINDS)
def test_neither_number_nor_text_is_logged(kind: str) -> None:
    house = House()

    hear(house, kind)
    hear(house, kind)
    house.inbox.is_down = True
    hear(house, kind)

    assert not [said for said in (NUMBER[1:], "tagihan", "6281000") if said in repr(house.telemetry.lines)]


# --- heeded ---------------------------------------------------------------------------------------------------------


def test_what_comes_in_moves_no_message() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))

    for kind in KINDS:
        hear(house, kind)

    assert house.message().status is Status.ACCEPTED
    assert house.store.buffered.keys() == {"nusasms#0017"}
    assert house.store.buffered["nusasms#0017"].reports == ()


def test_a_conversation_is_noted_and_its_wish_heeded() -> None:
    house = House()

    hear(house, "whatsapp-official-inbox", text="Stop.")

    assert house.directory.conversations == {
        CONVERSATION: Conversation(room_id=CONVERSATION, number=NUMBER, last_inbound_at=WRITTEN_AT)
    }
    assert house.directory.consents == {NUMBER: (START, True)}


def test_a_conversation_with_who_has_no_number_is_noted_without_one() -> None:
    house = House()

    hear(house, "whatsapp-official-inbox", sender_number="somebody", text="STOP")

    assert house.directory.conversations == {
        CONVERSATION: Conversation(room_id=CONVERSATION, last_inbound_at=WRITTEN_AT)
    }
    assert house.directory.consents == {}


# --- outages --------------------------------------------------------------------------------------------------------


@covers("W7", "W10", "I4")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("down", ["inbox", "directory", "settings"])
def test_what_was_not_done_whole_is_not_answered_and_done_once_when_it_is_repeated(kind: str, down: str) -> None:
    house = House()
    stop: dict[str, str | None] = {"text": "STOP"} if kind == "whatsapp-official-inbox" else {"msg": "STOP"}

    getattr(house, down).is_down = True
    assert hear(house, kind, **stop) is Answer.UNAVAILABLE

    getattr(house, down).is_down = False
    house.clock.advance(minutes=5)
    assert hear(house, kind, **stop) is Answer.RECEIVED
    assert house.directory.consents == {NUMBER: (START + timedelta(minutes=5), True)}
    assert len(told(house)) == 1
    assert house.telemetry.counts["MessageReceived", "nusasms"] == 1


@pytest.mark.parametrize("down", ["directory", "settings"])
def test_a_message_is_kept_and_told_even_if_it_cannot_be_heeded(down: str) -> None:
    house = House()
    getattr(house, down).is_down = True

    hear(house, msg="STOP")

    assert [event.detail["text"] for event in told(house)] == ["STOP"]


def test_a_wish_is_heeded_even_if_its_message_cannot_be_kept() -> None:
    house = House()
    house.inbox.is_down = True

    hear(house, msg="STOP")

    assert house.directory.consents == {NUMBER: (START, True)}


def test_who_is_told_of_a_message_finds_its_conversation_open() -> None:
    house = House()
    known_when_kept: list[set[str]] = []

    class Watched(InMemoryInbox):
        def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
            known_when_kept.append({*house.directory.conversations, *house.directory.consents})
            return super().add(key, inbound, now)

    house.inbound_service = InboundService(
        inbox=Watched(),
        suppression_list=house.directory,
        conversations=house.directory,
        settings=house.settings,
        clock=house.clock,
        telemetry=house.telemetry,
    )

    hear(house, "whatsapp-official-inbox", text="STOP")

    assert known_when_kept == [{CONVERSATION, NUMBER}]


def test_who_has_no_number_is_heard_without_settings() -> None:
    house = House()
    house.settings.is_down = True

    assert hear(house, originator="Telkomsel") is Answer.RECEIVED


def test_receipts_need_neither_settings_nor_inbox_nor_directory() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))
    house.settings.is_down = house.inbox.is_down = house.directory.is_down = True

    assert house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED") is Answer.RECEIVED

    assert house.message().status is Status.DELIVERED


@covers("P16", "D8")
def test_a_bus_that_is_down_makes_the_stream_come_again() -> None:
    house, bus = House(), RecordingBus()
    hear(house)
    bus.is_down = True

    with pytest.raises(UnavailableError):
        publish_received(house.inbox.kept.values(), bus=bus)
