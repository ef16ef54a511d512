"""A bad record or a silent store on the whole stack: the other messages are delivered, and none is unknown."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from local.stack import DYNAMODB
from tests.e2e.conftest import Stack, wait_until

SILENT_SECONDS: Final = 9.0
VENDORS: Final = ["smspoh", "nusasms"] * 4
"""Vendors that report by webhook, which is faster than polls."""
SLOW: Final = 26
"""The vendor answers after some seconds."""


@contextmanager
def silent_store() -> Iterator[None]:
    """Let DynamoDB answer the functions nothing for nine seconds: connections open, and requests wait."""
    pid = DYNAMODB.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(SILENT_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)


def is_sent_once(stack: Stack, request: dict[str, Any]) -> bool:
    """Return whether the vendors took a message once, and it never was `unknown`."""
    events = stack.events_of(request["message_id"], until="delivered")
    return len(stack.ledger(request)) == 1 and "unknown" not in [event["status"] for event in events]


def test_nine_neighbours_of_a_record_with_an_impossible_date_are_delivered(local_stack: Stack) -> None:
    bad = local_stack.request("nusasms", send_at="9999-12-31T23:59:59Z")
    good = [local_stack.request("nusasms") for _ in range(9)]

    local_stack.put(*good[:4], bad, *good[4:])

    local_stack.wait_for(*((request["message_id"], "delivered") for request in good), (bad["message_id"], "failed"))
    assert [len(local_stack.ledger(request)) for request in good] == [1] * 9
    item = local_stack.item(bad["message_id"])
    assert item is not None
    assert item["failure"]["M"]["reason"]["S"] == "invalid_request"


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
