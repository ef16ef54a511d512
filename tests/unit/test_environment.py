"""The environment variables of each function: those of the template, checked at the start."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from typing import Final

import pytest

from sampai.environment import (
    Environment,
    FollowUpEnvironment,
    InvalidEnvironmentError,
    MonitorEnvironment,
    PublishEnvironment,
    SendEnvironment,
    WebhookEnvironment,
)
from tests.template import ROOT, template

ENVIRONMENTS: Final = {
    "SendFunction": SendEnvironment,
    "WebhookFunction": WebhookEnvironment,
    "FollowUpFunction": FollowUpEnvironment,
    "PublishFunction": PublishEnvironment,
    "MonitorFunction": MonitorEnvironment,
}

COMMON: Final = {
    "POWERTOOLS_SERVICE_NAME": "sampai",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "POWERTOOLS_METRICS_NAMESPACE": "Sampai/prod",
}
SEND: Final = {
    **COMMON,
    "MESSAGES_TABLE": "messages",
    "CORRELATIONS_TABLE": "correlations",
    "DIRECTORY_TABLE": "directory",
    "MEDIA_TABLE": "media",
    "ENCRYPTION_KEYS_TABLE": "keys",
    "ATTEMPTS_TABLE": "attempts",
    "PROVIDER_SECRET_ARN": "arn:aws:secretsmanager:x:1:secret:p",
    "FINGERPRINT_SECRET_ARN": "arn:aws:secretsmanager:x:1:secret:f",
    "SETTINGS_PARAMETER": "settings",
    "SEND_QUEUE_URL": "https://sqs.example/1/send",
    "URGENT_QUEUE_URL": "https://sqs.example/1/urgent",
    "EVENT_BUS_NAME": "bus",
    "WEBHOOK_BASE_URL": "http://127.0.0.1:4566/_aws",
    "LEASE_SECONDS": "60",
    "RETENTION_DAYS": "90",
    "DUE_SHARDS": "8",
}


def functions_of_the_template() -> set[str]:
    resources = template()["Resources"]
    return {name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"}


def variables_of_the_template(function: str) -> set[str]:
    own = template()["Resources"][function]["Properties"]["Environment"]["Variables"]
    return {*template()["Globals"]["Function"]["Environment"]["Variables"], *own}


def test_every_function_of_the_template_has_an_environment() -> None:
    assert functions_of_the_template() == ENVIRONMENTS.keys()


@pytest.mark.parametrize("function", ENVIRONMENTS)
def test_the_variables_of_the_template_are_the_fields_of_the_environment(function: str) -> None:
    assert {field.name.upper() for field in fields(ENVIRONMENTS[function])} == variables_of_the_template(function)


def test_a_complete_environment_is_loaded_with_its_types() -> None:
    environment = SendEnvironment.load(SEND)

    assert (environment.messages_table, environment.lease_seconds) == ("messages", 60)
    assert environment == SendEnvironment.load(SEND)
    with pytest.raises(FrozenInstanceError):
        environment.lease_seconds = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", SEND)
@pytest.mark.parametrize("value", [None, "", "  "], ids=["missing", "empty", "blank"])
def test_a_missing_variable_is_named(name: str, value: str | None) -> None:
    variables = {**SEND, name: value or ""}
    if value is None:
        del variables[name]

    with pytest.raises(InvalidEnvironmentError, match=f"^environment variable {name}: missing or empty$"):
        SendEnvironment.load(variables)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("LEASE_SECONDS", "a minute", "must be a whole number above 0"),
        ("LEASE_SECONDS", "-60", "must be a whole number above 0"),
        ("LEASE_SECONDS", "0", "must be a whole number above 0"),
        ("LEASE_SECONDS", "٦٠", "must be a whole number above 0"),
        ("SEND_QUEUE_URL", "send", "must be a URL with http or https and a host"),
        ("URGENT_QUEUE_URL", "ftp://sqs.example/urgent", "must be a URL with http or https and a host"),
        ("WEBHOOK_BASE_URL", "https://", "must be a URL with http or https and a host"),
        ("WEBHOOK_BASE_URL", "https://[broken", "must be a URL with http or https and a host"),
        ("POWERTOOLS_LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_a_malformed_variable_is_named_without_its_value(name: str, value: str, rule: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as caught:
        SendEnvironment.load({**SEND, name: value})

    assert str(caught.value) == f"environment variable {name}: {rule}"


def test_other_variables_are_ignored() -> None:
    assert Environment.load({**SEND, "PATH": "/bin"}) == Environment.load(COMMON)


@pytest.mark.parametrize("function", ["send", "webhook", "follow_up", "publish", "monitor"])
def test_a_function_without_its_variables_fails_when_lambda_starts_it(function: str) -> None:
    probe = f"import sys; sys.path[:0] = ['layers/sampai', 'functions/{function}']; import app"
    environment = {**COMMON, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}

    run = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    last_line = run.stderr.splitlines()[-1]
    assert last_line.startswith("sampai.environment.InvalidEnvironmentError: environment variable ")
    assert last_line.endswith(": missing or empty")
