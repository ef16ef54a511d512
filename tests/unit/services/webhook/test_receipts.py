"""Reports from receipts: the message that each applies to, and the status that results."""

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import Reply, statuses
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


def test_receipt_of_an_unreadable_message_is_kept_and_applied_once_it_can_be_read() -> None:
    house = sent_by_smspoh()
    hidden = house.store.messages.pop("m-1")
    house.store.unreadable = {"m-1": house.clock()}

    answer = house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert answer is Answer.RECEIVED
    house.store.messages["m-1"], house.store.unreadable = hidden, {}
    house.clock.advance(seconds=15)
    house.follow_up()
    assert house.message().status is Status.DELIVERED


# --- several attempts -----------------------------------------------------------------------------------------------


def resent(*later: Reply) -> House:
    """Return a house whose message was lost at SMSPoh, not found twice, and is queued again."""
    house = House(lost(), smspoh_history(), smspoh_history(), *later)
    house.send(request(home="smspoh", on_unknown="resend"))
    for seconds in (15, 60):
        house.clock.advance(seconds=seconds)
        house.follow_up()
    return house


def link_first_attempt(house: House) -> None:
    """Store the link of the first attempt, as its worker does if the answer comes late."""
    house.store.commit([LinkCorrelation(key="smspoh#sms#AA-1", message_id="m-1", attempt=1)])


@pytest.mark.parametrize(
    ("provider_status", "status"),
    [
        ("Error", Status.ACCEPTED),
        ("Sent", Status.ACCEPTED),
        ("Levitating", Status.ACCEPTED),
        ("Success", Status.DELIVERED),
    ],
)
def test_a_linked_attempt_that_is_superseded_only_delivers_the_message(provider_status: str, status: Status) -> None:
    house = resent(smspoh_taken("AA-2"))
    house.resume()
    link_first_attempt(house)
    due_at = house.message().due_at

    house.receive(query=f"messageId=AA-1&status={provider_status}")

    assert (house.message().status, house.message().provider_message_id) == (status, "AA-2")
    assert house.message().due_at == (None if status.is_final else due_at)


@pytest.mark.parametrize("reference", ["", "&clientReference=m-1"], ids=["linked", "by reference"])
@pytest.mark.parametrize("has_next", [False, True], ids=["queued again", "unknown again"])
def test_a_failure_of_an_earlier_attempt_does_not_end_one_without_a_vendor_id(reference: str, has_next: bool) -> None:
    house = resent(lost())
    if has_next:
        house.resume()
    link_first_attempt(house)
    before = house.message()

    house.receive(query=f"messageId=AA-1&status=Error{reference}")

    assert house.message() == before


def test_a_failure_that_arrives_before_its_vendor_id_is_applied_when_the_latest_attempt_gets_it() -> None:
    house = resent(smspoh_taken("AA-2"))
    house.receive(query="messageId=AA-2&clientReference=m-1&status=Error")

    house.resume()

    assert house.message().status is Status.UNDELIVERED


def test_an_attempt_in_flight_is_not_named_after_an_earlier_one() -> None:
    def report_first(_: HttpRequest) -> HttpResponse:
        link_first_attempt(house)
        house.receive(query="messageId=AA-1&status=Error")
        return smspoh_taken("AA-2")

    house = resent(report_first)

    house.resume()

    assert (house.message().status, house.message().provider_message_id) == (Status.ACCEPTED, "AA-2")


def test_a_report_that_is_stored_after_the_next_attempt_began_does_not_end_it() -> None:
    house = House(lost())
    house.send(request(home="smspoh", on_unknown="resend"))
    attempted = house.message()

    def begin_next_attempt(_: object) -> None:
        house.store.before_commit = None
        newer = replace(attempted, attempt=2, attempt_id="id-2", revision=attempted.revision + 1)
        house.store.messages["m-1"] = newer

    house.store.before_commit = begin_next_attempt
    house.receive(query="messageId=AA-1&clientReference=m-1&status=Error")

    assert (house.message().attempt, house.message().status) == (2, Status.UNKNOWN)


# --- our reference alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider_status", ["Success", "Error", "Sent"])
def test_a_reference_alone_does_not_move_a_message_that_waits_for_its_next_attempt(provider_status: str) -> None:
    house = House(HttpResponse(status=429), smspoh_taken("AA-1"))
    house.send(request(home="smspoh"))
    before = house.message()

    house.receive(query=f"messageId=ZZ-9&clientReference=m-1&status={provider_status}")

    assert before.status is Status.QUEUED
    assert house.message() == before
    house.clock.advance(seconds=60)
    house.resume()
    assert house.message().status is Status.ACCEPTED


def test_a_reference_identifies_a_message_with_an_unknown_attempt() -> None:
    house = House(lost())
    house.send(request(home="smspoh"))

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert (house.message().status, house.message().provider_message_id) == (Status.DELIVERED, "AA-1")


def test_delivery_ends_a_message_that_waits_to_be_sent_again() -> None:
    house = resent()
    assert house.message().status is Status.QUEUED

    house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    house.resume()

    assert house.message().status is Status.DELIVERED
    assert sum(r.method == "POST" for r in house.transport.requests) == 1


# --- one id, several messages ---------------------------------------------------------------------------------------


def whatsapp_taken(provider_message_id: str) -> HttpResponse:
    return HttpResponse(
        status=200,
        headers={"content-type": "application/json"},
        body=json.dumps({"error": False, "data": {"ref_no": provider_message_id}}).encode(),
    )


