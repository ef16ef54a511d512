"""The smoke test holds on the local stack, leaves nothing behind, and calls what its page gives permission for."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.smoke.checks import Result, Smoke
from local.smoke.target import LOCAL, Target, find
from tests.e2e.conftest import Stack, client
from tests.template import ROOT

PAGE = ROOT / "docs" / "how-to" / "smoke-test.md"
PREFIX = "sampai-smoke-"
ACTIONS = {"dynamodb:BatchExecuteStatement": {"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"}}
"""Actions of calls that are not named after the call."""
ONLY_ON_AWS = {"cloudformation:DescribeStacks", "cloudwatch:GetMetricStatistics"}
ONLY_HERE = {"logs:FilterLogEvents"}


@pytest.fixture(scope="module")
def calls() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def results(local_stack: Stack, calls: set[str]) -> list[Result]:
    """Run it once, and note the calls that it makes."""
    target = find(LOCAL)
    results: list[Result] = []
    Smoke(_recorded(target, calls), now=datetime.now(UTC)).run(results.append)
    return results


def _recorded(target: Target, calls: set[str]) -> Target:
    def recording(service: str) -> Any:
        client = target.client(service)

        def note(model: Any, **_: Any) -> None:
            calls.update(ACTIONS.get(f"{service}:{model.name}", {f"{service}:{model.name}"}))

        client.meta.events.register("before-call", note)
        return client

    return replace(target, client=recording)


def test_every_check_holds(results: list[Result]) -> None:
    assert [result for result in results if not result.holds] == []
    assert len(results) == 7


def test_nothing_is_left(local_stack: Stack, results: list[Result]) -> None:
    bus = local_stack.outputs["EventBusName"]
    dynamodb = client("dynamodb")

    assert client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) == []
    assert client("events").list_rules(EventBusName=bus, NamePrefix=PREFIX)["Rules"] == []
    for table in (local_stack.resource("MessagesTable"), local_stack.resource("CorrelationsTable")):
        assert not [item for item in dynamodb.scan(TableName=table)["Items"] if PREFIX in str(item)]


def test_the_page_lists_the_permissions_for_its_calls(results: list[Result], calls: set[str]) -> None:
    listed = set(re.findall(r"`([a-z]+:[A-Za-z]+)`", PAGE.read_text()))

    assert listed == calls - ONLY_HERE | ONLY_ON_AWS
