"""`sampai webhooks` prints the addresses that an operator registers at the vendors, and calls them."""

import json
from collections.abc import Iterator

import pytest

from sampai.domain.http import HttpResponse
from sampai.domain.webhook_token import webhook_token
from tests.harness.vendors import serving
from tests.unit.cli.conftest import World


def configure(world: World, secret: object, settings: object) -> None:
    arn, name = world.stack.output("ProviderSecretArn"), world.stack.output("SettingsParameterName")
    world.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(secret))
    world.client("ssm").put_parameter(Name=name, Value=json.dumps(settings), Type="String")


def urls(world: World) -> list[str]:
    result = world("webhooks", "urls")
    assert result.exit_code == 0
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("settings", "base_url"),
    [
        ({}, "https://api.example.net"),
        ({"public_base_url": None}, "https://api.example.net"),
        ({"public_base_url": "https://hooks.example.org"}, "https://hooks.example.org"),
    ],
)
def test_addresses_have_the_token_of_their_provider_under_the_first_token_of_the_secret(
    settings: object, base_url: str, world: World
) -> None:
    configure(world, {"webhook_tokens": ["first", "second"]}, settings)

    found = urls(world)

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


def test_further_provider_has_addresses_with_its_own_token(world: World) -> None:
    settings = {"providers": {"smspoh-2": {"type": "smspoh"}, "philsms": {"type": "smsnoc"}}}
    configure(world, {"webhook_tokens": ["first"]}, settings)

    found = urls(world)

    assert len(found) == 8
    assert found[-1] == f"https://api.example.net/webhooks/smspoh-2/receipt/{webhook_token('first', 'smspoh-2')}"


@pytest.mark.parametrize(
    ("secret", "settings", "said"),
    [
        (
            {"webhook_tokens": ["first"]},
            {"providers": {"philsms": {}}},
            "The stored settings are broken, and the last valid ones are in force: providers.philsms.type: must be one "
            "of nomsa, smsnoc, smspoh, nusasms. Correct them: sampai settings set FILE.\n",
        ),
        (
            {"webhook_tokens": []},
            {},
            "The secret is broken: webhook_tokens: must be a list of one or more texts in printable ASCII. "
            "docs/how-to/rotate-secrets.md shows how to put one.\n",
        ),
    ],
)
def test_broken_documents_are_one_sentence(secret: object, settings: object, said: str, world: World) -> None:
    configure(world, secret, settings)

    result = world("webhooks", "urls")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)


@pytest.fixture
def api() -> Iterator[str]:
    """An API that knows the tokens of smspoh alone."""
    with serving(lambda request: HttpResponse(status=400 if "/smspoh/" in request.url else 404)) as address:
        yield address


def test_check_calls_each_address_and_shows_no_token(api: str, world: World) -> None:
    configure(world, {"webhook_tokens": ["first"]}, {"public_base_url": api})

    result = world("webhooks", "check", "--json")

    rows = {row["address"]: row["result"] for row in json.loads(result.stdout)}
    assert rows["smspoh/receipt"] == "reachable, and the token is valid"
    assert rows["nusasms/sms-receipt"] == "the token, the provider or the path is wrong"
    assert (result.exit_code, result.stderr.startswith("6 of 7 addresses do not work: nusasms/")) == (1, True)
    assert webhook_token("first", "smspoh") not in result.output


def test_check_names_an_address_without_an_answer(world: World) -> None:
    configure(world, {"webhook_tokens": ["first"]}, {"public_base_url": "http://127.0.0.1:9"})

    result = world("webhooks", "check")

    assert (result.exit_code, result.stdout.count("not reachable: ")) == (1, 7)
