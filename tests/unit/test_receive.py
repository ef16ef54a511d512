"""The receive service: what a callback is answered, and what it changes."""

import json
from itertools import permutations
from typing import Any

import pytest

from sampai.domain.status import Source, Status
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import TOKEN, House, lost, nusasms_taken, request, smspoh_history, smspoh_taken

FORM = {"content-type": "application/x-www-form-urlencoded"}


def _sent_by_smspoh() -> House:
    house = House(smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    return house


@pytest.mark.parametrize(
    "callback",
    [
        {"query": "messageId=AA-1&clientReference=m-1&status=Success"},
        {"query": "messageId=AA-1&status=Delivered"},
        {"method": "POST", "headers": FORM, "body": b"messageId=AA-1&status=Success"},
        {
            "method": "POST",
            "headers": {"content-type": "application/json"},
            "body": json.dumps({"messageId": "AA-1", "clientReference": "m-1", "status": "Success"}).encode(),
        },
    ],
    ids=["query", "query without reference", "form", "JSON"],
)
def test_a_receipt_moves_its_message(callback: dict[str, Any]) -> None:
    house = _sent_by_smspoh()

    answer = house.receive(**callback)

    assert answer is Answer.RECEIVED
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert house.message().history[-1].source is Source.WEBHOOK
    assert house.message().due_at is None


@covers("W3", "I3", "E2")
@pytest.mark.parametrize("order", list(permutations(["Accepted", "Sent", "Success", "Success"], 4)))
def test_receipts_end_the_same_in_any_order_and_number(order: tuple[str, ...]) -> None:
    house = _sent_by_smspoh()

    for status in order:
        house.receive(query=f"messageId=AA-1&clientReference=m-1&status={status}")

    assert house.message().status is Status.DELIVERED
    assert house.sequences() == list(range(1, len(house.sequences()) + 1))


@covers("W5")
def test_a_receipt_that_says_nothing_new_writes_nothing() -> None:
    house = _sent_by_smspoh()
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    commits = len(house.store.commits)

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Sent")

    assert len(house.store.commits) == commits


@covers("W9")
def test_an_unknown_word_is_kept_and_moves_nothing() -> None:
    house = _sent_by_smspoh()

    answer = house.receive(query="messageId=AA-1&clientReference=m-1&status=Levitating")

    assert answer is Answer.RECEIVED
    assert (house.message().status, house.message().provider_status) == (Status.ACCEPTED, "Levitating")


NOT_FOUND = [
    ("unknown provider", {"provider": "acme"}),
    ("provider without webhooks", {"provider": "nomsa"}),
    ("unknown kind", {"kind": "inbox"}),
    ("wrong token", {"token": "wrong"}),
    ("empty token", {"token": ""}),
    ("half of the token", {"token": TOKEN[:10]}),
    ("token of another case", {"token": TOKEN.upper()}),
    ("token beyond ASCII", {"token": "tökén"}),
]


@covers("W6", "I12")
@pytest.mark.parametrize("place", [c[1] for c in NOT_FOUND], ids=[c[0] for c in NOT_FOUND])
def test_a_callback_to_nowhere_changes_nothing(place: dict[str, str]) -> None:
    house = _sent_by_smspoh()
    before = house.message()

    answer = house.receive(**place, query="messageId=AA-1&clientReference=m-1&status=Success")

    assert answer is Answer.NOT_FOUND
    assert house.message() == before
    assert list(house.store.buffered) == ["smspoh#AA-1"]


def test_both_tokens_of_a_rotation_are_valid() -> None:
    house = _sent_by_smspoh()

    answer = house.receive(token="the-token-before", query="messageId=AA-1&status=Success")

    assert answer is Answer.RECEIVED
    assert house.message().status is Status.DELIVERED


MALFORMED = [
    ("nothing", {}),
    ("no status", {"query": "messageId=AA-1"}),
    ("contradicting fields", {"query": "messageId=AA-1&status=Sent&status=Success"}),
    ("contradicting body", {"query": "messageId=AA-1&status=Sent", "body": b"status=Success", "headers": FORM}),
    ("broken JSON", {"body": b'{"messageId": ', "headers": {"content-type": "application/json"}}),
    ("deep JSON", {"body": b"[" * 60_000, "headers": {"content-type": "application/json"}}),
    ("not UTF-8", {"query": "messageId=AA-1&status=%ff"}),
    ("NUL", {"query": "messageId=AA-1%00&status=Sent"}),
    ("large body", {"query": "messageId=AA-1&status=Success", "body": b"a" * 70_000}),
    ("large query", {"query": "messageId=AA-1&status=Success&x=" + "a" * 9000}),
]


@covers("W8")
@pytest.mark.parametrize("callback", [c[1] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_a_malformed_callback_is_refused_and_changes_nothing(callback: dict[str, Any]) -> None:
    house = _sent_by_smspoh()
    before = house.message()

    answer = house.receive(**callback)

    assert answer is Answer.MALFORMED
    assert house.message() == before


@covers("W2", "I12")
def test_an_unknown_message_is_answered_like_a_known_one() -> None:
    house = _sent_by_smspoh()

    known = house.receive(query="messageId=AA-1&clientReference=m-1&status=Sent")
    unknown = house.receive(query="messageId=ZZ-9&clientReference=nobody&status=Sent")

    assert known is unknown is Answer.RECEIVED
    assert set(house.store.messages) == {"m-1"}


@covers("W6", "I12")
def test_a_reference_to_a_message_of_another_provider_moves_nothing() -> None:
    house = House()
    house.send(request())

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert house.message().status is Status.ACCEPTED


@covers("W6", "I12")
def test_a_reference_with_a_foreign_id_moves_nothing() -> None:
    house = _sent_by_smspoh()

    house.receive(query="messageId=ZZ-9&clientReference=m-1&status=Success")

    assert house.message().status is Status.ACCEPTED


def test_a_report_for_a_message_that_was_never_sent_moves_nothing() -> None:
    house = House()
    house.send(request(home="smspoh", send_at="2026-11-22T10:00:00Z"))

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert house.message().status is Status.SCHEDULED


@covers("W7", "I4")
def test_two_hundred_is_answered_only_when_the_report_is_durable() -> None:
    house = _sent_by_smspoh()
    house.store.is_down = True

    assert house.receive(query="messageId=AA-1&clientReference=m-1&status=Success") is Answer.UNAVAILABLE
    assert house.receive(query="messageId=ZZ-9&status=Success") is Answer.UNAVAILABLE


def test_vendor_ids_keep_their_leading_zeros() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))

    house.receive("nusasms", "sms-receipt", query="ref_no=17&status=DELIVERED")
    assert house.message().status is Status.ACCEPTED

    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    assert house.message().status is Status.DELIVERED


def test_a_failure_at_the_handset_carries_its_reason_and_may_still_be_overruled() -> None:
    house = _sent_by_smspoh()

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    undelivered = house.message()
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert undelivered.status is Status.UNDELIVERED
    assert undelivered.failure is not None
    assert (house.message().status, house.message().failure) == (Status.DELIVERED, None)


@covers("I4", "W1")
@pytest.mark.parametrize(("word", "status"), [("Success", Status.DELIVERED), ("Error", Status.ACCEPTED)])
def test_a_former_attempt_may_be_the_one_that_arrived_but_not_the_one_that_failed(word: str, status: Status) -> None:
    house = House(lost(), smspoh_history(), smspoh_history(), smspoh_taken("AA-2"))
    house.send(request(home="smspoh", on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()
    house.resume()

    answer = house.receive(query=f"messageId=AA-1&clientReference=m-1&status={word}")

    assert answer is Answer.RECEIVED
    assert (house.message().attempt, house.message().status) == (2, status)


@covers("I4", "W1")
def test_a_report_that_came_first_under_the_vendors_id_counts_once_a_reference_tells_whose_it_is() -> None:
    house = House(lost())
    house.send(request(home="smspoh"))

    house.receive(query="messageId=AA-1&status=Success")
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")

    assert house.message().status is Status.DELIVERED


@covers("I4", "W3")
def test_a_report_without_a_reference_counts_after_one_that_had_it() -> None:
    house = House(lost())
    house.send(request(home="smspoh"))

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    house.receive(query="messageId=AA-1&status=Success")

    assert house.message().status is Status.DELIVERED
