"""What the services rely on in an inbox, asked of the fake and of DynamoDB as the local AWS has it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.adapters.inbox import DynamoInbox, from_inbox_item, to_inbox_item
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel
from sampai.services.ports.inbox import Inbox
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryInbox

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


@pytest.fixture(params=["memory", "dynamodb"])
def inbox(request: pytest.FixtureRequest) -> Inbox:
    if request.param == "memory":
        return InMemoryInbox()
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoInbox(emulator.client("dynamodb"), table=emulator.new_table("InboxTable"))


@covers("W10")
def test_a_message_is_new_once(inbox: Inbox) -> None:
    added = [inbox.add("a", INBOUND, START), inbox.add("a", INBOUND, START), inbox.add("b", INBOUND, START)]

    assert added == [True, False, True]


def test_what_comes_under_a_known_key_is_not_new_whatever_it_says(inbox: Inbox) -> None:
    inbox.add("a", INBOUND, START)

    assert inbox.add("a", BARE, START + timedelta(minutes=1)) is False


def test_stored_message_is_found_with_its_first_arrival(inbox: Inbox) -> None:
    inbox.add("a", INBOUND, START)
    inbox.add("a", BARE, START + timedelta(minutes=1))

    assert (inbox.find("a"), inbox.find("b")) == ((INBOUND, START), None)


@pytest.mark.parametrize("inbound", [i[1] for i in INBOUNDS], ids=[i[0] for i in INBOUNDS])
def test_a_message_is_read_as_it_was_written(inbound: Inbound) -> None:
    assert from_inbox_item(to_inbox_item("a", inbound, START)) == (inbound, START)


def test_every_message_reaches_the_stream_once_and_whole(emulator: Emulator) -> None:
    table = emulator.new_table("InboxTable")
    inbox = DynamoInbox(emulator.client("dynamodb"), table=table)

    for name, inbound in INBOUNDS * 2:
        inbox.add(name, inbound, START)

    records = emulator.stream_records(table)
    assert [from_inbox_item(record["dynamodb"]["NewImage"]) for record in records] == [(i[1], START) for i in INBOUNDS]


def test_a_repeated_callback_is_known_as_one_for_a_week() -> None:
    item = to_inbox_item("a", INBOUND, START)

    assert item["ttl"] == {"N": str(int((START + timedelta(days=7)).timestamp()))}


@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_an_inbox_that_does_not_answer_is_unavailable(request: pytest.FixtureRequest, where: str) -> None:
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
