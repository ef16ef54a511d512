"""WhatsApp, conversations, lists, encryption keys and accounts on the whole stack."""

import json
from base64 import b64encode
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulators.nusasms.official import NO_PARAMETER, ONE_PARAMETER, PENDING
from tests.e2e.conftest import Stack, client, wait_until

ROOMS = tuple(f"0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c0{number}" for number in range(3))
WHATSAPP: dict[str, Any] = {"channel": "whatsapp"}
OFFICIAL: dict[str, Any] = {"channel": "whatsapp_official"}
PROMOTIONAL: dict[str, Any] = {"category": "promotional"}
PICTURE = b64encode(bytes(600)).decode()


def template(template_id: str, *values: str) -> dict[str, Any]:
    return {"type": "template", "template_id": template_id, "recipient_name": "Private Sari", "parameters": [*values]}


def failure_of(stack: Stack, message_id: str) -> str:
    item = stack.item(message_id)
    assert item is not None
    reason: str = item["failure"]["M"]["reason"]["S"]
    return reason


def test_whatsapp_messages_of_every_kind_are_read(local_stack: Stack) -> None:
    text = local_stack.request("nusasms", 27, **WHATSAPP)
    caption = {"type": "media", "caption": "Private caption"}
    address = local_stack.request("nusasms", 27, content=caption | {"media_url": "https://files.example/1.png"})
    file = local_stack.request("nusasms", 27, content=caption | {"media_base64": PICTURE, "file_name": "Private.png"})
    broadcast = local_stack.request(
        "nusasms", 27, content=template(ONE_PARAMETER.template_id, "Private code"), **OFFICIAL
    )

    local_stack.put(text, address | WHATSAPP, file | WHATSAPP, broadcast)

    local_stack.wait_for(*((r["message_id"], "read") for r in (text, address, file, broadcast)))
    assert [e["channel"] for e in local_stack.accepted_with_text("Private caption")] == ["whatsapp", "whatsapp"]
    assert [e["operation"] for e in local_stack.accepted_with_text("Private code")] == ["broadcast"]
    events = local_stack.events_of(broadcast["message_id"], until="read")
    # Receipts can overtake each other and the response; a status that is already passed has no event. On a busy machine
    # the message can go back to the queue before its vendor is called.
    order = ["accepted", "sent", "delivered", "read"]
    statuses = [event["status"] for event in events]
    after_sending = [status for status in statuses if status not in ("sending", "queued")]
    assert (statuses[0], after_sending) == ("sending", [status for status in order if status in statuses])


def test_an_inbound_message_opens_a_conversation_for_replies_for_a_day(local_stack: Stack) -> None:
    conversation, old_room, unknown_room = ROOMS
    two_days_ago = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    sender, other = (local_stack.request("nusasms")["recipient"] for _ in range(2))
    reply, late, unknown, fallback = (
        {**local_stack.request("nusasms", room_id=r, **OFFICIAL), "recipient": None}
        for r in (conversation, old_room, unknown_room, old_room)
    )
    fallback["provider_options"] = {"nusasms": {"template": {"template_id": NO_PARAMETER.template_id}}}

    event = local_stack.send_inbound("whatsapp-official-inbox", sender, "Good morning", room_id=conversation)
    local_stack.send_inbound("whatsapp-official-inbox", other, "Good evening", room_id=old_room, date=two_days_ago)
    local_stack.put(reply, late, unknown, fallback)

    local_stack.wait_for(
        (reply["message_id"], "delivered"),
        (late["message_id"], "failed"),
        (unknown["message_id"], "failed"),
        (fallback["message_id"], "delivered"),
    )
    assert (event["room_id"], event["channel"], event["provider"]) == (conversation, "whatsapp_official", "nusasms")
    assert [e["operation"] for e in local_stack.ledger(reply)] == ["reply"]
    assert {failure_of(local_stack, r["message_id"]) for r in (late, unknown)} == {"window_closed"}
    assert local_stack.ledger(late) == local_stack.ledger(unknown) == local_stack.ledger(fallback) == []


@pytest.mark.parametrize("kind", ["sms-inbox", "whatsapp-inbox"])
def test_stop_blocks_promotions_but_not_passwords_until_start(local_stack: Stack, kind: str) -> None:
    first, password, again = (local_stack.request("nusasms") for _ in range(3))
    number = first["recipient"]
    password |= {"recipient": number, "category": "otp"}
    again |= {"recipient": number, **PROMOTIONAL}

    local_stack.send_inbound(kind, number, " Stop. ")
    local_stack.put(first | PROMOTIONAL, password)
    local_stack.wait_for((first["message_id"], "failed"), (password["message_id"], "delivered"))
    local_stack.send_inbound(kind, number, "START")
    local_stack.put(again)
    local_stack.wait_for((again["message_id"], "delivered"))

    assert failure_of(local_stack, first["message_id"]) == "opted_out"
    assert local_stack.ledger(first) == []


