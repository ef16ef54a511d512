"""A batch costs two calls of DynamoDB, however many messages it holds and however fresh the sandbox is."""

import json
from typing import Any

from sampai import bootstrap
from tests.functional.sandbox import Context, Deployment, handler_of, read_event


def _count_requests(service: str) -> list[str]:
    """Return a list that grows by the name of each request to the service, retries among them."""
    requests: list[str] = []
    client = bootstrap._aws().client(service)

    def note(request: Any, event_name: str, **_: Any) -> None:
        requests.append(event_name.rpartition(".")[2])

    client.meta.events.register(f"before-send.{service}", note)
    return requests


def _other_batch() -> Any:
    return json.loads(json.dumps(read_event("send/batch-of-ten")).replace("sample-batch", "sample-other"))


def test_a_batch_of_ten_costs_two_requests_cold_and_warm(deployment: Deployment) -> None:
    deployment.enter("send")
    requests = _count_requests("dynamodb")

    assert handler_of("send")(read_event("send/batch-of-ten"), Context()) == {"batchItemFailures": []}
    assert requests == ["BatchExecuteStatement", "BatchExecuteStatement"]

    assert handler_of("send")(_other_batch(), Context()) == {"batchItemFailures": []}
    assert requests == ["BatchExecuteStatement"] * 4
    assert list(deployment.table().values()) == ["accepted"] * 20
    assert len(deployment.vendors.calls) == 20


def test_a_cold_sandbox_reads_its_configuration_once(deployment: Deployment) -> None:
    deployment.enter("send")
    requests = {service: _count_requests(service) for service in ("ssm", "secretsmanager", "sqs", "events")}

    for event in (read_event("send/batch-of-ten"), _other_batch()):
        handler_of("send")(event, Context())

    assert requests == {
        "ssm": ["GetParameter"],
        "secretsmanager": ["GetSecretValue", "GetSecretValue"],
        "sqs": [],
        "events": [],
    }
