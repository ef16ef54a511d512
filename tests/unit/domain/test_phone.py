"""Phone numbers: validation, country and masking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.phone import E164, country_of, mask
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
