"""Vendors that reject all messages because of a fault of the account."""

from tests.e2e.conftest import NO_CREDIT, RECIPIENTS, Stack, in_seconds


def test_without_credit_a_message_waits_until_it_expires(local_stack: Stack) -> None:
    requests = [local_stack.request(vendor, NO_CREDIT, expires_at=in_seconds(40)) for vendor in RECIPIENTS]

    local_stack.put(*requests)

    local_stack.wait_for(*((request["message_id"], "failed") for request in requests))
    assert [local_stack.ledger(request) for request in requests] == [[] for _ in requests]
