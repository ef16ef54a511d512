import pytest

from sampai.domain.phone import has_trunk_zero


@pytest.mark.parametrize(
    ("number", "has_zero"),
    [
        ("+62081234567810", True),
        ("+9509777777710", True),
        ("+855091234510", True),
        ("+88001744977910", True),
        ("+6281234567810", False),
        ("+959777777710", False),
        ("+390612345678", False),  # Italian numbers keep their zero
    ],
)
def test_trunk_zero_is_found_in_countries_that_drop_it(number: str, has_zero: bool) -> None:
    assert has_trunk_zero(number) is has_zero
