"""The smoke test passes on the local stack, cleans up, and needs only the permissions in its documentation."""

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
"""Actions by call, if the names differ."""
ONLY_ON_AWS = {"cloudformation:DescribeStacks", "cloudwatch:GetMetricStatistics"}
ONLY_HERE = {"logs:FilterLogEvents"}


@pytest.fixture(scope="module")
def calls() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def results(local_stack: Stack, calls: set[str]) -> list[Result]:
    """Run the smoke test once and record its calls."""
    target = find(LOCAL)
    results: list[Result] = []
    Smoke(_recorded(target, calls), now=datetime.now(UTC)).run(results.append)
    return results


def _recorded(target: Target, calls: set[str]) -> Target:
    def recording(service: str) -> Any:
        client = target.client(service)

        def record(model: Any, **_: Any) -> None:
            calls.update(ACTIONS.get(f"{service}:{model.name}", {f"{service}:{model.name}"}))

        client.meta.events.register("before-call", record)
        return client

    return replace(target, client=recording)


def test_every_check_passes(results: list[Result]) -> None:
    assert [result for result in results if not result.holds] == []
    assert len(results) == 7


def test_no_resource_is_left(local_stack: Stack, results: list[Result]) -> None:
    bus = local_stack.outputs["EventBusName"]
    dynamodb = client("dynamodb")

    assert client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) == []
    assert client("events").list_rules(EventBusName=bus, NamePrefix=PREFIX)["Rules"] == []
    for table in (local_stack.resource("MessagesTable"), local_stack.resource("CorrelationsTable")):
        assert not [item for item in dynamodb.scan(TableName=table)["Items"] if PREFIX in str(item)]


def test_the_page_lists_the_permissions_for_its_calls(results: list[Result], calls: set[str]) -> None:
    listed = set(re.findall(r"`([a-z]+:[A-Za-z]+)`", PAGE.read_text()))

    assert listed == calls - ONLY_HERE | ONLY_ON_AWS
