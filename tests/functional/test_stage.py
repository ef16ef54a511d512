"""The smoke test finds a stage by its section in samconfig.toml, with the caller's own credentials."""

import json
from collections.abc import Iterator

import pytest

from local.smoke.__main__ import main
from local.stage import find
from sampai_cli.errors import CliError
from tests.emulator import Emulator

TEMPLATE = {
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "smoke-target"}}},
    "Outputs": {"EventBusName": {"Value": "the-bus"}},
}


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Let the caller's environment lead to the local AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return emulator


@pytest.fixture
def staging(aws: Emulator) -> Iterator[None]:
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="sampai-staging", TemplateBody=json.dumps(TEMPLATE))
    stacks.get_waiter("stack_create_complete").wait(StackName="sampai-staging", WaiterConfig={"Delay": 0.1})
    yield
    stacks.delete_stack(StackName="sampai-staging")


def test_a_stage_is_found_by_its_stack(staging: None) -> None:
    target = find("staging")

    assert (target.name, target.outputs["EventBusName"]) == ("sampai-staging", "the-bus")
    assert target.resource("Queue").endswith("/smoke-target")
    assert not target.is_local


def test_a_stage_that_is_not_deployed_is_reported(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prod"]) == 1
    assert "sampai-prod" in capsys.readouterr().err


def test_a_stage_that_samconfig_does_not_name_is_an_error() -> None:
    with pytest.raises(CliError, match="nowhere"):
        find("nowhere")
