"""The monitor checks the accounts, and its catalogue of templates and senders applies to later messages."""

import json
from typing import Any

import pytest

from sampai.adapters.directory import DynamoDirectory
from sampai.domain.template import TemplateInfo
from tests.fakes import RecordingTelemetry
from tests.functional.sandbox import TOKEN, Deployment
from tests.harness.vendors import APPROVED, CHANNEL, CREDENTIALS, DOCUMENT, PENDING

JSON_API = "/nusasms/nusasms_api/1.0/"

QUESTIONS = [
    "GET /smsnoc/api/v3/balance",
    "GET /smspoh/api/rest/account/get-balance",
    f"GET {JSON_API}balance",
    f"GET {JSON_API}auth/api_key",
    f"GET {JSON_API}wa_official/channels",
    f"GET {JSON_API}wa_official/templates",
]


def _measured(printed: str) -> list[tuple[str, str, str, float]]:
    """Return the metrics of a run: name, provider, account, value."""
    lines = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return [
        (metric["Name"], line.get("provider", ""), line.get("account", ""), value)
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        for value in line[metric["Name"]]
    ]


def _give(deployment: Deployment, **credentials: Any) -> None:
    """Store other credentials in the secret."""
    secret = json.dumps({"webhook_tokens": [TOKEN], **CREDENTIALS, **credentials})
    arn = deployment.environment("monitor")["PROVIDER_SECRET_ARN"]
    deployment.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=secret)


def test_monitor_checks_every_account(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    assert deployment.invoke("monitor/every-quarter-hour") == {"answered": 6}

    assert deployment.vendors.calls == QUESTIONS
    printed = capsys.readouterr().out
    measured = _measured(printed)
    assert [measure for measure in measured if measure[0] != "BalanceDaysLeft"] == [
        ("Balance", "smsnoc", "credit", 1092.0),
        ("Balance", "smspoh", "credit", 1227748.0),
        ("Balance", "nusasms", "sms", 4711.0),
        ("Balance", "nusasms", "wa", 512.5),
    ]
    assert [measure[:3] for measure in measured if measure[0] == "BalanceDaysLeft"] == [
        ("BalanceDaysLeft", "smsnoc", "credit"),
        ("BalanceDaysLeft", "nusasms", "sms"),
        ("BalanceDaysLeft", "nusasms", "wa"),
    ]
    print(printed)  # for the check of the output


def test_refused_account_is_reported_and_does_not_hide_the_others(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    _give(deployment, nusasms={**CREDENTIALS["nusasms"], "api_key": "functional-api-key-of-yesterday"})

    assert deployment.invoke("monitor/every-quarter-hour") == {"answered": 2}

    assert deployment.vendors.calls == QUESTIONS
    assert deployment.kept() == ()
    printed = capsys.readouterr().out
    assert [measure for measure in _measured(printed) if measure[0] != "BalanceDaysLeft"] == [
        ("Balance", "smsnoc", "credit", 1092.0),
        ("Balance", "smspoh", "credit", 1227748.0),
        ("AccountRefused", "nusasms", "", 4.0),
    ]
    print(printed)  # for the check of the output


def test_account_without_credentials_is_not_checked(deployment: Deployment) -> None:
    _give(deployment, smspoh={}, nusasms={})

    assert deployment.invoke("monitor/every-quarter-hour") == {"answered": 1}
    assert deployment.vendors.calls == ["GET /smsnoc/api/v3/balance"]


def test_catalogue_has_the_templates_that_the_vendor_lists(deployment: Deployment) -> None:
    deployment.invoke("monitor/every-quarter-hour")

    directory = DynamoDirectory(
        deployment.client("dynamodb"), table=deployment.directory, digest=str, telemetry=RecordingTelemetry()
    )
    catalogue = directory.look_up(numbers=(), conversations=(), catalogues=["nusasms"]).catalogues["nusasms"]
    assert (catalogue.templates, catalogue.senders) == (
        {
            APPROVED: TemplateInfo(is_approved=True, body_parameters=1),
            DOCUMENT: TemplateInfo(is_approved=True, header_format="DOCUMENT", body_parameters=2),
            PENDING: TemplateInfo(is_approved=False, body_parameters=1),
        },
        frozenset({CHANNEL}),
    )


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("template-unapproved", "failed template_rejected content.template_id"),
        ("template-unknown", "failed template_rejected content.template_id"),
        ("template-misfit", "failed invalid_content content.parameters.body"),
        ("sender-unknown", "failed invalid_sender sender"),
    ],
)
def test_catalogue_refuses_a_template_without_a_call(name: str, becomes: str, deployment: Deployment) -> None:
    deployment.invoke("monitor/every-quarter-hour")
    deployment.vendors.calls.clear()

    deployment.invoke(f"send/{name}")

    assert deployment.table() == {f"sample-{name}": becomes}
    assert deployment.vendors.calls == []


@pytest.mark.parametrize("name", ["template-unapproved", "template-unknown", "template-misfit", "sender-unknown"])
def test_vendor_decides_without_a_catalogue(name: str, deployment: Deployment) -> None:
    deployment.invoke(f"send/{name}")

    assert deployment.table() == {f"sample-{name}": "accepted"}
    assert deployment.vendors.calls == [f"POST {JSON_API}wa_official/message/broadcast"]
