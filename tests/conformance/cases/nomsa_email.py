"""The cases of Nomsa's e-mail API. The row is that of its "API Response Formats"."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import AttachedFile, Attachments, Channel, Email, Message
from sampai.domain.outcome import FailureScope, NotTaken, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListedMessage, ListPage, ListQuery
from tests.conformance.case import Answer, ListAnswer, LookupAnswer, ProviderCases, Refusal, Send

BASE = "https://nomsa.example/v1"
URL = f"{BASE}/transactional/email"
AUTH = {"Authorization": "Bearer not-a-real-key"}
ROW_BYTES = 1024 * 1024
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

MESSAGE = Message(
    message_id="mail-4711",
    status=Status.SENDING,
    channel=Channel.EMAIL,
    recipient="recipient@gmail.com",
    content=Email(subject="One time OTP", body="Hello here is your OTP: 145863 "),
    created_at=T0,
    updated_at=T0,
    occurred_at=T0,
)
FULL = replace(
    MESSAGE,
    message_id="mail-4712",
    sender="ក្រសួង <notice@mail.nomsa.gov.kh>",
    content=Email(
        subject="វិក្កយបត្រ 😀",
        body="<p>សួស្តី</p>",
        reply_to="help@nomsa.gov.kh",
        cc=("nomsa@mail.nomsa.gov.kh", "second@nomsa.gov.kh"),
        bcc=("archive@nomsa.gov.kh",),
    ),
    provider_options={"nomsa": {"classification": "URGENT"}},
)
WITH_FILES = replace(
    MESSAGE,
    message_id="mail-4713",
    content=Email(
        subject="Invoice",
        body="Two files",
        cc=("nomsa@mail.nomsa.gov.kh",),
        files=(AttachedFile(file_name="វិក្កយបត្រ.txt", size=3), AttachedFile(file_name="b.csv", size=4)),
        media_key="mail-4713/x/1",
    ),
    attachments=Attachments(file=b"one1,2\n"),
)
BOUNDARY = "3b7ef5d6b5de4092b59636a1d74f5d9a"

ROW: dict[str, Any] = {
    "id": "14",
    "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
    "recipient": "recipient@gmail.com",
    "params": {
        "body": "Hello here is your OTP: 145863 ",
        "from": "Nomsa <donotreply@mail.nomsa.gov.kh>",
        "subject": "One time OTP",
        "reply_to": "donotreply@nomsa.gov.kh",
    },
    "attachments_metadata": None,
    "status": "ACCEPTED",
    "error_code": None,
    "error_sub_type": None,
    "accepted_at": "2023-10-04T06:45:25.250Z",
    "sent_at": None,
    "delivered_at": None,
    "opened_at": None,
    "created_at": "2023-10-04T06:45:24.821Z",
    "updated_at": "2023-10-04T06:45:25.250Z",
    "classification": "URGENT",
    "tag": "string",
    "cc": ["nomsa@mail.nomsa.gov.kh"],
    "bcc": [],
}
BARE_ROW = {**ROW, "id": "15", "status": "UNSENT", "accepted_at": None}
ACCEPTED_AT = datetime(2023, 10, 4, 6, 45, 25, 250000, tzinfo=UTC)
CREATED_AT = datetime(2023, 10, 4, 6, 45, 24, 821000, tzinfo=UTC)
LATER_TEXT = "2023-10-04T06:46:10.000Z"
LATER = datetime(2023, 10, 4, 6, 46, 10, tzinfo=UTC)


def said(status: int, document: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def error(status: int, code: str, message: str) -> HttpResponse:
    return said(status, {"code": code, "message": message})


def refused(reason: Reason, code: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code)


def out_of_order(code: str) -> NotTaken:
    return NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code=code)


ANSWERS = (
    Answer(
        title="the documented answer",
        response=said(201, ROW),
        outcome=Taken(provider_message_id="14", provider_status="ACCEPTED"),
    ),
    Answer(
        title="a number for an id, blanks around the word, a byte order mark",
        response=HttpResponse(
            status=201, body=b"\xef\xbb\xbf" + json.dumps({**ROW, "id": 14, "status": " Accepted "}).encode()
        ),
        outcome=Taken(provider_message_id="14", provider_status="Accepted"),
    ),
    Answer(title="no id", response=said(201, {"status": "ACCEPTED"}), outcome=Unknown(why="")),
    Answer(
        title="an error under 200", response=error(200, "rate_limit", "Too many requests."), outcome=Unknown(why="")
    ),
    Answer(
        title="an address on the vendor's blacklist",
        response=error(400, "invalid_recipient", "Recipient email is blacklisted"),
        outcome=refused(Reason.BLOCKED, "invalid_recipient"),
    ),
    Answer(
        title="the blacklist under the code of a template, as the parent software answers",
        response=error(400, "invalid_template", "Recipient email is blacklisted"),
        outcome=refused(Reason.BLOCKED, "invalid_template"),
    ),
    Answer(
        title="an invalid address",
        response=error(400, "invalid_recipient", '"recipient" must be a valid email'),
        outcome=refused(Reason.INVALID_RECIPIENT, "invalid_recipient"),
    ),
    Answer(
        title="a field that the API refuses",
        response=error(400, "api_validation", '"subject" is required'),
        outcome=refused(Reason.INVALID_CONTENT, "api_validation"),
    ),
    Answer(
        title="parameters that it refuses",
        response=error(400, "invalid_parameters", "Invalid parameters"),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_parameters"),
    ),
    Answer(
        title="a body without text",
        response=error(400, "invalid_template", "Message is invalid as the subject or body only contains HTML tags."),
        outcome=refused(Reason.INVALID_CONTENT, "invalid_template"),
    ),
    Answer(
        title="a request that it cannot read",
        response=error(400, "malformed", "Malformed request body"),
        outcome=refused(Reason.PROVIDER_ERROR, "malformed"),
    ),
    Answer(
        title="a From address that is not set up",
        response=error(400, "invalid_from_address", "Invalid 'from' email address."),
        outcome=refused(Reason.INVALID_SENDER, "invalid_from_address"),
    ),
    Answer(
        title="too many copies",
        response=error(400, "too_many_recipients", "Too many recipients"),
        outcome=refused(Reason.INVALID_RECIPIENT, "too_many_recipients"),
    ),
    Answer(
        title="a file of a wrong kind",
        response=error(400, "attachment_format", "Unsupported file type"),
        outcome=refused(Reason.INVALID_CONTENT, "attachment_format"),
    ),
    Answer(
        title="files that are too large",
        response=error(413, "attachment_limit", "Size of attachments exceeds limit"),
        outcome=refused(Reason.TOO_LONG, "attachment_limit"),
    ),
    Answer(title="a bare 413", response=HttpResponse(status=413), outcome=refused(Reason.INVALID_CONTENT, "413")),
    Answer(
        title="a wrong key",
        response=error(401, "unauthenticated", "Unauthenticated request. Please try again."),
        outcome=out_of_order("unauthenticated"),
    ),
    Answer(
        title="a key without permission",
        response=error(403, "unauthorized", "Not allowed"),
        outcome=out_of_order("unauthorized"),
    ),
    Answer(
        title="files from the vendor's own From address: this e-mail alone is refused",
        response=error(403, "unauthorized", "Attachments are not allowed for the default from email address"),
        outcome=refused(Reason.INVALID_SENDER, "unauthorized"),
    ),
    Answer(
        title="the one code that says that the e-mail was sent",
        response=error(403, "already_sent", "Already sent"),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="an address that does not exist",
        response=error(404, "not_found", "Not found"),
        outcome=refused(Reason.PROVIDER_ERROR, "not_found"),
    ),
    Answer(
        title="more than ten in a second",
        response=replace(
            error(429, "rate_limit", "Too many requests. Please try again later."), headers={"retry-after": "7"}
        ),
        outcome=NotTaken(
            reason=Reason.RATE_LIMITED, is_final=False, provider_code="rate_limit", retry_after_seconds=7.0
        ),
    ),
    Answer(
        title="the row is stored before the e-mail is sent: 500 says nothing",
        response=error(500, "internal_server", "Internal Server Error."),
        outcome=Unknown(why=""),
    ),
    Answer(title="a success under 500", response=said(500, ROW), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="a classification that the vendor does not have",
        message=replace(MESSAGE, provider_options={"nomsa": {"classification": "LATER"}}),
        failure=Failure(
            reason=Reason.INVALID_REQUEST,
            detail="provider_options.nomsa.classification: must be one of URGENT, FOR_ACTION, FOR_INFO",
        ),
    ),
    Refusal(
        title="files that do not fit into a request",
        message=replace(
            MESSAGE,
            content=Email(
                subject="x",
                body="x",
                files=(AttachedFile(file_name="a", size=700 * 1024), AttachedFile(file_name="b", size=1)),
            ),
        ),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.attachments: nomsa takes 716800 bytes in all"),
    ),
)


def report(
    status: Status | None,
    word: str,
    at: datetime | None = None,
    *,
    name: str = "14",
    reference: str | None = None,
    reason: Reason | None = None,
    code: str | None = None,
) -> Report:
    return Report(
        provider_message_id=name,
        status=status,
        provider_status=word,
        reference=reference,
        reason=reason,
        provider_code=code,
        occurred_at=at,
    )


def looked_up(title: str, expected: Report | None, **changes: Any) -> LookupAnswer:
    return LookupAnswer(title=title, response=said(200, {**ROW, **changes}), report=expected)


def bounced(title: str, reason: Reason | None, code: str | None, **changes: Any) -> LookupAnswer:
    return looked_up(
        title, report(Status.UNDELIVERED, "BOUNCED", reason=reason, code=code), status="BOUNCED", **changes
    )


HARD = {"error_code": "Hard bounce"}

LOOKUP_ANSWERS = (
    looked_up("ACCEPTED, as documented", report(Status.ACCEPTED, "ACCEPTED", ACCEPTED_AT)),
    looked_up(
        "UNSENT with accepted_at, a number for an id",
        report(Status.ACCEPTED, "UNSENT", ACCEPTED_AT),
        status="UNSENT",
        id=14,
    ),
    looked_up("UNSENT and nothing else", report(None, "UNSENT"), status="UNSENT", accepted_at=None),
    looked_up("SENT", report(Status.SENT, "SENT", LATER), status="SENT", sent_at=LATER_TEXT),
    looked_up("blanks and small letters", report(Status.SENT, "sent"), status=" sent "),
    looked_up("DELIVERED", report(Status.DELIVERED, "DELIVERED", LATER), status="DELIVERED", delivered_at=LATER_TEXT),
    looked_up("OPENED", report(Status.READ, "OPENED", LATER), status="OPENED", opened_at=LATER_TEXT),
    looked_up(
        "a time goes before a weaker word",
        report(Status.READ, "DELIVERED", LATER),
        status="DELIVERED",
        opened_at=LATER_TEXT,
    ),
    looked_up(
        "a complaint: it arrived",
        report(Status.DELIVERED, "COMPLAINT", LATER),
        status="COMPLAINT",
        error_code="abuse",
        delivered_at=LATER_TEXT,
    ),
    looked_up(
        "a complaint about an opened e-mail",
        report(Status.READ, "COMPLAINT", LATER),
        status="COMPLAINT",
        opened_at=LATER_TEXT,
    ),
    looked_up(
        "our tag is our reference",
        report(Status.ACCEPTED, "ACCEPTED", ACCEPTED_AT, reference="mail-4711"),
        tag="sampai:mail-4711",
    ),
    bounced("a bounce without a word", None, None),
    bounced("a bounce after the delivery", None, None, delivered_at=LATER_TEXT),
    bounced("a hard bounce", Reason.INVALID_RECIPIENT, "Hard bounce", **HARD),
    bounced("no such mailbox", Reason.INVALID_RECIPIENT, "Hard bounce / NoEmail", **HARD, error_sub_type="NoEmail"),
    bounced("a suppressed address", Reason.BLOCKED, "Hard bounce / Suppressed", **HARD, error_sub_type="Suppressed"),
    bounced(
        "a full mailbox", None, "Soft bounce / MailboxFull", error_code="Soft bounce", error_sub_type="MailboxFull"
    ),
    bounced(
        "too large",
        Reason.TOO_LONG,
        "Soft bounce / MessageTooLarge",
        error_code="Soft bounce",
        error_sub_type="MessageTooLarge",
    ),
    bounced(
        "words that could hold an address", None, None, error_code="a@b.example", error_sub_type="550 of 85591234511"
    ),
    looked_up(
        "ERROR with its code",
        report(Status.UNDELIVERED, "ERROR", LATER, reason=Reason.BLOCKED, code="Error 400: Blacklisted recipient"),
        status="ERROR",
        error_code="Error 400: Blacklisted recipient",
        errored_at=LATER_TEXT,
    ),
    looked_up("an undocumented word", report(None, "PARKED"), status="PARKED", accepted_at=None),
    looked_up("no word", report(Status.ACCEPTED, "(unreadable)", ACCEPTED_AT), status=None),
    LookupAnswer(title="not known", response=error(404, "not_found", "Email message with ID 14 not found.")),
    LookupAnswer(
        title="redacted",
        response=error(410, "campaign_redacted", "Redacted"),
        report=report(None, "redacted", name=""),
    ),
    LookupAnswer(title="no id", response=said(200, {**ROW, "id": None}), unreadable=True),
    LookupAnswer(title="a wrong key", response=error(401, "unauthenticated", "No"), unreadable=True),
    LookupAnswer(title="a throttle", response=error(429, "rate_limit", "Too many requests."), unreadable=True),
    LookupAnswer(title="an outage under a good row", response=said(503, ROW), unreadable=True),
)


def listed(expected: Report | None, text: str = "One time OTP\nHello here is your OTP: 145863 ") -> ListedMessage:
    return ListedMessage(report=expected, recipient="recipient@gmail.com", text=text, created_at=CREATED_AT)


ACCEPTED_14 = report(Status.ACCEPTED, "ACCEPTED", ACCEPTED_AT)

LIST_ANSWERS = (
    ListAnswer(
        title="an accepted row, one with our tag, one of a failed send, and an undocumented word",
        response=said(
            200,
            {
                "has_more": False,
                "data": [
                    ROW,
                    {**ROW, "id": 16, "tag": "sampai:mail-4711"},
                    BARE_ROW,
                    {**BARE_ROW, "id": "17", "status": "PARKED"},
                ],
            },
        ),
        page=ListPage(
            entries=(
                listed(ACCEPTED_14),
                listed(replace(ACCEPTED_14, provider_message_id="16", reference="mail-4711")),
                listed(None),
                listed(report(None, "PARKED", name="17")),
            ),
            is_last=True,
        ),
    ),
    ListAnswer(
        title="more to come, and a row without its params",
        response=said(200, {"has_more": True, "data": [{**ROW, "params": None}]}),
        page=ListPage(entries=(listed(ACCEPTED_14, text="\n"),), is_last=False),
    ),
    ListAnswer(
        title="a row without an id",
        response=said(200, {"has_more": False, "data": [{**ROW, "id": None}]}),
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(title="an error under 200", response=error(200, "rate_limit", "Too many requests.")),
    ListAnswer(title="an outage under a good page", response=said(500, {"has_more": False, "data": [ROW]})),
)

CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"api_key": "not-a-real-key"}, sender="mcs-otp"),
    endpoints=(
        ("POST", "/transactional/email/send"),
        ("GET", "/transactional/email/[^/]+"),
        ("GET", "/transactional/email"),
    ),
    # The words of "API Response Formats" and of "Programmatic Email API".
    documented=("rate_limit", "UNSENT", "ACCEPTED", "SENT", "DELIVERED", "OPENED", "BOUNCED", "COMPLAINT", "ERROR"),
    sends=(
        Send(
            title="a subject and a body; the label for SMS is no From address",
            message=MESSAGE,
            request=HttpRequest(
                method="POST",
                url=f"{URL}/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=(
                    b'{"subject":"One time OTP","body":"Hello here is your OTP: 145863 ",'
                    b'"recipient":"recipient@gmail.com","tag":"sampai:mail-4711"}'
                ),
                response_limit=ROW_BYTES,
            ),
        ),
        Send(
            title="every field",
            message=FULL,
            request=HttpRequest(
                method="POST",
                url=f"{URL}/send",
                headers={**AUTH, "Content-Type": "application/json"},
                body=(
                    '{"subject":"វិក្កយបត្រ 😀","body":"<p>សួស្តី</p>","recipient":"recipient@gmail.com",'
                    '"from":"ក្រសួង <notice@mail.nomsa.gov.kh>","reply_to":"help@nomsa.gov.kh",'
                    '"cc":["nomsa@mail.nomsa.gov.kh","second@nomsa.gov.kh"],"bcc":["archive@nomsa.gov.kh"],'
                    '"classification":"URGENT","tag":"sampai:mail-4712"}'
                ).encode(),
                response_limit=ROW_BYTES,
            ),
        ),
        Send(
            title="files make it a form, with a list as JSON",
            message=WITH_FILES,
            request=HttpRequest(
                method="POST",
                url=f"{URL}/send",
                headers={**AUTH, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
                body="".join(
                    f"--{BOUNDARY}\r\nContent-Disposition: form-data; name={part}\r\n"
                    for part in (
                        '"subject"\r\n\r\nInvoice',
                        '"body"\r\n\r\nTwo files',
                        '"recipient"\r\n\r\nrecipient@gmail.com',
                        '"cc"\r\n\r\n["nomsa@mail.nomsa.gov.kh"]',
                        '"tag"\r\n\r\nsampai:mail-4713',
                        '"attachments"; filename="វិក្កយបត្រ.txt"\r\nContent-Type: application/octet-stream\r\n\r\none',
                        '"attachments"; filename="b.csv"\r\nContent-Type: application/octet-stream\r\n\r\n1,2\n',
                    )
                ).encode()
                + f"--{BOUNDARY}--\r\n".encode(),
                response_limit=ROW_BYTES,
            ),
        ),
    ),
    answers=ANSWERS,
    refusals=REFUSALS,
    lookup=("14/../7?", HttpRequest(method="GET", url=f"{URL}/14%2F..%2F7%3F", headers=AUTH, response_limit=ROW_BYTES)),
    lookup_answers=LOOKUP_ANSWERS,
    list_requests=(
        (
            ListQuery(since=T0, until=datetime(2026, 11, 21, 11, 30, 0, 500000, tzinfo=UTC)),
            2,
            HttpRequest(
                method="GET",
                url=(
                    f"{URL}?limit=100&offset=200"
                    "&created_at%5Bgte%5D=2026-11-21T10%3A00%3A00.000Z"
                    "&created_at%5Blte%5D=2026-11-21T11%3A30%3A00.500Z"
                ),
                headers=AUTH,
                response_limit=4 * ROW_BYTES,
            ),
        ),
    ),
    list_answers=LIST_ANSWERS,
    secrets=("145863", "One time OTP", "recipient@gmail.com", "nomsa@mail.nomsa.gov.kh", "Two files"),
)
