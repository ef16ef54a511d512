"""Words of vendors keep their meaning and lose every value of ours, in whatever form the vendor repeats it."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.redaction import MAX_CHARACTERS, MAX_WORDS_BYTES, PLAIN_WORDS, redact

TEXT: Final = "Dear Sokunthea, your code is 7391 until 18:45"
BURMESE: Final = "မင်္ဂလာပါ သင့်ကုဒ် ၇၃၉၁ ဖြစ်သည်"
NUMBER: Final = "+85591234511"
SENDER: Final = "MCS-Otp"
API_KEY: Final = "house_v1_5kTqZ"
PASSWORD: Final = "password"
ADDRESS: Final = "sok.unthea@example.org"
FILE: Final = b"%PDF-1.7 Statement of account \xff\x00 8841 %%EOF"
PRIVATE: Final = (TEXT, "Buenos días, señora", BURMESE, NUMBER, SENDER, API_KEY, f"Bearer {API_KEY}", PASSWORD, ADDRESS)


def redacted(words: str | bytes, *codes: str) -> str:
    data = words.encode("utf-8", "surrogatepass") if isinstance(words, str) else words
    return redact(data, private=PRIVATE, files=[FILE], codes=codes)


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("Invalid Sender ID", ()),
        ('{"error":true,"message":"Invalid WA Sender","data":null}', ()),
        ("The message may not be greater than 160 characters.", ()),
        ("The clientReference field is required.", ()),
        ("SENDER_NOT_REGISTERED (-36)", ("-36",)),
        ("HTTP 4031: quota exceeded", ("4031",)),
        ("Permission to send an SMS has not been enabled for the region", ()),
        ("<results><result><status>-5</status></result></results>", ("-5",)),
        ("insufficient_account_balance_for_campaign", ()),
    ],
)
def test_words_that_repeat_nothing_stay_as_they_are(words: str, codes: tuple[str, ...]) -> None:
    assert redacted(words, *codes) == words


@pytest.mark.parametrize(
    "gap", ["\n", "\r\n", "\t", "\v", "\u00a0", "\u2028", " \n\n ", "\u200b \x00", "\\n", "\\r\\n", "%0A", "&#10;"]
)
def test_words_on_several_lines_become_one_line(gap: str) -> None:
    assert redacted(f"Invalid{gap}Sender ID") == "Invalid Sender ID"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # Numbers, in every notation.
        ("+85591234511 is invalid", "+[…] is invalid"),
        ("85591234511 is invalid", "[…] is invalid"),
        ("091234511 is invalid", "[…] is invalid"),
        ("00855 91 234 511 is invalid", "[…] is invalid"),
        ("(855) 91-234-511 is invalid", "([…] is invalid"),
        ("855.91.234.511 is invalid", "[…] is invalid"),
        ("+855\u00a091\u2011234\u2013511 is invalid", "+[…] is invalid"),
        ("\uff18\uff15\uff15\uff19\uff11\uff12\uff13\uff14\uff15\uff11\uff11 is invalid", "[…] is invalid"),
        ("၈၅၅၉၁၂၃၄၅၁၁ is invalid", "[…] is invalid"),
        ("855\u200b912\u200b345\u200b11 is invalid", "[…] is invalid"),
        ("%2B85591234511 is invalid", "+[…] is invalid"),
        ("a number of another person: 959777777710", "a number of another person: […]"),
        ("the last digits 4511", "the last digits […]"),
        # Texts and one-time passwords, whole and in part.
        (f'spam: "{TEXT}"', 'spam: "[…]"'),
        ("spam: Dear Sokunth", "spam: […]"),
        ("spam: SOKUNTHEA", "spam: […]"),
        ("spam: unthea", "spam: […]"),
        ("spam: xSokuntheax", "spam: […]"),
        ("your code is refused", "[…] refused"),
        ("spam: Senora", "spam: […]"),
        ("the code is bad", "the code is bad"),
        ("7391", "[…]"),
        ("7 3 9 1", "[…]"),
        ("code 73", "code […]"),
        ("code 391", "code […]"),
        (f"blocked: {BURMESE}", "blocked: […]"),
        (f"blocked: {BURMESE[:14]}", "blocked: […]"),
        (f"blocked: {json.dumps(json.dumps(BURMESE))}", 'blocked: ""[…]""'),
        # Other values.
        ("Sender MCS-Otp is not authorized", "Sender […] is not authorized"),
        ("Sender mcs is not authorized", "Sender […] is not authorized"),
        (f"bad key {API_KEY}", "bad key […]"),
        ("bad key house", "bad key […]"),
        ("bad user password", "bad user […]"),
        (f"no mailbox {ADDRESS}", "no mailbox […]"),
        ("no mailbox other@example.net", "no mailbox […]"),
        ("see https://vendor.example/help?x=1 for help", "see […] for help"),
        ('{"encryptKey":"short","token":"t0"}', '{"encryptKey":[…]","token":[…]"}'),
        ("api_key=abc&x=1", "api_key=[…]&x=1"),
        ("key: 9f8e7d6c5b4a39281706f5e4d3c2b1a0", "key: […]"),
        # Files.
        ("cannot read Statement", "cannot read […]"),
        (f"cannot read {b64encode(FILE).decode()}", "cannot read […]"),
        # Codes.
        ("code 7391 refused", "code […] refused"),
    ],
)
def test_private_values_are_cut(words: str, expected: str) -> None:
    assert redacted(words, "7391") == expected


def _in_python_bytes(text: str) -> str:
    return repr(text.encode())[2:-1]


ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "raw": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"text": text})),
    "URL": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "form in JSON": lambda text: json.dumps(quote_plus(text)),
    "HTML": lambda text: escape(text),
    "HTML by number": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "HTML by hex number": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "repr of bytes": _in_python_bytes,
    "JSON escapes only": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "Base64": lambda text: b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "capitals": str.upper,
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "spaced": lambda text: text.replace(" ", "\u00a0\u200b \n"),
    "page": lambda text: f"<html><body><p>{escape(text)}</p></body></html>",
}

PRIVATE_WORDS: Final = ("sokunthea", "7391", "ကုဒ်", "91234511", "mcs", "5ktqz", "unthea", "dear", "18:45")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", PRIVATE)
def test_private_value_is_cut_in_every_encoding(encoding: str, value: str) -> None:
    shown = redacted(f"refused: {ENCODINGS[encoding](value)} (sender)").lower()

    assert [word for word in PRIVATE_WORDS if word in shown] == []
    assert b64encode(value.encode()).decode().lower() not in shown
    assert value.encode().hex() not in shown


@pytest.mark.parametrize("length", range(4, 60, 5))
@pytest.mark.parametrize("encoding", ["raw", "JSON", "URL", "Base64", "hex"])
def test_echo_of_the_start_of_a_text_is_cut(encoding: str, length: int) -> None:
    shown = redacted(f"refused: {ENCODINGS[encoding](TEXT)[:length]}")

    # Three letters at the end may stay, two digits may not.
    words = set(re.findall(r"\w+", shown)) - PLAIN_WORDS - {"refused"}
    assert [word for word in words if len(word) > 3 or (word.isdigit() and len(word) > 1)] == []


@given(
    values=st.lists(st.text(min_size=5, max_size=30), min_size=1, max_size=3),
    encoding=st.sampled_from(["raw", "JSON", "URL", "HTML by number", "capitals"]),
)
def test_no_long_word_of_any_value_stays(values: list[str], encoding: str) -> None:
    words = " | ".join(ENCODINGS[encoding](value) for value in values)

    shown = redact(words.encode("utf-8", "replace"), private=values)

    long_words = {w for value in values for w in value.split() if len(w) >= 5 and w.isascii() and w.isalpha()}
    assert [w for w in long_words if w in shown] == []


@given(st.binary(max_size=MAX_WORDS_BYTES + 10))
def test_any_bytes_become_a_short_line_that_can_be_shown(words: bytes) -> None:
    shown = redacted(words)

    assert len(shown) <= MAX_CHARACTERS
    assert shown.isprintable()


HOSTILE: Final = {
    "letters": b"A" * 9000 + b"1",
    "mixed letters": b"Aa" * 4000 + b"1",
    "names": b"ab_" * 3000 + b"1",
    "digits": b"1 " * 4000,
    "backslashes": b"\\" * 9000,
    "percents": b"%" * 9000,
    "ampersands": b"&amp;" * 2000,
    "labels": b'key="' * 2000,
    "addresses": b"aa@" * 3000,
    "tags": b"<html" + b"<" * 9000,
    "no UTF-8": b"\xff" * 9000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_are_short_too(name: str) -> None:
    """A pattern with too many ways to match would not end here."""
    assert len(redacted(HOSTILE[name])) <= MAX_CHARACTERS


def test_long_words_end_with_an_ellipsis() -> None:
    shown = redacted("and so on, " * 100)

    assert (len(shown), shown[-1]) == (MAX_CHARACTERS, "…")


def test_page_is_read_without_its_markup() -> None:
    page = "<!DOCTYPE html><html><head><style>p {color: red}</style></head><body><h1>502 Bad Gateway</h1></body></html>"

    assert redacted(page, "502") == "502 Bad Gateway"


def test_nothing_stays_nothing() -> None:
    assert redacted("") == ""
    assert redact(b"refused", private=["", " "]) == "refused"
