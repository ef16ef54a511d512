"""The environment variables of each function: those of the template, checked at the start."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields
from typing import Final

import pytest

from sampai.environment import (
    CallbackEnvironment,
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
    "CallbackFunction": CallbackEnvironment,
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

    texts = {name.lower(): value for name, value in SEND.items()}
    assert asdict(environment) == texts | {"lease_seconds": 60, "retention_days": 90, "due_shards": 8}
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


CALLBACK: Final = {
    **COMMON,
    "CALLBACKS_TABLE": "callbacks",
    "CALLBACK_QUEUE_URL": "https://sqs.example/1/callbacks",
    "CALLBACK_URL": "https://shop.example/hooks",
    "CALLBACK_TO_PRIVATE_ADDRESSES": "false",
    "PROVIDER_SECRET_ARN": "arn:aws:secretsmanager:x:1:secret:p",
    "LEASE_SECONDS": "90",
    "MAX_RECEIVES": "100",
}


@pytest.mark.parametrize(
    ("url", "to_private", "is_valid"),
    [
        ("https://shop.example/hooks?tenant=7", "false", True),
        ("https://10.0.0.7/hooks", "true", True),
        ("http://127.0.0.1:8080/hooks", "true", True),
        ("http://localhost:8080/hooks", "true", True),
        ("http://127.0.0.1:8080/hooks", "false", False),
        ("http://localhost:8080/hooks", "false", False),
        ("http://shop.example/hooks", "false", False),
        ("http://shop.example/hooks", "true", False),
        ("http://127.0.0.1.shop.example/hooks", "true", False),
    ],
)
def test_callbacks_go_by_https_or_to_this_computer_if_that_is_said(url: str, to_private: str, is_valid: bool) -> None:
    variables = {**CALLBACK, "CALLBACK_URL": url, "CALLBACK_TO_PRIVATE_ADDRESSES": to_private}

    if is_valid:
        assert CallbackEnvironment.load(variables).callback_to_private_addresses is (to_private == "true")
    else:
        with pytest.raises(InvalidEnvironmentError, match=r"^environment variable CALLBACK_URL: must be https; "):
            CallbackEnvironment.load(variables)


@pytest.mark.parametrize("value", ["True", "yes", "1"])
def test_a_switch_is_true_or_false(value: str) -> None:
    variables = {**CALLBACK, "CALLBACK_TO_PRIVATE_ADDRESSES": value}

    with pytest.raises(InvalidEnvironmentError, match=r"CALLBACK_TO_PRIVATE_ADDRESSES: must be true or false$"):
        CallbackEnvironment.load(variables)


def test_other_variables_are_ignored() -> None:
    assert asdict(Environment.load({**SEND, "PATH": "/bin"})) == asdict(Environment.load(COMMON))


@pytest.mark.parametrize("function", ["send", "webhook", "follow_up", "publish", "monitor", "callback"])
def test_a_function_without_its_variables_fails_when_lambda_starts_it(function: str) -> None:
    probe = f"import sys; sys.path[:0] = ['layers/sampai', 'functions/{function}']; import app"
    environment = {**COMMON, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}

    run = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    last_line = run.stderr.splitlines()[-1]
    assert last_line.startswith("sampai.environment.InvalidEnvironmentError: environment variable ")
    assert last_line.endswith(": missing or empty")
