"""The send service on fakes: the status of each message of a batch, and the calls to the vendor."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.contract.events import request_rejected
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import cancel
from sampai.domain.status import Source, Status
from sampai.domain.times import to_text
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.transport import NoResponse
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import (
    Application,
    by_host,
    lost,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_taken,
    unauthorized,
    unreached,
)

NOMSA, SMSPOH = "api.nomsa.gov.kh", "v3.smspoh.com"


def test_a_message_is_claimed_then_sent_then_accepted() -> None:
    app = Application(nomsa_taken("145"))

    unfinished = app.send(request())

    message = app.message()
    assert unfinished == []
    assert statuses(message) == [Status.SENDING, Status.ACCEPTED]
    assert (message.provider, message.provider_message_id, message.attempt) == ("nomsa", "145", 1)
    assert message.due_at == START + timedelta(seconds=60)
    assert app.sequences() == [1, 2]
    assert [json.loads(r.body)["label"] for r in app.transport.requests] == ["mcs-otp"]


@covers("I2")
def test_the_claim_is_stored_before_the_vendor_is_called() -> None:
    seen: list[tuple[Status, str | None]] = []

    def record_claim(_: HttpRequest) -> HttpResponse:
        seen.append((app.message().status, app.message().attempt_id))
        return nomsa_taken()

    app = Application(record_claim)

    app.send(request())

    assert seen == [(Status.SENDING, "id-1")]


def test_ten_accepted_messages_are_stored_in_two_commits() -> None:
    app = Application(lambda r: nomsa_taken(f"v-{json.loads(r.body)['body']}"))

    app.send(*(request(f"m-{n}", content={"type": "text", "text": str(n)}) for n in range(10)))

    assert [[type(write) for write in commit] for commit in app.store.commits if commit] == [
        [Insert] * 10,
        [Replace] * 10 + [LinkCorrelation] * 10,
    ]
    assert {m.status for m in app.store.messages.values()} == {Status.ACCEPTED}


@covers("Q2", "I1")
@pytest.mark.parametrize("copies_in_a_batch", [1, 2, 5])
def test_a_request_that_is_delivered_five_times_is_sent_once(copies_in_a_batch: int) -> None:
    app = Application()
    batches = [[request()] * copies_in_a_batch for _ in range(5 // copies_in_a_batch or 1)]

    unfinished = [app.send(*batch, sender=app.new_sender()) for batch in batches]

    assert len(app.transport.requests) == 1
    assert not any(unfinished)
    assert app.bus.events == []


@covers("Q2", "I8")
@pytest.mark.parametrize("together", [True, False])
def test_a_different_request_under_the_same_id_is_rejected_and_changes_nothing(together: bool) -> None:
    app = Application()
    other = request(content={"type": "text", "text": "Another text"})

    if together:
        app.send(request(), other)
    else:
        app.send(request())
        before = app.message()
        app.send(other)
        assert app.message() == before

    assert len(app.transport.requests) == 1
    assert app.bus.events == [
        request_rejected("m-1", "id_conflict", "message_id: already stands for a different request")
    ]


def test_the_same_request_in_different_json_is_not_a_conflict() -> None:
    app = Application()
    plain = json.loads(request(expires_at="2026-11-21T12:00:00Z"))

    app.send(json.dumps(plain))
    app.send(json.dumps({"category": "transactional", **plain, "expires_at": "2026-11-21T14:00:00+02:00"}))

    assert app.bus.events == []


BAD_REQUESTS = [
    ("not json", "not json", None, "body: not JSON in UTF-8"),
    ("a list", "[]", None, "body: not a JSON object"),
    ("deeply nested", "[" * 100_000, None, "body: not JSON in UTF-8"),
    ("lone surrogate", '{"message_id": "\\ud800"}', None, "body: not JSON in UTF-8"),
    ("no id", request(message_id=None), None, "message_id: required"),
    ("unknown field", request(colour="red"), "m-1", "colour: unknown field"),
    ("number as field name", request(**{"+85591234511": "x"}), "m-1", "…: unknown field"),
    (
        "comma in the number",
        request(recipient="+85591234510,+85591234511"),
        "m-1",
        "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits",
    ),
    (
        "newline after the number",
        request(recipient="+85591234510\n"),
        "m-1",
        "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits; "
        "leave out spaces and other separators",
    ),
    (
        "digits of another script",
        request(recipient="+8559123451٠"),
        "m-1",
        "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits",
    ),
    (
        "unknown channel",
        request(channel="fax"),
        "m-1",
        "channel: must be sms, whatsapp, whatsapp_official or email",
    ),
    (
        "time without a zone",
        request(send_at="2026-11-21T10:00:00"),
        "m-1",
        "send_at: must be an RFC 3339 time with a zone",
    ),
    ("number as a time", request(send_at=1), "m-1", "send_at: must be an RFC 3339 time with a zone"),
    (
        "expires before it is sent",
        request(send_at="2026-11-22T10:00:00Z", expires_at="2026-11-22T10:00:00Z"),
        "m-1",
        "expires_at: must be after send_at",
    ),
    ("unknown provider", request(provider="acme"), "m-1", "provider: not known"),
    (
        "options of an unknown provider",
        request(provider_options={"acme": {}}),
        "m-1",
        "provider_options: provider not known",
    ),
]


@covers("Q4", "V6", "I9", "I13")
@pytest.mark.parametrize(
    ("body", "message_id", "detail"), [c[1:] for c in BAD_REQUESTS], ids=[c[0] for c in BAD_REQUESTS]
)
def test_an_invalid_request_fails_once_and_the_rest_of_its_batch_is_sent(
    body: str, message_id: str | None, detail: str
) -> None:
    app = Application()

    unfinished = app.send(request("good"), body)

    message = app.message(message_id or "r-2")
    assert unfinished == []
    assert (message.status, message.failure) == (
        Status.FAILED,
        Failure(reason=Reason.INVALID_REQUEST, detail=detail),
    )
    assert app.message("good").status is Status.ACCEPTED
    assert len(app.transport.requests) == 1
    rejections = [] if message_id else [request_rejected("r-2", "invalid_request", detail)]
    assert app.bus.events == rejections


UNSUPPORTED = [
    ("no route", {"recipient": "+819012345678"}, Reason.UNROUTABLE, "recipient: no route for its country and channel"),
    ("channel", {"provider": "nomsa", "channel": "whatsapp"}, Reason.UNSUPPORTED, "channel: nomsa does not offer it"),
    (
        "option",
        {"provider_options": {"nomsa": {"colour": 1}}},
        Reason.UNSUPPORTED,
        "provider_options.nomsa.colour: option not offered",
    ),
    (
        "too long",
        {"content": {"type": "text", "text": "a" * 5000}},
        Reason.TOO_LONG,
        "content.text: nomsa takes 918 characters",
    ),
    ("expired", {"expires_at": "2026-11-21T10:00:00Z"}, Reason.EXPIRED, "expires_at: has passed"),
]


@pytest.mark.parametrize(("changes", "reason", "detail"), [c[1:] for c in UNSUPPORTED], ids=[c[0] for c in UNSUPPORTED])
def test_a_message_that_no_provider_supports_fails_without_a_call(
    changes: dict[str, Any], reason: Reason, detail: str
) -> None:
    app = Application()

    app.send(request("good"), request("bad", **changes))

    assert app.message("bad").failure == Failure(reason=reason, detail=detail)
    assert app.message("bad").content is None
    assert app.message("good").status is Status.ACCEPTED
    assert len(app.transport.requests) == 1


def test_options_of_a_provider_outside_the_route_are_ignored() -> None:
    app = Application()

    app.send(request(provider_options={"smspoh": {"encrypt": True}}))

    assert app.message().status is Status.ACCEPTED


OUTCOMES = [
    ("read time-out", lost(), Status.UNKNOWN),
    ("HTTP 500", HttpResponse(status=500), Status.UNKNOWN),
    ("HTTP 302", HttpResponse(status=302), Status.UNKNOWN),
    ("HTML", HttpResponse(status=200, body=b"<html>"), Status.UNKNOWN),
    ("no id", HttpResponse(status=201, body=b"{}"), Status.UNKNOWN),
    ("no connection", unreached(), Status.QUEUED),
    ("HTTP 429", HttpResponse(status=429, headers={"retry-after": "7"}, body=b"{}"), Status.QUEUED),
    ("HTTP 401", unauthorized(), Status.QUEUED),
    ("bad number", HttpResponse(status=400, body=b'{"code": "invalid_recipient", "message": "-"}'), Status.FAILED),
]


@covers("V1", "V2", "V3", "V4")
@pytest.mark.parametrize(("reply", "status"), [c[1:] for c in OUTCOMES], ids=[c[0] for c in OUTCOMES])
def test_the_answer_of_the_vendor_decides_the_status(reply: HttpResponse | NoResponse, status: Status) -> None:
    app = Application(reply)

    unfinished = app.send(request())

    assert unfinished == []
    assert app.message().status is status
    assert len(app.transport.requests) == 1


@covers("V2", "I1")
def test_redelivery_does_not_resend_an_unknown_message() -> None:
    app = Application(lost())
    app.send(request())

    app.clock.advance(hours=2)
    app.send(request(), sender=app.new_sender())
    app.resume()

    assert len(app.transport.requests) == 1
    assert app.message().status is Status.UNKNOWN


@covers("Q7")
def test_a_throttled_message_is_retried_by_a_delayed_wake_up() -> None:
    app = Application(HttpResponse(status=429, headers={"retry-after": "7"}, body=b"{}"), nomsa_taken())
    app.send(request(category="otp"))
    assert app.queue.wake_ups == [WakeUp(message_id="m-1", attempt=2, is_urgent=True, delay_seconds=7)]
    assert app.message().due_at == START + timedelta(seconds=7 + 120)

    app.clock.advance(seconds=7)
    app.resume()

    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
    assert app.message().attempt == 2
    assert app.sequences() == [1, 2, 3, 4]


def test_a_wake_up_for_an_earlier_attempt_is_ignored() -> None:
    app = Application(unreached())
    app.send(request())

    app.send('{"resume": "m-1", "attempt": 1}', '{"resume": "missing", "attempt": 1}')

    assert len(app.transport.requests) == 1


@covers("I1")
def test_a_duplicate_wake_up_causes_one_attempt() -> None:
    app = Application(unreached(), nomsa_taken())
    app.send(request())
    wake_up = app.queue.bodies()[0]

    app.send(wake_up, wake_up)
    app.send(wake_up)

    assert len(app.transport.requests) == 2


@covers("V9")
def test_a_rejected_message_fails_over_to_the_next_provider_at_once() -> None:
    refused = HttpResponse(status=400, body=b'{"code": "invalid_recipient", "message": "-"}')
    app = Application(by_host({NOMSA: [refused], SMSPOH: [smspoh_taken()]}))
    app.send(request(recipient="+66812345678"))
    assert [wake_up.delay_seconds for wake_up in app.queue.wake_ups] == [0]

    app.resume()

    assert (app.message().provider, app.message().status) == ("smspoh", Status.ACCEPTED)
    assert [r.host for r in app.transport.requests] == [NOMSA, SMSPOH]


def test_a_message_fails_after_every_provider_of_the_route_rejected_it() -> None:
    refused = HttpResponse(status=400, body=b'{"code": "invalid_recipient", "message": "-"}')
    rejected = HttpResponse(status=201, body=b'{"messages": [{"status": false, "message": "Invalid Sender ID"}]}')
    app = Application(by_host({NOMSA: [refused], SMSPOH: [rejected]}))

    app.send(request(recipient="+66812345678"))
    app.resume()

    assert app.message().status is Status.FAILED
    assert app.failure_reason() is Reason.INVALID_SENDER


@covers("V9", "I1")
def test_an_unknown_message_does_not_fail_over() -> None:
    app = Application(by_host({NOMSA: [lost()], SMSPOH: [smspoh_taken()]}))

    app.send(request(recipient="+66812345678"))
    app.resume()

    assert [r.host for r in app.transport.requests] == [NOMSA]


def test_after_both_providers_throttle_a_message_it_waits() -> None:
    throttled = HttpResponse(status=429, body=b"{}")
    app = Application(by_host({NOMSA: [throttled], SMSPOH: [throttled]}))
    app.send(request(recipient="+66812345678"))

    app.resume()

    assert [r.host for r in app.transport.requests] == [NOMSA, SMSPOH]
    assert [wake_up.delay_seconds for wake_up in app.queue.wake_ups] == [15]
    assert app.message().route == ("nomsa", "smspoh")


@covers("V10")
def test_an_open_circuit_stops_calls_for_a_minute() -> None:
    app = Application(unauthorized(), nomsa_taken())
    app.send(request("first"))

    app.send(request("second"))
    assert len(app.transport.requests) == 1
    assert app.message("second").status is Status.QUEUED
    assert app.message("second").attempt == 0
    assert app.telemetry.counts["CircuitOpened", None] == 1
    assert app.secret.refreshed == 1

    app.clock.advance(seconds=60)
    app.resume()
    assert [app.message(name).status for name in ("first", "second")] == [Status.ACCEPTED, Status.QUEUED]

    app.clock.advance(seconds=60)
    app.follow_up()
    app.resume()
    assert app.message("second").status is Status.ACCEPTED


def test_a_message_fails_over_from_a_provider_with_an_open_circuit() -> None:
    app = Application(by_host({NOMSA: [unauthorized()], SMSPOH: [smspoh_taken(reference="second")]}))
    app.send(request("first"))

    app.send(request("second", recipient="+66812345678"))

    assert app.message("second").provider == "smspoh"


@covers("Q1", "I1")
def test_a_message_with_a_live_claim_of_another_worker_is_redelivered() -> None:
    app = Application(lambda _: _deliver_again(app))

    app.send(request())

    assert len(app.transport.requests) == 1
    assert app.message().status is Status.ACCEPTED


def _deliver_again(app: Application) -> HttpResponse:
    assert app.send(request(), sender=app.new_sender()) == ["r-2"]
    return nomsa_taken()


@covers("P6", "I1")
def test_a_message_of_a_crashed_worker_becomes_unknown_and_is_not_resent() -> None:
    app = Application()
    app.transport.replies = [_crash]
    with pytest.raises(_CrashError):
        app.send(request())
    app.transport.replies = [nomsa_taken()]

    app.clock.advance(seconds=61)
    assert app.send(request(), sender=app.new_sender()) == []

    assert app.message().status is Status.UNKNOWN
    assert len(app.transport.requests) == 1


class _CrashError(BaseException):
    """The process stops, and no handler runs."""


def _crash(_: HttpRequest) -> HttpResponse:
    raise _CrashError


@covers("D1")
def test_a_claim_without_an_answer_is_made_again() -> None:
    app = Application()
    app.store.outages = [Insert]

    assert app.send(request()) == []
    assert app.message().status is Status.ACCEPTED
    assert len(app.transport.requests) == 1


@covers("P9", "D1", "I1")
def test_a_lost_result_is_found_by_the_end_of_the_lease_not_by_a_second_send() -> None:
    app = Application(lost())
    app.store.outages = [Replace] * 100
    assert app.send(request()) == ["r-1"]
    app.store.outages = []

    app.clock.advance(seconds=61)
    app.send(request(), sender=app.new_sender())

    assert app.message().status is Status.UNKNOWN
    assert len(app.transport.requests) == 1


@covers("W1", "I4")
def test_a_receipt_before_the_answer_is_applied_after_it() -> None:
    def send_receipt_first(_: HttpRequest) -> HttpResponse:
        app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED&err_code=0")
        return nusasms_taken("0017")

    app = Application(send_receipt_first)

    app.send(request(recipient="+6281234567810"))

    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert app.sequences() == [1, 2, 3]


@covers("W1", "I3")
def test_a_receipt_by_reference_before_the_answer_is_kept() -> None:
    def send_receipt_first(_: HttpRequest) -> HttpResponse:
        app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
        return smspoh_taken("AA-1")

    app = Application(send_receipt_first)

    app.send(request(recipient="+959777777710"))

    assert statuses(app.message()) == [Status.SENDING, Status.DELIVERED]
    assert app.message().provider_message_id == "AA-1"
    assert app.store.buffered["smspoh#sms#AA-1"] == Correlation(key="smspoh#sms#AA-1", message_id="m-1")


@covers("P11", "I6")
def test_a_superseded_attempt_changes_nothing() -> None:
    def supersede(_: HttpRequest) -> HttpResponse:
        newer = replace(cancel(app.message(), now=app.clock()), attempt_id="id-99")
        app.store.messages["m-1"] = newer
        return nomsa_taken()

    app = Application(supersede)

    app.send(request())

    assert app.message().status is Status.CANCELED
    assert app.message().provider_message_id is None


@covers("V5", "I9")
def test_a_reused_vendor_id_raises_an_alarm_and_stays_with_the_first_message() -> None:
    app = Application(nomsa_taken("145"))
    app.send(request("first"))

    app.send(request("second"))

    assert app.store.buffered["nomsa#sms#145"].message_id == "first"
    assert app.telemetry.counts["ProviderMessageIdReused", "nomsa"] == 1
    assert app.message("second").status is Status.ACCEPTED


def test_a_wake_up_is_not_due_before_the_scheduled_time() -> None:
    app = Application()
    app.send(request(send_at="2026-11-21T10:05:00.400Z"))

    (wake_up,) = app.queue.wake_ups
    app.clock.advance(seconds=wake_up.delay_seconds)
    app.send(*app.queue.bodies())

    assert app.message().status is Status.ACCEPTED


def test_a_scheduled_message_is_sent_at_its_time() -> None:
    app = Application()
    app.send(request(send_at="2026-11-21T10:05:00Z"))
    assert app.message().status is Status.SCHEDULED
    assert [wake_up.delay_seconds for wake_up in app.queue.wake_ups] == [300]
    assert app.send(*app.queue.bodies()) == []
    assert app.transport.requests == []

    app.clock.advance(minutes=5)
    app.resume()

    assert statuses(app.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


def test_a_message_scheduled_weeks_ahead_has_no_wake_up() -> None:
    app = Application()

    app.send(request(send_at="2026-12-24T10:00:00Z"))

    assert app.queue.wake_ups == []
    assert app.message().due_at == app.message().send_at


def test_a_cancel_stops_a_message_that_was_not_sent() -> None:
    app = Application()
    app.send(request(send_at="2026-11-21T10:05:00Z"))

    app.send('{"cancel": "m-1"}')
    app.clock.advance(minutes=5)
    app.resume()

    assert statuses(app.message()) == [Status.SCHEDULED, Status.CANCELED]
    assert app.message().history[-1].source is Source.CALLER
    assert app.transport.requests == []


def test_a_cancel_before_its_request_cancels_the_message() -> None:
    app = Application()

    app.send('{"cancel": "m-1"}')
    assert app.send(request()) == []

    assert app.message().status is Status.CANCELED
    assert app.transport.requests == []
    assert app.bus.events == []


def test_a_cancel_after_the_send_changes_nothing() -> None:
    app = Application()
    app.send(request())
    before = app.message()

    assert app.send('{"cancel": "m-1"}', '{"cancel": "m-1"}') == []

    assert app.message() == before


@covers("I7")
def test_no_call_starts_after_the_message_has_expired() -> None:
    app = Application(unreached(), nomsa_taken())
    app.send(request(expires_at="2026-11-21T10:00:30Z"))
    assert app.message().status is Status.QUEUED

    app.clock.advance(seconds=31)
    app.resume()

    assert app.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
    assert len(app.transport.requests) == 1


def test_a_message_that_expires_before_its_retry_fails_at_once() -> None:
    app = Application(unauthorized())

    app.send(request(expires_at="2026-11-21T10:00:30Z"))

    assert app.message().failure == Failure(
        reason=Reason.EXPIRED,
        provider_code="unauthenticated",
        detail="expires_at: passes before a further attempt; last refusal: authentication",
    )


@covers("Q6", "I10")
def test_no_call_starts_without_time_to_finish_it() -> None:
    app = Application()
    app.seconds_left = 5.0

    app.send(request())

    assert app.transport.requests == []
    assert app.message().status is Status.QUEUED


@covers("P11", "Q10", "I6")
def test_an_acceptance_after_the_lease_expired_is_stored() -> None:
    def answer_late(_: HttpRequest) -> HttpResponse:
        app.clock.advance(seconds=61)
        app.send(request(), sender=app.new_sender())
        assert app.message().status is Status.UNKNOWN
        return nomsa_taken("145")

    app = Application(answer_late)

    app.send(request())

    assert app.message().status is Status.ACCEPTED
    assert app.message().provider_message_id == "145"


@covers("P4")
def test_all_records_are_returned_if_the_configuration_cannot_be_read() -> None:
    app = Application()
    app.settings.is_down = True

    assert app.send(request("a"), request("b")) == ["r-1", "r-2"]
    assert app.store.messages == {}


def test_a_rejection_that_is_not_published_returns_its_record() -> None:
    app = Application()
    app.bus.is_down = True

    assert app.send(request(), "not json") == ["r-2"]


@covers("P1")
def test_a_configuration_that_failed_to_preload_is_read_again() -> None:
    app = Application()
    app.settings.is_down = True
    app.sender.prepare()

    app.settings.is_down = False
    assert app.send(request()) == []
    assert app.message().status is Status.ACCEPTED


def test_a_message_without_a_queued_wake_up_keeps_its_due_time() -> None:
    app = Application(unreached())
    app.queue.is_down = True

    assert app.send(request()) == []
    assert app.message().due_at == START + timedelta(seconds=5 + 120)


@covers("I11")
def test_no_text_number_or_credential_is_logged() -> None:
    app = Application(
        lost(), unauthorized(), HttpResponse(status=400, body=b'{"code": "x", "message": "+85591234510"}')
    )

    app.send(request("a"))
    app.send(request("b"))
    app.send(request("c"), request("d", recipient="+85591234510,1"))

    written = repr(app.telemetry.lines) + repr(app.bus.events) + repr(app.store.events)
    for secret in ("Your code", "1234510", "house_v1_nomsa"):
        assert secret not in written


@covers("W4", "I3")
def test_a_delivery_report_is_kept_after_a_lost_answer() -> None:
    def send_receipt_first(_: HttpRequest) -> NoResponse:
        app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
        return lost()

    app = Application(send_receipt_first)

    app.send(request(recipient="+959777777710"))

    assert app.message().status is Status.DELIVERED


@covers("Q8")
def test_a_message_behind_an_open_circuit_waits_without_further_wake_ups() -> None:
    app = Application(unauthorized())
    app.send(request("first"))
    app.send(request("second"))
    app.clock.advance(seconds=30)

    app.resume()

    assert app.queue.wake_ups == []
    assert statuses(app.message("second")) == [Status.QUEUED]
    assert app.message("second").due_at == app.clock() + timedelta(seconds=60)


def test_options_that_are_too_large_fail_the_message() -> None:
    app = Application()

    app.send(request(provider_options={"nomsa": {"colour": "x" * 5000}}))

    assert app.message().failure == Failure(
        reason=Reason.INVALID_REQUEST, detail="provider_options: must be at most 4096 bytes of JSON"
    )


def test_an_invalid_request_that_is_delivered_twice_is_not_a_conflict() -> None:
    app = Application()
    body = request(colour="red")

    app.send(body, body)
    app.send(body)

    assert app.bus.events == []
    assert app.message().status is Status.FAILED


@covers("Q5", "I5", "I9")
def test_an_internal_error_affects_only_its_record() -> None:
    app = Application()
    ids = iter(["id-1"])
    faulty = app.new_sender(new_id=lambda: next(ids))

    unfinished = app.send(request("first"), request("second"), sender=faulty)

    assert unfinished == ["r-2"]
    assert app.message("first").status is Status.ACCEPTED
    assert "second" not in app.store.messages


@covers("I7")
def test_no_call_starts_for_a_message_that_expired_during_its_claim() -> None:
    app = Application()
    app.store.before_commit = lambda _: app.clock.advance(seconds=20)

    app.send(request(expires_at="2026-11-21T10:00:15Z"))

    assert app.transport.requests == []
    assert app.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


def test_an_attempt_is_logged_without_text_and_number() -> None:
    app = Application(nomsa_taken("145"))

    app.send(request(content={"type": "text", "text": "a" * 161}), caller_id="AROASHOP")

    fields = {
        "message_id": "m-1",
        "caller": "AROASHOP",
        "provider": "nomsa",
        "attempt": 1,
        "segments": 2,
        "outcome": "Taken",
        "provider_message_id": "145",
    }
    assert ("info", "message attempted", fields) in app.telemetry.lines


RATE_LIMITED = HttpResponse(status=429, headers={"content-type": "application/json"}, body=b'{"code": "rate_limit"}')


@pytest.mark.parametrize(("seconds", "status"), [(79, Status.FAILED), (80, Status.FAILED), (81, Status.QUEUED)])
def test_a_message_is_not_retried_beyond_the_report_horizon(seconds: int, status: Status) -> None:
    app = Application(RATE_LIMITED, settings={"report_horizon_hours": seconds / 3600})
    app.send(request())

    for pause in (5, 15, 60):
        app.clock.advance(seconds=pause)
        app.resume()

    assert app.message().status is status
    assert len(app.transport.requests) == 4


def test_the_horizon_of_a_message_with_an_old_send_at_begins_with_its_request() -> None:
    app = Application(RATE_LIMITED, nomsa_taken())

    app.send(request(send_at=to_text(START - timedelta(days=10))))
    app.clock.advance(seconds=5)
    app.resume()

    assert statuses(app.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
