"""A failed attempt is recorded with the vendor's words, after everything else and without any value of ours."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from sampai.domain.failure import Failure, Reason, detail_of_vendor
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.transport import NoResponse
from sampai.services.send.batch import Record
from tests.covers import covers
from tests.fakes import START, InMemoryAttempts
from tests.harness.application import Application, lost, nomsa_taken, request, unreached

PROMOTIONAL: Final = {"category": "promotional"}


def said(status: int, document: Any) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def record(**changes: Any) -> AttemptRecord:
    values: dict[str, Any] = {
        "message_id": "m-1",
        "attempt": 1,
        "attempt_id": "id-1",
        "provider": "nomsa",
        "outcome": "not_taken",
        "claimed_at": START,
        "began_at": START,
        "ended_at": START,
    }
    return AttemptRecord(**values | changes)


REFUSALS: Final[list[tuple[str, str, dict[str, Any], HttpResponse, dict[str, Any]]]] = [
    (
        "nomsa",
        "nomsa",
        {},
        said(400, {"code": "invalid_credentials", "message": "No label mcs-otp for +85591234510: Your code is 1234"}),
        {
            "http_status": 400,
            "reason": Reason.INVALID_SENDER,
            "provider_code": "invalid_credentials",
            "vendor_words": '{"code": "invalid_credentials", "message": "No label […] for +[…]"}',
        },
    ),
    (
        "smsnoc",
        "smsnoc",
        {},
        said(200, {"status": "error", "message": 'Sender ID "SampaiBD" is not authorized to send this message'}),
        {
            "http_status": 200,
            "reason": Reason.INVALID_SENDER,
            "vendor_words": '{"status": "error", "message": "Sender ID "[…]" is not authorized to send this message"}',
        },
    ),
    (
        "smspoh",
        "smspoh",
        {},
        said(201, {"messages": [{"status": False, "message": "Blocked 959777777710: your code 1234 (key house)"}]}),
        {
            "http_status": 201,
            "reason": Reason.PROVIDER_ERROR,
            "vendor_words": "Blocked […]: your code […] (key […])",
        },
    ),
    (
        "nusasms",
        "nusasms",
        {},
        said(200, {"results": [{"status": "-36", "messageid": "", "destination": "6281234567810"}]}),
        {
            "http_status": 200,
            "reason": Reason.INVALID_SENDER,
            "provider_code": "-36",
            "detail": "SENDER_NOT_SET",
            "vendor_words": '{"results": [{"status": "-36", "messageid": "", "destination": "[…]"}]}',
        },
    ),
    (
        "nusasms",
        "nusasms by WhatsApp",
        {"channel": "whatsapp"},
        said(200, {"error": True, "message": "Invalid WA Sender for 6281234567810", "data": None}),
        {
            "http_status": 200,
            "reason": Reason.INVALID_SENDER,
            "detail": "the refusal says: invalid wa sender",
            "vendor_words": '{"error": true, "message": "Invalid WA Sender for […]", "data": null}',
        },
    ),
]


@covers("I11")
@pytest.mark.parametrize(
    ("provider", "changes", "answer", "expected"),
    [(provider, *rest) for provider, _, *rest in REFUSALS],
    ids=[r[1] for r in REFUSALS],
)
def test_refusal_is_recorded_in_the_words_of_the_vendor(
    provider: str, changes: dict[str, Any], answer: HttpResponse, expected: dict[str, Any]
) -> None:
    app = Application(answer)

    app.send(request(home=provider, **changes))

    assert app.attempts.read("m-1") == [record(provider=provider, **expected)]
    assert app.message().failure == Failure(
        reason=expected["reason"],
        provider_code=expected.get("provider_code"),
        detail=detail_of_vendor(expected["reason"], expected.get("detail")),
    )


FAULTS: Final[list[tuple[str, HttpResponse | NoResponse, dict[str, Any]]]] = [
    ("a time-out", lost(), {"outcome": "unknown", "detail": "timed out"}),
    (
        "no connection",
        unreached(),
        {"reason": Reason.PROVIDER_ERROR, "detail": "no connection: refused"},
    ),
    (
        "HTTP 502",
        HttpResponse(status=502, body=b"<html><h1>502 Bad Gateway</h1></html>"),
        {"outcome": "unknown", "http_status": 502, "detail": "HTTP 502", "vendor_words": "502 Bad Gateway"},
    ),
    (
        "an unreadable success",
        HttpResponse(status=200, body=b"ok +85591234510"),
        {
            "outcome": "unknown",
            "http_status": 200,
            "detail": "unreadable answer, HTTP 200",
            "vendor_words": "ok +[…]",
        },
    ),
    (
        "an empty answer",
        HttpResponse(status=500),
        {"outcome": "unknown", "http_status": 500, "detail": "HTTP 500"},
    ),
]


@pytest.mark.parametrize(("answer", "expected"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_attempt_without_a_clear_answer_is_recorded(
    answer: HttpResponse | NoResponse, expected: dict[str, Any]
) -> None:
    app = Application(answer)

    app.send(request())

    assert app.attempts.read("m-1") == [record(**expected)]


def test_record_has_the_times_of_the_call() -> None:
    def slow(_: HttpRequest) -> HttpResponse:
        app.clock.advance(seconds=3)
        return HttpResponse(status=500)

    app = Application(slow)

    app.send(request())

    (recorded,) = app.attempts.read("m-1")
    assert (recorded.began_at, recorded.ended_at) == (START, START + timedelta(seconds=3))


def test_each_attempt_has_a_record_of_its_own() -> None:
    app = Application(HttpResponse(status=429), said(400, {"code": "malformed"}))

    app.send(request())
    app.clock.advance(seconds=10)
    app.resume()

    assert [(r.attempt, r.http_status) for r in app.attempts.read("m-1")] == [(1, 429), (2, 400)]


def test_batch_of_accepted_messages_makes_no_call() -> None:
    app = Application(nomsa_taken())

    app.send(request("m-1"), request("m-2"))

    assert app.attempts.calls == 0


def test_failed_attempts_of_a_batch_are_stored_in_one_call_without_the_accepted_ones() -> None:
    app = Application(nomsa_taken(), HttpResponse(status=500), HttpResponse(status=400))

    app.send(request("m-1"), request("m-2"), request("m-3"))

    assert app.attempts.calls == 1
    assert [len(app.attempts.read(name)) for name in ("m-1", "m-2", "m-3")] == [0, 1, 1]


def test_refusal_in_a_shared_call_is_recorded_in_its_own_words() -> None:
    entries = [
        {"messageId": "v-1", "status": "Accepted", "to": "959777777711"},
        {"status": False, "to": "959777777712", "message": "Invalid number 959777777712, after 959777777711"},
    ]
    app = Application(said(201, {"messages": entries}))
    numbers = ("+959777777711", "+959777777712")

    app.send(*(request(f"m-{n}", home="smspoh", recipient=to, **PROMOTIONAL) for n, to in enumerate(numbers, start=1)))

    assert [r.vendor_words for r in app.attempts.read("m-2")] == ["Invalid number […], after […]"]
    assert app.attempts.read("m-1") == []


def test_answer_to_a_shared_call_has_no_value_of_any_of_its_messages() -> None:
    app = Application(said(400, {"message": "bad: Sokunthea and Chanthou"}))
    names = ("Sokunthea", "Chanthou")
    numbers = ("+959777777711", "+959777777712")

    app.send(
        *(
            request(f"m-{n}", home="smspoh", recipient=number, content={"type": "text", "text": name}, **PROMOTIONAL)
            for n, (name, number) in enumerate(zip(names, numbers, strict=True), start=1)
        )
    )

    assert {r.vendor_words for n in (1, 2) for r in app.attempts.read(f"m-{n}")} == {'{"message": "bad: […] and […]"}'}


EMAIL: Final[dict[str, Any]] = {
    "channel": "email",
    "recipient": "sokunthea@example.org",
    "content": {
        "type": "email",
        "subject": "Quarterly dividend",
        "body": "Kindly review your statement",
        "reply_to": "ledger@example.net",
        "cc": ["chanthou@example.org"],
        "bcc": ["veasna@example.org"],
        "attachments": [{"file_name": "dividend-2026.pdf", "content_base64": "JVBERi0xLjcgcHJpdmF0ZSBiYWxhbmNl"}],
    },
}


@covers("I11")
def test_whole_request_that_comes_back_leaves_nothing_of_an_email() -> None:
    def echo(sent: HttpRequest) -> HttpResponse:
        return HttpResponse(status=400, body=sent.body)

    app = Application(echo)

    app.send(request(**EMAIL))

    (recorded,) = app.attempts.read("m-1")
    shown = (recorded.vendor_words or "").lower()
    private = "sokunthea chanthou veasna ledger example quarterly dividend kindly review statement private JVBERi 2026"
    assert [word for word in private.lower().split() if word in shown] == []


def test_encryption_key_and_token_that_come_back_are_cut() -> None:
    def echo(sent: HttpRequest) -> HttpResponse:
        document = json.loads(sent.body)
        words = f"{document['encryptKey']} {document['deliveryReceiptUrl']} {sent.headers['Authorization']}"
        return said(201, {"messages": [{"status": False, "message": f"refused: {words}"}]})

    app = Application(echo)
    options = {"smspoh": {"encrypt": True, "encryptKey": "kept-by-the-caller"}}

    app.send(request(home="smspoh", provider_options=options))

    assert [r.vendor_words for r in app.attempts.read("m-1")] == ["refused: […]"]


def test_outage_of_the_log_changes_no_message() -> None:
    def run(*, is_down: bool) -> tuple[list[str], Any, Any, Application]:
        app = Application(HttpResponse(status=429), nomsa_taken())
        app.attempts.is_down = is_down
        unfinished = app.send(request("m-1"), request("m-2"))
        return unfinished, app.store.messages, app.queue.wake_ups, app

    *down, app = run(is_down=True)
    *up, _ = run(is_down=False)

    assert down == up
    assert app.telemetry.counts["AttemptsNotRecorded", None] == 1
    assert ("warning", "attempts not recorded", {"error": "UnavailableError"}) in app.telemetry.lines


def test_invocation_without_time_records_nothing() -> None:
    def slow(_: HttpRequest) -> HttpResponse:
        app.clock.advance(seconds=24)
        return HttpResponse(status=500)

    app = Application(slow)

    app.send(request())

    assert (app.attempts.calls, app.message().status) == (0, Status.UNKNOWN)


def test_outcome_that_the_store_did_not_take_is_not_recorded() -> None:
    def answer(_: HttpRequest) -> HttpResponse:
        app.store.is_down = True
        return said(400, {"code": "malformed"})

    app = Application(answer)

    app.send(request())

    assert app.attempts.calls == 0


def test_message_that_was_refused_before_any_attempt_has_no_record() -> None:
    app = Application()

    app.send(request(recipient="0"))

    assert (app.attempts.calls, app.message().status) == (0, Status.FAILED)


def test_attempts_are_recorded_after_outcomes_and_wake_ups() -> None:
    seen: list[tuple[Status, int]] = []

    class LateLog(InMemoryAttempts):
        def add(self, records: Sequence[AttemptRecord], *, now: datetime) -> None:
            seen.append((app.message().status, len(app.queue.wake_ups)))

    app = Application(HttpResponse(status=429))
    app.attempts = LateLog()

    app.new_sender().handle([Record(record_id="r-1", body=request())], remaining=lambda: 30.0)

    assert seen == [(Status.QUEUED, 1)]
