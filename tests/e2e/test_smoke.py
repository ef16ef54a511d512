"""The smoke test passes on the local stack, cleans up, and needs only the permissions in its documentation."""

import re
from concurrent.futures import Future

import pytest

from tests.e2e.conftest import Stack, client
from tests.e2e.smoke_run import SmokeRun
from tests.template import ROOT

PAGE = ROOT / "docs" / "how-to" / "smoke-test.md"
PREFIX = "sampai-smoke-"
ONLY_ON_AWS = {"cloudformation:DescribeStacks", "cloudwatch:GetMetricStatistics"}
ONLY_HERE = {"logs:FilterLogEvents"}


@pytest.fixture(scope="module")
def finished(smoke_run: "Future[SmokeRun]") -> SmokeRun:
    """Wait for the end of the smoke test."""
    return smoke_run.result()


def test_every_check_passes(finished: SmokeRun) -> None:
    assert [result for result in finished.results if not result.holds] == []
    assert len(finished.results) == 7


def test_no_resource_is_left(local_stack: Stack, finished: SmokeRun) -> None:
    bus = local_stack.outputs["EventBusName"]
    dynamodb = client("dynamodb")

    assert client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) == []
    assert client("events").list_rules(EventBusName=bus, NamePrefix=PREFIX)["Rules"] == []
    for table in (local_stack.resource("MessagesTable"), local_stack.resource("CorrelationsTable")):
        assert not [item for item in dynamodb.scan(TableName=table)["Items"] if PREFIX in str(item)]


def test_the_page_lists_the_permissions_for_its_calls(finished: SmokeRun) -> None:
    listed = set(re.findall(r"`([a-z]+:[A-Za-z]+)`", PAGE.read_text()))

    assert listed == finished.actions - ONLY_HERE | ONLY_ON_AWS
