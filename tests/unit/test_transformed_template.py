"""What SAM makes of template.yaml: names, roles and event sources that are written nowhere in the template itself."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.template import ROOT, template


def _transformed() -> dict[str, Any]:
    """Return the template as SAM hands it to CloudFormation. `GetAtt` has its long form there, a list."""
    document = yaml_parse((ROOT / "template.yaml").read_text())
    defaults = {name: str(parameter["Default"]) for name, parameter in document["Parameters"].items()}
    for resource in document["Resources"].values():
        for folder in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][folder] = "s3://bucket/key"  # `sam deploy` has put the code there by then
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "ap-southeast-1")  # the translator asks boto3 for it
        result: dict[str, Any] = Translator({}, Parser()).translate(document, defaults)
    return result


RESOURCES: Final[dict[str, Any]] = _transformed()["Resources"]
WRITTEN: Final[dict[str, Any]] = template()["Resources"]
GENERATED: Final = {name: resource for name, resource in RESOURCES.items() if name not in WRITTEN}

NAMES: Final = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Name",
}
"""The property that would give a resource a name of its own in the account."""

NAMELESS: Final = {
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::SQS::QueuePolicy",
}
"""Types that belong to another resource."""


def of_type(kind: str) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


def test_every_type_of_resource_is_known_to_have_a_name_or_none() -> None:
    assert {resource["Type"] for resource in RESOURCES.values()} == NAMES.keys() | NAMELESS


def test_no_resource_has_a_name_that_a_second_stack_would_have_too() -> None:
    given = {
        name: resource["Properties"][NAMES[resource["Type"]]]
        for name, resource in RESOURCES.items()
        if NAMES.get(resource["Type"]) in resource["Properties"]
    }

    assert {name for name, value in given.items() if "AWS::StackName" not in json.dumps(value)} == set()
    # The layers are named after their content too.
    assert {name[: -len("0123456789")] if "Layer" in name else name for name in given} == {
        "DependenciesLayer",
        "SampaiLayer",
        "EventBus",
        "WebhookApi",
        "Dashboard",
        *of_type("AWS::Logs::LogGroup"),
    }


INVOKE: Final = {
    "FollowUpFunctionEveryMinute": "FollowUpFunction",
    "MonitorFunctionFourTimesAnHour": "MonitorFunction",
}
"""Schedules, each with the one function that its role may invoke."""


@pytest.mark.parametrize("schedule", INVOKE)
def test_the_role_of_a_schedule_invokes_its_function_and_does_nothing_else(schedule: str) -> None:
    function = {"Fn::GetAtt": [INVOKE[schedule], "Arn"]}

    assert of_type("AWS::Scheduler::Schedule")[schedule]["Target"]["Arn"] == function
    assert of_type("AWS::IAM::Role")[f"{schedule}Role"] == {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["sts:AssumeRole"],
                    "Principal": {"Service": ["scheduler.amazonaws.com"]},
                }
            ],
        },
        "Policies": [
            {
                "PolicyName": f"{schedule}LambdaPolicy",
                "PolicyDocument": {
                    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}]
                },
            }
        ],
    }


def test_sam_adds_no_other_role_and_no_policy() -> None:
    roles = {name for name, resource in GENERATED.items() if resource["Type"].startswith("AWS::IAM::")}
    functions = of_type("AWS::Lambda::Function")

    assert roles == {f"{schedule}Role" for schedule in INVOKE}
    assert {name: f["Role"] for name, f in functions.items()} == {
        name: {"Fn::GetAtt": [name.replace("Function", "Role"), "Arn"]} for name in functions
    }


def test_a_role_that_is_written_out_is_deployed_as_it_is_written() -> None:
    written = {name for name, resource in WRITTEN.items() if resource["Type"] == "AWS::IAM::Role"}

    assert {name: _short(of_type("AWS::IAM::Role")[name]) for name in written} == {
        name: WRITTEN[name]["Properties"] for name in written
    }


STREAM_GENERATIONS: Final = {f"${{{name}Table.Arn}}/stream/*" for name in ("Messages", "Inbox")}
NETWORK: Final = {"NetworkInterfacesPolicy"}
"""A stack in a VPC alone has this policy; its reasons are in the template."""


def test_no_role_has_a_permission_with_a_wildcard() -> None:
    wide = {
        (name, text)
        for name, statement in _statements()
        if name not in NETWORK
        for text in _texts([statement["Action"], statement["Resource"]])
        if "*" in text
    }

    assert wide == {("PublishRole", text) for text in STREAM_GENERATIONS}


def test_every_role_is_assumed_by_one_service() -> None:
    roles = of_type("AWS::IAM::Role")
    services = {
        name: _texts(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]) for name, role in roles.items()
    }

    assert services == {
        name: ["scheduler.amazonaws.com" if name in GENERATED else "lambda.amazonaws.com"] for name in roles
    }


CONCURRENCY: Final = {"MaximumConcurrency": {"Fn::If": ["HasOwnSendConcurrency", {"Ref": "SendConcurrency"}, 10]}}


def queue(name: str) -> dict[str, Any]:
    return {
        "FunctionName": {"Ref": "SendFunction"},
        "EventSourceArn": {"Fn::GetAtt": [name, "Arn"]},
        "BatchSize": {"Ref": "SendBatchSize"},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": CONCURRENCY,
    }


def stream(table: str, *kinds: str) -> dict[str, Any]:
    return {
        "FunctionName": {"Ref": "PublishFunction"},
        "EventSourceArn": {"Fn::GetAtt": [table, "StreamArn"]},
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "ParallelizationFactor": {"Ref": "ParallelizationFactor"},
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"eventName": kinds})}]},
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 100,
        "MaximumRecordAgeInSeconds": 43200,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["PublishFailures", "Arn"]}}},
    }


def test_the_functions_are_fed_by_three_queues_and_two_streams() -> None:
    assert of_type("AWS::Lambda::EventSourceMapping") == {
        "SendFunctionRequests": queue("SendQueue"),
        "SendFunctionUrgentRequests": queue("UrgentQueue"),
        "PublishFunctionChanges": stream("MessagesTable", "INSERT", "MODIFY"),
        "PublishFunctionArrivals": stream("InboxTable", "INSERT"),
        "CallbackFunctionEvents": queue("CallbackQueue")
        | {"FunctionName": {"Ref": "CallbackFunction"}, "BatchSize": 10}
        | {"ScalingConfig": {"MaximumConcurrency": 5}},
    }
    assert RESOURCES["CallbackFunctionEvents"]["Condition"] == "HasCallbacks"


@pytest.mark.parametrize("schedule", INVOKE)
def test_a_run_that_fails_or_comes_late_is_not_repeated(schedule: str) -> None:
    invoke = of_type("AWS::Lambda::EventInvokeConfig")[f"{INVOKE[schedule]}EventInvokeConfig"]
    retry = of_type("AWS::Scheduler::Schedule")[schedule]["Target"]["RetryPolicy"]

    assert retry == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert {name: invoke[name] for name in retry} == retry


def test_only_the_api_may_invoke_a_function_from_outside() -> None:
    permissions = of_type("AWS::Lambda::Permission")

    assert {(p["FunctionName"]["Ref"], p["Principal"]) for p in permissions.values()} == {
        ("WebhookFunction", "apigateway.amazonaws.com")
    }


def _statements() -> Iterator[tuple[str, Any]]:
    """Yield the statements that allow something, each with the name of the role or policy that has it."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])
    for name, policy in of_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])


def _texts(value: Any) -> list[str]:
    """Return every text that a value holds, at any depth."""
    if isinstance(value, str):
        return [value]
    members = value.values() if isinstance(value, dict) else value
    return [text for member in members for text in _texts(member)]


def _short(value: Any) -> Any:
    """Return a value with `GetAtt` in the short form, a text with a dot."""
    if isinstance(value, dict):
        return {name: ".".join(member) if name == "Fn::GetAtt" else _short(member) for name, member in value.items()}
    return [_short(member) for member in value] if isinstance(value, list) else value
