"""The bodies and ids of callbacks."""

import json
from typing import Any

import pytest

from sampai.contract.callbacks import MAX_SEQUENCE, Callback, UnreadableEventError, parse_callback


def envelope(kind: str, detail: Any, **changes: Any) -> str:
    """Return an event as EventBridge puts it on a queue."""
    fields = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": kind,
        "source": "sampai",
        "account": "111122223333",
        "time": "2026-11-21T10:00:01Z",
        "region": "ap-southeast-1",
        "resources": [],
        "detail": detail,
    }
    return json.dumps({**fields, **changes})


CHANGED = {"message_id": "otp.4711", "sequence": 3, "status": "sent", "occurred_at": "2026-11-21T10:00:00.000Z"}
RECEIVED = {"sender": "+85591234511", "text": "ありがとう", "received_at": "2026-11-21T09:59:00.000Z"}
REJECTED = {"message_id": "otp-4711", "reason": "id_conflict", "detail": "message_id: used before"}


@pytest.mark.parametrize(
    ("kind", "detail", "name", "time", "place"),
    [
        (
            "Message Status Changed",
            CHANGED,
            "message.status_changed",
            "2026-11-21T10:00:00.000Z",
            {"callback_id": "otp~4711/3", "message_id": "otp.4711", "sequence": 3},
        ),
        (
            "Message Received",
            RECEIVED,
            "message.received",
            "2026-11-21T09:59:00.000Z",
            {"callback_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"},
        ),
        (
            "Request Rejected",
            REJECTED,
            "request.rejected",
            "2026-11-21T10:00:01Z",
            {"callback_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"},
        ),
    ],
)
def test_an_event_becomes_a_body_of_the_scheme_and_keeps_its_detail(
    kind: str, detail: dict[str, Any], name: str, time: str, place: dict[str, Any]
) -> None:
    callback = parse_callback(envelope(kind, detail))

    assert callback == Callback(body=callback.body, **place)
    assert json.loads(callback.body) == {"type": name, "timestamp": time, "data": detail}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        envelope("Something Else", CHANGED),
        envelope("Message Received", RECEIVED, source="aws.ec2"),
        envelope("Message Received", "a text"),
        envelope("Message Received", None),
        envelope("Message Status Changed", CHANGED | {"message_id": "otp\r\nx-injected: 1"}),
        envelope("Message Status Changed", CHANGED | {"message_id": None}),
        envelope("Message Status Changed", CHANGED | {"sequence": 0}),
        envelope("Message Status Changed", CHANGED | {"sequence": "3"}),
        envelope("Message Status Changed", CHANGED | {"sequence": True}),
        envelope("Message Status Changed", CHANGED | {"sequence": MAX_SEQUENCE + 1}),
    ],
    ids=lambda document: document[:40],
)
def test_a_document_that_is_no_event_of_ours_is_refused_without_a_value_of_it(document: str) -> None:
    with pytest.raises(UnreadableEventError, match=r"^[A-Za-z_]+$"):
        parse_callback(document)


def test_an_id_has_no_line_break_and_no_full_stop() -> None:
    assert parse_callback(envelope("Message Received", RECEIVED, id="a.b")).callback_id == "a~b"
    with pytest.raises(UnreadableEventError):
        parse_callback(envelope("Message Received", RECEIVED, id="a\r\nb"))
