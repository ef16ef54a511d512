"""Phone numbers: validation, country and masking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.phone import E164, country_of, mask, mentions, normalize_number
from tests.covers import covers


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+85591234511", "KH"),
        ("+8559123511", "KH"),
        ("+8801744977947", "BD"),
        ("+959777777710", "MM"),
        ("+6281234567810", "ID"),
        ("+66812345678", "TH"),
        ("+12025550123", "US"),
        ("+77012345678", "RU"),
        ("+99999999999", None),
    ],
)
def test_country_follows_from_the_calling_code(number: str, country: str | None) -> None:
    assert country_of(number) == country


@covers("V6", "I13")
@pytest.mark.parametrize(
    "text",
    [
        "85591234511",
        "+85591234511,+85591234512",
        "+85591234511\n",
        "+0855912345",
        "+855 91234511",
        "+8559123451٠",
        "+８５５９１２３４５",
        "+855912",
        "+8559123451112345",
        "+85591234511;ext=1",
        "",
    ],
)
def test_only_a_single_ascii_number_is_valid(text: str) -> None:
    assert E164.fullmatch(text) is None


@covers("V6", "I13")
@given(st.text(max_size=20))
def test_valid_number_is_a_plus_and_ascii_digits(text: str) -> None:
    if E164.fullmatch(text):
        assert text[0] == "+"
        assert set(text[1:]) <= set("0123456789")


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+85591234511", "+855*****511"), ("+959777777710", "+95*******710"), ("+99912345678", "+********678")],
)
def test_a_masked_number_shows_its_country_and_three_digits(number: str, shown: str) -> None:
    assert mask(number) == shown


@pytest.mark.parametrize(
    "text",
    [
        "+6281234567810",
        "6281234567810",
        "006281234567810",
        "081234567810",
        "81234567810",
        "Call 0812-3456-7810 today",
        "(+62) 812 3456.7810",
        "+62 (0) 812/3456/7810",
        "otp-6281234567810",
        "०८१२३४५६७८१०",
        "no +6281234567811, but +6281234567810",
    ],
)
def test_number_is_found_in_every_notation(text: str) -> None:
    assert mentions(text, "+6281234567810")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+6281234567811",
        "+62812345678100",
        "+62181234567810",
        "181234567810",
        "+6081234567810",
        "0812345678",
        "+62********810",
    ],
)
def test_another_number_with_the_same_digits_in_it_is_not_found(text: str) -> None:
    assert not mentions(text, "+6281234567810")


NOTATIONS = [
    ("+62 812-3456-7810", "ID", "+6281234567810"),
    ("0062812 3456 7810", "ID", "+6281234567810"),
    ("6281234567810", "ID", "+6281234567810"),
    ("081234567810", "ID", "+6281234567810"),
    ("+62 (0)812.3456.7810", "ID", "+6281234567810"),
    ("+62 0812 3456 7810", "ID", "+6281234567810"),
    ("6281234567810@c.us", None, "+6281234567810"),
    ("6281234567810:12@s.whatsapp.net", None, "+6281234567810"),
    ("\u202a+62\u00a0812\u20113456\u20117810\u202c", "ID", "+6281234567810"),
    ("+៨៥៥៩១២៣៤៥១០", "ID", "+85591234510"),
    ("(017) 4497-7910", "BD", "+8801744977910"),
    ("+85591234510", "ID", "+85591234510"),
    ("85591234510", "ID", None),
    ("81234567810", "ID", None),
    ("081234567810", None, None),
    ("3636", "ID", None),
    ("62345", "ID", None),
    ("Telkomsel", "ID", None),
    ("+2101234567", "ID", None),
    ("12036302@g.us", "ID", None),
    ("", "ID", None),
    ("+62812345678101234", "ID", None),
]


@pytest.mark.parametrize(("number", "home", "expected"), NOTATIONS)
def test_number_is_read_in_any_notation_that_decides_it(number: str, home: str | None, expected: str | None) -> None:
    assert normalize_number(number, home=home) == expected


def test_number_without_a_prefix_is_read_where_all_numbers_are_international() -> None:
    assert normalize_number("85591234510", home="ID", is_international=True) == "+85591234510"
