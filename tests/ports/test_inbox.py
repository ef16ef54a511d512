"""The contract of the inbox, checked on the fake and on DynamoDB of the local AWS."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.adapters.inbox import DynamoInbox, from_inbox_item, to_inbox_item
from sampai.adapters.items import to_item
from sampai.adapters.stream import parse_batch
from sampai.contract.events import message_received
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel, blank_message, cancel
from sampai.services.ports.inbox import Inbox
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryInbox, RecordingTelemetry
from tests.harness.dynamo import TABLES, MemoryDynamo

INBOUND = Inbound(
    provider="nusasms",
    channel=Channel.WHATSAPP_OFFICIAL,
    provider_message_id="0017",
    sender="+6281234567810",
    recipient="6281000",
    text="Halo",
    room_id="room-1",
    received_at=START - timedelta(minutes=3),
)
BARE = Inbound(provider="nusasms", channel=Channel.SMS, sender="", text="")

INBOUNDS = [
    ("every field", INBOUND),
    ("nothing but what must be there", BARE),
    ("emoji, newlines, a tab, a quote", replace(INBOUND, text='  Halo 👋🏽\r\n\n"ok"\t\x00 ')),
    ("other scripts", replace(INBOUND, text="ឈប់ ရပ် বন্ধ ＳＴＯＰ")),
    ("the longest body of a callback", replace(INBOUND, text="é" * 32 * 1024)),
    ("an empty text", replace(INBOUND, text="")),
    ("a sender that is no number", replace(INBOUND, sender="Telkomsel")),
    ("a leading zero and a hash in the vendor's id", replace(INBOUND, provider_message_id="00#17")),
    ("no number of ours", replace(INBOUND, recipient=None)),
    ("no conversation", replace(INBOUND, room_id=None)),
    ("no time of the vendor", replace(INBOUND, received_at=None)),
]


@pytest.fixture(params=["memory", "tables in memory", "dynamodb"])
def inbox(request: pytest.FixtureRequest) -> Inbox:
    if request.param == "memory":
        return InMemoryInbox()
    if request.param == "tables in memory":
        return DynamoInbox(MemoryDynamo(**TABLES), table="inbox")
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoInbox(emulator.client("dynamodb"), table=emulator.new_table("InboxTable"))


@covers("W10")
def test_message_is_new_only_once(inbox: Inbox) -> None:
    added = [inbox.add("a", INBOUND, START), inbox.add("a", INBOUND, START), inbox.add("b", INBOUND, START)]

    assert added == [True, False, True]


def test_message_under_a_known_key_is_not_new_even_if_its_text_differs(inbox: Inbox) -> None:
    inbox.add("a", INBOUND, START)

    assert inbox.add("a", BARE, START + timedelta(minutes=1)) is False


def test_stored_message_is_found_with_its_first_arrival(inbox: Inbox) -> None:
    inbox.add("a", INBOUND, START)
    inbox.add("a", BARE, START + timedelta(minutes=1))

    assert (inbox.find("a"), inbox.find("b")) == ((INBOUND, START), None)


@pytest.mark.parametrize("inbound", [i[1] for i in INBOUNDS], ids=[i[0] for i in INBOUNDS])
def test_message_is_stored_completely(inbound: Inbound) -> None:
    assert from_inbox_item(to_inbox_item("a", inbound, START)) == (inbound, START)


def test_every_message_reaches_the_stream_once_and_complete(emulator: Emulator) -> None:
    table = emulator.new_table("InboxTable")
    inbox = DynamoInbox(emulator.client("dynamodb"), table=table)

    for name, inbound in INBOUNDS * 2:
        inbox.add(name, inbound, START)

    records = emulator.stream_records(table)
    assert [from_inbox_item(record["dynamodb"]["NewImage"]) for record in records] == [(i[1], START) for i in INBOUNDS]


def test_repeated_callback_is_recognised_for_a_week() -> None:
    item = to_inbox_item("a", INBOUND, START)

    assert item["ttl"] == {"N": str(int((START + timedelta(days=7)).timestamp()))}


@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_outage_raises(request: pytest.FixtureRequest, where: str) -> None:
    inbox: Inbox
    if where == "memory":
        inbox = fake = InMemoryInbox()
        fake.is_down = True
    elif where == "dynamodb":
        inbox = DynamoInbox(unreachable("dynamodb"), table="inbox")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        inbox = DynamoInbox(emulator.client("dynamodb"), table="nowhere")

    with pytest.raises(UnavailableError) as caught:
        inbox.add("a", INBOUND, START)

    assert INBOUND.sender not in str(caught.value)


# --- texts that are too long, and items of a newer release ------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["\x01" * 60_000, "😀" * 60_000, "x" * 400_000, "\ud800" * 60_000],
    ids=["control characters", "emoji", "letters", "halves of characters"],
)
def test_stored_text_always_fits_into_an_event(text: str) -> None:
    stored, _ = from_inbox_item(to_inbox_item("a", replace(INBOUND, text=text, sender=text, room_id=text), START))

    assert text.startswith(stored.text)
    assert len(json.dumps(message_received(stored, now=START).detail)) < 240_000
    assert len(json.dumps(stored.text)) > 150_000


def test_longest_text_that_a_vendor_may_send_is_stored_whole() -> None:
    text = "ខ្មែរ" * 4_000

    assert from_inbox_item(to_inbox_item("a", replace(INBOUND, text=text), START))[0].text == text


def test_records_that_cannot_be_read_do_not_block_the_others() -> None:
    telemetry = RecordingTelemetry()
    message = cancel(blank_message("m-1", now=START), now=START)
    good, inbound = to_item(message), to_inbox_item("a", INBOUND, START)
    paused = good | {"status": {"S": "paused"}}
    channel = inbound | {"channel": {"S": "carrier_pigeon"}}
    images = [
        {"NewImage": paused},
        {"NewImage": good, "OldImage": paused},
        {"NewImage": inbound | {"came_at": {"N": "1"}}},
        {"NewImage": channel},
        {"OldImage": good},
    ]

    batch = parse_batch({"Records": [{"dynamodb": image} for image in images]}, telemetry)

    assert batch.changes == ((None, message),)
    assert [received.channel for received, _ in batch.received] == ["carrier_pigeon"]
    assert telemetry.counts == {("ItemUnreadable", None): 3}
