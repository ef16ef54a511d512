"""E-mails on the whole stack: files, opened and bounced ones, complaints, and lost answers."""

import hashlib
from typing import Any

import pytest

from tests.e2e.conftest import FILES, Stack, email


def entries_of(stack: Stack, request: dict[str, Any]) -> list[dict[str, Any]]:
    content = request["content"]
    return stack.accepted_with_text(f"{content['subject']}\n{content['body']}")


def test_an_e_mail_with_files_is_read_and_keeps_nothing(local_stack: Stack, mails: dict[str, dict[str, Any]]) -> None:
    request = mails["opened"]

    local_stack.wait_for((request["message_id"], "read"))

    (entry,) = entries_of(local_stack, request)
    assert entry["files_sha256"] == [hashlib.sha256(data).hexdigest() for data in FILES.values()]
    events = local_stack.events_of(request["message_id"], until="read")
    statuses = [event["status"] for event in events]  # on a busy computer the first attempt may find no time
    assert (statuses[0], statuses[-1], "accepted" in statuses) == ("sending", "read", True)
    assert {(event["channel"], event["recipient"]) for event in events} == {("email", "p***@example.com")}
    item = local_stack.item(request["message_id"])
    assert item is not None
    assert "content" not in item


def test_a_lost_answer_is_found_in_the_list_and_never_sent_again(
    local_stack: Stack, mails: dict[str, dict[str, Any]]
) -> None:
    local_stack.wait_for((mails["lost"]["message_id"], "delivered"))

    assert len(entries_of(local_stack, mails["lost"])) == 1


def test_a_bounce_a_complaint_and_the_blacklist_end_as_they_should(
    local_stack: Stack, mails: dict[str, dict[str, Any]]
) -> None:
    ends = {"bounced": "undelivered", "complained": "delivered", "listed": "failed"}

    local_stack.wait_for(*((mails[name]["message_id"], end) for name, end in ends.items()))

    events = local_stack.events_of(mails["bounced"]["message_id"], until="undelivered")
    assert events[-1]["failure"] == {
        "reason": "invalid_recipient",
        "provider_code": "Hard bounce / NoEmail",
        "detail": "recipient: the vendor does not know it, check it with its owner",
    }


@pytest.mark.slow
def test_thirty_e_mails_at_once_are_all_delivered_at_ten_a_second(local_stack: Stack) -> None:
    requests = [email(10) for _ in range(30)]

    local_stack.put(*requests)

    local_stack.wait_for(*((request["message_id"], "delivered") for request in requests))
    assert [len(entries_of(local_stack, request)) for request in requests] == [1] * 30
