"""The deployed functions write the metrics that the dashboard shows, with the same dimensions."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.e2e.conftest import Stack, client, wait_until
from tests.harness.metrics import Dimensions, emitted

FUNCTIONS: Final = ("send", "publish", "follow_up", "webhook")
OF_A_MESSAGE: Final = {
    ("AcceptLatency", ("provider", "category")),
    ("VendorLatency", ("provider", "category")),
    ("DeliveryLatency", ("provider", "category")),
    ("Delivered", ("provider", "category")),
    ("SendAccepted", ("provider",)),
}


def written() -> Iterator[tuple[str, Dimensions]]:
    """Yield the metrics in the logs of the functions."""
    for function in FUNCTIONS:
        pages = client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=f"/aws/lambda/sampai/{function}", filterPattern="CloudWatchMetrics"):
            for event in page["events"]:
                yield from _metrics_in(json.loads(event["message"]))


def _metrics_in(line: dict[str, Any]) -> Iterator[tuple[str, Dimensions]]:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for metric in directive["Metrics"]:
                yield metric["Name"], tuple(dimensions)


def test_a_delivered_message_leaves_its_latencies_and_its_outcome(local_stack: Stack) -> None:
    request = local_stack.request("smspoh", category="otp")
    local_stack.put(request)
    local_stack.events_of(request["message_id"], until="delivered")

    wait_until(lambda: set(written()) >= OF_A_MESSAGE, lambda: OF_A_MESSAGE - set(written()))

    known = {(name, dimensions) for name, several in emitted().items() for dimensions in several}
    assert set(written()) - known == set()