@pytest.mark.parametrize(
    ("kind", "moved"), [("sms-receipt", "m-sms"), ("whatsapp-receipt", "m-whatsapp")], ids=["SMS", "WhatsApp"]
)
def test_messages_on_two_channels_may_have_the_same_vendor_id(kind: str, moved: str) -> None:
    house = House(nusasms_taken("0017"), whatsapp_taken("0017"))
    house.send(request("m-sms", home="nusasms"))
    house.send(request("m-whatsapp", home="nusasms", channel="whatsapp"))

    house.receive("nusasms", kind, query="ref_no=0017&status=D")

    by_status = {message_id: message.status for message_id, message in house.store.messages.items()}
    assert by_status == {"m-sms": Status.ACCEPTED, "m-whatsapp": Status.ACCEPTED} | {moved: Status.DELIVERED}


def test_a_receipt_of_another_channel_is_buffered() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))

    house.receive("nusasms", "whatsapp-receipt", query="ref_no=0017&status=D")

    assert house.message().status is Status.ACCEPTED
    assert house.store.buffered["nusasms#whatsapp#0017"].message_id is None


def test_a_reused_vendor_id_moves_neither_message_and_is_reported() -> None:
    house = House(whatsapp_taken("0017"))
    house.send(request("older", home="nusasms", channel="whatsapp"))
    house.send(request("newer", home="nusasms", channel="whatsapp"))
    sent = len(house.transport.requests)

    house.receive("nusasms", "whatsapp-receipt", query="ref_no=0017&status=D")
    house.clock.advance(seconds=15)
    house.follow_up()

    assert {message.status for message in house.store.messages.values()} == {Status.ACCEPTED}
    assert len(house.transport.requests) == sent
    assert house.telemetry.counts["ProviderMessageIdReused", "nusasms"] == 2
    assert "vendor id belongs to two messages" in [line for _, line, _ in house.telemetry.lines]

    house.clock.advance(hours=72)
    house.follow_up()
    assert {message.status for message in house.store.messages.values()} == {Status.UNCONFIRMED}


def test_a_reused_vendor_id_is_found_by_the_follow_up_if_the_sender_could_not_link_it() -> None:
    house = House(nusasms_taken("0017"))
    house.send(request("older", home="nusasms"))
    house.store.outages = [LinkCorrelation]
    house.send(request("newer", home="nusasms"))
    house.clock.advance(seconds=15)
    house.follow_up()

    house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=D")

    assert {message.status for message in house.store.messages.values()} == {Status.ACCEPTED}
    assert house.telemetry.counts["ProviderMessageIdReused", "nusasms"] == 2


def test_a_reference_with_the_vendor_id_of_another_message_moves_neither() -> None:
    house = House(smspoh_taken("AA-1", "older"), lost())
    house.send(request("older", home="smspoh"))
    house.send(request("newer", home="smspoh"))

    house.receive(query="messageId=AA-1&clientReference=newer&status=Success")

    assert [house.message(name).status for name in ("older", "newer")] == [Status.ACCEPTED, Status.UNKNOWN]
    assert house.telemetry.counts["ProviderMessageIdReused", "smspoh"] == 1


def test_reports_of_a_correlation_are_not_applied_to_another_message() -> None:
    house = House(nusasms_taken("0017"), nusasms_taken("0018"))
    house.send(request("m-1", home="nusasms"))
    house.send(request("m-2", home="nusasms"))
    key = "nusasms#sms#0018"
    report = Report(provider_message_id="0018", status=Status.DELIVERED, provider_status="D")
    house.store.buffered[key] = Correlation(key=key, message_id="m-1", reports=(report,))

    house.clock.advance(seconds=15)
    house.follow_up()

    assert house.message("m-2").status is Status.ACCEPTED


# --- items of the previous release ----------------------------------------------------------------------------------


def with_former_key(house: House, message_id: str | None = "m-1", *reports: Report) -> House:
    """Put the correlation of id 0017 under the key of the previous release."""
    del house.store.buffered["nusasms#sms#0017"]
    former = Correlation(key="nusasms#0017", message_id=message_id, reports=reports)
    house.store.buffered[former.key] = former
    return house


def sent_by_nusasms() -> House:
    house = House(nusasms_taken("0017"))
    house.send(request(home="nusasms"))
    return house


@pytest.mark.parametrize(("kind", "status"), [("sms-receipt", Status.DELIVERED), ("whatsapp-receipt", Status.ACCEPTED)])
def test_a_correlation_without_a_channel_is_found_for_the_channel_of_its_message(kind: str, status: Status) -> None:
    house = with_former_key(sent_by_nusasms())

    house.receive("nusasms", kind, query="ref_no=0017&status=D")

    assert house.message().status is status


@pytest.mark.parametrize("is_linked", [False, True])
def test_reports_that_the_previous_release_buffered_are_applied_by_the_follow_up(is_linked: bool) -> None:
    report = Report(provider_message_id="0017", status=Status.DELIVERED, provider_status="D")
    house = sent_by_nusasms()
    linked = house.store.buffered["nusasms#sms#0017"]
    with_former_key(house, None, report)
    house.store.buffered |= {linked.key: linked} if is_linked else {}
    house.clock.advance(seconds=15)

    house.follow_up()

    assert house.message().status is Status.DELIVERED
