"""The examples, deployed as documented: a consumer in the same account, one in another account, and a producer."""

import json
from typing import Any, Final

import botocore.session
from botocore.config import Config

from local.stack.config import ENDPOINT_URL, REGION, ROOT
from tests.e2e.conftest import Stack, client, wait_until

EXAMPLES: Final = ROOT / "examples"
SAMPAI_ACCOUNT: Final = "000000000000"
CONSUMER_ACCOUNT: Final = "111122223333"


def consumer_client(service: str) -> Any:
    """Return a client of another account: the local AWS uses an access key of twelve digits as account id."""
    return botocore.session.get_session().create_client(
        service,
        REGION,
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id=CONSUMER_ACCOUNT,
        aws_secret_access_key="test",
        config=Config(proxies={}),
    )


def deploy(example: str, stack_name: str, cloudformation: Any, **parameters: str) -> dict[str, str]:
    """Deploy an example and return its outputs."""
    cloudformation.create_stack(
        StackName=stack_name,
        TemplateBody=(EXAMPLES / example).read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})
    (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def attributes_of(sqs: Any, url: str) -> dict[str, Any]:
    attributes: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


def senders(queue: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return the principals that may send to a queue, each with its condition."""
    statements = json.loads(queue["Policy"])["Statement"]
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert {statement["Action"] for statement in allowed} == {"sqs:SendMessage"}
    return [(statement["Principal"], statement.get("Condition")) for statement in allowed]


def test_a_consumer_in_the_same_account_gets_the_events_of_a_message(local_stack: Stack) -> None:
    outputs = deploy(
        "consumer.yaml", "shop-events", client("cloudformation"), EventBusName=local_stack.outputs["EventBusName"]
    )
    queue = attributes_of(client("sqs"), outputs["QueueUrl"])
    dead_letters = attributes_of(client("sqs"), outputs["DeadLetterQueueUrl"])
    request = local_stack.request("nomsa", recipient="not a number")
    received: list[Any] = []

    def statuses() -> list[str]:
        answer = client("sqs").receive_message(QueueUrl=outputs["QueueUrl"], MaxNumberOfMessages=10)
        received.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        details = [event["detail"] for event in received]
        return [d["status"] for d in details if d["message_id"] == request["message_id"]]

    local_stack.put(request)

    wait_until(lambda: statuses() == ["failed"], lambda: received)
    assert json.loads(queue["RedrivePolicy"])["deadLetterTargetArn"] == dead_letters["QueueArn"]
    assert senders(queue) == senders(dead_letters)
    ((principal, condition),) = senders(queue)
    assert principal == {"Service": "events.amazonaws.com"}
    assert condition["ArnEquals"]["aws:SourceArn"].startswith(f"arn:aws:events:{REGION}:{SAMPAI_ACCOUNT}:rule/")


def test_a_consumer_in_another_account_is_reached_by_a_role_of_the_rule(local_stack: Stack) -> None:
    """The local AWS does not deliver events to another account, so this compares the resources of both sides."""
    bus = local_stack.outputs["EventBusName"]
    shared = {"SampaiAccountId": SAMPAI_ACCOUNT, "ConsumerAccountId": CONSUMER_ACCOUNT, "EventBusName": bus}
    example, name = "consumer-other-account.yaml", "partner-events"
    consumer = deploy(example, name, consumer_client("cloudformation"), Side="consumer", **shared)
    sampai = deploy(example, name, client("cloudformation"), Side="sampai", **shared)
    queue = attributes_of(consumer_client("sqs"), consumer["QueueUrl"])
    undelivered = attributes_of(client("sqs"), sampai["UndeliveredEventsUrl"])

    (rule,) = [r for r in client("events").list_rules(EventBusName=bus)["Rules"] if name in r["Name"]]
    (target,) = client("events").list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
    role = target["RoleArn"].rpartition("/")[2]
    (statement,) = client("iam").get_role_policy(RoleName=role, PolicyName="least")["PolicyDocument"]["Statement"]

    assert target["Arn"] == statement["Resource"] == queue["QueueArn"]
    assert target["DeadLetterConfig"]["Arn"] == undelivered["QueueArn"]
    assert senders(queue) == [({"AWS": f"arn:aws:iam::{SAMPAI_ACCOUNT}:root"}, None)]
    assert senders(undelivered) == [
        ({"Service": "events.amazonaws.com"}, {"ArnEquals": {"aws:SourceArn": rule["Arn"]}})
    ]
    assert sampai.keys() & consumer.keys() == set()


def test_the_producer_policy_allows_only_sending_to_both_queues(local_stack: Stack) -> None:
    arns = {
        "SEND_QUEUE_ARN": attributes_of(client("sqs"), local_stack.outputs["SendQueueUrl"])["QueueArn"],
        "URGENT_QUEUE_ARN": attributes_of(client("sqs"), local_stack.outputs["UrgentQueueUrl"])["QueueArn"],
    }
    document = (EXAMPLES / "producer-policy.json").read_text()
    for placeholder, arn in arns.items():
        document = document.replace(placeholder, arn)
    policy = client("iam").create_policy(PolicyName="producer", PolicyDocument=document)["Policy"]
    stored = client("iam").get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]["Document"]
    (statement,) = stored["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
    assert statement["Resource"] == list(arns.values())
