"""One bad record or item beside nine good ones, on the whole stack. Run with `make outages`."""

from typing import Any, Final

import pytest

from tests.e2e.conftest import Stack, client, in_seconds, wait_until

pytestmark = pytest.mark.slow

PAST: Final = "2020-01-01T00:00:00.000Z"


def change(stack: Stack, message_id: str, expression: str, **values: str) -> None:
    """Change a stored message as another release would."""
    client("dynamodb").update_item(
        TableName=stack.outputs["MessagesTableName"],
        Key={"message_id": {"S": message_id}},
        UpdateExpression=expression,
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
    )


def requests(stack: Stack, count: int) -> list[dict[str, Any]]:
    """Return requests to a vendor that is polled, so that each function works on them."""
    return [stack.request("nomsa") for _ in range(count)]


def delivered(*messages: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["message_id"], "delivered") for message in messages]


def test_nine_requests_are_delivered_beside_one_with_a_date_at_the_end_of_time(local_stack: Stack) -> None:
    bad, *good = requests(local_stack, 10)

    local_stack.put(bad | {"send_at": "9999-12-31T23:59:59Z"}, *good)

    local_stack.wait_for((bad["message_id"], "failed"), *delivered(*good))
    failure = (local_stack.item(bad["message_id"]) or {})["failure"]["M"]
    assert (failure["reason"]["S"], failure["detail"]["S"].partition(":")[0]) == ("invalid_request", "send_at")
    assert local_stack.ledger(bad) == []


def test_nine_messages_are_delivered_beside_an_item_of_a_newer_release(local_stack: Stack) -> None:
    newer, *good = requests(local_stack, 10)
    message_id = newer["message_id"]
    local_stack.put(newer)
    local_stack.wait_for(*delivered(newer))
    change(
        local_stack,
        message_id,
        "SET #status = :status, due_at = :past, due_shard = :shard, priority = :shard",
        status="paused",
        past=PAST,
        shard="0",
    )

    local_stack.put(newer, *good)

    local_stack.wait_for(*delivered(*good))
    for message in good:
        heard = local_stack.events_of(message["message_id"], until="delivered")
        assert [event["status"] for event in heard][-1] == "delivered"
    wait_until(lambda: (local_stack.item(message_id) or {})["due_at"]["S"] > PAST)
    item = local_stack.item(message_id) or {}
    assert (item["status"], item["priority"]) == ({"S": "paused"}, {"S": "0"})
    assert len(local_stack.ledger(newer)) == 1
    # The release that can read the item is back, so the record that returns to the queue finds a final message.
    change(local_stack, message_id, "SET #status = :status REMOVE due_at, due_shard", status="delivered")


def test_file_of_a_canceled_message_is_deleted(local_stack: Stack) -> None:
    content = {"type": "media", "media_base64": "JVBERi0xLjQK", "file_name": "bill.pdf"}
    request = local_stack.request("nusasms", channel="whatsapp", content=content, send_at=in_seconds(60))
    files = local_stack.resource("MediaTable")

    def stored() -> list[str]:
        items = client("dynamodb").scan(TableName=files, ConsistentRead=True)["Items"]
        return [i["media_key"]["S"] for i in items if i["media_key"]["S"].startswith(f"{request['message_id']}/")]

    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "scheduled"))
    assert len(stored()) == 1

    local_stack.put({"cancel": request["message_id"]})

    local_stack.wait_for((request["message_id"], "canceled"))
    wait_until(lambda: stored() == [], stored)
