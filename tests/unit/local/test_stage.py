"""The targets of the Makefile run the tool on the stack of a stage."""

import json
from collections.abc import Iterator

import pytest
from boto3.session import Session
from moto import mock_aws

from local.stage import main

TEMPLATE = {
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}},
    "Outputs": {"EventBusName": {"Value": "the-bus"}},
}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with a stack of the stage prod, and an environment that leads elsewhere."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("SAMPAI_STACK", "another")
    with mock_aws():
        stacks = Session(region_name="ap-southeast-1").client("cloudformation")
        stacks.create_stack(StackName="sampai-prod", TemplateBody=json.dumps(TEMPLATE))
        yield


def test_a_stage_has_its_own_stack_and_region(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["prod", "env"])

    assert (end.value.code, capsys.readouterr().out) == (0, "export EVENT_BUS_NAME=the-bus\n")


def test_a_stage_that_samconfig_does_not_name_is_an_error() -> None:
    with pytest.raises(SystemExit, match=r"^samconfig.toml has no stage nowhere.$"):
        main(["nowhere", "env"])
