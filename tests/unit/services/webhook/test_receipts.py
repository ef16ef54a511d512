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
from tests.harness.application import Application, lost, nusasms_taken, request, smspoh_history, smspoh_taken, token_of

FORM = {"content-type": "application/x-www-form-urlencoded"}


def sent_by_smspoh() -> Application:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    return app


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
    app = sent_by_smspoh()

    answer = app.receive(**webhook)

    assert answer is Answer.RECEIVED
    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert app.message().history[-1].source is Source.WEBHOOK
    assert app.message().due_at is None


def test_a_webhook_with_the_previous_token_is_received() -> None:
    app = sent_by_smspoh()

    answer = app.receive(token=token_of("smspoh", "the-token-before"), query="messageId=AA-1&status=Success")

    assert answer is Answer.RECEIVED
    assert app.message().status is Status.DELIVERED


# --- order and repetition -------------------------------------------------------------------------------------------


@covers("W3", "I3", "E2")
@pytest.mark.parametrize("order", list(permutations(["Accepted", "Sent", "Success", "Success"], 4)))
def test_the_final_status_does_not_depend_on_the_order_and_number_of_receipts(order: tuple[str, ...]) -> None:
    app = sent_by_smspoh()

    for status in order:
        app.receive(query=f"messageId=AA-1&clientReference=m-1&status={status}")

    assert app.message().status is Status.DELIVERED
    assert app.sequences() == list(range(1, len(app.sequences()) + 1))


@covers("W5")
def test_a_receipt_without_new_information_writes_nothing() -> None:
    app = sent_by_smspoh()
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    commits = len(app.store.commits)

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Sent")

    assert len(app.store.commits) == commits


@covers("W9")
def test_an_unknown_provider_status_is_stored_and_does_not_change_the_status() -> None:
    app = sent_by_smspoh()

    answer = app.receive(query="messageId=AA-1&clientReference=m-1&status=Levitating")

    assert answer is Answer.RECEIVED
    assert (app.message().status, app.message().provider_status) == (Status.ACCEPTED, "Levitating")


def test_an_undelivered_message_has_a_failure_until_a_later_receipt_says_delivered() -> None:
    app = sent_by_smspoh()

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    undelivered = app.message()
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert undelivered.status is Status.UNDELIVERED
    assert undelivered.failure is not None
    assert (app.message().status, app.message().failure) == (Status.DELIVERED, None)


# --- the message of a report ----------------------------------------------------------------------------------------


@covers("W6", "I12")
def test_a_reference_to_a_message_of_another_provider_is_ignored() -> None:
    app = Application()
    app.send(request())

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert app.message().status is Status.ACCEPTED


@covers("W6", "I12")
def test_a_reference_with_a_vendor_id_of_another_message_is_ignored() -> None:
    app = sent_by_smspoh()

    app.receive(query="messageId=ZZ-9&clientReference=m-1&status=Success")

    assert app.message().status is Status.ACCEPTED


def test_a_report_on_a_message_that_was_never_sent_is_ignored() -> None:
    app = Application()
    app.send(request(home="smspoh", send_at="2026-11-22T10:00:00Z"))

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert app.message().status is Status.SCHEDULED


def test_vendor_ids_keep_their_leading_zeros() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))

    app.receive("nusasms", "sms-receipt", query="ref_no=17&status=DELIVERED")
    assert app.message().status is Status.ACCEPTED

    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    assert app.message().status is Status.DELIVERED


@covers("I4", "W1")
@pytest.mark.parametrize(("provider_status", "status"), [("Success", Status.DELIVERED), ("Error", Status.ACCEPTED)])
def test_a_superseded_attempt_can_deliver_the_message_but_not_fail_it(provider_status: str, status: Status) -> None:
    app = Application(lost(), smspoh_history(), smspoh_history(), smspoh_taken("AA-2"))
    app.send(request(home="smspoh", on_unknown="resend"))
    for seconds in (15, 60):
        app.clock.advance(seconds=seconds)
        app.follow_up()
    app.resume()

    answer = app.receive(query=f"messageId=AA-1&clientReference=m-1&status={provider_status}")

    assert answer is Answer.RECEIVED
    assert (app.message().attempt, app.message().status) == (2, status)


# --- buffered reports -----------------------------------------------------------------------------------------------


@covers("I4", "W1")
def test_a_buffered_report_is_applied_when_a_reference_identifies_its_message() -> None:
    app = Application(lost())
    app.send(request(home="smspoh"))

    app.receive(query="messageId=AA-1&status=Success")
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")

    assert app.message().status is Status.DELIVERED


@covers("I4", "W3")
def test_a_report_without_a_reference_is_applied_after_one_with_it() -> None:
    app = Application(lost())
    app.send(request(home="smspoh"))

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Expired")
    app.receive(query="messageId=AA-1&status=Success")

    assert app.message().status is Status.DELIVERED


