"""SMS NOC's comma list: the messages that may share one, and the rows of the answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.http import HttpResponse
from sampai.domain.message import Category, Message, Text
from sampai.domain.outcome import Taken, Unknown
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.smsnoc import SmsNoc

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SMSNOC = SmsNoc(ProviderConfig(base_url="https://smsnoc.example", credentials={"api_token": "1|t"}, sender="Settings"))


def message(number: int = 0, **changes: Any) -> Message:
    draft: dict[str, Any] = {
        "message_id": f"sale-{number}",
        "status": Status.SENDING,
        "category": Category.PROMOTIONAL,
        "recipient": f"+88017449779{number:02}",
        "content": Text(text="Sale"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**draft, **changes})


def answer(rows: list[Any]) -> HttpResponse:
    return HttpResponse(status=200, body=json.dumps({"status": "success", "data": rows}).encode())


@pytest.mark.parametrize(
    ("other", "is_shared"),
    [
        (message(1), True),
        (message(1, sender="Settings"), True),
        (message(1, sender="Another"), False),
        (message(1, content=Text(text="Sale!")), False),
        (message(1, content=Text(text="Sale ")), False),
        (message(1, category=Category.OTP), False),
        (message(1, recipient=None, audience=("6415907d0d37a",)), False),
    ],
)
def test_comma_list_has_one_text_and_one_sender(other: Message, is_shared: bool) -> None:
    assert (SMSNOC.batch_key(message()) == SMSNOC.batch_key(other)) is is_shared


def test_sender_and_text_cannot_be_confused() -> None:
    one, other = message(sender="A", content=Text(text="BC")), message(sender="AB", content=Text(text="C"))

    assert SMSNOC.batch_key(one) != SMSNOC.batch_key(other)


def test_campaign_cannot_be_polled() -> None:
    campaign = message(recipient=None, audience=("6415907d0d37a",))

    assert [SMSNOC.is_trackable(each) for each in (message(), campaign)] == [True, False]


def test_answer_to_the_largest_list_fits_the_response_limit() -> None:
    can = SMSNOC.capabilities
    text = "😀" * can.max_characters
    messages = [message(number, content=Text(text=text)) for number in range(can.max_batch_size)]
    rows = [{"uid": "609681630f78b", "to": m.recipient, "from": "Settings", "message": text} for m in messages]

    assert len(answer(rows).body) <= SMSNOC.build_send_many(messages).response_limit


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_no_message_gets_the_uid_of_another(order: list[int], dropped: set[int], named_alike: set[int]) -> None:
    """Rows come in any order, some are missing, and some have another number."""
    messages = [message(number) for number in range(8)]
    rows = [
        {"uid": f"uid-{number}", "to": messages[0 if number in named_alike else number].recipient}
        for number in order
        if number not in dropped
    ]

    outcomes = SMSNOC.parse_send_many(answer(rows), messages)

    said = {row["uid"]: row["to"] for row in rows}
    taken = [(m, o.provider_message_id) for m, o in zip(messages, outcomes, strict=True) if isinstance(o, Taken)]
    assert [uid for m, uid in taken if said[uid] != m.recipient] == []
    assert len({uid for _, uid in taken}) == len(taken)
    if not named_alike - {0}:
        assert {m.message_id for m, _ in taken} == {f"sale-{number}" for number in range(8) if number not in dropped}
    assert all(isinstance(outcome, Taken | Unknown) for outcome in outcomes)
