"""Reports from receipts: the message that each applies to, and the status that results."""

import json
from itertools import permutations
from typing import Any

import pytest

from sampai.domain.status import Source, Status
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import House, lost, nusasms_taken, request, smspoh_history, smspoh_taken, token_of

FORM = {"content-type": "application/x-www-form-urlencoded"}


def sent_by_smspoh() -> House:
    house = House(smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    return house


@pytest.mark.parametrize(
    "webhook",
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
def test_a_receipt_changes_the_status_of_its_message(webhook: dict[str, Any]) -> None:
    house = sent_by_smspoh()

    answer = house.receive(**webhook)

    assert answer is Answer.RECEIVED
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert house.message().history[-1].source is Source.WEBHOOK
    assert house.message().due_at is None


def test_a_webhook_with_the_previous_token_is_received() -> None:
    house = sent_by_smspoh()

    answer = house.receive(token=token_of("smspoh", "the-token-before"), query="messageId=AA-1&status=Success")

    assert answer is Answer.RECEIVED
    assert house.message().status is Status.DELIVERED


# --- order and repetition -------------------------------------------------------------------------------------------


@covers("W3", "I3", "E2")
@pytest.mark.parametrize("order", list(permutations(["Accepted", "Sent", "Success", "Success"], 4)))
def test_the_final_status_does_not_depend_on_the_order_and_number_of_receipts(order: tuple[str, ...]) -> None:
    house = sent_by_smspoh()

    for status in order:
        house.receive(query=f"messageId=AA-1&clientReference=m-1&status={status}")

    assert house.message().status is Status.DELIVERED
    assert house.sequences() == list(range(1, len(house.sequences()) + 1))


@covers("W5")
def test_a_receipt_without_new_information_writes_nothing() -> None:
    house = sent_by_smspoh()
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    commits = len(house.store.commits)

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Sent")

    assert len(house.store.commits) == commits


@covers("W9")
def test_an_unknown_provider_status_is_stored_and_does_not_change_the_status() -> None:
    house = sent_by_smspoh()

    answer = house.receive(query="messageId=AA-1&clientReference=m-1&status=Levitating")

    assert answer is Answer.RECEIVED
    assert (house.message().status, house.message().provider_status) == (Status.ACCEPTED, "Levitating")


def test_an_undelivered_message_has_a_failure_until_a_later_receipt_says_delivered() -> None:
    house = sent_by_smspoh()

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    undelivered = house.message()
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert undelivered.status is Status.UNDELIVERED
    assert undelivered.failure is not None
    assert (house.message().status, house.message().failure) == (Status.DELIVERED, None)


# --- the message of a report ----------------------------------------------------------------------------------------


@covers("W6", "I12")
def test_a_reference_to_a_message_of_another_provider_is_ignored() -> None:
    house = House()
    house.send(request())

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert house.message().status is Status.ACCEPTED


@covers("W6", "I12")
def test_a_reference_with_a_vendor_id_of_another_message_is_ignored() -> None:
    house = sent_by_smspoh()

    house.receive(query="messageId=ZZ-9&clientReference=m-1&status=Success")

    assert house.message().status is Status.ACCEPTED


def test_a_report_on_a_message_that_was_never_sent_is_ignored() -> None:
    house = House()
    house.send(request(home="smspoh", send_at="2026-11-22T10:00:00Z"))

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert house.message().status is Status.SCHEDULED


def test_vendor_ids_keep_their_leading_zeros() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))

    house.receive("nusasms", "sms-receipt", query="ref_no=17&status=DELIVERED")
    assert house.message().status is Status.ACCEPTED

    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    assert house.message().status is Status.DELIVERED


@covers("I4", "W1")
@pytest.mark.parametrize(("provider_status", "status"), [("Success", Status.DELIVERED), ("Error", Status.ACCEPTED)])
def test_a_superseded_attempt_can_deliver_the_message_but_not_fail_it(provider_status: str, status: Status) -> None:
    house = House(lost(), smspoh_history(), smspoh_history(), smspoh_taken("AA-2"))
    house.send(request(home="smspoh", on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()
    house.resume()

    answer = house.receive(query=f"messageId=AA-1&clientReference=m-1&status={provider_status}")

    assert answer is Answer.RECEIVED
    assert (house.message().attempt, house.message().status) == (2, status)


# --- buffered reports -----------------------------------------------------------------------------------------------


@covers("I4", "W1")
def test_a_buffered_report_is_applied_when_a_reference_identifies_its_message() -> None:
    house = House(lost())
    house.send(request(home="smspoh"))

    house.receive(query="messageId=AA-1&status=Success")
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")

    assert house.message().status is Status.DELIVERED


@covers("I4", "W3")
def test_a_report_without_a_reference_is_applied_after_one_with_it() -> None:
    house = House(lost())
    house.send(request(home="smspoh"))

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    house.receive(query="messageId=AA-1&status=Success")

    assert house.message().status is Status.DELIVERED


def test_a_buffered_report_is_not_written_again() -> None:
    house = House(lost())
    house.send(request(home="nusasms"))
    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    before = house.store.buffered["nusasms#sms#0017"]

    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")

    # The store creates a new value for every correlation that it writes.
    assert house.store.buffered["nusasms#sms#0017"] is before
