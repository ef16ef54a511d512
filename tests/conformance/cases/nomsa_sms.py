"""The cases of Nomsa. The rows are those of its "Programmatic SMS API", with its placeholders filled in."""

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
from sampai.providers.features import ListedMessage, ListPage, ListQuery
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


def said(status: int, document: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def error(status: int, code: str, message: str) -> HttpResponse:
    return said(status, {"code": code, "message": message})


def in_7_seconds(response: HttpResponse) -> HttpResponse:
    return replace(response, headers={"retry-after": "7"})


def refused(reason: Reason, code: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code)


def out_of_order(code: str) -> NotTaken:
    return NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code=code)


ANSWERS = (
    Answer(
        title="a real send says SENT, and is accepted",
        response=said(201, SENT_ROW),
        outcome=Taken(provider_message_id="26", provider_status="SENT"),
    ),
    Answer(
        title="a demo send says UNSENT with accepted_at and how many are left, and is accepted",
        response=said(201, DEMO_ROW),
        outcome=Taken(provider_message_id="145", provider_status="UNSENT"),
    ),
    Answer(
        title="the last demo send is as good as the first",
        response=said(200, {**DEMO_ROW, "remainingMessage": "You have SMS demo 0 left"}),
        outcome=Taken(provider_message_id="145", provider_status="UNSENT"),
    ),
    Answer(
        title="the documented success is 2xx with an id, whatever the times say",
        response=said(202, BARE_ROW),
        outcome=Taken(provider_message_id="28", provider_status="UNSENT"),
    ),
    Answer(
        title="a word that could hold a number is not kept",
        response=said(201, {**SENT_ROW, "status": "SENT TO 85591234511"}),
        outcome=Taken(provider_message_id="26", provider_status=None),
    ),
    Answer(title="no id", response=said(201, {"status": "SENT"}), outcome=Unknown(why="")),
    Answer(title="an empty id", response=said(201, {**SENT_ROW, "id": ""}), outcome=Unknown(why="")),
    Answer(
        title="a number for an id",
        response=said(201, {**SENT_ROW, "id": 26}),
        outcome=Taken(provider_message_id="26", provider_status="SENT"),
    ),
    Answer(title="a truth for an id", response=said(201, {**SENT_ROW, "id": True}), outcome=Unknown(why="")),
    Answer(
        title="a byte order mark before the row",
        response=HttpResponse(status=201, body=b"\xef\xbb\xbf" + json.dumps(SENT_ROW).encode()),
        outcome=Taken(provider_message_id="26", provider_status="SENT"),
    ),
    Answer(title="an id that fits no key", response=said(201, {**SENT_ROW, "id": "9" * 201}), outcome=Unknown(why="")),
    Answer(title="an error under 200", response=error(200, "rate_limit", "Too many requests"), outcome=Unknown(why="")),
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
        title="a field that the API does not like",
        response=error(400, "api_validation", '"body" is required'),
        outcome=refused(Reason.INVALID_CONTENT, "api_validation"),
    ),
    Answer(
        title="parameters that it does not like",
        response=error(400, "invalid_parameters", "Invalid parameters"),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_parameters"),
    ),
    Answer(
        title="a text that it does not like",
        response=error(400, "invalid_template", "Message is empty"),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_template"),
    ),
    Answer(
        title="a body that it cannot read",
        response=error(400, "malformed", "Malformed request body"),
        outcome=refused(Reason.PROVIDER_ERROR, "malformed"),
    ),
    Answer(
        title="a code that nobody documented",
        response=error(400, "brand_new", "Something"),
        outcome=refused(Reason.PROVIDER_ERROR, "brand_new"),
    ),
    Answer(
        title="a code that could hold a number is not kept",
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
        response=said(400, ["invalid_recipient"]),
        outcome=refused(Reason.PROVIDER_ERROR, "400"),
    ),
    Answer(
        title="a wrong key",
        response=error(401, "unauthenticated", "Unauthenticated request. Please try again."),
        outcome=out_of_order("unauthenticated"),
    ),
    Answer(title="a bare 401", response=HttpResponse(status=401), outcome=out_of_order("401")),
    Answer(
        title="a key without permission",
        response=error(403, "unauthorized", "Not allowed"),
        outcome=out_of_order("unauthorized"),
    ),
    Answer(title="a bare 403", response=HttpResponse(status=403), outcome=out_of_order("403")),
    Answer(
        title="the one code that says that the message was sent",
        response=error(403, "already_sent", "Already sent"),
        outcome=Unknown(why=""),
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
        title="the demo quota, which never comes back",
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
        title="an ordinary throttle",
        response=in_7_seconds(error(429, "rate_limit", "Too many requests. Please try again later.")),
        outcome=NotTaken(
            reason=Reason.RATE_LIMITED, is_final=False, provider_code="rate_limit", retry_after_seconds=7.0
        ),
    ),
    Answer(title="410", response=error(410, "campaign_redacted", "Redacted"), outcome=Unknown(why="")),
    Answer(
        title="the row is stored before the carrier is called: 500 says nothing",
        response=error(500, "internal_server", "Internal Server Error."),
        outcome=Unknown(why=""),
    ),
    Answer(title="502", response=error(502, "bad_gateway", "Bad gateway"), outcome=Unknown(why="")),
    Answer(title="a success under 500", response=said(500, SENT_ROW), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="an option that it does not have",
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


def looked_up(title: str, expected: Report | None, **changes: Any) -> LookupAnswer:
    return LookupAnswer(title=title, response=said(200, {**SENT_ROW, **changes}), report=expected)


LOOKUP_ANSWERS = (
    looked_up(
        "DELIVERED without delivered_at, as the vendor shows it",
        report(Status.DELIVERED, "DELIVERED"),
        status="DELIVERED",
    ),
    looked_up(
        "DELIVERED with its time",
        report(Status.DELIVERED, "DELIVERED", LATER),
        status="DELIVERED",
        delivered_at=LATER_TEXT,
    ),
    looked_up("SENT without sent_at", report(Status.SENT, "SENT")),
    looked_up("a time goes before a weaker word", report(Status.DELIVERED, "SENT", LATER), delivered_at=LATER_TEXT),
    looked_up("ACCEPTED", report(Status.ACCEPTED, "ACCEPTED", ACCEPTED_AT), status="ACCEPTED"),
    looked_up("blanks around the word", report(Status.SENT, "sent"), status=" sent ", id=26),
    looked_up("lower case", report(Status.ACCEPTED, "accepted", ACCEPTED_AT), status="accepted"),
    looked_up("UNSENT with accepted_at", report(Status.ACCEPTED, "UNSENT", ACCEPTED_AT), status="UNSENT"),
    looked_up("UNSENT and nothing else", report(None, "UNSENT"), status="UNSENT", accepted_at=None),
    looked_up(
        "ERROR with its code",
        report(Status.UNDELIVERED, "ERROR", LATER, "30003"),
        status="ERROR",
        error_code="30003",
        errored_at=LATER_TEXT,
    ),
    looked_up(
        "an error goes before a delivery",
        report(Status.UNDELIVERED, "DELIVERED", LATER),
        status="DELIVERED",
        errored_at=LATER_TEXT,
        delivered_at=LATER_TEXT,
    ),
    looked_up(
        "an error code that could hold a number is not kept",
        report(Status.UNDELIVERED, "ERROR"),
        status="ERROR",
        error_code="no-route-to-85591234511",
    ),
    looked_up("a time that cannot be read", report(Status.DELIVERED, "SENT"), delivered_at="yesterday"),
    looked_up("a word that nobody documented", report(None, "BOUNCED"), status="BOUNCED", accepted_at=None),
    looked_up("no word", report(Status.ACCEPTED, "(unreadable)", ACCEPTED_AT), status=None),
    LookupAnswer(title="not known", response=error(404, "not_found", "Sms message with ID 26 not found.")),
    LookupAnswer(
        title="redacted",
        response=error(410, "campaign_redacted", "Redacted"),
        report=report(None, "redacted", name=""),
    ),
    LookupAnswer(title="no id", response=said(200, {**SENT_ROW, "id": None}), unreadable=True),
    LookupAnswer(title="a wrong key", response=error(401, "unauthenticated", "No"), unreadable=True),
    LookupAnswer(title="a throttle", response=error(429, "rate_limit", "Too many requests."), unreadable=True),
    LookupAnswer(title="an outage under a good row", response=said(503, SENT_ROW), unreadable=True),
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
        title="an accepted row, a row that a failed send left behind, and a word that nobody documented",
        response=said(
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
        response=said(200, {"has_more": True, "data": [UNSENT_ROW]}),
        page=ListPage(entries=(listed(UNSENT_ROW, ACCEPTED_26),), is_last=False),
    ),
    ListAnswer(
        title="a redacted row has no words",
        response=said(200, {"has_more": False, "data": [{**SENT_ROW, "recipient": None, "body": None}]}),
        page=ListPage(
            entries=(ListedMessage(report=report(Status.SENT, "SENT"), recipient="", text="", created_at=CREATED_AT),),
            is_last=True,
        ),
    ),
    ListAnswer(
        title="nothing, although more is promised",
        response=said(200, {"has_more": True, "data": []}),
        number=3,
        page=ListPage(entries=(), is_last=False),
    ),
    ListAnswer(
        title="a page without has_more proves no end",
        response=said(200, {"data": [UNSENT_ROW]}),
        page=ListPage(entries=(listed(UNSENT_ROW, ACCEPTED_26),), is_last=False),
    ),
    ListAnswer(
        title="a full page that is the last",
        response=said(200, {"has_more": False, "data": FULL_PAGE}),
        page=ListPage(entries=FULL_ENTRIES, is_last=True),
    ),
    ListAnswer(
        title="a row without an id",
        response=said(200, {"has_more": False, "data": [{**SENT_ROW, "id": None}]}),
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(title="an error under 200", response=error(200, "rate_limit", "Too many requests.")),
    ListAnswer(title="an outage under a good page", response=said(500, {"has_more": False, "data": [UNSENT_ROW]})),
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
            title="a text under the configured label",
            message=MESSAGE,
            request=HttpRequest(
                method="POST",
                url=f"{BASE}/transactional/sms/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=b'{"body":"Your code is 1234","recipient":"+85591234511","label":"mcs-otp"}',
            ),
        ),
        Send(
            title="a Khmer text under the message's own label",
            message=KHMER,
            request=HttpRequest(
                method="POST",
                url=f"{BASE}/transactional/sms/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=('{"body":"សួស្តី \\"1234\\"\\n😀","recipient":"+85591234511","label":"credential-name"}').encode(),
            ),
        ),
        Send(
            title="the vendor's own example of a demo",
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
            ListQuery(since=T0, until=datetime(2026, 11, 21, 11, 30, 0, 500000, tzinfo=UTC)),
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
