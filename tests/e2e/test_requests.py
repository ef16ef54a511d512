"""Requests of a caller on the whole stack."""

from typing import Any

from tests.e2e.conftest import Stack, in_seconds, wait_until

ACCOUNT = "000000000000"
"""The account of the local AWS, which it names as the sender of each request."""


def test_a_one_time_password_is_delivered_through_the_urgent_queue(local_stack: Stack) -> None:
    request = local_stack.request("nusasms", category="otp")

    local_stack.put(request, queue="UrgentQueueUrl")

    local_stack.wait_for((request["message_id"], "delivered"))
    received = local_stack.events_of(request["message_id"], until="delivered")
    assert {event["caller"] for event in received} == {ACCOUNT}


def test_five_equal_requests_are_accepted_once_and_a_different_body_is_rejected(local_stack: Stack) -> None:
    request = local_stack.request("smspoh")

    local_stack.put(request, request, request)
    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "delivered"))
    local_stack.put(request)
    local_stack.put(request | {"content": {"type": "text", "text": "Other private words"}})

    wait_until(lambda: local_stack.rejections_of(request["message_id"]) != [])
    assert [r["reason"] for r in local_stack.rejections_of(request["message_id"])] == ["id_conflict"]
    assert len(local_stack.ledger(request)) == 1
    assert local_stack.status(request["message_id"]) == "delivered"


def test_a_scheduled_message_waits_and_a_canceled_one_is_never_sent(local_stack: Stack) -> None:
    kept = local_stack.request("nusasms", send_at=in_seconds(8))
    dropped = local_stack.request("nusasms", send_at=in_seconds(8))
    early = local_stack.request("nusasms")
    local_stack.put(kept, dropped, {"cancel": early["message_id"]})
    local_stack.wait_for((kept["message_id"], "scheduled"), (dropped["message_id"], "scheduled"))

    local_stack.put({"cancel": dropped["message_id"]}, early)

    local_stack.wait_for(
        (kept["message_id"], "delivered"), (dropped["message_id"], "canceled"), (early["message_id"], "canceled")
    )
    assert local_stack.ledger(dropped) == local_stack.ledger(early) == []
    received = local_stack.events_of(dropped["message_id"], until="canceled")
    assert [event["status"] for event in received] == ["scheduled", "canceled"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
    "unrouted": ({"recipient": "+819012345678"}, "unroutable"),
    "too long": ({"content": {"type": "text", "text": "Private " * 200}}, "too_long"),
    "comma": ({"recipient": "+6281234567810,+6281234567811"}, "invalid_request"),
    "newline": ({"recipient": "+6281234567810\n"}, "invalid_request"),
    "unknown field": ({"colour": "red"}, "invalid_request"),
    "unknown provider": ({"provider": "acme"}, "invalid_request"),
    "unknown option": ({"provider_options": {"nusasms": {"colour": "red"}}}, "unsupported"),
    "unknown channel": ({"channel": "fax"}, "invalid_request"),
}


def test_invalid_requests_fail_and_their_neighbours_are_delivered(local_stack: Stack) -> None:
    good = local_stack.request("nusasms")
    bad = {kind: local_stack.request("nusasms") | changes for kind, (changes, _) in BAD.items()}

    local_stack.put(*bad.values(), good, "{not json")

    local_stack.wait_for(*((r["message_id"], "failed") for r in bad.values()), (good["message_id"], "delivered"))
    for kind, request in bad.items():
        item = local_stack.item(request["message_id"])
        assert item is not None
        assert item["failure"]["M"]["reason"]["S"] == BAD[kind][1]
        assert local_stack.ledger(request) == []
