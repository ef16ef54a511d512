"""A second stage in the same account and region, with every optional parameter."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from local.stack import deployment
from local.stack.config import STACK_NAME
from tests.e2e.conftest import Stack, client, wait_until
from tests.receiver import Receiver, receiving

SECOND: Final = "sampai-second"
PRODUCERS: Final = ("111122223333", "arn:aws:iam::444455556666:role/shop")
IN_VPC: Final = {"SendFunction", "FollowUpFunction", "MonitorFunction", "CallbackFunction"}
CALLBACK_QUEUES: Final = ("CallbackQueue", "CallbackDeadLetterQueue")
QUEUES: Final = ("SendQueue", "UrgentQueue", "DeadLetterQueue", "PublishFailures", *CALLBACK_QUEUES)
CALLBACK_SECRETS: Final = [
    f"whsec_{base64.b64encode(text).decode()}"
    for text in (b"the new secret of callbacks", b"the old secret of callbacks")
]


def resources(stack_name: str) -> dict[str, str]:
    """Return the physical ids of a stack by logical id."""
    described = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described}


@pytest.fixture(scope="module")
def key_arn(local_stack: Stack) -> str:
    arn: str = client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Return a receiver that has the old secret still, and fails twice."""
    with receiving(CALLBACK_SECRETS[1]) as receiver:
        receiver.answers = [500, 500]
        yield receiver


@pytest.fixture(scope="module")
def parameters(key_arn: str, receiver: Receiver) -> dict[str, str]:
    return {
        **deployment.callbacks_to(receiver.url),
        "Stage": "staging",
        # The local AWS does not support functions in a VPC, but the roles get the policies for one.
        "SubnetIds": "subnet-0a1,subnet-0b2",
        "SecurityGroupIds": "sg-0c3",
        "KmsKeyArn": key_arn,
        "ProducerPrincipals": ",".join(PRODUCERS),
        "AlarmTopicArn": "arn:aws:sns:ap-southeast-1:000000000000:on-call",
        "RetentionDays": "365",
    }


@pytest.fixture(scope="module")
def second(local_stack: Stack, parameters: dict[str, str]) -> Iterator[dict[str, str]]:
    """Deploy a second stage without credentials and settings, and return its physical ids."""
    deployment.deploy(SECOND, **parameters)
    found = resources(SECOND)
    secrets, secret_id = client("secretsmanager"), found["ProviderSecret"]
    document = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    document["callback_secrets"] = CALLBACK_SECRETS
    secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps(document))
    yield found
    client("cloudformation").delete_stack(StackName=SECOND)


def test_two_stages_have_the_same_resources_and_share_none(second: dict[str, str]) -> None:
    first = resources(STACK_NAME)
    default_stage = {"$default"}

    # These exist only with a VPC, a customer managed key or an address for callbacks.
    optional = {name for name in second if name.startswith("Callback")} | {"NetworkInterfacesPolicy", "KeyUsePolicy"}
    assert second.keys() - first.keys() == optional
    assert {"CallbackFunction", "CallbackRule", "CallbackFunctionEvents", "CallbacksTable"} < optional
    assert set(first.values()) & set(second.values()) == default_stage


def test_a_request_to_one_stage_is_unknown_to_the_other_and_needs_no_settings(
    local_stack: Stack, second: dict[str, str]
) -> None:
    outputs = deployment.read_outputs(SECOND)
    request = local_stack.request("nomsa")
    client("sqs").send_message(QueueUrl=outputs["SendQueueUrl"], MessageBody=json.dumps(request))

    def item() -> dict[str, Any]:
        key = {"message_id": {"S": request["message_id"]}}
        answer = client("dynamodb").get_item(TableName=outputs["MessagesTableName"], Key=key, ConsistentRead=True)
        found: dict[str, Any] = answer.get("Item", {})
        return found

    wait_until(lambda: item().get("status") == {"S": "failed"}, item)
    assert item()["failure"]["M"]["reason"] == {"S": "unroutable"}
    assert local_stack.item(request["message_id"]) is None
    with pytest.raises(client("ssm").exceptions.ParameterNotFound):
        client("ssm").get_parameter(Name=outputs["SettingsParameterName"])


