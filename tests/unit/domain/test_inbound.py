"""Inbound messages: their keys, open conversations, and opt-out keywords."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest

from sampai.domain.inbound import Consent, Conversation, Inbound, parse_keyword
from sampai.domain.message import Channel
from tests.covers import covers
from tests.fakes import START

NAMED = Inbound(
    provider="nusasms", channel=Channel.SMS, provider_message_id="0017", sender="+6281234567810", text="Halo"
)
NAMELESS = replace(NAMED, provider_message_id=None, received_at=START)


# --- keys -------------------------------------------------------------------------------------------------------------

SECOND = timedelta(seconds=1)
LATER = timedelta(hours=3)

REPEATS = [
    ("the vendor's id, whatever else is said", NAMED, replace(NAMED, text="Hi", sender="+6281", room_id="r"), LATER),
    ("the vendor's id, at another time", NAMED, replace(NAMED, received_at=START + LATER), LATER),
    ("no id, the vendor's time", NAMELESS, NAMELESS, LATER),
    ("no id, the vendor's minute", NAMELESS, replace(NAMELESS, received_at=START + 59.999 * SECOND), LATER),
    (
        "no id, no time, our minute",
        replace(NAMELESS, received_at=None),
        replace(NAMELESS, received_at=None),
        59 * SECOND,
    ),
    ("no id, another number of ours", NAMELESS, replace(NAMELESS, recipient="6281000"), LATER),
]


@covers("W10")
@pytest.mark.parametrize(("first", "second", "later"), [r[1:] for r in REPEATS], ids=[r[0] for r in REPEATS])
def test_a_repeated_callback_has_the_key_of_the_first(first: Inbound, second: Inbound, later: timedelta) -> None:
    assert first.key(START) == second.key(START + later)


@covers("W10")
def test_different_messages_have_different_keys() -> None:
    different = [
        NAMED,
        replace(NAMED, provider_message_id="17"),
        replace(NAMED, provider="smspoh"),
        replace(NAMED, channel=Channel.WHATSAPP),
        replace(NAMED, channel=Channel.WHATSAPP_OFFICIAL),
        NAMELESS,
        replace(NAMELESS, provider="smspoh"),
        replace(NAMELESS, channel=Channel.WHATSAPP),
        replace(NAMELESS, channel=Channel.WHATSAPP_OFFICIAL),
        replace(NAMELESS, sender="+6281234567811"),
        replace(NAMELESS, text="halo"),
        replace(NAMELESS, text=""),
        replace(NAMELESS, room_id="room-1"),
        replace(NAMELESS, text="Haloroom-1"),
        replace(NAMELESS, received_at=START + timedelta(minutes=1)),
    ]

    keys = [inbound.key(START) for inbound in different]

    assert [(a, b) for a, b in combinations(range(len(keys)), 2) if keys[a] == keys[b]] == []


def test_key_without_an_id_contains_neither_the_number_nor_the_text() -> None:
    key = NAMELESS.key(START)

    assert key.startswith("nusasms#sms#2026-11-21T10:00:00.000Z#")
    assert "6281234567810" not in key
    assert "Halo" not in key


def test_repr_of_a_message_shows_neither_the_number_nor_the_text() -> None:
    conversation = Conversation(room_id="room-1", number=NAMED.sender, last_inbound_at=START)

    assert "6281234567810" not in repr([NAMED, conversation])
    assert "Halo" not in repr(NAMED)


# --- conversations ----------------------------------------------------------------------------------------------------

DAY = timedelta(hours=24)
MILLISECOND = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("after", "is_open"), [(timedelta(0), True), (DAY - MILLISECOND, True), (DAY, False), (DAY + MILLISECOND, False)]
)
def test_conversation_is_open_for_less_than_a_day(after: timedelta, is_open: bool) -> None:
    assert Conversation(room_id="room-1", last_inbound_at=START).is_open(START + after) is is_open


# --- keywords ---------------------------------------------------------------------------------------------------------

OUT = ("STOP", "Berhenti", "STOP ALL", "ရပ်", "ឈប់", "বন্ধ", "⛔")
IN = ("START", "Mulai", "চালু", "...")

WISHES = [
    ("the word", "STOP", Consent.OPT_OUT),
    ("another of the words", "Berhenti", Consent.OPT_OUT),
    ("lower case", "stop", Consent.OPT_OUT),
    ("mixed case", "sToP", Consent.OPT_OUT),
    ("spaces around", "  STOP\t", Consent.OPT_OUT),
    ("newlines around", "\r\nSTOP\r\n", Consent.OPT_OUT),
    ("a no-break space behind", "STOP\u00a0", Consent.OPT_OUT),
    ("a full stop", "Stop.", Consent.OPT_OUT),
    ("exclamation marks", "¡¡Stop!!!", Consent.OPT_OUT),
    ("quotes", "“STOP”", Consent.OPT_OUT),
    ("brackets", "[STOP]", Consent.OPT_OUT),
    ("a digit behind", "STOP 2", None),
    ("an emoji behind", "STOP 🛑", Consent.OPT_OUT),
    ("an emoji with a selector and a skin", "Stop ✋🏽 ✖️", Consent.OPT_OUT),
    ("full width", "ＳＴＯＰ！", Consent.OPT_OUT),
    ("styled letters", "𝐒𝐓𝐎𝐏", Consent.OPT_OUT),
    ("two words", "stop all", Consent.OPT_OUT),
    ("two words, oddly spaced", "Stop -\n ALL", Consent.OPT_OUT),
    ("two words in one", "STOPALL", None),
    ("letters apart", "S T O P", None),
    ("Burmese", "ရပ်", Consent.OPT_OUT),
    ("Burmese with its own full stop", "ရပ်။", Consent.OPT_OUT),
    ("Burmese without its last sign", "ရပ", None),
    ("Khmer", "ឈប់", Consent.OPT_OUT),
    ("Khmer with its own full stop", "ឈប់។", Consent.OPT_OUT),
    ("Khmer with breaks that have no width", "\u200bឈ\u200bប់\u200b", Consent.OPT_OUT),
    ("Khmer without its last sign", "ឈប", None),
    ("Bengali", "বন্ধ", Consent.OPT_OUT),
    ("Bengali with its own full stop", "বন্ধ।", Consent.OPT_OUT),
    ("Bengali with a joiner", "বন্\u200cধ", Consent.OPT_OUT),
    ("Bengali, to start", "চালু", Consent.OPT_IN),
    ("a mark of direction before", "\u200fSTOP", Consent.OPT_OUT),
    ("to start", "start", Consent.OPT_IN),
    ("to start, in another word", " mulai! ", Consent.OPT_IN),
    ("a word within a sentence", "please stop", None),
    ("a word with more behind", "STOP it", None),
    ("a longer word", "STOPPED", None),
    ("both words", "STOP START", None),
    ("no text", "", None),
    ("blanks", " \n ", None),
    ("an emoji alone", "⛔", None),
    ("points alone", "...", None),
    ("something else", "Terima kasih", None),
]


@pytest.mark.parametrize(("text", "consent"), [w[1:] for w in WISHES], ids=[w[0] for w in WISHES])
def test_keyword_is_the_whole_message(text: str, consent: Consent | None) -> None:
    assert parse_keyword(text, opt_out_words=OUT, opt_in_words=IN) is consent


@pytest.mark.parametrize(
    ("out_words", "in_words", "consent"),
    [
        (("STOP",), ("stop",), Consent.OPT_OUT),
        (("Stop!",), ("STOP",), Consent.OPT_OUT),
        ((), ("STOP",), Consent.OPT_IN),
        ((), (), None),
    ],
)
def test_ambiguous_keyword_means_opt_out(
    out_words: tuple[str, ...], in_words: tuple[str, ...], consent: Consent | None
) -> None:
    assert parse_keyword("Stop", opt_out_words=out_words, opt_in_words=in_words) is consent
