"""A second stage in the same account and region, with every optional parameter."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from local.stack import deployment
from local.stack.config import STACK_NAME
from tests.e2e.conftest import Stack, client, wait_until

SECOND: Final = "sampai-second"
PRODUCERS: Final = ("111122223333", "arn:aws:iam::444455556666:role/shop")
IN_VPC: Final = {"SendFunction", "FollowUpFunction", "MonitorFunction"}
QUEUES: Final = ("SendQueue", "UrgentQueue", "DeadLetterQueue", "PublishFailures")


def resources(stack_name: str) -> dict[str, str]:
    """Return the physical ids of a stack by logical id."""
    described = client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described}


@pytest.fixture(scope="module")
def key_arn(local_stack: Stack) -> str:
    arn: str = client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture(scope="module")
def parameters(key_arn: str) -> dict[str, str]:
    return {
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
    yield resources(SECOND)
    client("cloudformation").delete_stack(StackName=SECOND)


def test_two_stages_have_the_same_resources_and_share_none(second: dict[str, str]) -> None:
    first = resources(STACK_NAME)
    default_stage = {"$default"}

    # These two exist only with a VPC or a customer managed key.
    assert second.keys() - first.keys() == {"NetworkInterfacesPolicy", "KeyUsePolicy"}
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
