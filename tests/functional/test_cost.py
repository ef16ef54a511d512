"""A batch costs two calls of DynamoDB, for any number of messages, cold or warm.

Checks, files and keys add calls of their own. The webhook function does not import the libraries of the others.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from sampai import bootstrap
from sampai.adapters.aws import Service
from tests.functional.sandbox import EVENTS, Context, Deployment, handler_of, read_event
from tests.template import ROOT

COMMIT, LOOK_UP = "BatchExecuteStatement", "BatchGetItem"
SMSPOH, SMSNOC = "POST /smspoh/api/rest", "POST /smsnoc/api/v3/sms"
WHATSAPP, OFFICIAL = "POST /nusasms/nusasms_api/1.0/whatsapp", "POST /nusasms/nusasms_api/1.0/wa_official/message"

PROBE = """
import json, runpy, sys

class Context:
    aws_request_id = "probe"

sys.path.insert(0, "layers/sampai")
handler = runpy.run_path("functions/webhook/app.py")["handler"]
print(json.dumps([handler(json.load(open(sys.argv[1])), Context())["statusCode"], sorted(sys.modules)]))
"""


def _count_requests(service: Service, requests: list[str] | None = None) -> list[str]:
    """Return a list that gets the name of each request to the service, retries included."""
    counted: list[str] = [] if requests is None else requests
    client = bootstrap._aws().client(service)

    def note(request: Any, event_name: str, **_: Any) -> None:
        counted.append(event_name.rpartition(".")[2])

    client.meta.events.register(f"before-send.{service}", note)
    return counted


def _other_batch(name: str) -> Any:
    return json.loads(json.dumps(read_event(name)).replace("sample-", "other-"))


@pytest.mark.parametrize(
    ("name", "costs", "calls"),
    [
        ("send/batch-of-ten", [COMMIT, COMMIT], 10),
        ("send/bulk", [LOOK_UP, COMMIT, COMMIT], 1),
    ],
)
def test_a_batch_of_ten_costs_the_same_requests_cold_and_warm(
    name: str, costs: list[str], calls: int, deployment: Deployment
) -> None:
    deployment.enter("send")
    requests = _count_requests("dynamodb")

    assert handler_of("send")(read_event(name), Context()) == {"batchItemFailures": []}
    assert requests == costs

    assert handler_of("send")(_other_batch(name), Context()) == {"batchItemFailures": []}
    assert requests == costs * 2
    assert list(deployment.table().values()) == ["accepted"] * 20
    assert len(deployment.vendors.calls) == calls * 2


@pytest.mark.parametrize(
    ("name", "costs"),
    [
        ("send/nomsa", [COMMIT, "POST /nomsa/v1/transactional/sms/send", COMMIT]),
        # An e-mail has a rate limit without any setting.
        ("send/email", ["UpdateItem", COMMIT, "POST /nomsa/v1/transactional/email/send", COMMIT]),
        ("send/bulk", [LOOK_UP, COMMIT, f"{SMSPOH}/send/bulk", COMMIT]),
        ("send/comma-list", [LOOK_UP, COMMIT, f"{SMSNOC}/send", COMMIT]),
        ("send/campaign", [COMMIT, f"{SMSNOC}/campaign", COMMIT]),
        ("send/group", [COMMIT, "POST /nusasms/api/v3/sendsms/group", COMMIT]),
        ("send/encrypted", ["UpdateItem", COMMIT, f"{SMSPOH}/send", COMMIT]),
        ("send/encrypted-own-key", ["UpdateItem", COMMIT, f"{SMSPOH}/send", COMMIT]),
        ("send/whatsapp-text", [COMMIT, f"{WHATSAPP}/message", COMMIT]),
        ("send/whatsapp-media-url", [COMMIT, f"{WHATSAPP}/media", COMMIT]),
        ("send/whatsapp-media-file", ["PutItem", COMMIT, f"{WHATSAPP}/media", COMMIT, "DeleteItem"]),
        ("send/whatsapp-official-template", [LOOK_UP, COMMIT, f"{OFFICIAL}/broadcast", COMMIT]),
        ("send/opt-out", ["UpdateItem"]),
        ("send/media-by-sms", [COMMIT]),
        ("send/not-json", [COMMIT]),
    ],
)
def test_request_makes_these_calls_in_this_order(name: str, costs: list[str], deployment: Deployment) -> None:
    deployment.enter("send")
    _count_requests("dynamodb", deployment.vendors.calls)

    handler_of("send")(read_event(name), Context())

    assert deployment.vendors.calls == costs


def test_a_cold_sandbox_reads_its_configuration_once(deployment: Deployment) -> None:
    deployment.enter("send")
    requests = {service: _count_requests(service) for service in ("ssm", "secretsmanager", "sqs", "events")}

    for event in (read_event("send/batch-of-ten"), _other_batch("send/batch-of-ten")):
        handler_of("send")(event, Context())

    assert requests == {
        "ssm": ["GetParameter"],
        "secretsmanager": ["GetSecretValue", "GetSecretValue"],
        "sqs": [],
        "events": [],
    }


@pytest.mark.parametrize(
    ("function", "service"),
    [
        ("send", "send_service"),
        ("webhook", "webhook_service"),
        ("follow_up", "follow_up_service"),
        ("publish", "publish_service"),
        ("monitor", "monitor_service"),
        ("callback", "callback_service"),
    ],
)
def test_sandbox_on_lambda_makes_its_service_before_the_first_event(
    function: str, service: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.enter(function)
    made = getattr(bootstrap, service)

    handler_of.__wrapped__(function)
    assert made.cache_info().currsize == 0

    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    handler_of.__wrapped__(function)
    assert made.cache_info().currsize == 1


def test_sandbox_on_lambda_reads_its_configuration_before_the_first_batch(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.enter("send")
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    asked = {service: _count_requests(service) for service in ("ssm", "secretsmanager")}
    once = {"ssm": ["GetParameter"], "secretsmanager": ["GetSecretValue", "GetSecretValue"]}

    handler = handler_of.__wrapped__("send")
    assert asked == once

    assert handler(read_event("send/nomsa"), Context()) == {"batchItemFailures": []}
    assert asked == once


@pytest.mark.parametrize(
    "name",
    [
        "smspoh-receipt-get",
        "smspoh-receipt-json",
        "nusasms-receipt-get",
        "nusasms-whatsapp-receipt",
        "nusasms-whatsapp-official-receipt",
    ],
)
def test_receipt_is_handled_without_pydantic_and_requests(name: str, deployment: Deployment) -> None:
    file = EVENTS / "webhook" / f"{name}.json"
    environment = deployment.environment("webhook")

    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(file)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    answer, modules = json.loads(done.stdout.splitlines()[-1])
    assert answer == 200
    assert {"pydantic", "requests"} & set(modules) == set()
    assert "sampai.services.webhook.service" in modules
