import pytest

from sampai.domain.webhook_token import is_webhook_token, webhook_token

# Computed with `printf smspoh | openssl dgst -sha256 -hmac not-a-secret`.
SMSPOH = "e35d7f49199947b1abe01d05bf9eead21e61f88704a07d203bda4d245943f638"


def test_token_is_the_hmac_of_the_provider_in_hex() -> None:
    assert webhook_token("not-a-secret", "smspoh") == SMSPOH


@pytest.mark.parametrize(
    ("given", "provider", "secret_tokens", "is_valid"),
    [
        (SMSPOH, "smspoh", ["not-a-secret"], True),
        (SMSPOH, "smspoh", ["newer", "not-a-secret"], True),
        (SMSPOH, "nusasms", ["not-a-secret"], False),
        (SMSPOH.upper(), "smspoh", ["not-a-secret"], False),
        (SMSPOH[:-1], "smspoh", ["not-a-secret"], False),
        (SMSPOH, "smspoh", [], False),
        ("not-a-secret", "smspoh", ["not-a-secret"], False),
        ("", "smspoh", ["not-a-secret"], False),
        ("\ud800", "smspoh", ["not-a-secret"], False),
    ],
)
def test_token_opens_the_webhooks_of_its_own_provider_only(
    given: str, provider: str, secret_tokens: list[str], is_valid: bool
) -> None:
    assert is_webhook_token(given, provider, secret_tokens) is is_valid


def test_secret_token_of_any_characters_makes_a_token_fit_for_an_address() -> None:
    token = webhook_token("abc/def+gh=", "smspoh")

    assert len(token) == 64
    assert set(token) <= set("0123456789abcdef")
