"""Inbound messages are stored once, published once, and honoured."""

import json
from typing import Any

import pytest

from tests.functional.sandbox import Deployment, read_event

NUMBER = "+6281234567810"
CONVERSATION = "a4c1e7b2-5d0f-4c3a-9b8e-1f2d3c4b5a69"


def _with(name: str, **fields: Any) -> Any:
    """Return a sample event with other fields in the body of its callback."""
    event = read_event(name)
    return {**event, "body": json.dumps(json.loads(event["body"]) | fields)}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("webhook/nusasms-sms-inbox", f"{NUMBER} on sms: Terima kasih, sudah sampai"),
        ("webhook/nusasms-sms-inbox-no-id", f"{NUMBER} on sms: Terima kasih, sudah sampai"),
        ("webhook/nusasms-whatsapp-inbox", f"{NUMBER} on whatsapp: Apakah besok buka?"),
        ("webhook/nusasms-whatsapp-official-inbox", f"{NUMBER} on whatsapp_official: Kapan pesanan saya dikirim?"),
    ],
)
def test_repeated_callback_gives_one_item_and_one_event(name: str, told: str, deployment: Deployment) -> None:
    answers = [deployment.invoke(name)["statusCode"] for _ in range(3)]

    assert answers == [200, 200, 200]
    assert len(deployment.items(deployment.inbox)) == 1
    records = deployment.emulator.stream_records(deployment.inbox)
    assert deployment.call("publish", {"Records": records}) == {"published": 1}
    assert deployment.events() == [told]


def test_event_has_the_complete_inbound_message(deployment: Deployment) -> None:
    deployment.invoke("publish/inbound")

    assert [(event["detail-type"], event["source"], event["detail"]) for event in deployment.deliveries()] == [
        (
            "Message Received",
            "sampai",
            {
                "provider": "nusasms",
                "channel": "sms",
                "provider_message_id": "88231",
                "sender": NUMBER,
                "recipient": "6281100001111",
                "text": "Terima kasih, sudah sampai",
                "room_id": None,
                "received_at": "2026-11-21T10:00:00.000Z",
            },
        ),
        (
            "Message Received",
            "sampai",
            {
                "provider": "nusasms",
                "channel": "whatsapp",
                "provider_message_id": "5217",
                "sender": NUMBER,
                "recipient": "6281100001111",
                "text": "Apakah besok buka?",
                "room_id": None,
                "received_at": "2026-11-21T10:00:00.000Z",
            },
        ),
        (
            "Message Received",
            "sampai",
            {
                "provider": "nusasms",
                "channel": "whatsapp_official",
                "provider_message_id": "SMPL00000000000000004711",
                "sender": NUMBER,
                "recipient": None,
                "text": "Kapan pesanan saya dikirim?",
                "room_id": CONVERSATION,
                "received_at": "2026-11-21T10:00:03.000Z",  # the time of the callback: the vendor gives none
            },
        ),
    ]


def test_batch_of_both_streams_is_published_completely(deployment: Deployment) -> None:
    records = [*read_event("publish/inbound")["Records"], *read_event("publish/life-of-a-message")["Records"]]

    assert deployment.call("publish", {"Records": records}) == {"published": 6}
    assert sorted(deployment.events()) == [
        f"{NUMBER} on sms: Terima kasih, sudah sampai",
        f"{NUMBER} on whatsapp: Apakah besok buka?",
        f"{NUMBER} on whatsapp_official: Kapan pesanan saya dikirim?",
        "sample-nomsa accepted",
        "sample-nomsa delivered",
        "sample-nomsa sending",
    ]


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        ([], "accepted"),
        (["send/opt-out"], "failed opted_out recipient"),
        (["webhook/nusasms-sms-inbox"], "accepted"),
        (["webhook/nusasms-sms-inbox-stop"], "failed opted_out recipient"),
        (["webhook/nusasms-whatsapp-official-inbox-stop"], "failed opted_out recipient"),
        (["send/opt-out", "send/opt-in"], "accepted"),
        (["send/opt-in", "send/opt-out"], "accepted"),  # the later opt-out or opt-in counts, not the last one to arrive
    ],
)
def test_number_gets_promotional_messages_unless_it_has_opted_out(
    before: list[str], becomes: str, deployment: Deployment
) -> None:
    for name in before:
        deployment.invoke(name)

    deployment.invoke("send/opted-out")

    assert deployment.table() == {"sample-opted-out": becomes}
    assert len(deployment.vendors.calls) == (becomes == "accepted")


def test_number_that_has_opted_out_gets_other_messages(deployment: Deployment) -> None:
    for name in ("send/opt-out", "send/nusasms", "send/otp", "send/whatsapp-official-template"):
        deployment.invoke(name)

    assert deployment.table() == {
        "sample-nusasms": "accepted",
        "sample-otp": "accepted",
        "sample-whatsapp-official-template": "accepted",
    }


def test_opt_out_applies_to_its_own_batch(deployment: Deployment) -> None:
    records = [*read_event("send/opted-out")["Records"], *read_event("send/opt-out")["Records"]]

    assert deployment.call("send", {"Records": records}) == {"batchItemFailures": []}

    assert deployment.table() == {"sample-opted-out": "failed opted_out recipient"}
    assert deployment.vendors.calls == []


@pytest.mark.parametrize(
    ("inbox_date", "becomes"),
    [("2020-01-01 10:00:00", "failed window_closed room_id"), ("2099-01-01 10:00:00", "accepted")],
)
def test_a_conversation_is_open_for_a_day_after_its_last_message(
    inbox_date: str, becomes: str, deployment: Deployment
) -> None:
    deployment.call("webhook", _with("webhook/nusasms-whatsapp-official-inbox", inbox_date=inbox_date))

    deployment.invoke("send/whatsapp-official-reply")

    assert deployment.table() == {"sample-whatsapp-official-reply": becomes}


def test_template_of_the_request_is_sent_in_a_closed_conversation(deployment: Deployment) -> None:
    deployment.invoke("send/room-closed-template")

    (request,) = deployment.vendors.requests
    assert request.url.endswith("/nusasms/nusasms_api/1.0/wa_official/message/broadcast")
    assert json.loads(request.body) == {
        "destination": "6281234567810",
        "destination_name": "6281234567810",
        "template_id": "7e000000-0000-4000-8000-000000000001",
        "channel_id": "c0000000-0000-4000-8000-000000000001",
        "parameters": {"body": [{"key": "1", "value": "parameter_1", "value_text": "552 019"}]},
    }


def test_reply_is_sent_in_an_open_conversation(deployment: Deployment) -> None:
    deployment.invoke("webhook/nusasms-whatsapp-official-inbox")

    deployment.invoke("send/room-closed-template")

    assert deployment.vendors.calls == ["POST /nusasms/nusasms_api/1.0/wa_official/message/reply"]
