"""`make webhooks` prints the addresses that an operator registers at the vendors."""

import json
from typing import Any

import pytest

from local.smoke.target import Target
from local.webhooks import main, read_addresses
from sampai.adapters.document import BrokenDocumentError
from sampai.contract.settings import BrokenSettingsError
from sampai.domain.webhook_token import webhook_token


class Aws:
    """Answers as Secrets Manager and Parameter Store."""

    def __init__(self, secret: object, settings: object) -> None:
        self._secret, self._settings = json.dumps(secret), json.dumps(settings)

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": self._secret}

    def get_parameter(self, **_: Any) -> dict[str, dict[str, str]]:
        return {"Parameter": {"Value": self._settings}}


def target(secret: object, settings: object) -> Target:
    aws = Aws(secret, settings)
    outputs = {
        "ProviderSecretArn": "arn",
        "SettingsParameterName": "name",
        "WebhookBaseUrl": "https://api.example.net",
    }
    return Target(stack_name="sampai-dev", outputs=outputs, client=lambda _: aws)


@pytest.mark.parametrize(
    ("settings", "base_url"),
    [
        ({}, "https://api.example.net"),
        ({"public_base_url": None}, "https://api.example.net"),
        ({"public_base_url": "https://hooks.example.org"}, "https://hooks.example.org"),
    ],
)
def test_addresses_have_the_token_of_their_provider_under_the_first_token_of_the_secret(
    settings: object, base_url: str
) -> None:
    found = read_addresses(target({"webhook_tokens": ["first", "second"]}, settings))

    nusasms = f"{base_url}/webhooks/nusasms"
    token = webhook_token("first", "nusasms")
    assert found == [
        f"{base_url}/webhooks/smspoh/receipt/{webhook_token('first', 'smspoh')}",
        f"{nusasms}/sms-inbox/{token}",
        f"{nusasms}/sms-receipt/{token}",
        f"{nusasms}/whatsapp-inbox/{token}",
        f"{nusasms}/whatsapp-receipt/{token}",
        f"{nusasms}/whatsapp-official-inbox/{token}",
        f"{nusasms}/whatsapp-official-receipt/{token}",
    ]


def test_further_provider_has_addresses_with_its_own_token() -> None:
    settings = {"providers": {"smspoh-2": {"type": "smspoh"}, "philsms": {"type": "smsnoc"}}}

    found = read_addresses(target({"webhook_tokens": ["first"]}, settings))

    assert len(found) == 8
    assert found[-1] == f"https://api.example.net/webhooks/smspoh-2/receipt/{webhook_token('first', 'smspoh-2')}"


def test_broken_settings_are_reported() -> None:
    with pytest.raises(BrokenSettingsError, match=r"providers\.philsms\.type"):
        read_addresses(target({"webhook_tokens": ["first"]}, {"providers": {"philsms": {}}}))


def test_secret_without_a_token_is_reported() -> None:
    with pytest.raises(BrokenDocumentError, match="webhook_tokens"):
        read_addresses(target({"webhook_tokens": []}, {}))


def test_a_stage_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "STAGE" in capsys.readouterr().err
