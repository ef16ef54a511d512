"""Errors of AWS and of the caller's set-up are one sentence, with a cause and a next step, and never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from sampai_cli.stack import Stack, find_stack, stack_on_aws
from tests.harness.cli import sampai
from tests.unit.cli.conftest import World


def refused(code: str, message: str = "Private 1234") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetItem")


def failing(error: Exception) -> Callable[[str | None], Stack]:
    def find(name: str | None) -> Stack:
        raise error

    return find


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refused("ExpiredTokenException"),
            "Your AWS session has expired. Log in again, for example",
        ),
        (UnauthorizedSSOTokenError(), "Your AWS session has expired. Log in again"),
        (refused("UnrecognizedClientException"), "AWS does not accept your credentials (UnrecognizedClientException)."),
        (NoCredentialsError(), "No AWS credentials found. Log in, or set AWS_PROFILE, and repeat the command."),
        (NoRegionError(), "No AWS region. Set AWS_REGION, and repeat the command."),
        (ProfileNotFound(profile="other"), "The config profile (other) could not be found. Set AWS_PROFILE"),
        (
            refused("AccessDeniedException", "User: x is not authorized to perform: dynamodb:GetItem on resource: y"),
            "You are not allowed to call dynamodb:GetItem. docs/reference/cli.md lists the permissions that "
            "`sampai story` needs.",
        ),
        (refused("AccessDenied"), "You are not allowed to call GetItem."),
        (
            refused("ValidationError", "Stack with id sampai-pord does not exist"),
            "There is no stack sampai-pord in this account and region. Check --stack, AWS_REGION and AWS_PROFILE;",
        ),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"),
            "AWS does not answer (EndpointConnectionError). Check your connection;",
        ),
        (refused("InternalFailure"), "AWS refused GetItem: InternalFailure. Run the command again;"),
        (BotoCoreError(), "AWS cannot be called (BotoCoreError). Check your AWS configuration."),
    ],
)
def test_an_error_of_aws_is_one_sentence(error: Exception, said: str) -> None:
    result = sampai(failing(error), "story", "otp-1")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1
    assert "Private" not in result.stderr


def test_a_permission_that_an_adapter_lacks_is_named_too(world: World) -> None:
    def refuse(**_: Any) -> None:
        raise refused("AccessDeniedException")

    secrets = world.client("secretsmanager")
    secrets.meta.events.register("before-call", refuse)
    client = world.stack.client
    stack = Stack(
        name="s", outputs={}, client=lambda service: secrets if service == "secretsmanager" else client(service)
    )
    object.__setattr__(world.stack, "client", stack.client)

    result = world("consent", "+959777777010")

    assert result.stderr.startswith("You are not allowed to call GetItem. ")


def test_a_stack_of_another_kind_is_named(world: World) -> None:
    stack = Stack(name="shop", outputs={}, client=world.client)

    result = sampai(stack, "story", "otp-1")

    assert result.stderr.startswith("The stack shop has no output MessagesTableName: it is no stack of Sampai")


def test_without_a_local_stack_the_ways_to_one_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = sampai(find_stack, "env")

    assert (result.exit_code, result.stderr) == (
        1,
        "No local stack here: `make up` starts one, in the folder of the repository. "
        "For a stack on AWS, name it: --stack NAME.\n",
    )


def test_the_local_stack_is_found_from_a_folder_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"SendQueueUrl": "http://q", "endpoint_url": "http://127.0.0.1:4566", "region": "ap-southeast-1"}
    below = tmp_path / "docs" / "how-to"
    for folder in (below, tmp_path / ".local"):
        folder.mkdir(parents=True)
    (tmp_path / ".local" / "outputs.json").write_text(json.dumps(outputs))
    monkeypatch.chdir(below)

    result = sampai(find_stack, "env")

    assert result.stdout.splitlines() == [
        "export SEND_QUEUE_URL=http://q",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "export AWS_REGION=ap-southeast-1",
        "export AWS_DEFAULT_REGION=ap-southeast-1",
        "export AWS_ACCESS_KEY_ID=test",
        "export AWS_SECRET_ACCESS_KEY=test",
    ]
    assert find_stack(None).client("sqs").meta.endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    "arguments",
    [["env", "--stack", "sampai-prod"], ["--stack", "sampai-prod", "env"], ["env"]],
)
def test_a_stack_on_aws_is_found_by_its_name_in_either_place_or_by_the_environment(
    arguments: list[str], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}},
        "Outputs": {"EventBusName": {"Value": "the bus"}},
    }
    world.client("cloudformation").create_stack(StackName="sampai-prod", TemplateBody=json.dumps(template))

    result = sampai(find_stack, *arguments, env={"SAMPAI_STACK": "sampai-prod"} if arguments == ["env"] else {})

    assert (result.exit_code, result.stdout) == (0, "export EVENT_BUS_NAME='the bus'\n")
    assert stack_on_aws("sampai-prod").resource("Queue").endswith("/q")


def test_json_is_chosen_in_either_place(world: World) -> None:
    expected = world("env", "--json").stdout

    assert json.loads(expected)["EVENT_BUS_NAME"] == "the-bus"
    assert world("--json", "env").stdout == expected
