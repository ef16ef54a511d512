"""What a caller may ask for, on the whole stack."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulators.server import Simulators
from local.simulators.settings import Settings
from local.stack.deployment import client
from tests.e2e.conftest import RECIPIENTS, Stack, change_settings, comes_true, fetch


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_text_reaches_a_phone_through_each_vendor(local_stack: Stack) -> None:
    requests = [local_stack.request(vendor, metadata={"order": "4711"}) for vendor in RECIPIENTS]

    local_stack.put(*requests)

    local_stack.wait_for(*((r["message_id"], "delivered") for r in requests))
    for request in requests:
        assert len(local_stack.ledger(request)) == 1
        events = local_stack.events_of(request["message_id"])
        assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
        assert events[-1]["metadata"] == {"order": "4711"}
        assert events[-1]["recipient"].endswith(request["recipient"][-3:])
        assert "*****" in events[-1]["recipient"]


def test_a_one_time_password_takes_the_urgent_queue(local_stack: Stack) -> None:
    request = local_stack.request("nusasms", category="otp")

    local_stack.put(request, queue="UrgentQueueUrl")

    local_stack.wait_for((request["message_id"], "delivered"))


def test_one_request_five_times_is_one_acceptance_and_another_body_is_rejected(local_stack: Stack) -> None:
    request = local_stack.request("smspoh")

    local_stack.put(request, request, request)
    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "delivered"))
    local_stack.put(request)
    local_stack.put(request | {"content": {"type": "text", "text": "Other private words"}})

    comes_true(lambda: local_stack.rejections_of(request["message_id"]) != [])
    assert [r["reason"] for r in local_stack.rejections_of(request["message_id"])] == ["id_conflict"]
    assert len(local_stack.ledger(request)) == 1
    assert local_stack.status(request["message_id"]) == "delivered"


def test_a_scheduled_message_waits_and_a_canceled_one_never_goes(local_stack: Stack) -> None:
    kept = local_stack.request("nusasms", send_at=in_seconds(8))
    dropped = local_stack.request("nusasms", send_at=in_seconds(8))
    early = local_stack.request("nusasms")
    local_stack.put(kept, dropped, {"cancel": early["message_id"]})
    local_stack.wait_for((kept["message_id"], "scheduled"), (dropped["message_id"], "scheduled"))

    local_stack.put({"cancel": dropped["message_id"]}, early)

    local_stack.wait_for(
        (kept["message_id"], "delivered"), (dropped["message_id"], "canceled"), (early["message_id"], "canceled")
    )
    assert local_stack.ledger(dropped) == local_stack.ledger(early) == []
    assert [e["status"] for e in local_stack.events_of(dropped["message_id"])] == ["scheduled", "canceled"]


BAD = {
    "expired": ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
    "unrouted": ({"recipient": "+819012345678"}, "unroutable"),
    "too long": ({"content": {"type": "text", "text": "Private " * 200}}, "too_long"),
    "comma": ({"recipient": "+6281234567810,+6281234567811"}, "invalid_request"),
    "newline": ({"recipient": "+6281234567810\n"}, "invalid_request"),
    "unknown field": ({"colour": "red"}, "invalid_request"),
    "unknown provider": ({"provider": "acme"}, "invalid_request"),
    "unknown option": ({"provider_options": {"nusasms": {"colour": "red"}}}, "unsupported"),
    "unknown channel": ({"channel": "fax"}, "invalid_request"),
}


def test_bad_requests_fail_once_and_their_neighbours_go_out(local_stack: Stack) -> None:
    good = local_stack.request("nusasms")
    bad = {kind: local_stack.request("nusasms") | changes for kind, (changes, _) in BAD.items()}

    local_stack.put(*bad.values(), good, "{not json")

    local_stack.wait_for(*((r["message_id"], "failed") for r in bad.values()), (good["message_id"], "delivered"))
    for kind, request in bad.items():
        item = local_stack.item(request["message_id"])
        assert item is not None
        assert item["failure"]["M"]["reason"]["S"] == BAD[kind][1]
        assert local_stack.ledger(request) == []


def test_the_base_urls_of_the_settings_decide_which_server_is_called(local_stack: Stack) -> None:
    url, token = local_stack.outputs["WebhookBaseUrl"], _first_token(local_stack)
    with Simulators(port=0, settings=Settings(webhook_base=url, webhook_token=token)) as other:
        settings = _settings(local_stack)
        moved = {
            name: provider
            | {"base_url": provider["base_url"].replace(local_stack.outputs["simulators"]["control"], other.url)}
            for name, provider in settings["providers"].items()
        }
        change_settings(local_stack.outputs, providers=moved)
        try:
            for vendor in RECIPIENTS:
                _until_sent_to(other, vendor, local_stack)
        finally:
            change_settings(local_stack.outputs, providers=settings["providers"])


def _until_sent_to(other: Simulators, vendor: str, local_stack: Stack) -> None:
    """Functions read the settings once a minute, so the first messages may still go to the old server."""
    sent: list[dict[str, Any]] = []

    def arrived() -> bool:
        sent.append(local_stack.request(vendor))
        local_stack.put(sent[-1])
        local_stack.wait_for((sent[-1]["message_id"], "delivered"))
        return local_stack.ledger(sent[-1]) == []

    comes_true(arrived, lambda: vendor)
    assert fetch(f"{other.url}/_ledger?vendor={vendor}") != []


def _settings(local_stack: Stack) -> dict[str, Any]:
    parameter = client("ssm").get_parameter(Name=local_stack.outputs["SettingsParameterName"])
    settings: dict[str, Any] = json.loads(parameter["Parameter"]["Value"])
    return settings


def _first_token(local_stack: Stack) -> str:
    secret = client("secretsmanager").get_secret_value(SecretId=local_stack.outputs["ProviderSecretArn"])
    token: str = json.loads(secret["SecretString"])["webhook_tokens"][0]
    return token


@pytest.mark.parametrize("queue", ["SendQueueUrl", "UrgentQueueUrl", "DeadLetterQueueUrl"])
def test_no_request_is_left_behind(local_stack: Stack, queue: str) -> None:
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        answer = client("sqs").get_queue_attributes(QueueUrl=local_stack.outputs[queue], AttributeNames=counts)
        return all(value == "0" for value in answer["Attributes"].values())

    comes_true(is_empty, lambda: queue)
