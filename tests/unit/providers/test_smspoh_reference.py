"""The reference that SMSPoh echoes: it is unique and short enough."""

from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from sampai.domain.message import MESSAGE_ID, Message
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.smspoh import REFERENCE_LIMIT, SmsPoh

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SMSPOH = SmsPoh(ProviderConfig(base_url="https://smspoh.example", credentials={"api_key": "k", "api_secret": "s"}))

message_ids = st.from_regex(MESSAGE_ID, fullmatch=True)
fitting_ids = message_ids.filter(lambda message_id: len(message_id) <= REFERENCE_LIMIT)
long_ids = st.builds(
    lambda head, tail: (head + tail)[:64],
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{49}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._:-]{1,14}", fullmatch=True),
)


def reference_of(message_id: str) -> str:
    message = Message(message_id=message_id, status=Status.SENDING, created_at=T0, updated_at=T0, occurred_at=T0)
    reference = SMSPOH.reference_of(message)
    assert reference is not None
    return reference


@given(fitting_ids)
def test_short_id_is_its_own_reference(message_id: str) -> None:
    assert reference_of(message_id) == message_id


@given(long_ids)
def test_long_id_is_shortened_in_the_same_way_each_time(message_id: str) -> None:
    reference = reference_of(message_id)

    assert len(reference) == REFERENCE_LIMIT
    assert reference_of(message_id) == reference


@given(long_ids)
def test_shortened_id_is_not_a_valid_message_id_so_it_equals_no_other_id(message_id: str) -> None:
    assert MESSAGE_ID.fullmatch(reference_of(message_id)) is None


@given(long_ids)
def test_shortened_id_survives_a_query_string_without_encoding(message_id: str) -> None:
    assert set(reference_of(message_id)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:")


@given(message_ids, message_ids)
def test_two_ids_never_share_a_reference(one: str, other: str) -> None:
    assume(one != other)

    assert reference_of(one) != reference_of(other)


@given(long_ids, st.characters(categories=(), include_characters="abcXYZ019._:-"))
def test_long_ids_that_differ_in_their_last_character_have_different_references(message_id: str, last: str) -> None:
    other = message_id[:-1] + last
    assume(other != message_id)

    assert reference_of(other) != reference_of(message_id)