def test_a_buffered_report_is_not_written_again() -> None:
    app = Application(lost())
    app.send(request(home="nusasms"))
    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    before = app.store.buffered["nusasms#sms#0017"]

    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")

    # The store creates a new value for every correlation that it writes.
    assert app.store.buffered["nusasms#sms#0017"] is before


def test_receipt_of_an_unreadable_message_is_kept_and_applied_once_it_can_be_read() -> None:
    app = sent_by_smspoh()
    hidden = app.store.messages.pop("m-1")
    app.store.unreadable = {"m-1": app.clock()}

    answer = app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert answer is Answer.RECEIVED
    app.store.messages["m-1"], app.store.unreadable = hidden, {}
    app.clock.advance(seconds=60)
    app.follow_up()
    assert app.message().status is Status.DELIVERED


# --- several attempts -----------------------------------------------------------------------------------------------


def resent(*later: Reply) -> Application:
    """Return an application whose message was lost at SMSPoh, not found twice, and is queued again."""
    app = Application(lost(), smspoh_history(), smspoh_history(), *later)
    app.send(request(home="smspoh", on_unknown="resend"))
    for seconds in (15, 60):
        app.clock.advance(seconds=seconds)
        app.follow_up()
    return app


def link_first_attempt(app: Application) -> None:
    """Store the link of the first attempt, as its worker does if the answer comes late."""
    app.store.commit([LinkCorrelation(key="smspoh#sms#AA-1", message_id="m-1", attempt=1)])


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
    app = resent(smspoh_taken("AA-2"))
    app.resume()
    link_first_attempt(app)
    due_at = app.message().due_at

    app.receive(query=f"messageId=AA-1&status={provider_status}")

    assert (app.message().status, app.message().provider_message_id) == (status, "AA-2")
    assert app.message().due_at == (None if status.is_final else due_at)


@pytest.mark.parametrize("reference", ["", "&clientReference=m-1"], ids=["linked", "by reference"])
@pytest.mark.parametrize("has_next", [False, True], ids=["queued again", "unknown again"])
def test_a_failure_of_an_earlier_attempt_does_not_end_one_without_a_vendor_id(reference: str, has_next: bool) -> None:
    app = resent(lost())
    if has_next:
        app.resume()
    link_first_attempt(app)
    before = app.message()

    app.receive(query=f"messageId=AA-1&status=Error{reference}")

    assert app.message() == before


def test_a_failure_that_arrives_before_its_vendor_id_is_applied_when_the_latest_attempt_gets_it() -> None:
    app = resent(smspoh_taken("AA-2"))
    app.receive(query="messageId=AA-2&clientReference=m-1&status=Error")

    app.resume()

    assert app.message().status is Status.UNDELIVERED


def test_an_attempt_in_flight_is_not_named_after_an_earlier_one() -> None:
    def report_first(_: HttpRequest) -> HttpResponse:
        link_first_attempt(app)
        app.receive(query="messageId=AA-1&status=Error")
        return smspoh_taken("AA-2")

    app = resent(report_first)

    app.resume()

    assert (app.message().status, app.message().provider_message_id) == (Status.ACCEPTED, "AA-2")


def test_a_report_that_is_stored_after_the_next_attempt_began_does_not_end_it() -> None:
    app = Application(lost())
    app.send(request(home="smspoh", on_unknown="resend"))
    attempted = app.message()

    def begin_next_attempt(_: object) -> None:
        app.store.before_commit = None
        newer = replace(attempted, attempt=2, attempt_id="id-2", revision=attempted.revision + 1)
        app.store.messages["m-1"] = newer

    app.store.before_commit = begin_next_attempt
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Error")

    assert (app.message().attempt, app.message().status) == (2, Status.UNKNOWN)


# --- our reference alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider_status", ["Success", "Error", "Sent"])
def test_a_reference_alone_does_not_move_a_message_that_waits_for_its_next_attempt(provider_status: str) -> None:
    app = Application(HttpResponse(status=429), smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    before = app.message()

    app.receive(query=f"messageId=ZZ-9&clientReference=m-1&status={provider_status}")

    assert before.status is Status.QUEUED
    assert app.message() == before
    app.clock.advance(seconds=60)
    app.resume()
    assert app.message().status is Status.ACCEPTED


def test_a_reference_identifies_a_message_with_an_unknown_attempt() -> None:
    app = Application(lost())
    app.send(request(home="smspoh"))

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")

    assert (app.message().status, app.message().provider_message_id) == (Status.DELIVERED, "AA-1")


def test_delivery_ends_a_message_that_waits_to_be_sent_again() -> None:
    app = resent()
    assert app.message().status is Status.QUEUED

    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    app.resume()

    assert app.message().status is Status.DELIVERED
    assert sum(r.method == "POST" for r in app.transport.requests) == 1


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
    app = Application(nusasms_taken("0017"), whatsapp_taken("0017"))
    app.send(request("m-sms", home="nusasms"))
    app.send(request("m-whatsapp", home="nusasms", channel="whatsapp"))

    app.receive("nusasms", kind, query="ref_no=0017&status=D")

    by_status = {message_id: message.status for message_id, message in app.store.messages.items()}
    assert by_status == {"m-sms": Status.ACCEPTED, "m-whatsapp": Status.ACCEPTED} | {moved: Status.DELIVERED}


def test_a_receipt_of_another_channel_is_buffered() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))

    app.receive("nusasms", "whatsapp-receipt", query="ref_no=0017&status=D")

    assert app.message().status is Status.ACCEPTED
    assert app.store.buffered["nusasms#whatsapp#0017"].message_id is None


