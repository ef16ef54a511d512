"""E-mails on the whole stack: files, opened and bounced ones, complaints, and lost answers."""

import hashlib
from base64 import b64encode
from typing import Any
from uuid import uuid4

from tests.e2e.conftest import LOST_RESPONSES, Stack

FILES = {"bill.pdf": b"%PDF-1.4 Private \x00\xff", "វិក្កយបត្រ.txt": b"Private\r\n--"}


def email(magic_number: int, **content: Any) -> dict[str, Any]:
    name = uuid4().hex[:12]
    text = {"type": "email", "subject": f"Private {name}", "body": f"<p>Private {name}</p>", **content}
    return {
        "message_id": f"mail-{name}",
        "channel": "email",
        "recipient": f"private.{name}.{magic_number}@example.com",
        "content": text,
    }


def entries_of(stack: Stack, request: dict[str, Any]) -> list[dict[str, Any]]:
    content = request["content"]
    return stack.accepted_with_text(f"{content['subject']}\n{content['body']}")


def test_an_e_mail_with_files_is_read_and_keeps_nothing(local_stack: Stack) -> None:
    attachments = [{"file_name": name, "content_base64": b64encode(data).decode()} for name, data in FILES.items()]
    request = email(27, attachments=attachments, cc=["private.copy@example.com"], reply_to="private.help@example.com")

    local_stack.put(request)

    local_stack.wait_for((request["message_id"], "read"))
    (entry,) = entries_of(local_stack, request)
    assert entry["files_sha256"] == [hashlib.sha256(data).hexdigest() for data in FILES.values()]
    events = local_stack.events_of(request["message_id"], until="read")
    assert [event["status"] for event in events][:2] == ["sending", "accepted"]
    assert {(event["channel"], event["recipient"]) for event in events} == {("email", "p***@example.com")}
    item = local_stack.item(request["message_id"])
    assert item is not None
    assert "content" not in item


def test_a_lost_answer_is_found_in_the_list_and_never_sent_again(local_stack: Stack) -> None:
    requests = [email(magic_number) for magic_number in sorted(LOST_RESPONSES)]

    local_stack.put(*requests)

    local_stack.wait_for(*((request["message_id"], "delivered") for request in requests))
    assert [len(entries_of(local_stack, request)) for request in requests] == [1] * len(requests)


def test_a_bounce_a_complaint_and_the_blacklist_end_as_they_should(local_stack: Stack) -> None:
    bounced, complained, listed = (email(magic_number) for magic_number in (11, 29, 21))

    local_stack.put(bounced, complained, listed)

    local_stack.wait_for(
        (bounced["message_id"], "undelivered"),
        (complained["message_id"], "delivered"),
        (listed["message_id"], "failed"),
    )
    (bounce,) = (e for e in local_stack.events_of(bounced["message_id"], until="undelivered") if e["failure"])
    assert bounce["failure"] == {
        "reason": "invalid_recipient",
        "provider_code": "Hard bounce / NoEmail",
        "detail": None,
    }


def test_thirty_e_mails_at_once_are_all_delivered_at_ten_a_second(local_stack: Stack) -> None:
    requests = [email(10) for _ in range(30)]

    local_stack.put(*requests)

    local_stack.wait_for(*((request["message_id"], "delivered") for request in requests))
    assert [len(entries_of(local_stack, request)) for request in requests] == [1] * 30
