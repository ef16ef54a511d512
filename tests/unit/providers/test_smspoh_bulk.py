"""SMSPoh's bulk call: the messages that may share one, and the entries of the answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.http import HttpResponse
from sampai.domain.message import Category, Message, Text
from sampai.domain.outcome import NotTaken, Taken, Unknown
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.smspoh import SmsPoh

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SMSPOH = SmsPoh(
    ProviderConfig(base_url="https://smspoh.example", credentials={"api_key": "k", "api_secret": "s"}, sender="Sampai")
)


def message(number: int = 0, **changes: Any) -> Message:
    draft: dict[str, Any] = {
        "message_id": f"sale-{number}",
        "status": Status.SENDING,
        "category": Category.PROMOTIONAL,
        "recipient": f"+9591234567{number:02}",
        "content": Text(text="Sale"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**draft, **changes})


def answer(entries: list[Any]) -> HttpResponse:
    return HttpResponse(status=201, body=json.dumps({"messages": entries}).encode())


@pytest.mark.parametrize(
    ("other", "is_shared"),
    [
        (message(1), True),
        (message(1, sender="Another", content=Text(text="Another")), True),
        (message(1, provider_options={"smspoh": {"unicode": True, "test": True, "encrypt": False}}), True),
        (message(1, provider_options={"smspoh": {"encrypt": True}}), False),
        (message(1, category=Category.TRANSACTIONAL), False),
        (message(1, recipient=None, audience=("a-list",)), False),
    ],
)
def test_encrypted_messages_do_not_share_a_bulk_call(other: Message, is_shared: bool) -> None:
    assert (SMSPOH.batch_key(message()) == SMSPOH.batch_key(other)) is is_shared


def test_refusal_in_a_bulk_has_its_own_words() -> None:
    entries = [{"status": False, "message": text} for text in ("Invalid Sender ID", "Invalid number")]

    outcomes = SMSPOH.parse_send_many(answer(entries), [message(0), message(1)])

    words = [outcome.vendor_words for outcome in outcomes if isinstance(outcome, NotTaken)]
    assert words == [b"Invalid Sender ID", b"Invalid number"]


def test_encrypted_message_without_a_stored_key_is_not_sent() -> None:
    encrypted = message(provider_options={"smspoh": {"encrypt": True}})

    assert SMSPOH.encrypts(encrypted)
    with pytest.raises(ValueError, match="no encryption key"):
        SMSPOH.build_send(encrypted)


def test_answer_to_the_largest_bulk_call_fits_the_response_limit() -> None:
    can = SMSPOH.capabilities
    text = "😀" * can.max_characters
    messages = [message(number, content=Text(text=text)) for number in range(can.max_batch_size)]
    entries = [{"messageId": "327DABCC-E4A9", "to": m.recipient, "message": text} for m in messages]

    assert len(answer(entries).body) <= SMSPOH.build_send_many(messages).response_limit


Entry = dict[str, Any]


def taken(number: int, **changes: Any) -> Entry:
    return {"messageId": f"ID-{number}", "status": "Accepted", "to": f"9591234567{number:02}", **changes}


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_each_message_gets_its_own_entry_in_any_order(order: list[int], dropped: set[int], named: set[int]) -> None:
    """Some entries are missing, and some have our reference."""
    entries = [
        taken(number, clientReference=f"sale-{number}" if number in named else "")
        for number in order
        if number not in dropped
    ]

    outcomes = SMSPOH.parse_send_many(answer(entries), [message(number) for number in range(8)])

    found = [outcome.provider_message_id if isinstance(outcome, Taken) else None for outcome in outcomes]
    assert found == [None if number in dropped else f"ID-{number}" for number in range(8)]


shapes = st.sampled_from(["taken", "refused", "refused without a number", "taken without a number"])


@given(st.permutations(range(5)), st.lists(shapes, min_size=5, max_size=5), st.sets(st.integers(0, 4)))
def test_accepted_message_is_never_refused(order: list[int], fates: list[str], dropped: set[int]) -> None:
    """Entries come in any order, some are missing, and some lack their number."""

    def entry(number: int) -> Entry:
        said = taken(number) if fates[number].startswith("taken") else {"status": False, "message": "No", "to": ""}
        has_number = "without" not in fates[number]
        return {**said, "to": f"9591234567{number:02}" if has_number else None}

    entries = [entry(number) for number in order if number not in dropped]

    outcomes = SMSPOH.parse_send_many(answer(entries), [message(number) for number in range(5)])

    refused = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, NotTaken)]
    ids = {number: o.provider_message_id for number, o in enumerate(outcomes) if isinstance(o, Taken)}
    assert [number for number in refused if fates[number].startswith("taken")] == []
    assert ids == {number: f"ID-{number}" for number in ids}
    assert all(isinstance(outcomes[number], Unknown) for number in dropped)
