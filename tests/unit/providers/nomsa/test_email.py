"""Nomsa's e-mail object, as in its "API Response Formats"."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sampai.domain.status import Status
from sampai.providers.nomsa.email import Email, parse_email
from sampai.providers.responses import UnreadableAnswerError

DOCUMENTED = """
{
    "id": "14",
    "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
    "recipient": "recipient@gmail.com",
    "params": {
        "body": "Hello here is your OTP: 145863 ",
        "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
        "subject": "One time OTP",
        "reply_to": "donotreply@nomsa.gov.kh"
    },
    "attachments_metadata": null,
    "status": "ACCEPTED",
    "error_code": null,
    "error_sub_type": null,
    "accepted_at": "2023-10-04T06:45:25.250Z",
    "sent_at": null,
    "delivered_at": null,
    "opened_at": null,
    "created_at": "2023-10-04T06:45:24.821Z",
    "updated_at": "2023-10-04T06:45:25.250Z",
    "classification": "URGENT",
    "tag": "string",
    "cc": [
        "nomsa@mail.nomsa.gov.kh"
    ],
    "bcc": []
}
"""
ACCEPTED_AT = datetime(2023, 10, 4, 6, 45, 25, 250000, tzinfo=UTC)
EMAIL = Email(
    provider_message_id="14",
    sender="Nomsa <donotreply@mail.nomsa.gov.kh>",
    recipient="recipient@gmail.com",
    subject="One time OTP",
    body="Hello here is your OTP: 145863 ",
    reply_to="donotreply@nomsa.gov.kh",
    cc=("nomsa@mail.nomsa.gov.kh",),
    bcc=(),
    status=Status.ACCEPTED,
    provider_status="ACCEPTED",
    error_code=None,
    error_sub_type=None,
    classification="URGENT",
    tag="string",
    created_at=datetime(2023, 10, 4, 6, 45, 24, 821000, tzinfo=UTC),
    updated_at=ACCEPTED_AT,
    accepted_at=ACCEPTED_AT,
    sent_at=None,
    delivered_at=None,
    opened_at=None,
)
LATER_TEXT = "2023-10-04T06:46:00.000Z"
LATER = datetime(2023, 10, 4, 6, 46, tzinfo=UTC)


def changed(**changes: Any) -> Email:
    return parse_email({**json.loads(DOCUMENTED), **changes})


def test_the_documented_example_is_read() -> None:
    assert parse_email(json.loads(DOCUMENTED)) == EMAIL


def test_unknown_field_is_ignored() -> None:
    assert changed(x_new={"y": 1}) == EMAIL


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "ACCEPTED", "accepted_at": None}, Status.ACCEPTED),
        ({"status": "SENT"}, Status.SENT),
        ({"status": "DELIVERED"}, Status.DELIVERED),
        ({"status": "COMPLAINT"}, Status.DELIVERED),
        ({"status": "OPENED"}, Status.READ),
        ({"status": "BOUNCED"}, Status.UNDELIVERED),
        ({"status": "ERROR"}, Status.UNDELIVERED),
        ({"status": "UNSENT"}, Status.ACCEPTED),
        ({"status": "UNSENT", "accepted_at": None}, None),
        ({"status": "PARKED", "accepted_at": None}, None),
        ({"status": None, "accepted_at": None}, None),
        ({"sent_at": LATER_TEXT}, Status.SENT),
        ({"sent_at": LATER_TEXT, "delivered_at": LATER_TEXT}, Status.DELIVERED),
        ({"delivered_at": LATER_TEXT, "opened_at": LATER_TEXT}, Status.READ),
        ({"status": "BOUNCED", "delivered_at": LATER_TEXT}, Status.UNDELIVERED),
        ({"status": "BOUNCED", "opened_at": LATER_TEXT}, Status.READ),
        ({"status": "COMPLAINT", "opened_at": LATER_TEXT}, Status.READ),
        ({"errored_at": LATER_TEXT, "delivered_at": LATER_TEXT}, Status.UNDELIVERED),
        ({"status": "opened"}, Status.READ),
    ],
)
def test_status_follows_from_the_strongest_of_word_and_times(changes: dict[str, Any], status: Status | None) -> None:
    assert changed(**changes).status is status


@pytest.mark.parametrize("name", ["sent_at", "delivered_at", "opened_at", "updated_at"])
def test_each_time_is_read_from_its_own_field(name: str) -> None:
    assert getattr(changed(**{name: LATER_TEXT}), name) == LATER


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Hard bounce", "Hard bounce"),
        ("Error 400: Blacklisted recipient", "Error 400: Blacklisted recipient"),
        ("550 mailbox of 85591234511 is full", None),
        ("<recipient@gmail.com> is unknown", None),
        ("x" * 61, None),
        (550, None),
    ],
)
def test_error_is_kept_only_if_it_contains_neither_an_address_nor_a_number(said: object, kept: str | None) -> None:
    assert changed(error_code=said, error_sub_type=said) == replace(EMAIL, error_code=kept, error_sub_type=kept)


def test_missing_or_malformed_field_is_left_out() -> None:
    bare: dict[str, Any] = {name: None for name in EMAIL.__slots__} | {
        "cc": (),
        "bcc": (),
        "provider_status": "(unreadable)",
    }

    assert parse_email({"id": "14"}) == Email(**{**bare, "provider_message_id": "14"})
    assert changed(params=["x"], cc="nomsa@mail.nomsa.gov.kh", bcc=[None, "a@b.example"], tag=7) == replace(
        EMAIL, subject=None, body=None, reply_to=None, cc=(), bcc=("a@b.example",), tag=None
    )


@pytest.mark.parametrize("document", [None, [], "14", {}, {"id": None}, {"id": 14}, {"id": ""}, {"id": "1" * 201}])
def test_document_without_an_id_is_unreadable(document: object) -> None:
    with pytest.raises(UnreadableAnswerError):
        parse_email(document)


def test_repr_shows_neither_the_recipient_nor_the_text() -> None:
    shown = repr(changed(bcc=["hidden@b.example"]))

    told = ["recipient@gmail.com", "145863", "One time OTP", "nomsa@mail.nomsa.gov.kh", "hidden@b.example"]
    assert [text for text in told if text in shown] == []
