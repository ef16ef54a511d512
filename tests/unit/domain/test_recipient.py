"""Recipients of all channels: masked, counted and searched in their own way."""

import pytest

from sampai.domain.phone import calling_code_of, country_of
from sampai.domain.recipient import fold, is_email, keyed_digest, mask, mentions

NUMBER = "+6281234567810"
ADDRESS = "Sok.Dara@example.com"


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        (NUMBER, "+62********810"),
        (ADDRESS, "S***@example.com"),
        ("s@example.com", "s***@example.com"),
        ("1@example.com", "1***@example.com"),
    ],
)
def test_masked_recipient_shows_only_its_ends(recipient: str, shown: str) -> None:
    assert mask(recipient) == shown


def test_address_is_no_number_and_has_no_country_even_if_it_begins_like_one() -> None:
    addresses = [ADDRESS, "a1@example.com", "+6281234567810@example.com"]

    assert [is_email(recipient) for recipient in [NUMBER, *addresses]] == [False, True, True, True]
    assert [country_of(ADDRESS), country_of("a1@example.com"), calling_code_of("x62812")] == [None, None, None]


def test_digest_of_a_number_is_its_hmac_in_hex() -> None:
    # Computed with `printf +6281234567810 | openssl dgst -sha256 -hmac not-a-secret`.
    digest = "8f4e56c2202c421e221da64fee6b1ab6d6331f57112522d33b382e8cec693d6a"
    assert keyed_digest("+6281234567810", b"not-a-secret") == digest
    assert keyed_digest("+6281234567811", b"not-a-secret") != digest


def test_address_has_one_digest_in_any_case() -> None:
    assert fold(ADDRESS) == "sok.dara@example.com"
    assert keyed_digest(ADDRESS, b"not-a-secret") == keyed_digest("sok.dara@EXAMPLE.com", b"not-a-secret")
    assert keyed_digest(ADDRESS, b"not-a-secret") != keyed_digest("sok.dara@example.org", b"not-a-secret")


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ("write to sok.dara@example.com.", True),
        ("<SOK.DARA@EXAMPLE.COM>", True),
        ("mailto:sok.dara@example.com?subject=x", True),
        ("sok.dara@example.com", True),
        ("mr.sok.dara@example.com", False),
        ("sok.dara@example.com.kh", False),
        ("sok.dara@example.community", False),
        ("sok_dara@example.com", False),
        ("", False),
    ],
)
def test_text_mentions_an_address_but_no_longer_one(text: str, is_there: bool) -> None:
    assert mentions(text, ADDRESS) is is_there


def test_text_mentions_a_number_in_national_notation() -> None:
    assert mentions("call 0812-3456-7810", NUMBER)
