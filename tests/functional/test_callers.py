"""The caller of a message, from the attribute of its SQS record to the table and the event on the bus."""

import json
from typing import Any

import pytest

from tests.functional.sandbox import Deployment, read_event

NAMED = {"AROAPAYMENTS": {"name": "payments", "limits": {"per_day": 1}}}

SENDERS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("a role without a name", {"SenderId": "AROASHOP:i-0123456789abcdef0"}, {"caller": {"S": "AROASHOP"}}),
    (
        "a role with a name",
        {"SenderId": "AROAPAYMENTS:a-session"},
        {"caller": {"S": "payments"}, "caller_id": {"S": "AROAPAYMENTS"}},
    ),
    ("an account, as on the local stack", {"SenderId": "000000000000"}, {"caller": {"S": "000000000000"}}),
    ("no attributes", {}, {}),
]


def configure(deployment: Deployment, **changes: Any) -> None:
    name = deployment.value("SETTINGS_PARAMETER")
    ssm = deployment.client("ssm")
    settings = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"]) | changes
    ssm.put_parameter(Name=name, Value=json.dumps(settings), Type="String", Overwrite=True)


def queued(attributes: dict[str, str], message_id: str = "m-1") -> dict[str, Any]:
    """Return an SQS event with one request."""
    request = {"message_id": message_id, "recipient": "+85591234511", "content": {"type": "text", "text": "Hi"}}
    return {"Records": [{"messageId": "r-1", "body": json.dumps(request), "attributes": attributes}]}


def item_of(deployment: Deployment, message_id: str = "m-1") -> dict[str, Any]:
    return next(item for item in deployment.items(deployment.messages) if item["message_id"] == {"S": message_id})


@pytest.mark.parametrize(("attributes", "stored"), [s[1:] for s in SENDERS], ids=[s[0] for s in SENDERS])
def test_message_and_its_event_have_the_caller_that_the_queue_names(
    attributes: dict[str, str], stored: dict[str, Any], deployment: Deployment
) -> None:
    configure(deployment, callers=NAMED)

    deployment.call("send", queued(attributes))
    item = item_of(deployment)
    deployment.call("publish", {"Records": [{"dynamodb": {"NewImage": item}}]})

    assert {name: value for name, value in item.items() if name.startswith("caller")} == stored
    (event,) = deployment.deliveries()
    assert event["detail"]["caller"] == stored.get("caller", {"S": None})["S"]


def test_own_records_and_repeated_requests_do_not_change_the_caller(deployment: Deployment) -> None:
    configure(deployment, callers=NAMED, sending_enabled=False)
    deployment.call("send", queued({"SenderId": "AROAPAYMENTS:a-session"}))
    configure(deployment, sending_enabled=True)
    deployment.enter("send")

    resumed = {"messageId": "r-2", "body": json.dumps({"resume": "m-1", "attempt": 0})}
    for record in (resumed, *queued({})["Records"]):
        deployment.call("send", {"Records": [record | {"attributes": {"SenderId": "AROASAMPAI:send"}}]})

    item = item_of(deployment)
    assert (item["status"], item["caller"], item["caller_id"]) == (
        {"S": "accepted"},
        {"S": "payments"},
        {"S": "AROAPAYMENTS"},
    )
    assert deployment.events() == []


def test_limit_of_a_caller_is_counted_in_the_directory(deployment: Deployment) -> None:
    configure(deployment, callers=NAMED)

    for message_id, sender in (("m-1", "AROAPAYMENTS:a"), ("m-2", "AROAPAYMENTS:b"), ("m-3", "AROASHOP:a")):
        deployment.call("send", queued({"SenderId": sender}, message_id))

    assert deployment.table() == {
        "m-1": "accepted",
        "m-2": "failed blocked callers.AROAPAYMENTS.limits.per_day",
        "m-3": "accepted",
    }
    (counter,) = deployment.items(deployment.directory)
    assert counter["directory_key"]["S"].startswith("count#all#")
    assert counter["directory_key"]["S"].endswith("#AROAPAYMENTS")
    assert counter["count"] == {"N": "1"}


def test_item_without_a_caller_of_a_former_release_is_published(deployment: Deployment) -> None:
    deployment.invoke("send/nomsa")
    (item,) = deployment.items(deployment.messages)
    former = {name: value for name, value in item.items() if not name.startswith("caller")}

    deployment.call("publish", {"Records": [{"dynamodb": {"NewImage": former}}]})

    assert item["caller"] == {"S": read_event("send/nomsa")["Records"][0]["attributes"]["SenderId"].partition(":")[0]}
    (event,) = deployment.deliveries()
    assert event["detail"]["caller"] is None