def test_events_reach_the_receiver_of_callbacks_in_order_although_it_fails_at_first(
    local_stack: Stack, second: dict[str, str], receiver: Receiver
) -> None:
    request = local_stack.request("nomsa")
    client("sqs").send_message(QueueUrl=second["SendQueue"], MessageBody=json.dumps(request))
    for sequence in (3, 2, 1):  # as EventBridge may deliver them
        detail = {"message_id": "callback-1", "sequence": sequence, "occurred_at": "2026-11-21T10:00:00.000Z"}
        event = {"Source": "sampai", "DetailType": "Message Status Changed", "Detail": json.dumps(detail)}
        client("events").put_events(Entries=[{**event, "EventBusName": second["EventBus"]}])

    def taken(message_id: str) -> list[int]:
        callbacks = [body["data"] for _, body in receiver.taken]
        return [callback["sequence"] for callback in callbacks if callback.get("message_id") == message_id]

    wait_until(lambda: 3 in taken("callback-1") and 1 in taken(request["message_id"]), lambda: receiver.calls)
    assert taken("callback-1") == [1, 2, 3]
    assert receiver.answers == []


def test_roles_have_the_policies_that_the_vpc_and_the_key_need(second: dict[str, str]) -> None:
    for function in (name for name in second if name.endswith("Function")):
        role = second[function.replace("Function", "Role")]
        attached = client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        network = [second["NetworkInterfacesPolicy"]] if function in IN_VPC else []
        assert [policy["PolicyArn"] for policy in attached] == [*network, second["KeyUsePolicy"]], function


def test_queues_and_secrets_use_the_key_and_the_producers_may_send_to_the_request_queues(
    second: dict[str, str], key_arn: str
) -> None:
    sqs = client("sqs")
    attributes = {
        queue: sqs.get_queue_attributes(QueueUrl=second[queue], AttributeNames=["All"])["Attributes"]
        for queue in QUEUES
    }
    allowed = {
        queue: [s["Principal"] for s in json.loads(each["Policy"])["Statement"] if s["Effect"] == "Allow"]
        for queue, each in attributes.items()
    }
    secret = client("secretsmanager").describe_secret(SecretId=second["ProviderSecret"])

    assert {each["KmsMasterKeyId"] for each in attributes.values()} == {secret["KmsKeyId"]} == {key_arn}
    assert allowed == {
        "SendQueue": [{"AWS": list(PRODUCERS)}],
        "UrgentQueue": [{"AWS": list(PRODUCERS)}],
        "DeadLetterQueue": [],
        "PublishFailures": [],
        **{queue: [{"Service": "events.amazonaws.com"}] for queue in CALLBACK_QUEUES},
    }


def test_alarms_notify_the_topic_on_alarm_and_on_recovery(second: dict[str, str], parameters: dict[str, str]) -> None:
    alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{SECOND}-")["MetricAlarms"]

    assert len(alarms) == len([name for name in second if name.endswith("Alarm")])
    assert {tuple(a["AlarmActions"] + a["OKActions"]) for a in alarms} == {(parameters["AlarmTopicArn"],) * 2}


def test_an_update_of_every_resource_by_new_tags_keeps_the_settings(
    second: dict[str, str], parameters: dict[str, str]
) -> None:
    ssm, name, document = client("ssm"), f"/{SECOND}/settings", '{"sending_enabled": false}'
    ssm.put_parameter(Name=name, Value=document, Type="String")

    deployment.deploy(SECOND, "--tags", "CostCentre=4711", **parameters)

    (stack,) = client("cloudformation").describe_stacks(StackName=SECOND)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert {"Key": "CostCentre", "Value": "4711"} in stack["Tags"]
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == document
