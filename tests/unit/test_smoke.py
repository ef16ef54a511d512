"""A smoke test that does not hold says so, check by check, and still cleans up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.smoke.__main__ import main
from local.smoke.checks import Result, Smoke
from sampai.domain.http import HttpResponse
from sampai_cli.stack import Stack
from tests.harness.vendors import serving

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CHECKS = ["rule and queue", "PartiQL", "receipts", "wake-up", "event", "metric", "clean-up"]


class Aws:
    """Answers each call with what it was given, and refuses all others."""

    def __init__(self, **answers: Any) -> None:
        self.calls: list[str] = []
        self._answers = answers

    def client(self, service: str) -> Any:
        return _Client(service, self)

    def call(self, service: str, operation: str) -> Any:
        self.calls.append(f"{service}.{operation}")
        answer = self._answers.get(f"{service}_{operation}")
        if answer is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, operation)
        return answer


class _Client:
    def __init__(self, service: str, aws: Aws) -> None:
        self._service = service
        self._aws = aws

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **_: self._aws.call(self._service, operation)


@pytest.fixture
def api() -> Iterator[str]:
    """An API that answers 200 to whatever comes."""
    with serving(lambda _: HttpResponse(status=200)) as address:
        yield address


def smoke(aws: Aws, base_url: str = "http://127.0.0.1:9") -> dict[str, Result]:
    outputs = {"EventBusName": "sampai", "ProviderSecretArn": "secret", "WebhookBaseUrl": base_url}
    target = Stack(name="sampai", outputs=outputs, client=aws.client, is_local=True)
    results: list[Result] = []
    holds = Smoke(target, now=NOW).run(results.append)
    assert holds is all(result.holds for result in results)
    return {result.check: result for result in results}


def test_without_any_permission_no_check_holds() -> None:
    results = smoke(Aws())

    assert list(results) == CHECKS
    assert [check for check, result in results.items() if result.holds] == ["clean-up"]
    assert "AccessDenied" in results["metric"].detail


def test_what_was_created_is_deleted_although_a_later_step_fails() -> None:
    aws = Aws(
        sqs_create_queue={"QueueUrl": "queue"},
        sqs_get_queue_attributes={"Attributes": {"QueueArn": "arn"}},
        events_put_rule={"RuleArn": "arn"},
        events_delete_rule={},
        sqs_delete_queue={},
    )

    results = smoke(aws)

    assert not results["rule and queue"].holds
    assert aws.calls.index("events.delete_rule") < aws.calls.index("sqs.delete_queue")


def test_a_clean_up_that_fails_is_shown() -> None:
    aws = Aws(
        cloudformation_describe_stack_resource={"StackResourceDetail": {"PhysicalResourceId": "table"}},
        secretsmanager_get_secret_value={"SecretString": '{"webhook_tokens": ["token"]}'},
    )

    results = smoke(aws)

    assert (results["clean-up"].holds, "AccessDenied" in results["clean-up"].detail) == (False, True)
    assert aws.calls.count("dynamodb.delete_item") == 2


def test_an_api_that_takes_any_token_is_found(api: str) -> None:
    aws = Aws(secretsmanager_get_secret_value={"SecretString": '{"webhook_tokens": ["token"]}'})

    results = smoke(aws, api)

    assert results["receipts"].detail == "HTTP 200 in place of 404"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["dev", "prod"], 2), (["nowhere"], 1)])
def test_a_stage_must_be_named_and_known(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == status
    assert capsys.readouterr().err.count("\n") == 1
