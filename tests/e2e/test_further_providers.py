"""Providers that only the settings name: another panel of a known software, and a second account at a known vendor."""

import json
from typing import Any

import pytest

from sampai.domain.webhook_token import webhook_token
from tests.e2e.conftest import SECOND_ACCOUNT, Stack, client
from tests.e2e.test_webhooks import call


def token_of(stack: Stack, provider: str) -> str:
    secret = client("secretsmanager").get_secret_value(SecretId=stack.outputs["ProviderSecretArn"])
    tokens: list[str] = json.loads(secret["SecretString"])["webhook_tokens"]
    return webhook_token(tokens[0], provider)


def test_panel_of_a_known_software_is_routed_called_and_polled(
    local_stack: Stack, panel_requests: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    by_route, by_name = panel_requests

    local_stack.wait_for((by_route["message_id"], "delivered"), (by_name["message_id"], "undelivered"))
    for request, status in ((by_route, "delivered"), (by_name, "undelivered")):
        last = local_stack.events_of(request["message_id"], until=status)[-1]
        assert (last["provider"], last["source"]) == ("philsms", "poll")
        assert [(row["vendor"], row["sender"]) for row in local_stack.ledger(request)] == [("philsms", "PhilSMS")]


def test_receipts_of_a_second_account_come_to_its_own_address(local_stack: Stack) -> None:
    request = local_stack.request("smspoh", provider=SECOND_ACCOUNT)

    local_stack.put(request)

    last = local_stack.events_of(request["message_id"], until="delivered")[-1]
    assert (last["provider"], last["source"]) == (SECOND_ACCOUNT, "webhook")
    assert len(local_stack.ledger(request)) == 1


@pytest.mark.parametrize(
    ("provider", "owner", "status"),
    [
        (SECOND_ACCOUNT, SECOND_ACCOUNT, 200),
        (SECOND_ACCOUNT, "smspoh", 404),
        ("smspoh", SECOND_ACCOUNT, 404),
        ("smspoh-3", "smspoh-3", 404),
    ],
)
def test_token_opens_the_address_of_its_owner_alone(local_stack: Stack, provider: str, owner: str, status: int) -> None:
    path = f"/webhooks/{provider}/receipt/{token_of(local_stack, owner)}?messageId=NOBODY-9&status=Sent"

    assert call(local_stack, "GET", path)[0] == status
