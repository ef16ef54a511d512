"""The API of Nomsa. The rows are those of its "Programmatic SMS API", with its placeholders filled in."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListedMessage, ListPage, Window
from tests.conformance.case import Answer, ListAnswer, LookupAnswer, ProviderCases, Refusal, Send

BASE = "https://nomsa.example/v1"
AUTH = {"Authorization": "Bearer not-a-real-key"}
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

MESSAGE = Message(
    message_id="otp-4711",
    status=Status.SENDING,
    recipient="+85591234511",
    content=Text(text="Your code is 1234"),
    created_at=T0,
    updated_at=T0,
    occurred_at=T0,
)
KHMER = Message(
    message_id="otp-4712",
    status=Status.SENDING,
    recipient="+85591234511",
    sender="credential-name",
    content=Text(text='សួស្តី "1234"\n😀'),
    created_at=T0,
    updated_at=T0,
    occurred_at=T0,
)
DEMO = Message(
    message_id="otp-4713",
    status=Status.SENDING,
    recipient="+8559123511",
    sender="nomsa-sms-demo",
    content=Text(text="Demo OTP: 1234"),
    created_at=T0,
    updated_at=T0,
    occurred_at=T0,
)

SENT_ROW: dict[str, Any] = {
    "id": "26",
    "credentialsLabel": "credentail-name",
    "recipient": "+8559123511",
    "body": "Greeting from DGC",
    "message_id": "MTPCXua0l_66aGE8j2zlrftKuPhPwXHkW2",
    "created_at": "2023-10-04T04:33:56.247Z",
    "updated_at": "2023-10-04T04:33:56.615Z",
    "status": "SENT",
    "error_code": None,
    "accepted_at": "2023-10-04T04:33:56.615Z",
    "sent_at": None,
    "delivered_at": None,
    "errored_at": None,
}
BARE_ROW = {**SENT_ROW, "id": "28", "message_id": None, "status": "UNSENT", "accepted_at": None}
DEMO_ROW = {
    "id": "145",
    "credentialsLabel": "nomsa-sms-demo",
    "recipient": "855961234567",
    "body": "Demo OTP: 1234",
    "message_id": "NOMSA-TEST@IwSs5KCQMNBUQNEnh-93CptNyqBBOm",
    "created_at": "2024-01-18T07:26:55.989Z",
    "updated_at": "2024-01-18T07:26:56.775Z",
    "status": "UNSENT",
    "error_code": None,
    "accepted_at": "2024-01-18T07:26:56.774Z",
    "sent_at": None,
    "delivered_at": None,
    "errored_at": None,
    "remainingMessage": "You have SMS demo 9 left",
}
ACCEPTED_AT = datetime(2023, 10, 4, 4, 33, 56, 615000, tzinfo=UTC)
CREATED_AT = datetime(2023, 10, 4, 4, 33, 56, 247000, tzinfo=UTC)
LATER_TEXT = "2023-10-04T04:34:10.000Z"
LATER = datetime(2023, 10, 4, 4, 34, 10, tzinfo=UTC)


def json_response(status: int, document: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def error(status: int, code: str, message: str) -> HttpResponse:
    return json_response(status, {"code": code, "message": message})


def in_7_seconds(response: HttpResponse) -> HttpResponse:
    return replace(response, headers={"retry-after": "7"})


def refused(reason: Reason, code: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code)


def account_failure(code: str) -> NotTaken:
    return NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code=code)


ANSWERS = (
    Answer(
        title="a real send is SENT, and accepted",
        response=json_response(201, SENT_ROW),
        outcome=Taken(provider_message_id="26", provider_status="SENT"),
    ),
    Answer(
        title="a demo send is UNSENT with accepted_at and the remaining count, and accepted",
        response=json_response(201, DEMO_ROW),
        outcome=Taken(provider_message_id="145", provider_status="UNSENT"),
    ),
    Answer(
        title="the last demo message is accepted like the first",
        response=json_response(200, {**DEMO_ROW, "remainingMessage": "You have SMS demo 0 left"}),
        outcome=Taken(provider_message_id="145", provider_status="UNSENT"),
    ),
    Answer(
        title="a success is 2xx with an id, with any times",
        response=json_response(202, BARE_ROW),
        outcome=Taken(provider_message_id="28", provider_status="UNSENT"),
    ),
    Answer(
        title="a word that could contain a phone number is not stored",
        response=json_response(201, {**SENT_ROW, "status": "SENT TO 85591234511"}),
        outcome=Taken(provider_message_id="26", provider_status=None),
    ),
    Answer(title="no id", response=json_response(201, {"status": "SENT"}), outcome=Unknown(why="")),
    Answer(title="an empty id", response=json_response(201, {**SENT_ROW, "id": ""}), outcome=Unknown(why="")),
    Answer(title="a number as an id", response=json_response(201, {**SENT_ROW, "id": 26}), outcome=Unknown(why="")),
    Answer(
        title="an id that is too long for a key",
        response=json_response(201, {**SENT_ROW, "id": "9" * 201}),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="an error with HTTP 200", response=error(200, "rate_limit", "Too many requests"), outcome=Unknown(why="")
    ),
    Answer(
        title="an invalid number",
        response=error(400, "invalid_recipient", "Phone number +85591234511 is invalid"),
        outcome=refused(Reason.INVALID_RECIPIENT, "invalid_recipient"),
    ),
    Answer(
        title="an unknown label",
        response=error(400, "invalid_credentials", "User credential cannot be found"),
        outcome=refused(Reason.INVALID_SENDER, "invalid_credentials"),
    ),
    Answer(
        title="an invalid label",
        response=error(400, "invalid_credential_label", "Invalid label"),
        outcome=refused(Reason.INVALID_SENDER, "invalid_credential_label"),
    ),
    Answer(
        title="an invalid field",
        response=error(400, "api_validation", '"body" is required'),
        outcome=refused(Reason.INVALID_CONTENT, "api_validation"),
    ),
    Answer(
        title="invalid parameters",
        response=error(400, "invalid_parameters", "Invalid parameters"),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_parameters"),
    ),
    Answer(
        title="an invalid text",
        response=error(400, "invalid_template", "Message is empty"),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_template"),
    ),
    Answer(
        title="an unreadable body",
        response=error(400, "malformed", "Malformed request body"),
        outcome=refused(Reason.PROVIDER_ERROR, "malformed"),
    ),
    Answer(
        title="an undocumented code",
        response=error(400, "brand_new", "Something"),
        outcome=refused(Reason.PROVIDER_ERROR, "brand_new"),
    ),
    Answer(
        title="a code that could contain a phone number is not stored",
        response=error(400, "bad-85591234511", "Something"),
        outcome=refused(Reason.PROVIDER_ERROR, "400"),
    ),
    Answer(
        title="400 without a readable error",
        response=HttpResponse(status=400, body=b"<html>Bad Request</html>"),
        outcome=refused(Reason.PROVIDER_ERROR, "400"),
    ),
    Answer(
        title="400 with a list",
        response=json_response(400, ["invalid_recipient"]),
        outcome=refused(Reason.PROVIDER_ERROR, "400"),
    ),
    Answer(
        title="a wrong key",
        response=error(401, "unauthenticated", "Unauthenticated request. Please try again."),
        outcome=account_failure("unauthenticated"),
    ),
    Answer(title="an empty 401", response=HttpResponse(status=401), outcome=account_failure("401")),
    Answer(
        title="a key without permission",
        response=error(403, "unauthorized", "Not allowed"),
        outcome=account_failure("unauthorized"),
    ),
    Answer(title="an empty 403", response=HttpResponse(status=403), outcome=account_failure("403")),
    Answer(
        title="a state that does not allow it",
        response=error(403, "already_sent", "Already sent"),
        outcome=refused(Reason.PROVIDER_ERROR, "already_sent"),
    ),
    Answer(
        title="an address that does not exist",
        response=error(404, "not_found", "Not found"),
        outcome=refused(Reason.PROVIDER_ERROR, "not_found"),
    ),
    Answer(
        title="too large",
        response=error(413, "attachment_limit", "Too large"),
        outcome=refused(Reason.INVALID_CONTENT, "attachment_limit"),
    ),
    Answer(title="422", response=HttpResponse(status=422), outcome=refused(Reason.PROVIDER_ERROR, "422")),
    Answer(
        title="the demo quota, which is not renewed",
        response=in_7_seconds(
            error(
                429,
                "rate_limit",
                "You are reach out of SMS demo rate limit, Please contact Nomsa team For more information",
            )
        ),
        outcome=refused(Reason.RATE_LIMITED, "rate_limit"),
    ),
    Answer(
        title="too many requests",
        response=in_7_seconds(error(429, "rate_limit", "Too many requests. Please try again later.")),
        outcome=NotTaken(
            reason=Reason.RATE_LIMITED, is_final=False, provider_code="rate_limit", retry_after_seconds=7.0
        ),
    ),
    Answer(title="410", response=error(410, "campaign_redacted", "Redacted"), outcome=Unknown(why="")),
    Answer(
        title="the vendor stores the row before it calls the carrier: the outcome is unknown",
        response=error(500, "internal_server", "Internal Server Error."),
        outcome=Unknown(why=""),
    ),
    Answer(title="502", response=error(502, "bad_gateway", "Bad gateway"), outcome=Unknown(why="")),
    Answer(title="a success with HTTP 500", response=json_response(500, SENT_ROW), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="an unknown option",
        message=Message(
            message_id="o-1",
            status=Status.QUEUED,
            recipient="+85591234511",
            content=Text(text="Good morning"),
            provider_options={"nomsa": {"encrypt": True}},
            created_at=T0,
            updated_at=T0,
            occurred_at=T0,
        ),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="provider_options.nomsa.encrypt: option not offered"),
    ),
)


def report(
    status: Status | None, word: str, at: datetime | None = None, code: str | None = None, name: str = "26"
) -> Report:
    return Report(provider_message_id=name, status=status, provider_status=word, provider_code=code, occurred_at=at)


def lookup_answer(title: str, expected: Report | None, **changes: Any) -> LookupAnswer:
    return LookupAnswer(title=title, response=json_response(200, {**SENT_ROW, **changes}), report=expected)


LOOKUP_ANSWERS = (
    lookup_answer(
        "DELIVERED without delivered_at, as in the documentation",
        report(Status.DELIVERED, "DELIVERED"),
        status="DELIVERED",
    ),
    lookup_answer(
        "DELIVERED with its time",
        report(Status.DELIVERED, "DELIVERED", LATER),
        status="DELIVERED",
        delivered_at=LATER_TEXT,
    ),
    lookup_answer("SENT without sent_at", report(Status.SENT, "SENT")),
    lookup_answer(
        "a time has priority over an earlier status", report(Status.DELIVERED, "SENT", LATER), delivered_at=LATER_TEXT
    ),
    lookup_answer("ACCEPTED", report(Status.ACCEPTED, "ACCEPTED", ACCEPTED_AT), status="ACCEPTED"),
    lookup_answer("lower case", report(Status.ACCEPTED, "accepted", ACCEPTED_AT), status="accepted"),
    lookup_answer("UNSENT with accepted_at", report(Status.ACCEPTED, "UNSENT", ACCEPTED_AT), status="UNSENT"),
    lookup_answer("only UNSENT", report(None, "UNSENT"), status="UNSENT", accepted_at=None),
    lookup_answer(
        "ERROR with its code",
        report(Status.UNDELIVERED, "ERROR", LATER, "30003"),
        status="ERROR",
        error_code="30003",
        errored_at=LATER_TEXT,
    ),
    lookup_answer(
        "an error has priority over a delivery",
        report(Status.UNDELIVERED, "DELIVERED", LATER),
        status="DELIVERED",
        errored_at=LATER_TEXT,
        delivered_at=LATER_TEXT,
    ),
    lookup_answer(
        "an error code that could contain a phone number is not stored",
        report(Status.UNDELIVERED, "ERROR"),
        status="ERROR",
        error_code="no-route-to-85591234511",
    ),
    lookup_answer("an unreadable time", report(Status.DELIVERED, "SENT"), delivered_at="yesterday"),
    lookup_answer("an undocumented word", report(None, "BOUNCED"), status="BOUNCED", accepted_at=None),
    lookup_answer("no status word", report(Status.ACCEPTED, "(unreadable)", ACCEPTED_AT), status=None),
    LookupAnswer(title="not known", response=error(404, "not_found", "Sms message with ID 26 not found.")),
    LookupAnswer(
        title="redacted",
        response=error(410, "campaign_redacted", "Redacted"),
        report=report(None, "redacted", name=""),
    ),
    LookupAnswer(title="no id", response=json_response(200, {**SENT_ROW, "id": None}), unreadable=True),
    LookupAnswer(title="a wrong key", response=error(401, "unauthenticated", "No"), unreadable=True),
    LookupAnswer(title="too many requests", response=error(429, "rate_limit", "Too many requests."), unreadable=True),
    LookupAnswer(title="a server error with a valid row", response=json_response(503, SENT_ROW), unreadable=True),
)


def listed(row: dict[str, Any], expected: Report | None) -> ListedMessage:
    return ListedMessage(report=expected, recipient=row["recipient"], text=row["body"], created_at=CREATED_AT)


ACCEPTED_26 = report(Status.ACCEPTED, "UNSENT", ACCEPTED_AT)
UNSENT_ROW = {**SENT_ROW, "status": "UNSENT"}
FULL_PAGE = [{**UNSENT_ROW, "id": str(number)} for number in range(100)]
FULL_ENTRIES = tuple(
    listed(UNSENT_ROW, report(Status.ACCEPTED, "UNSENT", ACCEPTED_AT, name=str(number))) for number in range(100)
)

LIST_ANSWERS = (
    ListAnswer(
        title="an accepted row, the row of a failed send, and an undocumented word",
        response=json_response(
            200,
            {
                "has_more": False,
                "data": [UNSENT_ROW, BARE_ROW, {**BARE_ROW, "id": "29", "status": "PARKED"}],
            },
        ),
        page=ListPage(
            entries=(
                listed(UNSENT_ROW, ACCEPTED_26),
                listed(BARE_ROW, None),
                listed(BARE_ROW, report(None, "PARKED", name="29")),
            ),
            is_last=True,
        ),
    ),
    ListAnswer(
        title="more to come",
        response=json_response(200, {"has_more": True, "data": [UNSENT_ROW]}),
        page=ListPage(entries=(listed(UNSENT_ROW, ACCEPTED_26),), is_last=False),
    ),
    ListAnswer(
        title="a redacted row has no text",
        response=json_response(200, {"has_more": False, "data": [{**SENT_ROW, "recipient": None, "body": None}]}),
        page=ListPage(
            entries=(ListedMessage(report=report(Status.SENT, "SENT"), recipient="", text="", created_at=CREATED_AT),),
            is_last=True,
        ),
    ),
    ListAnswer(
        title="no rows, although has_more is true",
        response=json_response(200, {"has_more": True, "data": []}),
        number=3,
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(
        title="a short page without has_more is the last",
        response=json_response(200, {"data": [UNSENT_ROW]}),
        page=ListPage(entries=(listed(UNSENT_ROW, ACCEPTED_26),), is_last=True),
    ),
    ListAnswer(
        title="a full page without has_more is not the last",
        response=json_response(200, {"data": FULL_PAGE}),
        page=ListPage(entries=FULL_ENTRIES, is_last=False),
    ),
    ListAnswer(
        title="a row without an id",
        response=json_response(200, {"data": [{**SENT_ROW, "id": None}]}),
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(title="an error with HTTP 200", response=error(200, "rate_limit", "Too many requests.")),
    ListAnswer(
        title="a server error with a valid page", response=json_response(500, {"has_more": False, "data": [UNSENT_ROW]})
    ),
)

CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"api_key": "not-a-real-key"}, sender="mcs-otp"),
    endpoints=(
        ("POST", "/transactional/sms/send"),
        ("GET", "/transactional/sms/[^/]+"),
        ("GET", "/transactional/sms"),
    ),
    # Those of "API Response Formats", and the words in the examples of "Programmatic SMS API".
    documented=("rate_limit", "ACCEPTED", "UNSENT", "SENT", "DELIVERED"),
    sends=(
        Send(
            title="a text with the configured label",
            message=MESSAGE,
            request=HttpRequest(
                method="POST",
                url=f"{BASE}/transactional/sms/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=b'{"body":"Your code is 1234","recipient":"+85591234511","label":"mcs-otp"}',
            ),
        ),
        Send(
            title="a Khmer text with the label of the message",
            message=KHMER,
            request=HttpRequest(
                method="POST",
                url=f"{BASE}/transactional/sms/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=('{"body":"សួស្តី \\"1234\\"\\n😀","recipient":"+85591234511","label":"credential-name"}').encode(),
            ),
        ),
        Send(
            title="the example of the vendor for a demo",
            message=DEMO,
            request=HttpRequest(
                method="POST",
                url=f"{BASE}/transactional/sms/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=b'{"body":"Demo OTP: 1234","recipient":"+8559123511","label":"nomsa-sms-demo"}',
            ),
        ),
    ),
    answers=ANSWERS,
    refusals=REFUSALS,
    lookup=("26/../7?", HttpRequest(method="GET", url=f"{BASE}/transactional/sms/26%2F..%2F7%3F", headers=AUTH)),
    lookup_answers=LOOKUP_ANSWERS,
    list_requests=(
        (
            Window(since=T0, until=datetime(2026, 11, 21, 11, 30, 0, 500000, tzinfo=UTC)),
            2,
            HttpRequest(
                method="GET",
                url=(
                    f"{BASE}/transactional/sms?limit=100&offset=200"
                    "&created_at%5Bgte%5D=2026-11-21T10%3A00%3A00.000Z"
                    "&created_at%5Blte%5D=2026-11-21T11%3A30%3A00.500Z"
                ),
                headers=AUTH,
                response_limit=1024 * 1024,
            ),
        ),
    ),
    list_answers=LIST_ANSWERS,
    secrets=("Greeting from DGC", "Demo OTP: 1234", "8559123511", "855961234567"),
)
