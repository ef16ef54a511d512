"""E-mail addresses: one plain address, and nothing that could become a second one or another header."""

import pytest

from sampai.domain.email_address import is_address, is_sender, normalize_address

GOOD = [
    "sok@example.com",
    "sok.dara+bills@mail.example.com.kh",
    "o'neil_99@a-b.example",
    "x@1.example",
    "a" * 64 + "@example.com",
    "s@xn--mgbh0fb.example",
    "s@" + ("a" * 61 + ".") * 4 + "kh",
]

BAD = [
    "",
    "sok",
    "@example.com",
    "sok@",
    "sok@example",
    ".sok@example.com",
    "sok.@example.com",
    "so..k@example.com",
    "sok@.example.com",
    "sok@example..com",
    "sok@-a.example",
    "sok@a-.example",
    "sok@exam_ple.com",
    "sok@[127.0.0.1]",
    '"sok"@example.com',
    "sok@example.com ",
    " sok@example.com",
    "sok@example.com\n",
    "sok\r\nBcc: all@example.com",
    "sok@example.com,dara@example.com",
    "sok@example.com;dara@example.com",
    "<sok@example.com>",
    "Sok <sok@example.com>",
    "sok@dara@example.com",
    "សុខ@example.com",
    "sok@ឧទាហរណ៍.kh",
    "sok\x00@example.com",
    "a" * 65 + "@example.com",
    "s@" + "a" * 64 + ".com",
    "s@" + ("a" * 62 + ".") * 4 + "kh",
]


@pytest.mark.parametrize("address", GOOD)
def test_plain_address_is_one(address: str) -> None:
    assert is_address(address)
    assert is_sender(address)
    assert is_sender(f"Ministry of Posts <{address}>")


@pytest.mark.parametrize("text", BAD)
def test_everything_else_is_none(text: str) -> None:
    assert not is_address(text)
    assert not is_sender(f"Ministry <{text}>")


def test_longest_address_has_254_characters() -> None:
    longest = "s@" + ("a" * 62 + ".") * 4

    assert [is_address(longest[:-1]), is_address(longest + "k")] == [True, False]


@pytest.mark.parametrize(
    ("sender", "is_one"),
    [
        ("ក្រសួង <no-reply@example.com>", True),
        ("x" * 64 + " <a@b.kh>", True),
        ("x" * 65 + " <a@b.kh>", False),
        (" <a@b.kh>", False),
        ("A, B <a@b.kh>", False),
        ("A <a@b.kh>, B <c@d.kh>", False),
        ('"A" <a@b.kh>', False),
        ("A\nBcc: c@d.kh <a@b.kh>", False),
        ("A <a@b.kh", False),
        ("A<a@b.kh>", False),
        ("mcs-otp", False),
    ],
)
def test_sender_is_an_address_or_a_name_with_one(sender: str, is_one: bool) -> None:
    assert is_sender(sender) is is_one


def test_only_the_domain_is_put_in_lower_case() -> None:
    assert normalize_address("Sok.Dara@EXAMPLE.Com") == "Sok.Dara@example.com"
