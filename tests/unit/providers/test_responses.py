"""The parts of a vendor's response that mean the same at every vendor."""

import pytest

from sampai.providers.responses import parse_cost, parse_id

COSTS: list[tuple[object, str | None]] = [
    ("1", "1"),
    (" 0.35 ", "0.35"),
    ("৳1,092.50", "৳1,092.50"),
    ("USD 0.0075", "USD 0.0075"),
    (1, "1"),
    (0.35, "0.35"),
    (0, "0"),
    ("Rp1.500", "Rp1.500"),
    ("Tk. 0.35", "Tk. 0.35"),
    ("-0.35 BDT", "-0.35 BDT"),
    ("Your code is 1234", None),
    ("1234 is your code", None),
    (None, None),
    (True, None),
    ("", None),
    ("free", None),
    (float("nan"), None),
    ("1\n2", None),
    ("1\u0000", None),
    ("\ud8001", None),
    ("8801744977947", None),
    ("1" * 6 + "." + "1" * 12, None),
    ("1." * 9, None),
    ({"amount": 1}, None),
]


@pytest.mark.parametrize(("value", "expected"), COSTS, ids=repr)
def test_cost_is_short_printable_and_no_phone_number(value: object, expected: str | None) -> None:
    assert parse_cost(value) == expected


def test_id_that_could_not_be_decoded_is_no_id() -> None:
    assert (parse_id("v-1"), parse_id("v-\ufffd")) == ("v-1", None)
