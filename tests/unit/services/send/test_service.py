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
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.transport import NoResponse
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import (
    House,
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
    house = House(nomsa_taken("145"))

    unfinished = house.send(request())

    message = house.message()
    assert unfinished == []
    assert statuses(message) == [Status.SENDING, Status.ACCEPTED]
    assert (message.provider, message.provider_message_id, message.attempt) == ("nomsa", "145", 1)
    assert message.due_at == START + timedelta(seconds=15)
    assert house.sequences() == [1, 2]
    assert [json.loads(r.body)["label"] for r in house.transport.requests] == ["mcs-otp"]


@covers("I2")
def test_the_claim_is_stored_before_the_vendor_is_called() -> None:
    seen: list[tuple[Status, str | None]] = []

    def record_claim(_: HttpRequest) -> HttpResponse:
        seen.append((house.message().status, house.message().attempt_id))
        return nomsa_taken()

    house = House(record_claim)

    house.send(request())

    assert seen == [(Status.SENDING, "id-1")]


def test_ten_accepted_messages_are_stored_in_two_commits() -> None:
    house = House(lambda r: nomsa_taken(f"v-{json.loads(r.body)['body']}"))

    house.send(*(request(f"m-{n}", content={"type": "text", "text": str(n)}) for n in range(10)))

    assert [[type(write) for write in commit] for commit in house.store.commits if commit] == [
        [Insert] * 10,
        [Replace] * 10 + [LinkCorrelation] * 10,
    ]
    assert {m.status for m in house.store.messages.values()} == {Status.ACCEPTED}


@covers("Q2", "I1")
@pytest.mark.parametrize("copies_in_a_batch", [1, 2, 5])
def test_a_request_that_is_delivered_five_times_is_sent_once(copies_in_a_batch: int) -> None:
    house = House()
    batches = [[request()] * copies_in_a_batch for _ in range(5 // copies_in_a_batch or 1)]

    unfinished = [house.send(*batch, sender=house.new_sender()) for batch in batches]

    assert len(house.transport.requests) == 1
    assert not any(unfinished)
    assert house.bus.events == []


@covers("Q2", "I8")
@pytest.mark.parametrize("together", [True, False])
def test_a_different_request_under_the_same_id_is_rejected_and_changes_nothing(together: bool) -> None:
    house = House()
    other = request(content={"type": "text", "text": "Another text"})

    if together:
        house.send(request(), other)
    else:
        house.send(request())
        before = house.message()
        house.send(other)
        assert house.message() == before

    assert len(house.transport.requests) == 1
    assert house.bus.events == [
        request_rejected("m-1", "id_conflict", "message_id: already stands for a different request")
    ]


def test_the_same_request_in_different_json_is_not_a_conflict() -> None:
    house = House()
    plain = json.loads(request(expires_at="2026-11-21T12:00:00Z"))

    house.send(json.dumps(plain))
    house.send(json.dumps({"category": "transactional", **plain, "expires_at": "2026-11-21T14:00:00+02:00"}))

    assert house.bus.events == []


BAD_REQUESTS = [
    ("not json", "not json", None, "body: not JSON in UTF-8"),
    ("a list", "[]", None, "body: not a JSON object"),
    ("deeply nested", "[" * 100_000, None, "body: not JSON in UTF-8"),
    ("lone surrogate", '{"message_id": "\\ud800"}', None, "body: not JSON in UTF-8"),
    ("no id", request(message_id=None), None, "message_id: Field required"),
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
        "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits",
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
        "channel: Input should be 'sms', 'whatsapp' or 'whatsapp_official'",
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
    house = House()

    unfinished = house.send(request("good"), body)

    message = house.message(message_id or "r-2")
    assert unfinished == []
    assert (message.status, message.failure) == (
        Status.FAILED,
        Failure(reason=Reason.INVALID_REQUEST, detail=detail),
    )
    assert house.message("good").status is Status.ACCEPTED
    assert len(house.transport.requests) == 1
    rejections = [] if message_id else [request_rejected("r-2", "invalid_request", detail)]
    assert house.bus.events == rejections


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
    house = House()

    house.send(request("good"), request("bad", **changes))

    assert house.message("bad").failure == Failure(reason=reason, detail=detail)
    assert house.message("bad").content is None
    assert house.message("good").status is Status.ACCEPTED
    assert len(house.transport.requests) == 1


def test_options_of_a_provider_outside_the_route_are_ignored() -> None:
    house = House()

    house.send(request(provider_options={"smspoh": {"encrypt": True}}))

    assert house.message().status is Status.ACCEPTED


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
    house = House(reply)

    unfinished = house.send(request())

    assert unfinished == []
    assert house.message().status is status
    assert len(house.transport.requests) == 1


@covers("V2", "I1")
def test_redelivery_does_not_resend_an_unknown_message() -> None:
    house = House(lost())
    house.send(request())

    house.clock.advance(hours=2)
    house.send(request(), sender=house.new_sender())
    house.resume()

    assert len(house.transport.requests) == 1
    assert house.message().status is Status.UNKNOWN


@covers("Q7")
def test_a_throttled_message_is_retried_by_a_delayed_wake_up() -> None:
    house = House(HttpResponse(status=429, headers={"retry-after": "7"}, body=b"{}"), nomsa_taken())
    house.send(request(category="otp"))
    assert house.queue.wake_ups == [WakeUp(message_id="m-1", attempt=2, is_urgent=True, delay_seconds=7)]
    assert house.message().due_at == START + timedelta(seconds=7 + 120)

    house.clock.advance(seconds=7)
    house.resume()

    assert statuses(house.message()) == [Status.SENDING, Status.QUEUED, Status.SENDING, Status.ACCEPTED]
    assert house.message().attempt == 2
    assert house.sequences() == [1, 2, 3, 4]


def test_a_wake_up_for_an_earlier_attempt_is_ignored() -> None:
    house = House(unreached())
    house.send(request())

    house.send('{"resume": "m-1", "attempt": 1}', '{"resume": "missing", "attempt": 1}')

    assert len(house.transport.requests) == 1


@covers("I1")
def test_a_duplicate_wake_up_causes_one_attempt() -> None:
    house = House(unreached(), nomsa_taken())
    house.send(request())
    wake_up = house.queue.bodies()[0]

    house.send(wake_up, wake_up)
    house.send(wake_up)

    assert len(house.transport.requests) == 2


@covers("V9")
def test_a_rejected_message_fails_over_to_the_next_provider_at_once() -> None:
    refused = HttpResponse(status=400, body=b'{"code": "invalid_recipient", "message": "-"}')
    house = House(by_host({NOMSA: [refused], SMSPOH: [smspoh_taken()]}))
    house.send(request(recipient="+66812345678"))
    assert [wake_up.delay_seconds for wake_up in house.queue.wake_ups] == [0]

    house.resume()

    assert (house.message().provider, house.message().status) == ("smspoh", Status.ACCEPTED)
    assert [r.host for r in house.transport.requests] == [NOMSA, SMSPOH]


def test_a_message_fails_after_every_provider_of_the_route_rejected_it() -> None:
    refused = HttpResponse(status=400, body=b'{"code": "invalid_recipient", "message": "-"}')
    rejected = HttpResponse(status=201, body=b'{"messages": [{"status": false, "message": "Invalid Sender ID"}]}')
    house = House(by_host({NOMSA: [refused], SMSPOH: [rejected]}))

    house.send(request(recipient="+66812345678"))
    house.resume()

    assert house.message().status is Status.FAILED
    assert house.failure_reason() is Reason.INVALID_SENDER


@covers("V9", "I1")
def test_an_unknown_message_does_not_fail_over() -> None:
    house = House(by_host({NOMSA: [lost()], SMSPOH: [smspoh_taken()]}))

    house.send(request(recipient="+66812345678"))
    house.resume()

    assert [r.host for r in house.transport.requests] == [NOMSA]


def test_after_both_providers_throttle_a_message_it_waits() -> None:
    throttled = HttpResponse(status=429, body=b"{}")
    house = House(by_host({NOMSA: [throttled], SMSPOH: [throttled]}))
    house.send(request(recipient="+66812345678"))

    house.resume()

    assert [r.host for r in house.transport.requests] == [NOMSA, SMSPOH]
    assert [wake_up.delay_seconds for wake_up in house.queue.wake_ups] == [15]
    assert house.message().route == ("nomsa", "smspoh")


@covers("V10")
def test_an_open_circuit_stops_calls_for_a_minute() -> None:
    house = House(unauthorized(), nomsa_taken())
    house.send(request("first"))

    house.send(request("second"))
    assert len(house.transport.requests) == 1
    assert house.message("second").status is Status.QUEUED
    assert house.message("second").attempt == 0
    assert house.telemetry.counts["CircuitOpened", None] == 1
    assert house.secret.refreshed == 1

    house.clock.advance(seconds=60)
    house.resume()
    assert [house.message(name).status for name in ("first", "second")] == [Status.ACCEPTED, Status.QUEUED]

    house.clock.advance(seconds=60)
    house.follow_up()
    house.resume()
    assert house.message("second").status is Status.ACCEPTED


def test_a_message_fails_over_from_a_provider_with_an_open_circuit() -> None:
    house = House(by_host({NOMSA: [unauthorized()], SMSPOH: [smspoh_taken(reference="second")]}))
    house.send(request("first"))

    house.send(request("second", recipient="+66812345678"))

    assert house.message("second").provider == "smspoh"


@covers("Q1", "I1")
def test_a_message_with_a_live_claim_of_another_worker_is_redelivered() -> None:
    house = House(lambda _: _deliver_again(house))

    house.send(request())

    assert len(house.transport.requests) == 1
    assert house.message().status is Status.ACCEPTED


def _deliver_again(house: House) -> HttpResponse:
    assert house.send(request(), sender=house.new_sender()) == ["r-2"]
    return nomsa_taken()


@covers("P6", "I1")
def test_a_message_of_a_crashed_worker_becomes_unknown_and_is_not_resent() -> None:
    house = House()
    house.transport.replies = [_crash]
    with pytest.raises(_CrashError):
        house.send(request())
    house.transport.replies = [nomsa_taken()]

    house.clock.advance(seconds=61)
    assert house.send(request(), sender=house.new_sender()) == []

    assert house.message().status is Status.UNKNOWN
    assert len(house.transport.requests) == 1


class _CrashError(BaseException):
    """The process stops, and no handler runs."""


def _crash(_: HttpRequest) -> HttpResponse:
    raise _CrashError


@covers("D1")
def test_a_claim_without_an_answer_is_made_again() -> None:
    house = House()
    house.store.outages = [Insert]

    assert house.send(request()) == []
    assert house.message().status is Status.ACCEPTED
    assert len(house.transport.requests) == 1


@covers("P9", "D1", "I1")
def test_a_lost_result_is_found_by_the_end_of_the_lease_not_by_a_second_send() -> None:
    house = House(lost())
    house.store.outages = [Replace] * 100
    assert house.send(request()) == ["r-1"]
    house.store.outages = []

    house.clock.advance(seconds=61)
    house.send(request(), sender=house.new_sender())

    assert house.message().status is Status.UNKNOWN
    assert len(house.transport.requests) == 1


@covers("W1", "I4")
def test_a_receipt_before_the_answer_is_applied_after_it() -> None:
    def send_receipt_first(_: HttpRequest) -> HttpResponse:
        house.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED&err_code=0")
        return nusasms_taken("0017")

    house = House(send_receipt_first)

    house.send(request(recipient="+6281234567810"))

    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED, Status.DELIVERED]
    assert house.sequences() == [1, 2, 3]


@covers("W1", "I3")
def test_a_receipt_by_reference_before_the_answer_is_kept() -> None:
    def send_receipt_first(_: HttpRequest) -> HttpResponse:
        house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
        return smspoh_taken("AA-1")

    house = House(send_receipt_first)

    house.send(request(recipient="+959777777710"))

    assert statuses(house.message()) == [Status.SENDING, Status.DELIVERED]
    assert house.message().provider_message_id == "AA-1"
    assert house.store.buffered["smspoh#sms#AA-1"] == Correlation(key="smspoh#sms#AA-1", message_id="m-1")


@covers("P11", "I6")
def test_a_superseded_attempt_changes_nothing() -> None:
    def supersede(_: HttpRequest) -> HttpResponse:
        newer = replace(cancel(house.message(), now=house.clock()), attempt_id="id-99")
        house.store.messages["m-1"] = newer
        return nomsa_taken()

    house = House(supersede)

    house.send(request())

    assert house.message().status is Status.CANCELED
    assert house.message().provider_message_id is None


@covers("V5", "I9")
def test_a_reused_vendor_id_raises_an_alarm_and_stays_with_the_first_message() -> None:
    house = House(nomsa_taken("145"))
    house.send(request("first"))

    house.send(request("second"))

    assert house.store.buffered["nomsa#sms#145"].message_id == "first"
    assert house.telemetry.counts["ProviderMessageIdReused", "nomsa"] == 1
    assert house.message("second").status is Status.ACCEPTED


def test_a_wake_up_is_not_due_before_the_scheduled_time() -> None:
    house = House()
    house.send(request(send_at="2026-11-21T10:05:00.400Z"))

    (wake_up,) = house.queue.wake_ups
    house.clock.advance(seconds=wake_up.delay_seconds)
    house.send(*house.queue.bodies())

    assert house.message().status is Status.ACCEPTED


def test_a_scheduled_message_is_sent_at_its_time() -> None:
    house = House()
    house.send(request(send_at="2026-11-21T10:05:00Z"))
    assert house.message().status is Status.SCHEDULED
    assert [wake_up.delay_seconds for wake_up in house.queue.wake_ups] == [300]
    assert house.send(*house.queue.bodies()) == []
    assert house.transport.requests == []

    house.clock.advance(minutes=5)
    house.resume()

    assert statuses(house.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


def test_a_message_scheduled_weeks_ahead_has_no_wake_up() -> None:
    house = House()

    house.send(request(send_at="2026-12-24T10:00:00Z"))

    assert house.queue.wake_ups == []
    assert house.message().due_at == house.message().send_at


def test_a_cancel_stops_a_message_that_was_not_sent() -> None:
    house = House()
    house.send(request(send_at="2026-11-21T10:05:00Z"))

    house.send('{"cancel": "m-1"}')
    house.clock.advance(minutes=5)
    house.resume()

    assert statuses(house.message()) == [Status.SCHEDULED, Status.CANCELED]
    assert house.message().history[-1].source is Source.CALLER
    assert house.transport.requests == []


def test_a_cancel_before_its_request_cancels_the_message() -> None:
    house = House()

    house.send('{"cancel": "m-1"}')
    assert house.send(request()) == []

    assert house.message().status is Status.CANCELED
    assert house.transport.requests == []
    assert house.bus.events == []


def test_a_cancel_after_the_send_changes_nothing() -> None:
    house = House()
    house.send(request())
    before = house.message()

    assert house.send('{"cancel": "m-1"}', '{"cancel": "m-1"}') == []

    assert house.message() == before


@covers("I7")
def test_no_call_starts_after_the_message_has_expired() -> None:
    house = House(unreached(), nomsa_taken())
    house.send(request(expires_at="2026-11-21T10:00:30Z"))
    assert house.message().status is Status.QUEUED

    house.clock.advance(seconds=31)
    house.resume()

    assert house.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
    assert len(house.transport.requests) == 1


def test_a_message_that_expires_before_its_retry_fails_at_once() -> None:
    house = House(unauthorized())

    house.send(request(expires_at="2026-11-21T10:00:30Z"))

    assert house.message().failure == Failure(
        reason=Reason.EXPIRED,
        provider_code="unauthenticated",
        detail="expires_at: passes before a further attempt; last refusal: authentication",
    )


@covers("Q6", "I10")
def test_no_call_starts_without_time_to_finish_it() -> None:
    house = House()
    house.seconds_left = 5.0

    house.send(request())

    assert house.transport.requests == []
    assert house.message().status is Status.QUEUED


@covers("P11", "Q10", "I6")
def test_an_acceptance_after_the_lease_expired_is_stored() -> None:
    def answer_late(_: HttpRequest) -> HttpResponse:
        house.clock.advance(seconds=61)
        house.send(request(), sender=house.new_sender())
        assert house.message().status is Status.UNKNOWN
        return nomsa_taken("145")

    house = House(answer_late)

    house.send(request())

    assert house.message().status is Status.ACCEPTED
    assert house.message().provider_message_id == "145"


@covers("P4")
def test_all_records_are_returned_if_the_configuration_cannot_be_read() -> None:
    house = House()
    house.settings.is_down = True

    assert house.send(request("a"), request("b")) == ["r-1", "r-2"]
    assert house.store.messages == {}


def test_a_rejection_that_is_not_published_returns_its_record() -> None:
    house = House()
    house.bus.is_down = True

    assert house.send(request(), "not json") == ["r-2"]


@covers("P1")
def test_a_configuration_that_failed_to_preload_is_read_again() -> None:
    house = House()
    house.settings.is_down = True
    house.sender.prepare()

    house.settings.is_down = False
    assert house.send(request()) == []
    assert house.message().status is Status.ACCEPTED


def test_a_message_without_a_queued_wake_up_keeps_its_due_time() -> None:
    house = House(unreached())
    house.queue.is_down = True

    assert house.send(request()) == []
    assert house.message().due_at == START + timedelta(seconds=5 + 120)


@covers("I11")
def test_no_text_number_or_credential_is_logged() -> None:
    house = House(lost(), unauthorized(), HttpResponse(status=400, body=b'{"code": "x", "message": "+85591234510"}'))

    house.send(request("a"))
    house.send(request("b"))
    house.send(request("c"), request("d", recipient="+85591234510,1"))

    written = repr(house.telemetry.lines) + repr(house.bus.events) + repr(house.store.events)
    for secret in ("Your code", "1234510", "house_v1_nomsa"):
        assert secret not in written


@covers("W4", "I3")
def test_a_delivery_report_is_kept_after_a_lost_answer() -> None:
    def send_receipt_first(_: HttpRequest) -> NoResponse:
        house.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
        return lost()

    house = House(send_receipt_first)

    house.send(request(recipient="+959777777710"))

    assert house.message().status is Status.DELIVERED


@covers("Q8")
def test_a_message_behind_an_open_circuit_waits_without_further_wake_ups() -> None:
    house = House(unauthorized())
    house.send(request("first"))
    house.send(request("second"))
    house.clock.advance(seconds=30)

    house.resume()

    assert house.queue.wake_ups == []
    assert statuses(house.message("second")) == [Status.QUEUED]
    assert house.message("second").due_at == house.clock() + timedelta(seconds=60)


def test_options_that_are_too_large_fail_the_message() -> None:
    house = House()

    house.send(request(provider_options={"nomsa": {"colour": "x" * 5000}}))

    assert house.message().failure == Failure(
        reason=Reason.INVALID_REQUEST, detail="provider_options: must be at most 4096 bytes of JSON"
    )


def test_an_invalid_request_that_is_delivered_twice_is_not_a_conflict() -> None:
    house = House()
    body = request(colour="red")

    house.send(body, body)
    house.send(body)

    assert house.bus.events == []
    assert house.message().status is Status.FAILED


@covers("Q5", "I5", "I9")
def test_an_internal_error_affects_only_its_record() -> None:
    house = House()
    ids = iter(["id-1"])
    faulty = house.new_sender(new_id=lambda: next(ids))

    unfinished = house.send(request("first"), request("second"), sender=faulty)

    assert unfinished == ["r-2"]
    assert house.message("first").status is Status.ACCEPTED
    assert "second" not in house.store.messages


@covers("I7")
def test_no_call_starts_for_a_message_that_expired_during_its_claim() -> None:
    house = House()
    house.store.before_commit = lambda _: house.clock.advance(seconds=20)

    house.send(request(expires_at="2026-11-21T10:00:15Z"))

    assert house.transport.requests == []
    assert house.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


def test_an_attempt_is_logged_without_text_and_number() -> None:
    house = House(nomsa_taken("145"))

    house.send(request(content={"type": "text", "text": "a" * 161}))

    fields = {
        "message_id": "m-1",
        "provider": "nomsa",
        "attempt": 1,
        "segments": 2,
        "outcome": "Taken",
        "provider_message_id": "145",
    }
    assert ("info", "message attempted", fields) in house.telemetry.lines


RATE_LIMITED = HttpResponse(status=429, headers={"content-type": "application/json"}, body=b'{"code": "rate_limit"}')


@pytest.mark.parametrize(("seconds", "status"), [(79, Status.FAILED), (80, Status.FAILED), (81, Status.QUEUED)])
def test_a_message_is_not_retried_beyond_the_report_horizon(seconds: int, status: Status) -> None:
    house = House(RATE_LIMITED, settings={"report_horizon_hours": seconds / 3600})
    house.send(request())

    for pause in (5, 15, 60):
        house.clock.advance(seconds=pause)
        house.resume()

    assert house.message().status is status
    assert len(house.transport.requests) == 4