def test_a_caller_can_opt_out_a_recipient(local_stack: Stack) -> None:
    request = local_stack.request("smspoh", **PROMOTIONAL)

    local_stack.put({"opt_out": request["recipient"]}, request)

    local_stack.wait_for((request["message_id"], "failed"))
    assert failure_of(local_stack, request["message_id"]) == "opted_out"


def test_ten_promotions_with_one_lost_response_are_each_accepted_once(local_stack: Stack) -> None:
    requests = [local_stack.request("smspoh", 25 if n == 4 else 10, **PROMOTIONAL) for n in range(10)]

    local_stack.put(*requests)

    local_stack.wait_for(*((r["message_id"], "delivered") for r in requests))
    assert [len(local_stack.ledger(r)) for r in requests] == [1] * 10


def test_an_encryption_key_is_stored_in_its_table_only(local_stack: Stack) -> None:
    request = local_stack.request("smspoh", provider_options={"smspoh": {"encrypt": True}})

    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "delivered"))

    answer = client("dynamodb").get_item(
        TableName=local_stack.outputs["EncryptionKeysTableName"], Key={"message_id": {"S": request["message_id"]}}
    )
    key = answer["Item"]["encryption_key"]["S"]
    events = local_stack.events_of(request["message_id"], until="delivered")
    assert len(key) >= 32
    assert key not in local_stack.logs() + json.dumps(events) + json.dumps(local_stack.item(request["message_id"]))


def test_the_monitor_stores_approved_templates(local_stack: Stack) -> None:
    answer = client("lambda").invoke(FunctionName=local_stack.resource("MonitorFunction"), Payload=b"{}")
    answered = json.loads(answer["Payload"].read())
    unapproved = local_stack.request("nusasms", content=template(PENDING.template_id, "Private name"), **OFFICIAL)
    mismatched = local_stack.request("nusasms", content=template(ONE_PARAMETER.template_id), **OFFICIAL)

    local_stack.put(unapproved, mismatched)

    local_stack.wait_for((unapproved["message_id"], "failed"), (mismatched["message_id"], "failed"))
    assert answered == {"answered": 8}  # also the second panel and the second account
    assert failure_of(local_stack, unapproved["message_id"]) == "template_rejected"
    assert failure_of(local_stack, mismatched["message_id"]) == "invalid_content"


def test_an_invalid_combination_fails_without_a_call_to_a_vendor(local_stack: Stack) -> None:
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "a file by SMS": ({"content": {"type": "media", "media_url": "https://files.example/1.png"}}, "unsupported"),
        "a file over plain HTTP": (
            {"content": {"type": "media", "media_url": "http://files.example/1.png"}, **WHATSAPP},
            "invalid_request",
        ),
        "an audience and a number": ({"audience": {"lists": ["Example10"]}}, "invalid_request"),
        "a conversation by SMS": ({"room_id": ROOMS[0]}, "invalid_request"),
        "a text without a conversation": (OFFICIAL, "unsupported"),
        "an audience of another vendor": ({"recipient": None, "audience": {"lists": ["a"]}}, "unroutable"),
    }
    requests = {name: local_stack.request("nusasms") | change for name, (change, _) in changes.items()}
    neighbour = local_stack.request("nusasms")

    local_stack.put(*requests.values(), neighbour)

    local_stack.wait_for(
        *((r["message_id"], "failed") for r in requests.values()), (neighbour["message_id"], "delivered")
    )
    reasons = {name: failure_of(local_stack, r["message_id"]) for name, r in requests.items()}
    assert reasons == {name: reason for name, (_, reason) in changes.items()}
    wait_until(lambda: all(local_stack.ledger(r) == [] for r in requests.values() if "text" in r["content"]))


def test_a_campaign_is_accepted_and_never_confirmed(
    local_stack: Stack, campaigns: list[dict[str, Any]], short_horizon: "Future[None]"
) -> None:
    unknown = {**campaigns[0], "message_id": "e2e-unknown-list", "audience": {"lists": ["0000000000000"]}}

    local_stack.put(unknown)

    short_horizon.result()
    local_stack.wait_for(*((c["message_id"], "unconfirmed") for c in campaigns), (unknown["message_id"], "failed"))
    assert [len(local_stack.ledger(campaign)) for campaign in campaigns] == [1, 1]
