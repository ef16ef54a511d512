"""The vendor simulators over real sockets on 127.0.0.1: every magic number, every refusal, every receipt."""

import base64
import http.client
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from local.simulators.ledger import text_sha256
from local.simulators.lifecycles import Lifecycle as Journey
from local.simulators.lifecycles import Stage, receipts_of, stage_at
from local.simulators.outcomes import OUTCOMES
from local.simulators.segments import segments
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.domain.webhook_token import webhook_token
from tests.template import ROOT

TEXT = "Your parcel is on its way"
FAST = Settings(
    webhook_token="t",
    sent_seconds=0.05,
    final_seconds=0.1,
    early_answer_seconds=0.05,
    slow_answer_seconds=0.05,
    hang_seconds=5.0,
    receipt_retry_seconds=0.02,
)
# All messages stay in their first stage.
FROZEN = Settings(webhook_token="t", sent_seconds=3600.0, final_seconds=7200.0, slow_answer_seconds=0.0)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def call(
    simulators: Simulators,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout: float = 5,
) -> Answer:
    port = urlsplit(simulators.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body or None, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read(), dict(response.getheaders()))
    finally:
        connection.close()


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOMSA_AUTH = {"Authorization": "Bearer local_v1_simulator"}
SMSNOC_AUTH = {"Authorization": "Bearer 1|local-simulator", "Accept": "application/json"}
SMSPOH_AUTH = {"Authorization": f"Bearer {base64.b64encode(b'local-key:local-secret').decode()}"}
NUSASMS_AUTH = {"user": "local-user", "password": "local-password", "output": "json"}


