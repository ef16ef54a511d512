"""Plain characters instead of typographic ones, if the whole text then fits the GSM alphabet."""

import pytest

from sampai.domain.segments import Encoding, encoding_of
from sampai.domain.typography import REPLACEMENTS, replace_typographic

CASES = [
    ("plain", "It's 5 o'clock", "It's 5 o'clock"),
    ("curly quotes", "“It’s 5 o’clock”", "\"It's 5 o'clock\""),
    ("dashes", "1–2 — 3", "1-2 - 3"),
    ("an ellipsis", "Wait…", "Wait..."),
    ("a bullet and a no-break space", "• 5\u00a0USD", "- 5 USD"),
    ("a tab", "a\tb", "a b"),
    ("invisible characters", "\ufeffSam\u00adpai\u200b", "Sampai"),
    ("letters of the GSM alphabet", "Ça va, “señor”?", 'Ça va, "señor"?'),
    ("Khmer beside quotes", "“ឈប់”", "“ឈប់”"),
    ("one emoji beside quotes", "“Hi” 😀", "“Hi” 😀"),
    ("a letter that GSM-7 lacks", "“façade”", "“façade”"),
    ("a text of invisible characters alone", "\u200b\u200b", "\u200b\u200b"),
    ("as many segments as before", "…" * 53, "." * 159),
    ("more segments than before", "…" * 54, "…" * 54),
    ("fewer segments than before", "’" + "a" * 159, "'" + "a" * 159),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_typographic_characters_are_replaced_if_that_saves_an_encoding(text: str, expected: str) -> None:
    assert replace_typographic(text) == expected


def test_each_replaced_character_needs_ucs2_and_its_replacement_does_not() -> None:
    assert {encoding_of(character) for character in REPLACEMENTS} == {Encoding.UCS2}
    assert {encoding_of(replacement) for replacement in REPLACEMENTS.values()} == {Encoding.GSM7}
