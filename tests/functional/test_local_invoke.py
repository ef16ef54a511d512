"""A sample event can be run without Docker."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import invoke
from local.stack import environment
from local.stack.config import STACK_NAME
from tests.emulator import Emulator
from tests.functional.sandbox import EVENTS, FUNCTIONS, Deployment, environment_of
from tests.template import ROOT, template

RUN = "import json, sys; from local.invoke import invoke; print(json.dumps(invoke(*map(json.loads, sys.argv[1:]))))"


def test_sample_event_runs(deployment: Deployment) -> None:
    event = (EVENTS / "send" / "nomsa.json").read_text()
    arguments = ('"send"', event, json.dumps(deployment.environment("send")))

    done = subprocess.run([sys.executable, "-c", RUN, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout.splitlines()[-1]) == {"batchItemFailures": []}
    assert deployment.table() == {"sample-nomsa": "accepted"}
    print(done.stdout, done.stderr)  # for the check of the output


def test_the_functions_are_those_of_the_template() -> None:
    resources = template()["Resources"]

    assert tuple(invoke.FUNCTIONS) == FUNCTIONS
    assert {i for i, r in resources.items() if r["Type"] == "AWS::Serverless::Function"} == {*invoke.FUNCTIONS.values()}


@pytest.fixture
def deployed(emulator: Emulator) -> Iterator[None]:
    """Deploy functions without code. Each variable, and the name of the secret, is `given`."""
    document = {"Resources": {"Role": ROLE, **{i: _function(f) for f, i in invoke.FUNCTIONS.items()}}}
    stacks = emulator.client("cloudformation")
    stacks.create_stack(StackName=STACK_NAME, TemplateBody=json.dumps(document), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 0.1})
    yield
    stacks.delete_stack(StackName=STACK_NAME)


def test_environments_are_read_from_the_deployed_functions(emulator: Emulator, deployed: None) -> None:
    assert environment.function_variables(emulator.client) == {
        logical_id: dict.fromkeys(environment_of(function), "given")
        for function, logical_id in invoke.FUNCTIONS.items()
    }


def test_dynamodb_is_called_by_way_of_the_proxy_that_feeds_the_streams() -> None:
    assert environment.CONTAINER["AWS_ENDPOINT_URL_DYNAMODB"] != environment.CONTAINER["AWS_ENDPOINT_URL"]


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


def _function(function: str) -> dict[str, Any]:
    properties = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "def handler(event, context): ..."},
        "Environment": {"Variables": dict.fromkeys(environment_of(function), "given")},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


@pytest.mark.parametrize("arguments", [[], ["fax", "event.json"], ["send"]])
def test_wrong_command_prints_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke.main(arguments) == 2
    said = capsys.readouterr().err
    assert "usage: python -m local.invoke {send,webhook,follow_up,monitor,publish,callback} EVENT.json" in said


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the environments be read from another folder than that of a stack that may be up."""
    monkeypatch.setattr(invoke, "ENV_VARS", tmp_path / "env-vars.json")
    monkeypatch.setattr(invoke, "CONTAINER_ENV_VARS", tmp_path / "container-env-vars.json")
    return tmp_path


def test_missing_event_file_is_reported(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "env-vars.json").write_text('{"SendFunction": {}}')
    (files / "container-env-vars.json").write_text("{}")

    assert invoke.main(["send", "events/send/fax.json"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_without_callbacks_the_local_stack_has_no_function_for_them(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "env-vars.json").write_text('{"SendFunction": {}}')
    (files / "container-env-vars.json").write_text("{}")

    assert invoke.main(["callback", "events/callback/status-changed.json"]) == 1
    assert "start it with SAMPAI_CALLBACK_URL" in capsys.readouterr().err


def test_nothing_is_invoked_while_the_local_stack_is_down(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke.main(["send", "events/send/nomsa.json"]) == 1
    assert "make up" in capsys.readouterr().err