def send_nomsa(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {"body": TEXT, "recipient": recipient, "label": "mcs-otp", **changes}
    path = "/nomsa/v1/transactional/sms/send"
    headers = {**JSON, **NOMSA_AUTH}
    return call(simulators, "POST", path, headers=headers, body=written(fields), timeout=timeout)


def send_smsnoc(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {"recipient": recipient, "sender_id": "SampaiBD", "type": "plain", "message": TEXT, **changes}
    path = "/smsnoc/api/v3/sms/send"
    headers = {**JSON, **SMSNOC_AUTH}
    return call(simulators, "POST", path, headers=headers, body=written(fields), timeout=timeout)


def send_smspoh(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    sender = changes.pop("sender", "Sampai")
    fields = {"to": recipient, "message": TEXT, "from": sender, "clientReference": "ref-1", **changes}
    path = "/smspoh/api/rest/send"
    headers = {**JSON, **SMSPOH_AUTH}
    return call(simulators, "POST", path, headers=headers, body=written(fields), timeout=timeout)


def send_nusasms(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {**NUSASMS_AUTH, "SMSText": TEXT, "GSM": recipient, **changes}
    body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    return call(simulators, "POST", "/nusasms/api/v3/sendsms/plain", headers=FORM, body=body, timeout=timeout)


def written(fields: Mapping[str, Any]) -> bytes:
    """Write JSON; a field that is None is left out."""
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


@dataclass(frozen=True)
class Stand:
    """One vendor for the tests of magic numbers."""

    send: Callable[..., Answer]
    number: str
    is_taken: Callable[[Answer], bool]
    refusals: Mapping[str, tuple[int, str]]
    server_error: str


STANDS = {
    "nomsa": Stand(
        send_nomsa,
        "+855912345",
        lambda answer: answer.status == 201 and answer.document["accepted_at"] is not None,
        {"20": (429, "rate_limit"), "21": (400, "invalid_recipient"), "24": (403, "unauthorized")},
        "internal_server",
    ),
    "smsnoc": Stand(
        send_smsnoc,
        "88017449779",
        lambda answer: answer.document["status"] == "success" and len(answer.document["data"]["uid"]) == 13,
        {"20": (200, "Too Many Attempts."), "21": (403, "is a invalid phone"), "24": (403, "not enough balance")},
        "Server Error",
    ),
    "smspoh": Stand(
        send_smspoh,
        "+9597777770",
        lambda answer: answer.status == 201 and answer.document["messages"][0]["status"] == "Accepted",
        {"20": (429, "Rate limit"), "21": (201, "Invalid Phone Number"), "24": (201, "Insufficient balance")},
        "An internal server error occurred.",
    ),
    "nusasms": Stand(
        send_nusasms,
        "62812345678",
        lambda answer: answer.document["results"][0]["status"] == "0",
        {"20": (429, "Too Many Requests"), "21": (200, '"-13"'), "24": (200, '"-2"')},
        "Internal Server Error",
    ),
}
PLAIN_NUMBERS = ("00", "10", "11", "12", "13", "14", "26", "27", "28")
HTTP_FAULTS = {"18": (500, True), "19": (500, False), "22": (200, True), "23": (200, False)}
BROKEN = {"15": TimeoutError, "16": ConnectionResetError, "17": ConnectionResetError, "25": http.client.IncompleteRead}


@pytest.fixture
def frozen() -> Iterator[Simulators]:
    with Simulators(settings=FROZEN) as simulators:
        yield simulators


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as simulators:
        yield simulators


@pytest.fixture
def fast(shared: Simulators) -> Simulators:
    call(shared, "POST", "/_reset")
    call(shared, "POST", "/_config", body=json.dumps(FAST.shown()).encode())
    return shared


class Receiver:
    """A webhook that keeps the requests and answers with given statuses, then with 200."""

    def __init__(self) -> None:
        self.statuses: queue.Queue[int] = queue.Queue()
        self.arrived: queue.Queue[tuple[str, str, dict[str, Any]]] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                receiver.arrived.put(read_receipt(self.command, self.path, self.headers.get("Content-Type", ""), body))
                self.send_response(200 if receiver.statuses.empty() else receiver.statuses.get())
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Write nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def take(self, count: int) -> list[tuple[str, str, dict[str, Any]]]:
        return [self.arrived.get(timeout=5) for _ in range(count)]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


def read_receipt(method: str, target: str, content_type: str, body: bytes) -> tuple[str, str, dict[str, Any]]:
    parts = urlsplit(target)
    fields: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if content_type == "application/json":
        fields |= json.loads(body)
    else:
        fields |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    return f"{method} {content_type}".strip(), parts.path, fields


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def ledger(simulators: Simulators, vendor: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(simulators, "GET", f"/_ledger?vendor={vendor}").document
    return found


def until(condition: Callable[[], bool]) -> bool:
    """Repeat a check until it holds, a bounded number of times."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.01) for _ in range(500))


@pytest.mark.parametrize("vendor", STANDS)
@pytest.mark.parametrize("digits", PLAIN_NUMBERS)
def test_number_without_a_fault_is_accepted(fast: Simulators, vendor: str, digits: str) -> None:
    stand = STANDS[vendor]

    answer = stand.send(fast, stand.number + digits)

    assert stand.is_taken(answer)
    (entry,) = ledger(fast, vendor)
    assert entry["vendor"] == vendor
    assert entry["provider_message_id"].encode() in answer.body
    assert entry["recipient"].lstrip("+") == (stand.number + digits).lstrip("+")
    assert entry["text_sha256"] == text_sha256(TEXT)


@pytest.mark.parametrize("vendor", STANDS)
@pytest.mark.parametrize(("digits", "expected"), HTTP_FAULTS.items())
def test_server_error_or_page_hides_whether_the_message_was_accepted(
    fast: Simulators, vendor: str, digits: str, expected: tuple[int, bool]
) -> None:
    stand, (status, is_taken) = STANDS[vendor], expected

    answer = stand.send(fast, stand.number + digits)

    assert (answer.status, len(ledger(fast, vendor))) == (status, int(is_taken))
    assert (stand.server_error if status == 500 else "<!DOCTYPE html>").encode() in answer.body


@pytest.mark.parametrize("vendor", STANDS)
@pytest.mark.parametrize(("digits", "error"), BROKEN.items())
def test_broken_connection_hides_whether_the_message_was_accepted(
    fast: Simulators, vendor: str, digits: str, error: type[Exception]
) -> None:
    stand = STANDS[vendor]

    with pytest.raises(error):
        stand.send(fast, stand.number + digits, timeout=0.2)

    assert len(ledger(fast, vendor)) == (0 if digits == "17" else 1)


@pytest.mark.parametrize("vendor", STANDS)
@pytest.mark.parametrize("digits", ["20", "21", "24"])
def test_refusal_has_the_words_of_the_vendor_and_accepts_nothing(fast: Simulators, vendor: str, digits: str) -> None:
    stand = STANDS[vendor]

    answer = stand.send(fast, stand.number + digits)

    status, words = stand.refusals[digits]
    assert (answer.status, ledger(fast, vendor)) == (status, [])
    assert words.encode() in answer.body


@pytest.mark.parametrize("vendor", STANDS)
def test_throttled_number_gets_retry_after_and_is_accepted_the_second_time(fast: Simulators, vendor: str) -> None:
    stand = STANDS[vendor]

    first, second = (stand.send(fast, stand.number + "20") for _ in range(2))

    assert first.headers["Retry-After"] == "2"
    assert stand.is_taken(second)
    assert len(ledger(fast, vendor)) == 1


@pytest.mark.parametrize("vendor", STANDS)
@pytest.mark.parametrize(
    ("digits", "end"),
    [("10", "delivered"), ("11", "undelivered"), ("12", "accepted"), ("26", "delivered"), ("27", "delivered")],
)
def test_message_reaches_the_end_of_its_magic_number(fast: Simulators, vendor: str, digits: str, end: str) -> None:
    stand = STANDS[vendor]

    stand.send(fast, stand.number + digits)

    assert until(lambda: ledger(fast, vendor)[0]["status"] == end)


@pytest.mark.parametrize("vendor", STANDS)
def test_a_text_message_is_never_read(fast: Simulators, vendor: str) -> None:
    stand = STANDS[vendor]
    call(fast, "POST", "/_config", body=b'{"sent_seconds": 0, "final_seconds": 0}')

    stand.send(fast, stand.number + "27")

    assert ledger(fast, vendor)[0]["status"] == "delivered"


STRICT: list[tuple[str, Callable[[Simulators], Answer], int, str]] = [
    (
        "nomsa without a key",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms"),
        401,
        "unauthenticated",
    ),
    (
        "nomsa with a key of another shape",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms", headers={"Authorization": "Bearer localsimulator"}),
        401,
        "unauthenticated",
    ),
    (
        "nomsa with a form",
        lambda s: call(s, "POST", "/nomsa/v1/transactional/sms/send", headers={**FORM, **NOMSA_AUTH}, body=b"a=b"),
        400,
        "malformed",
    ),
    (
        "nomsa with broken JSON",
        lambda s: call(s, "POST", "/nomsa/v1/transactional/sms/send", headers={**JSON, **NOMSA_AUTH}, body=b"{"),
        400,
        "malformed",
    ),
    ("nomsa without a label", lambda s: send_nomsa(s, "+85591234510", label=None), 400, '\\"label\\" is required'),
    ("nomsa with a number as body", lambda s: send_nomsa(s, "+85591234510", body=1), 400, "must be a string"),
    ("nomsa with an unknown field", lambda s: send_nomsa(s, "+85591234510", to="x"), 400, "is not allowed"),
    ("nomsa with an unknown label", lambda s: send_nomsa(s, "+85591234510", label="x"), 400, "invalid_credentials"),
    ("nomsa without a plus", lambda s: send_nomsa(s, "85591234510"), 400, "invalid_recipient"),
    ("nomsa abroad", lambda s: send_nomsa(s, "+8801744977910"), 400, "invalid_recipient"),
    (
        "nomsa, an id that is no number",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms/abc", headers=NOMSA_AUTH),
        400,
        "api_validation",
    ),
    (
        "nomsa, an unknown id",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms/7", headers=NOMSA_AUTH),
        404,
        "Sms message with ID 7 not found.",
    ),
    (
        "nomsa, a list that is too long",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms?limit=101", headers=NOMSA_AUTH),
        400,
        "api_validation",
    ),
    (
        "nomsa, an unknown status",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms?status=LOST", headers=NOMSA_AUTH),
        400,
        "api_validation",
    ),
    (
        "nomsa, a time without a zone",
        lambda s: call(s, "GET", "/nomsa/v1/transactional/sms?created_at[gt]=2024-01-01T00:00:00", headers=NOMSA_AUTH),
        400,
        "api_validation",
    ),
    ("nomsa, an unknown path", lambda s: call(s, "GET", "/nomsa/v2/x", headers=NOMSA_AUTH), 404, '"not_found"'),
    (
        "smsnoc without Accept",
        lambda s: call(s, "GET", "/smsnoc/api/v3/sms", headers={"Authorization": "Bearer 1|local-simulator"}),
        302,
        "<!DOCTYPE html>",
    ),
    (
        "smsnoc without a token",
        lambda s: call(s, "GET", "/smsnoc/api/v3/sms", headers={"Accept": "application/json"}),
        200,
        "Unauthenticated.",
    ),
    (
        "smsnoc with a token of another shape",
        lambda s: call(
            s, "GET", "/smsnoc/api/v3/sms", headers={**SMSNOC_AUTH, "Authorization": "Bearer local-simulator"}
        ),
        200,
        "Unauthenticated.",
    ),
    (
        "smsnoc with a form",
        lambda s: call(s, "POST", "/smsnoc/api/v3/sms/send", headers={**FORM, **SMSNOC_AUTH}, body=b"recipient=1"),
        200,
        "The recipient field is required.",
    ),
    (
        "smsnoc without a sender",
        lambda s: send_smsnoc(s, "8801744977910", sender_id=None),
        200,
        "The sender id field is required.",
    ),
    ("smsnoc, another type", lambda s: send_smsnoc(s, "8801744977910", type="x"), 200, "valid sms type"),
    ("smsnoc, a long sender", lambda s: send_smsnoc(s, "8801744977910", sender_id="a" * 12), 200, "11 characters"),
    (
        "smsnoc, an unknown sender",
        lambda s: send_smsnoc(s, "8801744977910", sender_id="Other"),
        403,
        "is not authorized to send this message.",
    ),
    ("smsnoc, a short number", lambda s: send_smsnoc(s, "88017449779"), 403, "is a invalid phone number"),
    ("smsnoc abroad", lambda s: send_smsnoc(s, "31612345678"), 403, "has not been enabled for the region"),
    (
        "smsnoc, a schedule as RFC 3339",
        lambda s: send_smsnoc(s, "8801744977910", schedule_time="2099-12-20T07:00:00Z"),
        200,
        "does not match the format Y-m-d H:i.",
    ),
    (
        "smsnoc, more than a hundred numbers",
        lambda s: send_smsnoc(s, ",".join(f"88017449{n:05d}" for n in range(101))),
        200,
        "more than 100 SMS",
    ),
    (
        "smsnoc, an unknown uid",
        lambda s: call(s, "GET", "/smsnoc/api/v3/sms/609681630f78b", headers=SMSNOC_AUTH),
        200,
        "No query results for model",
    ),
    (
        "smsnoc, a bad date in the list",
        lambda s: call(s, "GET", "/smsnoc/api/v3/sms?start_date=yesterday", headers=SMSNOC_AUTH),
        422,
        "does not match the format Y-m-d H:i:s.",
    ),
    (
        "smsnoc, an unknown path",
        lambda s: call(s, "GET", "/smsnoc/api/v3/x", headers=SMSNOC_AUTH),
        200,
        "could not be found.",
    ),
    (
        "smspoh without credentials",
        lambda s: call(s, "GET", "/smspoh/api/rest/messages"),
        401,
        "Your request was made with invalid credentials.",
    ),
    (
        "smspoh with a pair that is not encoded",
        lambda s: call(
            s, "GET", "/smspoh/api/rest/messages", headers={"Authorization": "Bearer local-key:local-secret"}
        ),
        401,
        "Unauthorized",
    ),
    (
        "smspoh with a form",
        lambda s: call(s, "POST", "/smspoh/api/rest/send", headers={**FORM, **SMSPOH_AUTH}, body=b"to=1"),
        400,
        "missing or invalid parameters",
    ),
    ("smspoh without a text", lambda s: send_smspoh(s, "09777777010", message=None), 422, "Message cannot be blank."),
    ("smspoh, a long text", lambda s: send_smspoh(s, "09777777010", message="a" * 919), 422, "at most 918"),
    ("smspoh, a list of numbers", lambda s: send_smspoh(s, "x", to=["09777777010"]), 422, "To must be a string."),
    (
        "smspoh, a long reference",
        lambda s: send_smspoh(s, "09777777010", clientReference="r" * 51),
        422,
        "at most 50 characters.",
    ),
    ("smspoh, a word as a flag", lambda s: send_smspoh(s, "09777777010", test="yes"), 422, "Test must be a number."),
    (
        "smspoh, a receipt address that is none",
        lambda s: send_smspoh(s, "09777777010", deliveryReceiptUrl="here"),
        422,
        "is not a valid URL.",
    ),
    (
        "smspoh, a sender in another case",
        lambda s: send_smspoh(s, "09777777010", sender="SAMPAI"),
        201,
        '"status": false, "message": "Invalid Sender ID"',
    ),
    ("smspoh, a foreign number without a plus", lambda s: send_smspoh(s, "66912345610"), 201, "Invalid Phone Number"),
    (
        "smspoh, an odd limit",
        lambda s: call(s, "GET", "/smspoh/api/rest/messages?limit=30", headers=SMSPOH_AUTH),
        400,
        "missing or invalid parameters",
    ),
    (
        "smspoh, an unknown path",
        lambda s: call(s, "GET", "/smspoh/api/rest/messages/7", headers=SMSPOH_AUTH),
        404,
        "Page not found.",
    ),
    (
        "smspoh, another method",
        lambda s: call(s, "GET", "/smspoh/api/rest/send", headers=SMSPOH_AUTH),
        405,
        "Method Not Allowed",
    ),
    ("nusasms, a wrong password", lambda s: send_nusasms(s, "6281234567810", password="x"), 200, '"status": "-5"'),
    ("nusasms, no user", lambda s: send_nusasms(s, "6281234567810", user=None), 200, '"status": "-5"'),
    ("nusasms, no number", lambda s: send_nusasms(s, "", GSM=None), 200, '"status": "-13"'),
    ("nusasms with a plus", lambda s: send_nusasms(s, "+6281234567810"), 200, '"status": "-13"'),
    ("nusasms, a list", lambda s: send_nusasms(s, "6281234567810,6281234567811"), 200, '"status": "-13"'),
    ("nusasms abroad", lambda s: send_nusasms(s, "8801744977910"), 200, '"status": "-3"'),
    ("nusasms, no text", lambda s: send_nusasms(s, "6281234567810", SMSText=None), 200, '"status": "-12"'),
    ("nusasms, a long text", lambda s: send_nusasms(s, "6281234567810", SMSText="a" * 161), 200, '"status": "-14"'),
    (
        "nusasms in XML unless asked for JSON",
        lambda s: send_nusasms(s, "6281234567810", password="x", output=None),
        200,
        "<status>-5</status>",
    ),
    (
        "nusasms with JSON",
        lambda s: call(s, "POST", "/nusasms/api/v3/sendsms/plain", headers=JSON, body=written(NUSASMS_AUTH)),
        422,
        "value_error.missing",
    ),
    (
        "nusasms, the path of the heading",
        lambda s: call(s, "POST", "/nusasms/sms/v3/sendsms/plain", headers=FORM, body=b"user=x"),
        404,
        '{"detail": "Not Found"}',
    ),
]


@pytest.mark.parametrize(
    ("attempt", "status", "words"), [case[1:] for case in STRICT], ids=[case[0] for case in STRICT]
)
def test_invalid_send_is_refused_in_the_words_of_the_vendor(
    shared: Simulators, attempt: Callable[[Simulators], Answer], status: int, words: str
) -> None:
    call(shared, "POST", "/_reset")

    answer = attempt(shared)

    assert (answer.status, words in answer.body.decode()) == (status, True), answer.body
    assert call(shared, "GET", "/_ledger").document == []


def test_nomsa_answers_with_the_documented_object(frozen: Simulators) -> None:
    sent = send_nomsa(frozen, "+85591234510").document
    seen = call(frozen, "GET", f"/nomsa/v1/transactional/sms/{sent['id']}", headers=NOMSA_AUTH).document

    assert sent == {
        "id": sent["id"],
        "credentialsLabel": "mcs-otp",
        "recipient": "+85591234510",
        "body": TEXT,
        "message_id": sent["message_id"],
        "created_at": sent["created_at"],
        "updated_at": sent["updated_at"],
        "status": "SENT",
        "error_code": None,
        "accepted_at": sent["accepted_at"],
        "sent_at": None,
        "delivered_at": None,
        "errored_at": None,
    }
    assert seen == {**sent, "status": "UNSENT"}
    assert (sent["id"].isdecimal(), sent["message_id"][:4]) == (True, "MTPC")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", sent["accepted_at"])


def test_nomsa_accepts_only_ten_demo_messages(frozen: Simulators) -> None:
    answers = [send_nomsa(frozen, "+85591234510", label="nomsa-sms-demo") for _ in range(11)]

    assert [answer.status for answer in answers] == [201] * 10 + [429]
    first = answers[0].document
    assert (first["status"], first["recipient"]) == ("UNSENT", "85591234510")
    assert first["remainingMessage"] == "You have SMS demo 9 left"
    assert answers[10].document == {
        "code": "rate_limit",
        "message": "You are reach out of SMS demo rate limit, Please contact Nomsa team For more information",
    }
    assert "Retry-After" not in answers[10].headers


@pytest.mark.parametrize("digits", ["19", "21"])
def test_nomsa_lists_a_row_that_it_never_accepted(frozen: Simulators, digits: str) -> None:
    send_nomsa(frozen, f"+855912345{digits}")

    (row,) = call(frozen, "GET", "/nomsa/v1/transactional/sms", headers=NOMSA_AUTH).document["data"]

    assert (row["status"], row["message_id"], row["accepted_at"]) == ("UNSENT", None, None)


LISTS = {
    "nomsa": ("/nomsa/v1/transactional/sms", NOMSA_AUTH),
    "smsnoc": ("/smsnoc/api/v3/sms", SMSNOC_AUTH),
    "smspoh": ("/smspoh/api/rest/messages", SMSPOH_AUTH),
}


@pytest.mark.parametrize("vendor", LISTS)
def test_unlisted_message_is_not_in_the_list(frozen: Simulators, vendor: str) -> None:
    path, auth = LISTS[vendor]
    STANDS[vendor].send(frozen, STANDS[vendor].number + "28")
    STANDS[vendor].send(frozen, STANDS[vendor].number + "10")
    unlisted, listed = (row["provider_message_id"] for row in ledger(frozen, vendor))

    said = call(frozen, "GET", path, headers=auth).body.decode()

    assert (unlisted in said, listed in said) == (False, True)


@pytest.mark.parametrize("vendor", ["nomsa", "smsnoc"])
def test_unlisted_message_is_found_by_its_id(frozen: Simulators, vendor: str) -> None:
    path, auth = LISTS[vendor]
    STANDS[vendor].send(frozen, STANDS[vendor].number + "28")
    (row,) = ledger(frozen, vendor)

    assert (
        row["provider_message_id"]
        in call(frozen, "GET", f"{path}/{row['provider_message_id']}", headers=auth).body.decode()
    )


def test_nomsa_lists_by_page_order_status_and_time(frozen: Simulators) -> None:
    def listed(query: str) -> tuple[bool, list[str]]:
        document = call(frozen, "GET", f"/nomsa/v1/transactional/sms?{query}", headers=NOMSA_AUTH).document
        return document["has_more"], [row["id"] for row in document["data"]]

    sent = [send_nomsa(frozen, "+85591234510").document for _ in range(12)]
    newest_first = [row["id"] for row in reversed(sent)]

    assert listed("") == (True, newest_first[:10])
    assert listed("offset=10") == (False, newest_first[10:])
    assert listed("limit=5&offset=2") == (True, newest_first[2:7])
    assert listed("limit=100&sort_by=%2Bcreated_at") == (False, newest_first[::-1])
    assert listed("limit=100&sort_by=+created_at") == (False, newest_first)
    assert listed("limit=100&status=unsent") == (False, newest_first)
    assert listed("status=DELIVERED") == (False, [])
    assert listed("created_at[gt]=2099-01-01T00:00:00.000Z") == (False, [])
    assert listed("limit=100&created_at[gte]=2020-01-01T00:00:00.000Z&created_at[lt]=2099-01-01T00:00:00Z") == (
        False,
        newest_first,
    )


def test_smsnoc_answers_delivered_at_once_and_shows_the_stage_in_the_view(frozen: Simulators) -> None:
    sent = send_smsnoc(frozen, "+880 1744-977910").document

    uid = sent["data"]["uid"]
    fields = {"uid": uid, "to": "8801744977910", "from": "SampaiBD", "message": TEXT, "cost": "1", "sms_count": 1}
    assert sent == {
        "status": "success",
        "message": "Your message was successfully delivered",
        "data": {**fields, "status": "Delivered"},
    }
    assert call(frozen, "GET", f"/smsnoc/api/v3/sms/{uid}", headers=SMSNOC_AUTH).document == {
        "status": "success",
        "message": None,
        "data": {**fields, "status": "Accepted", "sms_type": "plain", "direction": "outgoing"},
    }


def test_smsnoc_drops_duplicates_of_a_list_and_names_the_failed_numbers(frozen: Simulators) -> None:
    answer = send_smsnoc(frozen, "8801744977910,8801744977910,88012,8801744977921").document

    assert answer["status"] == "success"
    assert [row["to"] for row in answer["data"]] == ["8801744977910"]
    assert answer["message"] == "88012 is a invalid phone number 8801744977921 is a invalid phone number"
    assert [entry["recipient"] for entry in ledger(frozen, "smsnoc")] == ["8801744977910"]


def test_smsnoc_keeps_a_schedule_for_a_list_only(frozen: Simulators) -> None:
    one = send_smsnoc(frozen, "8801744977910", schedule_time="2099-12-20 07:00").document
    many = send_smsnoc(frozen, "8801744977910,8801744977926", schedule_time="2099-12-20 07:00").document

    assert one["data"]["status"] == "Delivered"
    assert many == {"status": "success", "message": "Message is scheduled successfully.", "data": None}
    rows = frozen.world.ledger.rows("smsnoc")
    assert [row.starts_at > row.created_at for row in rows] == [False, True, True]


def test_smsnoc_pages_its_list_as_laravel_does(frozen: Simulators) -> None:
    def page(query: str) -> dict[str, Any]:
        document = call(frozen, "GET", f"/smsnoc/api/v3/sms?{query}", headers=SMSNOC_AUTH).document
        assert document["message"] == "SMS data fetched successfully"
        found: dict[str, Any] = document["data"]
        return found

    uids = [send_smsnoc(frozen, "8801744977910").document["data"]["uid"] for _ in range(27)]

    first, second, third = page(""), page("page=2"), page("page=3")
    assert [row["uid"] for row in first["data"] + second["data"] + third["data"]] == uids[::-1]
    assert {name: second[name] for name in ("current_page", "from", "to", "total", "per_page", "last_page")} == {
        "current_page": 2,
        "from": 26,
        "to": 27,
        "total": 27,
        "per_page": 25,
        "last_page": 2,
    }
    path = f"{frozen.url}/smsnoc/api/v3/sms"
    assert (first["next_page_url"], second["prev_page_url"]) == (f"{path}?page=2", f"{path}?page=1")
    assert (second["next_page_url"], third["from"]) == (None, None)
    assert page("start_date=2020-01-01%2000:00:00&end_date=2020-01-02%2000:00:00")["total"] == 0
    assert page("direction=incoming")["total"] == 0


def test_smspoh_answers_with_the_documented_object(frozen: Simulators) -> None:
    (message,) = send_smspoh(frozen, "09777777010", test=True).document["messages"]

    assert message == {
        "messageId": message["messageId"],
        "message": TEXT,
        "to": "959777777010",
        "clientReference": "ref-1",
        "scheduledAt": None,
        "createdAt": message["createdAt"],
        "messageCount": 1,
        "from": "Sampai",
        "network": message["network"],
        "type": "sms.text",
        "status": "Accepted",
        "test": True,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", message["createdAt"])


@pytest.mark.parametrize(
    ("written_as", "kept_as"),
    [("09777777010", "959777777010"), ("959777777010", "959777777010"), ("+66912345610", "66912345610")],
)
def test_smspoh_takes_local_and_international_numbers(frozen: Simulators, written_as: str, kept_as: str) -> None:
    assert send_smspoh(frozen, written_as).document["messages"][0]["to"] == kept_as


@pytest.mark.parametrize("encrypt", [True, 1])
def test_smspoh_shows_the_key_of_an_encrypted_message_once(frozen: Simulators, encrypt: object) -> None:
    (message,) = send_smspoh(frozen, "09777777010", encrypt=encrypt, encryptKey="k").document["messages"]
    (listed,) = call(frozen, "GET", "/smspoh/api/rest/messages", headers=SMSPOH_AUTH).document["messages"]

    assert (message["encryptMessage"], message["encryptKey"], message["message"] == TEXT) == (True, "k", False)
    assert {"encryptMessage", "encryptKey"} & listed.keys() == set()
    assert listed["message"] == message["message"]
    assert ledger(frozen, "smspoh")[0]["text_sha256"] == text_sha256(TEXT)


def test_smspoh_answers_a_bulk_in_its_order_with_the_failures_in_their_places(frozen: Simulators) -> None:
    messages = [
        {"to": ["09777777010", "12"], "message": "a", "from": "Sampai"},
        {"to": "09777777024", "message": "b", "from": "Sampai"},
        {"to": "09777777026", "message": "c", "from": "Sampai", "clientReference": "r"},
    ]
    headers = {**JSON, **SMSPOH_AUTH}

    answer = call(frozen, "POST", "/smspoh/api/rest/send/bulk", headers=headers, body=written({"messages": messages}))

    assert [(entry["to"], entry["status"], entry["message"]) for entry in answer.document["messages"]] == [
        ("959777777010", "Accepted", "a"),
        ("12", False, "Invalid Phone Number"),
        ("959777777024", False, "Insufficient balance"),
        ("959777777026", "Accepted", "c"),
    ]
    assert [entry["reference"] for entry in ledger(frozen, "smspoh")] == ["", "r"]


def test_smspoh_pages_its_history_as_yii_does(frozen: Simulators) -> None:
    def page(query: str) -> dict[str, Any]:
        found: dict[str, Any] = call(frozen, "GET", f"/smspoh/api/rest/messages?{query}", headers=SMSPOH_AUTH).document
        return found

    ids = [send_smspoh(frozen, "09777777010").document["messages"][0]["messageId"] for _ in range(21)]

    first, second, beyond = page(""), page("page=2"), page("page=9")
    index = f"{frozen.url}/smspoh/api/rest/messages/index"
    assert [row["messageId"] for row in first["messages"] + second["messages"]] == ids[::-1]
    assert first["links"] == {
        "self": f"{index}?page=1",
        "first": f"{index}?page=1",
        "last": f"{index}?page=2",
        "next": f"{index}?page=2",
    }
    assert second["links"] == {
        "self": f"{index}?page=2",
        "first": f"{index}?page=1",
        "last": f"{index}?page=2",
        "prev": f"{index}?page=1",
    }
    assert (second["limit"], second["records"], second["start"]) == (20, 21, 20)
    assert beyond == second
    assert second["messages"][0]["finishedAt"] is None
    assert (page("to=959777777010")["records"], page("to=09777777010")["records"]) == (21, 0)
    assert page("filterByCreatedDateTo=2020-01-01")["records"] == 0


def test_nusasms_answers_in_xml_unless_asked_for_json(frozen: Simulators) -> None:
    as_xml = send_nusasms(frozen, "6281234567810", output=None)
    as_json = send_nusasms(frozen, "6281234567810").document

    first, second = (entry["provider_message_id"] for entry in ledger(frozen, "nusasms"))
    assert as_json == {"results": [{"status": "0", "messageid": second, "destination": "6281234567810"}]}
    assert as_xml.headers["Content-Type"].startswith("text/xml")
    assert re.sub(rb">\s+<", b"><", as_xml.body).decode().strip() == (
        '<?xml version="1.0" encoding="UTF-8"?><results><result><status>0</status>'
        f"<messageid>{first}</messageid><destination>6281234567810</destination></result></results>"
    )
    assert (len(first), first[0]) == (18, "0")


def test_nusasms_takes_its_parameters_from_query_form_and_multipart(frozen: Simulators) -> None:
    fields = {**NUSASMS_AUTH, "SMSText": "é", "GSM": "6281234567810"}
    path = "/nusasms/api/v3/sendsms/plain"
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}

    answers = [
        call(frozen, "POST", f"{path}?{urlencode(fields)}"),
        call(frozen, "GET", f"{path}?{urlencode(fields)}"),
        call(frozen, "POST", path, headers=FORM, body=urlencode(fields).encode()),
        call(frozen, "POST", path, headers=multipart, body=f"{parts}--b--\r\n".encode()),
    ]

    assert [answer.document["results"][0]["status"] for answer in answers] == ["0"] * 4
    assert {entry["text_sha256"] for entry in ledger(frozen, "nusasms")} == {text_sha256("é")}


def test_nusasms_can_refuse_a_password_without_its_mark(frozen: Simulators) -> None:
    call(frozen, "POST", "/_config", body=b'{"nusasms_refuses_unmarked_otp": true}')

    codes = [
        send_nusasms(frozen, "6281234567810", SMSText=text, otp=otp).document["results"][0]["status"]
        for text, otp in [("Kode OTP anda 123456", None), ("Kode OTP anda 123456", "Y"), (TEXT, None)]
    ]

    assert codes == ["-10", "0", "0"]


def test_smspoh_receipts_come_in_three_dialects_and_two_vocabularies(fast: Simulators, receiver: Receiver) -> None:
    seen: list[list[tuple[str, str]]] = []
    for _ in range(6):
        send_smspoh(fast, "09777777010", deliveryReceiptUrl=f"{receiver.url}/own?k=v")
        arrived = sorted(receiver.take(2), key=lambda item: str(item[2]["finishedAt"] or ""))
        seen.append([(dialect, fields["status"]) for dialect, _, fields in arrived])
        last = arrived[-1]

        assert last[1] == "/own"
        assert last[2] == {
            "k": "v",
            "messageId": ledger(fast, "smspoh")[-1]["provider_message_id"],
            "to": "959777777010",
            "clientReference": "ref-1",
            "status": last[2]["status"],
            "updatedAt": last[2]["updatedAt"],
            "finishedAt": ("updatedAt=" if last[0] == "GET" else "") + last[2]["updatedAt"],
        }

    form, as_query, as_json = "POST application/x-www-form-urlencoded", "GET", "POST application/json"
    assert seen == [
        [(form, "Sent"), (form, "Success")],
        [(as_query, "Pending"), (as_query, "Delivered")],
        [(as_json, "Sent"), (as_json, "Success")],
        [(form, "Pending"), (form, "Delivered")],
        [(as_query, "Sent"), (as_query, "Success")],
        [(as_json, "Pending"), (as_json, "Delivered")],
    ]


def test_receipts_without_their_own_address_go_to_that_of_the_account(fast: Simulators, receiver: Receiver) -> None:
    call(fast, "POST", "/_config", body=json.dumps({"webhook_base": receiver.url}).encode())

    send_smspoh(fast, "09777777010")
    smspoh = receiver.take(2)
    send_nusasms(fast, "6281234567811")
    nusasms = receiver.take(2)

    assert {path for _, path, _ in smspoh} == {f"/webhooks/smspoh/receipt/{webhook_token('t', 'smspoh')}"}
    assert [(dialect, path) for dialect, path, _ in nusasms] == [
        ("GET", f"/webhooks/nusasms/sms-receipt/{webhook_token('t', 'nusasms')}")
    ] * 2
    last = nusasms[-1][2]
    assert last == {
        "ref_no": ledger(fast, "nusasms")[0]["provider_message_id"],
        "status": "F",
        "sent_date": last["sent_date"],
        "err_code": "27",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", last["sent_date"])


@pytest.mark.parametrize(("digits", "letters"), [("10", ["S", "D"]), ("11", ["S", "F"]), ("13", ["D", "S", "Q", "D"])])
def test_receipts_have_the_order_of_the_magic_number(
    fast: Simulators, receiver: Receiver, digits: str, letters: list[str]
) -> None:
    changes = {"webhook_base": receiver.url, "sent_seconds": 0.05, "final_seconds": 0.35}
    call(fast, "POST", "/_config", body=json.dumps(changes).encode())

    send_nusasms(fast, f"62812345678{digits}")

    assert [fields["status"] for _, _, fields in receiver.take(len(letters))] == letters


def test_early_receipt_arrives_before_the_answer(frozen: Simulators, receiver: Receiver) -> None:
    call(frozen, "POST", "/_config", body=json.dumps({"webhook_base": receiver.url}).encode())

    send_nusasms(frozen, "6281234567814")

    assert [fields["status"] for _, _, fields in list(receiver.arrived.queue)] == ["S", "D"]


def test_a_silent_message_sends_no_receipt(fast: Simulators, receiver: Receiver) -> None:
    call(fast, "POST", "/_config", body=json.dumps({"webhook_base": receiver.url}).encode())

    send_nusasms(fast, "6281234567812")
    send_nusasms(fast, "6281234567810")

    numbers = [entry["provider_message_id"] for entry in ledger(fast, "nusasms")]
    assert [fields["ref_no"] for _, _, fields in receiver.take(2)] == [numbers[1]] * 2


def test_receipt_is_retried_a_bounded_number_of_times(fast: Simulators, receiver: Receiver) -> None:
    call(fast, "POST", "/_config", body=json.dumps({"webhook_base": receiver.url}).encode())
    for status in (503, 503, 202, 200):
        receiver.statuses.put(status)
    call(fast, "POST", "/_config", body=b'{"sent_seconds": 0.05, "final_seconds": 3600}')

    send_nusasms(fast, "6281234567810")

    assert [fields["status"] for _, _, fields in receiver.take(3)] == ["S", "S", "S"]
    assert until(lambda: call(fast, "GET", "/_calls").document["nusasms"].get("receipt_failed") == 3)
    assert receiver.statuses.qsize() == 1


def test_receipts_never_leave_this_computer(fast: Simulators) -> None:
    send_smspoh(fast, "09777777014", deliveryReceiptUrl="http://vendor.example/receipt")

    assert call(fast, "GET", "/_calls").document["smspoh"] == {"send": 1, "receipt_failed": 2}


def test_a_polled_status_goes_backwards_for_a_scrambled_message(fast: Simulators) -> None:
    call(fast, "POST", "/_config", body=b'{"sent_seconds": 0, "final_seconds": 0.1}')
    nomsa_id = send_nomsa(fast, "+85591234513").document["id"]
    uid = send_smsnoc(fast, "8801744977913").document["data"]["uid"]

    nomsa = [
        call(fast, "GET", f"/nomsa/v1/transactional/sms/{nomsa_id}", headers=NOMSA_AUTH).document["status"]
        for _ in range(3)
    ]
    smsnoc = [
        call(fast, "GET", f"/smsnoc/api/v3/sms/{uid}", headers=SMSNOC_AUTH).document["data"]["status"] for _ in range(3)
    ]

    assert nomsa == ["DELIVERED", "SENT", "DELIVERED"]
    assert smsnoc == ["Delivered", "Enroute", "Delivered"]


def test_undelivered_message_has_an_error_code_at_nomsa(fast: Simulators) -> None:
    call(fast, "POST", "/_config", body=b'{"sent_seconds": 0, "final_seconds": 0}')
    sms_id = send_nomsa(fast, "+85591234511").document["id"]

    row = call(fast, "GET", f"/nomsa/v1/transactional/sms/{sms_id}", headers=NOMSA_AUTH).document

    assert (row["status"], row["error_code"], row["errored_at"] is None) == ("ERROR", "30003", False)


def test_calls_are_counted_by_vendor_and_operation(frozen: Simulators) -> None:
    send_nomsa(frozen, "+85591234510")
    send_nomsa(frozen, "+85591234521")
    call(frozen, "GET", "/smsnoc/api/v3/balance", headers=SMSNOC_AUTH)
    call(frozen, "GET", "/smspoh/x")

    assert call(frozen, "GET", "/_calls").document == {
        "nomsa": {"send": 2},
        "smsnoc": {"balance": 1},
        "smspoh": {"unknown": 1},
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sent_seconds": 2}, 200),
        ({"nomsa_labels": ["a"]}, 200),
        ({"sent_seconds": -1}, 400),
        ({"sent_seconds": "soon"}, 400),
        ({"nomsa_labels": "a"}, 400),
        ({"unknown": 1}, 400),
        (["sent_seconds"], 400),
    ],
)
def test_settings_change_while_running_or_are_refused_completely(frozen: Simulators, changes: Any, status: int) -> None:
    answer = call(frozen, "POST", "/_config", body=json.dumps(changes).encode())

    shown = call(frozen, "GET", "/_config").document
    assert answer.status == status
    assert shown == {**json.loads(json.dumps(FROZEN.shown())), **(changes if status == 200 else {})}
    assert "webhook_token" not in shown


def test_reset_deletes_messages_and_repeats_no_id(frozen: Simulators) -> None:
    before = send_nusasms(frozen, "6281234567810").document["results"][0]["messageid"]
    call(frozen, "POST", "/_reset")
    after = send_nusasms(frozen, "6281234567810").document["results"][0]["messageid"]

    assert [entry["provider_message_id"] for entry in ledger(frozen, "nusasms")] == [after]
    assert after > before


def test_submissions_include_refused_messages_but_not_those_of_refused_callers(frozen: Simulators) -> None:
    send_nomsa(frozen, "+85591234510")
    send_nusasms(frozen, "6281234567821")
    send_nusasms(frozen, "6281234567810", password="x")

    rows = call(frozen, "GET", "/_submissions").document
    call(frozen, "POST", "/_reset")

    assert rows == [
        {"vendor": "nomsa", "recipient": "+85591234510", "text_sha256": text_sha256(TEXT)},
        {"vendor": "nusasms", "recipient": "6281234567821", "text_sha256": text_sha256(TEXT)},
    ]
    assert call(frozen, "GET", "/_submissions").document == []


def test_ledger_with_a_state_file_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "ledger"
    kept = []
    for _ in range(2):
        with Simulators(settings=FROZEN, state=state) as simulators:
            send_smspoh(simulators, "09777777010")
            kept.append(ledger(simulators, "smspoh"))

    assert kept[1][:1] == kept[0]
    assert len(kept[1]) == 2


def test_stop_releases_a_waiting_client() -> None:
    broken = queue.Queue[Exception]()
    with Simulators(settings=FROZEN) as simulators:

        def wait_for_an_answer() -> None:
            try:
                send_nomsa(simulators, "+85591234515")
            except OSError as error:
                broken.put(error)

        thread = threading.Thread(target=wait_for_an_answer)
        thread.start()
        assert until(lambda: len(ledger(simulators, "nomsa")) == 1)

    thread.join(5)
    assert isinstance(broken.get(timeout=1), ConnectionError)


def test_table_for_users_has_exactly_the_magic_numbers() -> None:
    page = ROOT / "docs" / "reference" / "magic-numbers.md"
    section = page.read_text(encoding="utf-8").partition("## Numbers to use")[0]

    rows = re.findall(r"^\| (\d\d) \| ([^|]+) \|", section, re.MULTILINE)

    assert dict(rows) == {digits: outcome.name for digits, outcome in OUTCOMES.items()}


@pytest.mark.parametrize(
    ("journey", "receipts"),
    [
        (Journey.DELIVERED, [(1.0, Stage.SENT), (4.0, Stage.DELIVERED)]),
        (Journey.UNDELIVERED, [(1.0, Stage.SENT), (4.0, Stage.UNDELIVERED)]),
        (Journey.SILENT, []),
        (Journey.EARLY, [(0, Stage.SENT), (0, Stage.DELIVERED)]),
        (
            Journey.READ,
            [(1.0, Stage.SENT), (2.5, Stage.DELIVERED), (4.0, Stage.READ)],
        ),
        (
            Journey.SCRAMBLED,
            [(1.0, Stage.DELIVERED), (2.0, Stage.SENT), (3.0, Stage.ACCEPTED), (4.0, Stage.DELIVERED)],
        ),
    ],
)
def test_each_lifecycle_has_its_receipts(journey: Journey, receipts: list[tuple[float, Stage]]) -> None:
    steps = receipts_of(journey, sent_seconds=1.0, final_seconds=4.0)

    assert [(step.after_seconds, step.stage) for step in steps] == receipts


@pytest.mark.parametrize(
    ("journey", "stages"),
    [
        (Journey.DELIVERED, ["accepted", "sent", "sent", "delivered"]),
        (Journey.UNDELIVERED, ["accepted", "sent", "sent", "undelivered"]),
        (Journey.SILENT, ["accepted", "accepted", "accepted", "accepted"]),
        (Journey.EARLY, ["delivered", "delivered", "delivered", "delivered"]),
        (Journey.SCRAMBLED, ["accepted", "delivered", "delivered", "delivered"]),
        (Journey.READ, ["accepted", "sent", "delivered", "read"]),
    ],
)
def test_poll_sees_the_stage_at_its_time(journey: Journey, stages: list[str]) -> None:
    ages = (0.0, 1.0, 2.0, 3.0)

    seen = [stage_at(journey, age, reads=0, sent_seconds=1.0, final_seconds=3.0).value for age in ages]

    assert seen == stages


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("ក" * 70, 1), ("ក" * 71, 2), ("", 1)],
)
def test_text_is_counted_in_segments(text: str, count: int) -> None:
    assert segments(text) == count
