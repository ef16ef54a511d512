"""A silent store on the whole stack: each message is delivered once, and none is unknown. Run with `make outages`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from local.stack import DYNAMODB
from local.stack.processes import silenced
from tests.e2e.conftest import Stack, wait_until

pytestmark = pytest.mark.slow

SILENT_SECONDS: Final = 9.0
VENDORS: Final = ["smspoh", "nusasms"] * 4
"""Vendors that report by webhook, which is faster than polls."""
SLOW: Final = 26
"""The vendor answers after some seconds."""


@contextmanager
def silent_store() -> Iterator[None]:
    """Let DynamoDB answer the functions nothing for nine seconds."""
    pid = DYNAMODB.pid()
    assert pid is not None
    with silenced(pid):
        yield
        time.sleep(SILENT_SECONDS)


def is_sent_once(stack: Stack, request: dict[str, Any]) -> bool:
    """Return whether the vendors took a message once, and it never was `unknown`."""
    events = stack.events_of(request["message_id"], until="delivered")
    return len(stack.ledger(request)) == 1 and "unknown" not in [event["status"] for event in events]


@pytest.mark.parametrize("queue", ["SendQueueUrl", "UrgentQueueUrl"])
def test_messages_are_sent_once_although_the_store_is_silent_around_their_claim(local_stack: Stack, queue: str) -> None:
    requests = [local_stack.request(vendor) for vendor in VENDORS]

    with silent_store():
        local_stack.put(*requests, queue=queue)

    local_stack.wait_for(*((request["message_id"], "delivered") for request in requests))
    assert [request["message_id"] for request in requests if not is_sent_once(local_stack, request)] == []


def test_an_answer_that_comes_while_the_store_is_silent_is_stored_after_it(local_stack: Stack) -> None:
    request = local_stack.request("nusasms", SLOW)
    local_stack.put(request)
    wait_until(lambda: local_stack.status(request["message_id"]) == "sending", lambda: request)

    with silent_store():
        pass

    local_stack.wait_for((request["message_id"], "delivered"))
    assert is_sent_once(local_stack, request)