def test_a_reused_vendor_id_moves_neither_message_and_is_reported() -> None:
    app = Application(whatsapp_taken("0017"))
    app.send(request("older", home="nusasms", channel="whatsapp"))
    app.send(request("newer", home="nusasms", channel="whatsapp"))
    sent = len(app.transport.requests)

    app.receive("nusasms", "whatsapp-receipt", query="ref_no=0017&status=D")
    app.clock.advance(minutes=2)
    assert app.follow_up() == 2

    assert {message.status for message in app.store.messages.values()} == {Status.ACCEPTED}
    assert len(app.transport.requests) == sent
    assert app.telemetry.counts["ProviderMessageIdReused", "nusasms"] == 2
    assert "vendor id belongs to two messages" in [line for _, line, _ in app.telemetry.lines]

    app.clock.advance(hours=72)
    app.follow_up()
    assert {message.status for message in app.store.messages.values()} == {Status.UNCONFIRMED}


def test_a_reused_vendor_id_is_found_by_the_follow_up_if_the_sender_could_not_link_it() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request("older", home="nusasms"))
    app.store.outages = [LinkCorrelation]
    app.send(request("newer", home="nusasms"))
    app.clock.advance(seconds=60)
    app.follow_up()

    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=D")

    assert {message.status for message in app.store.messages.values()} == {Status.ACCEPTED}
    assert app.telemetry.counts["ProviderMessageIdReused", "nusasms"] == 2


def test_a_reference_with_the_vendor_id_of_another_message_moves_neither() -> None:
    app = Application(smspoh_taken("AA-1", "older"), lost())
    app.send(request("older", home="smspoh"))
    app.send(request("newer", home="smspoh"))

    app.receive(query="messageId=AA-1&clientReference=newer&status=Success")

    assert [app.message(name).status for name in ("older", "newer")] == [Status.ACCEPTED, Status.UNKNOWN]
    assert app.telemetry.counts["ProviderMessageIdReused", "smspoh"] == 1


def test_reports_of_a_correlation_are_not_applied_to_another_message() -> None:
    app = Application(nusasms_taken("0017"), nusasms_taken("0018"))
    app.send(request("m-1", home="nusasms"))
    app.send(request("m-2", home="nusasms"))
    key = "nusasms#sms#0018"
    report = Report(provider_message_id="0018", status=Status.DELIVERED, provider_status="D")
    app.store.buffered[key] = Correlation(key=key, message_id="m-1", reports=(report,))

    app.clock.advance(seconds=60)
    app.follow_up()

    assert app.message("m-2").status is Status.ACCEPTED


# --- items of the previous release ----------------------------------------------------------------------------------


def with_former_key(app: Application, message_id: str | None = "m-1", *reports: Report) -> Application:
    """Put the correlation of id 0017 under the key of the previous release."""
    del app.store.buffered["nusasms#sms#0017"]
    former = Correlation(key="nusasms#0017", message_id=message_id, reports=reports)
    app.store.buffered[former.key] = former
    return app


def sent_by_nusasms() -> Application:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))
    return app


@pytest.mark.parametrize(("kind", "status"), [("sms-receipt", Status.DELIVERED), ("whatsapp-receipt", Status.ACCEPTED)])
def test_a_correlation_without_a_channel_is_found_for_the_channel_of_its_message(kind: str, status: Status) -> None:
    app = with_former_key(sent_by_nusasms())

    app.receive("nusasms", kind, query="ref_no=0017&status=D")

    assert app.message().status is status


@pytest.mark.parametrize("is_linked", [False, True])
def test_reports_that_the_previous_release_buffered_are_applied_by_the_follow_up(is_linked: bool) -> None:
    report = Report(provider_message_id="0017", status=Status.DELIVERED, provider_status="D")
    app = sent_by_nusasms()
    linked = app.store.buffered["nusasms#sms#0017"]
    with_former_key(app, None, report)
    app.store.buffered |= {linked.key: linked} if is_linked else {}
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
