"""The cases of SMSPoh v3. Answers, rows and callbacks are from its page, with the stars in numbers filled in."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.message import Attachments, Category, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListedMessage, ListPage, ListQuery
from tests.conformance.case import (
    AccountAnswer,
    Answer,
    BadWebhook,
    ListAnswer,
    ManyAnswer,
    ProviderCases,
    Refusal,
    Send,
    SendMany,
    Webhook,
)

BASE = "https://smspoh.example/api/rest"
RECEIPT_URL = "https://sampai.example/webhooks/smspoh/receipt/not-a-real-token"
AUTH = {"Authorization": "Bearer bm90LWEta2V5Om5vdC1hLXNlY3JldA==", "Accept": "application/json"}
JSON_HEADERS = {**AUTH, "Content-Type": "application/json"}
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

LONG_ID = "campaign:2026-11-21:branch-0042:customer-000000000001"
"""53 characters: three more than the vendor takes."""


def message(**changes: Any) -> Message:
    plain: dict[str, Any] = {
        "message_id": "abcde12345",
        "status": Status.SENDING,
        "recipient": "+959123456789",
        "sender": "SMSPoh",
        "content": Text(text="Hello World"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**plain, **changes})


def posted(body: str, path: str = "send") -> HttpRequest:
    return HttpRequest(method="POST", url=f"{BASE}/{path}", headers=JSON_HEADERS, body=body.encode())


SENDS = (
    Send(
        title="a plain message",
        message=message(),
        request=posted(
            '{"to":"+959123456789","message":"Hello World","from":"SMSPoh","clientReference":"abcde12345",'
            f'"deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
    Send(
        title="Burmese, the sender of the settings, options as numbers, and an id that is too long for a reference",
        message=message(
            message_id=LONG_ID,
            sender=None,
            content=Text(text='မင်္ဂလာပါ "1234"\n😀'),
            provider_options={"smspoh": {"unicode": False, "test": False}, "nomsa": {"unheard": 1}},
        ),
        request=posted(
            '{"to":"+959123456789","message":"မင်္ဂလာပါ \\"1234\\"\\n😀","from":"Sampai",'
            '"clientReference":"campaign:2026-11-~a339f824829d9284a77fe085d7e4a600","unicode":0,"test":0,'
            f'"deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
    Send(
        title="Burmese is sent as unicode, unless the caller chose",
        message=message(content=Text(text="မင်္ဂလာပါ")),
        request=posted(
            '{"to":"+959123456789","message":"မင်္ဂလာပါ","from":"SMSPoh","clientReference":"abcde12345","unicode":1,'
            f'"deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
    Send(
        title="the extension of the GSM alphabet needs no unicode",
        message=message(content=Text(text="[5 €]")),
        request=posted(
            '{"to":"+959123456789","message":"[5 €]","from":"SMSPoh","clientReference":"abcde12345",'
            f'"deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
    Send(
        title="a number abroad, and the longest id that is a reference as it is",
        message=message(message_id="x" * 50, recipient="+66912345678", content=Text(text="Hello Thailand")),
        request=posted(
            '{"to":"+66912345678","message":"Hello Thailand","from":"SMSPoh",'
            f'"clientReference":"{"x" * 50}","deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
    Send(
        title="an encrypted message, under a key of ours",
        message=message(
            content=Text(text="Your Bank OTP Code is 12345"),
            attachments=Attachments(encryption_key="not-a-real-encryption-key"),
            provider_options={"smspoh": {"encrypt": True}},
        ),
        request=posted(
            '{"to":"+959123456789","message":"Your Bank OTP Code is 12345","from":"SMSPoh",'
            f'"clientReference":"abcde12345","encrypt":1,"deliveryReceiptUrl":"{RECEIPT_URL}",'
            '"encryptKey":"not-a-real-encryption-key"}'
        ),
    ),
    Send(
        title="a message that is not to be encrypted, whatever key is at hand",
        message=message(
            attachments=Attachments(encryption_key="not-a-real-encryption-key"),
            provider_options={"smspoh": {"encrypt": False}},
        ),
        request=posted(
            '{"to":"+959123456789","message":"Hello World","from":"SMSPoh","clientReference":"abcde12345",'
            f'"encrypt":0,"deliveryReceiptUrl":"{RECEIPT_URL}"}}'
        ),
    ),
)

TAKEN: dict[str, Any] = {
    "messageId": "F5BR4DB-44A1C-446C-8R69-J50248VB9ORE",
    "message": "Hello World",
    "to": "959123456789",
    "clientReference": "abcde12345",
    "scheduledAt": None,
    "createdAt": "2024-12-20 12:09:48",
    "messageCount": 1,
    "from": "SMSPoh",
    "network": "MPT",
    "type": "sms.text",
    "status": "Accepted",
    "test": False,
}
ENCRYPTED: dict[str, Any] = {
    **TAKEN,
    "messageId": "133FF6AC-6EDB-4024-8965-F5DA5FEC7F80",
    "message": (
        "SIVvhQHJ/E1nmcDCaVmM3jBhMzZiNWYxZjU2NDI2NmM5NThhZDFjrQwZDk0YzkyYzg4NzdlOtDVlNjUxZmU4YjM0N2MzODYwZjI2NzYzM2W"
        "iye8tFCN9RiGFcmZccQ24+vKiEUlTzRGkTBZBPJnFgVg=="
    ),
    "createdAt": "2025-01-20 15:15:48",
    "network": "Unknown",
    "encryptMessage": True,
    "encryptKey": "not-a-real-encryption-key",
}
UNAUTHORIZED = {
    "name": "Unauthorized",
    "message": "Your request was made with invalid credentials.",
    "code": 0,
    "status": 401,
}


def said(status: int, document: object, **headers: str) -> HttpResponse:
    return HttpResponse(status=status, headers=headers, body=json.dumps(document).encode())


def entry(http: int = 201, **changes: Any) -> HttpResponse:
    return said(http, {"messages": [{**TAKEN, **changes}]})


def embedded(text: object, **more: Any) -> HttpResponse:
    return said(201, {"messages": [{"status": False, "message": text, **more}]})


def yii(status: int, name: str, message: str, **headers: str) -> HttpResponse:
    return said(status, {"name": name, "message": message, "code": 0, "status": status}, **headers)


def refused(reason: Reason, code: str | None = None, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code, detail=detail)


def says(reason: Reason, hint: str) -> NotTaken:
    is_account = reason is Reason.INSUFFICIENT_CREDIT
    scope = FailureScope.PROVIDER if is_account else FailureScope.MESSAGE
    return NotTaken(reason=reason, is_final=not is_account, scope=scope, detail=f"the refusal says: {hint}")


def out_of_order(code: str) -> NotTaken:
    return NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code=code)


ANSWERS = (
    Answer(
        title="accepted, under an id that is no GUID",
        response=entry(),
        outcome=Taken(provider_message_id="F5BR4DB-44A1C-446C-8R69-J50248VB9ORE", provider_status="Accepted"),
    ),
    Answer(
        title="any 2xx is a success",
        response=entry(200),
        outcome=Taken(provider_message_id="F5BR4DB-44A1C-446C-8R69-J50248VB9ORE", provider_status="Accepted"),
    ),
    Answer(
        title="rejected with an id: it was taken, and the report says the rest",
        response=entry(status="Rejected"),
        outcome=Taken(provider_message_id="F5BR4DB-44A1C-446C-8R69-J50248VB9ORE", provider_status="Rejected"),
    ),
    Answer(
        title="accepted encrypted, with the key that is told once",
        response=said(201, {"messages": [ENCRYPTED]}),
        outcome=Taken(
            provider_message_id="133FF6AC-6EDB-4024-8965-F5DA5FEC7F80",
            provider_status="Accepted",
            encryption_key="not-a-real-encryption-key",
        ),
    ),
    Answer(
        title="a key of the vendor's own making",
        response=said(201, {"messages": [{**ENCRYPTED, "encryptKey": "သော့ 1/မှတ်ပါ"}]}),
        outcome=Taken(
            provider_message_id="133FF6AC-6EDB-4024-8965-F5DA5FEC7F80",
            provider_status="Accepted",
            encryption_key="သော့ 1/မှတ်ပါ",
        ),
    ),
    *(
        Answer(
            title=f"accepted encrypted, {title}",
            response=said(201, {"messages": [{**ENCRYPTED, "encryptKey": key}]}),
            outcome=Taken(provider_message_id="133FF6AC-6EDB-4024-8965-F5DA5FEC7F80", provider_status="Accepted"),
        )
        for title, key in (
            ("with an empty key", ""),
            ("with a number for a key", 7),
            ("with a key of two lines", "a\nb"),
            ("with a key of 201 characters", "k" * 201),
        )
    ),
    *(
        Answer(title=f"a success that is a failure: {text}", response=embedded(text), outcome=says(reason, hint))
        for text, reason, hint in (
            ("Insufficient funds", Reason.INSUFFICIENT_CREDIT, "insufficient"),
            ("Your BALANCE is too low", Reason.INSUFFICIENT_CREDIT, "balance"),
            ("No credit left for this sender", Reason.INSUFFICIENT_CREDIT, "credit"),
            ("Invalid Sender ID", Reason.INVALID_SENDER, "sender"),
            ("Invalid Phone Number", Reason.INVALID_RECIPIENT, "number"),
            ("Recipient is not valid", Reason.INVALID_RECIPIENT, "recipient"),
        )
    ),
    Answer(
        title="a success that is a failure nobody has described: its text is not kept",
        response=embedded("959123456789 cannot be reached with: Hello World", messageId=None),
        outcome=refused(Reason.PROVIDER_ERROR),
    ),
    Answer(
        title="no credit",
        response=yii(402, "Payment Required", "Please top up."),
        outcome=NotTaken(
            reason=Reason.INSUFFICIENT_CREDIT, is_final=False, scope=FailureScope.PROVIDER, provider_code="402"
        ),
    ),
    *(
        Answer(
            title=f"a field that the API refuses: {field}",
            response=said(422, [{"field": field, "message": f"{field} is invalid: 959123456789"}]),
            outcome=refused(reason, "422", f"{field}: refused by the vendor"),
        )
        for field, reason in (
            ("to", Reason.INVALID_RECIPIENT),
            ("from", Reason.INVALID_SENDER),
            ("message", Reason.INVALID_CONTENT),
        )
    ),
    Answer(
        title="a validation error in another shape",
        response=said(422, {"to": ["To is invalid."]}),
        outcome=refused(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(
        title="a refusal with an id contradicts itself",
        response=embedded("Invalid Sender ID", messageId="133FF6AC-6EDB-4024-8965-F5DA5FEC7F80"),
        outcome=Unknown(why=""),
    ),
    Answer(title="a refusal without a text", response=embedded(None), outcome=Unknown(why="")),
    Answer(
        title="a status word without an id",
        response=said(201, {"messages": [{"status": "Accepted", "message": "Hello World"}]}),
        outcome=Unknown(why=""),
    ),
    Answer(title="an id without a status", response=entry(status=None), outcome=Unknown(why="")),
    Answer(title="an empty id", response=entry(messageId=""), outcome=Unknown(why="")),
    Answer(title="a number for an id", response=entry(messageId=26), outcome=Unknown(why="")),
    Answer(title="an id that fits no key", response=entry(messageId="A" * 101), outcome=Unknown(why="")),
    Answer(title="an id of two lines", response=entry(messageId="A\n"), outcome=Unknown(why="")),
    Answer(title="two messages for one", response=said(201, {"messages": [TAKEN, TAKEN]}), outcome=Unknown(why="")),
    Answer(title="no message", response=said(201, {"messages": []}), outcome=Unknown(why="")),
    Answer(title="an object for the list", response=said(201, {"messages": {"0": TAKEN}}), outcome=Unknown(why="")),
    Answer(title="an error under 200", response=said(200, UNAUTHORIZED), outcome=Unknown(why="")),
    Answer(title="success without a body", response=HttpResponse(status=204), outcome=Unknown(why="")),
    Answer(
        title="wrong credentials, or an address not listed",
        response=said(401, UNAUTHORIZED),
        outcome=out_of_order("401"),
    ),
    Answer(
        title="not allowed",
        response=yii(403, "Forbidden", "You are not allowed to perform this action."),
        outcome=out_of_order("403"),
    ),
    Answer(
        title="a bad request",
        response=yii(400, "Bad Request", "missing or invalid parameters"),
        outcome=refused(Reason.INVALID_REQUEST, "400"),
    ),
    Answer(
        title="no such page",
        response=yii(404, "Not Found", "Page not found."),
        outcome=refused(Reason.PROVIDER_ERROR, "404"),
    ),
    Answer(
        title="too large",
        response=HttpResponse(status=413, body=b"<html>413 Request Entity Too Large</html>"),
        outcome=refused(Reason.TOO_LONG, "413"),
    ),
    Answer(
        title="a field that the API does not like",
        response=said(422, [{"field": "test", "message": "Test must be a number."}]),
        outcome=refused(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(
        title="too many requests",
        response=yii(429, "Too Many Requests", "Rate limit exceeded.", **{"retry-after": "7"}),
        outcome=NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=7.0),
    ),
    Answer(
        title="a status that the vendor does not describe",
        response=yii(405, "Method Not Allowed", "Method Not Allowed."),
        outcome=Unknown(why=""),
    ),
    Answer(title="an outage, whatever its body says", response=entry(500), outcome=Unknown(why="")),
    Answer(title="a redirect", response=entry(302), outcome=Unknown(why="")),
    Answer(title="a time-out at the vendor", response=entry(408), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="an option that is not offered",
        message=message(provider_options={"smspoh": {"scheduledAt": "2026-11-21 10:00:00"}}),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="provider_options.smspoh.scheduledAt: option not offered"),
    ),
    Refusal(
        title="the page's own way to ask for encryption",
        message=message(provider_options={"smspoh": {"encrypt": 1}}),
        failure=Failure(reason=Reason.INVALID_REQUEST, detail="provider_options.smspoh.encrypt: wrong type"),
    ),
    Refusal(
        title="a key and nothing to encrypt",
        message=message(provider_options={"smspoh": {"encrypt": False, "encryptKey": "k"}}),
        failure=Failure(
            reason=Reason.INVALID_REQUEST, detail="provider_options.smspoh.encryptKey: goes with encrypt: true"
        ),
    ),
    Refusal(
        title="a key that nobody could type",
        message=message(provider_options={"smspoh": {"encrypt": True, "encryptKey": "k\n"}}),
        failure=Failure(
            reason=Reason.INVALID_REQUEST,
            detail="provider_options.smspoh.encryptKey: must be 1 to 200 characters, none of them a control character",
        ),
    ),
    Refusal(
        title="a number for a yes or no",
        message=message(provider_options={"smspoh": {"test": 1}}),
        failure=Failure(reason=Reason.INVALID_REQUEST, detail="provider_options.smspoh.test: wrong type"),
    ),
    Refusal(
        title="too long",
        message=message(content=Text(text="x" * 919)),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.text: smspoh takes 918 characters"),
    ),
)

LIST_REQUESTS = (
    (
        # 17:29:59 and 17:30:00 UTC are the last second of a day in Yangon, and the first of the next.
        ListQuery(
            since=datetime(2026, 11, 20, 17, 29, 59, tzinfo=UTC), until=datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
        ),
        1,
        HttpRequest(
            method="GET",
            url=f"{BASE}/messages?limit=1000&page=2&filterByCreatedDateFrom=2026-11-20&filterByCreatedDateTo=2026-11-22",
            headers=AUTH,
            response_limit=8 * 1024 * 1024,
        ),
    ),
    (
        ListQuery(
            since=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
            until=datetime(2026, 11, 20, 10, 20, tzinfo=UTC),
            recipient="959123456701",
        ),
        0,
        HttpRequest(
            method="GET",
            url=(
                f"{BASE}/messages?limit=1000&page=1&filterByCreatedDateFrom=2026-11-20"
                "&filterByCreatedDateTo=2026-11-21&to=959123456701"
            ),
            headers=AUTH,
            response_limit=8 * 1024 * 1024,
        ),
    ),
)

SUCCESS_ROW: dict[str, Any] = {
    "messageId": "5CF5EF38-4A1C-446C-8169-7FF202ABB883",
    "message": "This is a test message.",
    "to": "959123456789",
    "clientReference": "",
    "scheduledAt": None,
    "createdAt": "2025-01-20 12:09:48",
    "messageCount": 1,
    "from": "SMSPoh",
    "network": "MPT",
    "type": "sms.text",
    "status": "Success",
    "test": False,
    "finishedAt": "2025-01-20 12:36:26",
}
SENT_ROW: dict[str, Any] = {
    **SUCCESS_ROW,
    "messageId": "5CF5EF38-219D-434F-B7E9-C6A40575D9C7",
    "clientReference": "abcde12345",
    "createdAt": "2025-01-20 12:09:29",
    "network": "Telenor",
    "status": "Sent",
    "finishedAt": None,
}
LINKS = {
    "self": "https://v3.smspoh.com/api/rest/messages/index?page=1",
    "first": "https://v3.smspoh.com/api/rest/messages/index?page=1",
    "last": "https://v3.smspoh.com/api/rest/messages/index?page=8",
    "next": "https://v3.smspoh.com/api/rest/messages/index?page=2",
}
SUCCESS_LISTED = ListedMessage(
    report=Report(
        provider_message_id="5CF5EF38-4A1C-446C-8169-7FF202ABB883",
        status=Status.DELIVERED,
        provider_status="Success",
        occurred_at=datetime(2025, 1, 20, 6, 6, 26, tzinfo=UTC),
    ),
    recipient="959123456789",
    text="This is a test message.",
    created_at=datetime(2025, 1, 20, 5, 39, 48, tzinfo=UTC),
)
SENT_REPORT = Report(
    provider_message_id="5CF5EF38-219D-434F-B7E9-C6A40575D9C7",
    status=Status.SENT,
    provider_status="Sent",
    reference="abcde12345",
)
SENT_LISTED = ListedMessage(
    report=SENT_REPORT,
    recipient="959123456789",
    text="This is a test message.",
    created_at=datetime(2025, 1, 20, 5, 39, 29, tzinfo=UTC),
)


def history(rows: object, **page: Any) -> HttpResponse:
    return said(200, {"messages": rows, "links": LINKS, **page})


LIST_ANSWERS = (
    ListAnswer(
        title="the first of two pages",
        response=history([SUCCESS_ROW, SENT_ROW], limit=100, records=152, start=0),
        page=ListPage(entries=(SUCCESS_LISTED, SENT_LISTED), is_last=False, page_count=2),
    ),
    ListAnswer(
        title="the last of two pages, though the links still name a next one",
        response=history([SENT_ROW], limit=100, records=152, start=100),
        number=1,
        page=ListPage(entries=(SENT_LISTED,), is_last=True, page_count=2),
    ),
    ListAnswer(
        title="pages that the vendor made smaller than was asked",
        response=history([SENT_ROW], limit=20, records=152, start=20),
        number=1,
        page=ListPage(entries=(SENT_LISTED,), is_last=False, page_count=8),
    ),
    ListAnswer(
        title="no count, and fewer rows than fit",
        response=history([SENT_ROW], limit=100),
        page=ListPage(entries=(SENT_LISTED,), is_last=True),
    ),
    ListAnswer(
        title="neither a count nor a limit proves no end",
        response=said(201, {"messages": [SENT_ROW]}),
        page=ListPage(entries=(SENT_LISTED,), is_last=False),
    ),
    ListAnswer(
        title="no count, and as many rows as fit",
        response=history([SENT_ROW], limit=1),
        page=ListPage(entries=(SENT_LISTED,), is_last=False),
    ),
    ListAnswer(
        title="no rows, although some are counted",
        response=history([], limit=100, records=152),
        page=ListPage(entries=(), is_last=False, page_count=2),
    ),
    ListAnswer(
        title="an empty history",
        response=history([], limit=1000, records=0, start=0),
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(
        title="rows that cannot be read hide no other, and other people's references are dropped",
        response=history(
            [
                None,
                {**SENT_ROW, "messageId": None},
                {**SENT_ROW, "status": False},
                {**SUCCESS_ROW, "clientReference": "r" * 51},
                SENT_ROW,
            ],
            records=5,
        ),
        page=ListPage(entries=(SUCCESS_LISTED, SENT_LISTED), is_last=True),
    ),
    ListAnswer(
        title="an encrypted message, which only its reference tells from others",
        response=history([{**ENCRYPTED, "finishedAt": None}], records=1),
        page=ListPage(
            entries=(
                ListedMessage(
                    report=Report(
                        provider_message_id="133FF6AC-6EDB-4024-8965-F5DA5FEC7F80",
                        status=Status.ACCEPTED,
                        provider_status="Accepted",
                        reference="abcde12345",
                    ),
                    recipient="959123456789",
                    text=ENCRYPTED["message"],
                    created_at=datetime(2025, 1, 20, 8, 45, 48, tzinfo=UTC),
                ),
            ),
            is_last=True,
        ),
    ),
    ListAnswer(
        title="a word that nobody has described",
        response=history([{**SENT_ROW, "status": "?"}], records=1),
        page=ListPage(
            entries=(replace(SENT_LISTED, report=replace(SENT_REPORT, status=None, provider_status="?")),), is_last=True
        ),
    ),
    ListAnswer(title="wrong credentials", response=said(401, UNAUTHORIZED)),
    ListAnswer(title="an error under 200", response=said(200, UNAUTHORIZED)),
    ListAnswer(title="an outage, whatever its body says", response=said(503, {"messages": [SENT_ROW]})),
    ListAnswer(title="no object", response=said(200, [SENT_ROW])),
    ListAnswer(title="a page of HTML", response=HttpResponse(status=200, body=b"<html>login</html>")),
    ListAnswer(title="an object for the list", response=history({"0": SENT_ROW})),
)

WEBHOOK_ID = "133FF6AC-6EDB-4024-8965-F5DA5FEC7F80"
UPDATED_AT = datetime(2024, 12, 22, 17, 30, tzinfo=UTC)
FINISHED_AT = datetime(2024, 12, 22, 17, 32, tzinfo=UTC)
QUERY = (
    f"messageId={WEBHOOK_ID}&to=959123456789&clientReference=abcde12345&status=Success"
    "&updatedAt=2024-12-23 00:00:00&finishedAt=updatedAt=2024-12-23 00:02:00"
)
FORM = "application/x-www-form-urlencoded"


def reported(word: str, status: Status | None, reason: Reason | None = None) -> tuple[Report, ...]:
    is_final = status in (Status.DELIVERED, Status.UNDELIVERED)
    return (
        Report(
            provider_message_id=WEBHOOK_ID,
            status=status,
            provider_status=word,
            reference="abcde12345",
            reason=reason,
            occurred_at=FINISHED_AT if is_final else UPDATED_AT,
        ),
    )


def posted_form(body: str) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": FORM}, body=body.encode())


def posted_json(**fields: Any) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, body=json.dumps(fields).encode())


SHORT = f"messageId={WEBHOOK_ID}&clientReference=abcde12345&status=Success"


def whole_message() -> tuple[Report, ...]:
    """Return the report of a message object without the times of a receipt."""
    return (replace(reported("Success", Status.DELIVERED)[0], occurred_at=None),)


def worded(word: str, status: Status | None, reason: Reason | None = None) -> Webhook:
    body = (
        f"messageId={WEBHOOK_ID}&to=959123456789&clientReference=abcde12345&status={word}"
        "&updatedAt=2024-12-23+00%3A00%3A00&finishedAt=2024-12-23+00%3A02%3A00"
    )
    return Webhook(
        title=f"the word {word}", kind="receipt", request=posted_form(body), reports=reported(word, status, reason)
    )


WEBHOOKS = (
    Webhook(
        title="the page's own example: blanks in the query, and one name in front of another's value",
        kind="receipt",
        request=WebhookRequest(method="GET", query=QUERY),
        reports=reported("Success", Status.DELIVERED),
    ),
    Webhook(
        title="the same by POST, with an empty body",
        kind="receipt",
        request=WebhookRequest(method="POST", query=QUERY, headers={"content-type": FORM}),
        reports=reported("Success", Status.DELIVERED),
    ),
    Webhook(
        title="query and form that agree",
        kind="receipt",
        request=WebhookRequest(method="POST", query=QUERY, headers={"content-type": FORM}, body=QUERY.encode()),
        reports=reported("Success", Status.DELIVERED),
    ),
    Webhook(
        title="JSON, with a field that nobody knows",
        kind="receipt",
        request=posted_json(
            messageId=WEBHOOK_ID,
            to="959123456789",
            clientReference="abcde12345",
            status="DELIVERED",
            updatedAt="2024-12-23 00:00:00",
            finishedAt="2024-12-23 00:02:00",
            cost=25,
        ),
        reports=reported("DELIVERED", Status.DELIVERED),
    ),
    Webhook(
        title="JSON with the whole message: case 4 of the field",
        kind="receipt",
        request=posted_json(
            **TAKEN
            | {"messageId": WEBHOOK_ID, "status": "Success", "to": 959123456789, "price": 25.5, "parts": [{"n": 1}]}
        ),
        reports=whole_message(),
    ),
    *(
        Webhook(title=f"a form {title}", kind="receipt", request=posted_form(f"{SHORT}{more}"), reports=whole_message())
        for title, more in (
            ("with Latin-1 in a field that nobody reads: case 5 of the field", "&network=Telef%F3nica"),
            ("with 60 fields", "".join(f"&f{number}=1" for number in range(60))),
            ("with an unread field twice", "&to=1&to=2&to[]=3"),
            ("with NUL in a field that nobody reads", "&to=%00"),
            ("with the same reference twice", "&clientReference=abcde12345"),
            ("with a blank around a value", "&status=+Success%0A"),
        )
    ),
    Webhook(
        title="an id and a reference that are numbers",
        kind="receipt",
        request=posted_json(messageId=26, clientReference=4711, status="Success", updatedAt=1734912000),
        reports=(
            Report(provider_message_id="26", status=Status.DELIVERED, provider_status="Success", reference="4711"),
        ),
    ),
    Webhook(
        title="a reference that PHP writes as an empty list",
        kind="receipt",
        request=posted_json(messageId=WEBHOOK_ID, clientReference=[], status="Success"),
        reports=(Report(provider_message_id=WEBHOOK_ID, status=Status.DELIVERED, provider_status="Success"),),
    ),
    Webhook(
        title="no reference, and times that cannot be read",
        kind="receipt",
        request=posted_json(
            messageId=WEBHOOK_ID, clientReference="", status="Success", updatedAt=None, finishedAt="0000-00-00 00:00:00"
        ),
        reports=(Report(provider_message_id=WEBHOOK_ID, status=Status.DELIVERED, provider_status="Success"),),
    ),
    Webhook(
        title="a final word without its time takes the time of the update",
        kind="receipt",
        request=posted_json(messageId=WEBHOOK_ID, status="Expired", updatedAt="2024-12-23 00:00:00"),
        reports=(
            Report(
                provider_message_id=WEBHOOK_ID,
                status=Status.UNDELIVERED,
                provider_status="Expired",
                reason=Reason.EXPIRED,
                occurred_at=UPDATED_AT,
            ),
        ),
    ),
    worded("Accepted", Status.ACCEPTED),
    worded("Sent", Status.SENT),
    worded("Pending", Status.SENT),
    worded("Success", Status.DELIVERED),
    worded("Delivered", Status.DELIVERED),
    worded("Rejected", Status.UNDELIVERED, Reason.BLOCKED),
    worded("Error", Status.UNDELIVERED, Reason.UNREACHABLE),
    worded("Failed", Status.UNDELIVERED, Reason.PROVIDER_ERROR),
    worded("Undelivered", Status.UNDELIVERED, Reason.UNREACHABLE),
    worded("Expired", Status.UNDELIVERED, Reason.EXPIRED),
    worded("?", None),
    worded("Escalated", None),
)

BAD_WEBHOOKS = tuple(
    BadWebhook(title=title, kind="receipt", request=request)
    for title, request in (
        ("no id", posted_form("status=Success")),
        ("an empty id", posted_form("messageId=&status=Success")),
        ("an id of blanks", posted_form("messageId=+&status=Success")),
        ("an id that fits no key", posted_form(f"messageId={'A' * 101}&status=Success")),
        ("an id of two lines", posted_form("messageId=A%0AB&status=Success")),
        ("no status", posted_form(f"messageId={WEBHOOK_ID}")),
        ("an empty status", posted_form(f"messageId={WEBHOOK_ID}&status=")),
        ("a status that is a speech", posted_form(f"messageId={WEBHOOK_ID}&status={'A' * 65}")),
        ("half a character", posted_json(messageId=WEBHOOK_ID, status="\ud800")),
        ("two statuses", posted_form(f"messageId={WEBHOOK_ID}&status=Success&status=Error")),
        ("a query and a form that differ", WebhookRequest(method="POST", query=QUERY, body=b"status=Error")),
        ("a query and JSON that differ", replace(posted_json(status="Error"), query=QUERY)),
        ("two references", posted_form(f"{SHORT}&clientReference=another")),
        ("a status with a broken byte", posted_form(f"messageId={WEBHOOK_ID}&status=%FF")),
        ("nested JSON", posted_json(messageId=[WEBHOOK_ID], status="Success")),
        ("broken JSON", WebhookRequest(method="POST", headers={"content-type": "application/json"}, body=b'{"a":')),
    )
)


def promoted(*numbers: str, **changes: Any) -> tuple[Message, ...]:
    promotional = {"category": Category.PROMOTIONAL, **changes}
    return tuple(message(message_id=f"sale-{number[-2:]}", recipient=f"+{number}", **promotional) for number in numbers)


ONE_NUMBER, OTHER_NUMBER, ABROAD = "959123456701", "959123456702", "66912345603"
TWO = promoted(ONE_NUMBER, OTHER_NUMBER)
THREE = promoted(ONE_NUMBER, OTHER_NUMBER, ABROAD)
TEN_NUMBERS = tuple(f"9591234567{number}" for number in range(10, 20))

MANY_SENDS = (
    SendMany(
        title="texts, senders and options of their own, at home and abroad",
        messages=(
            TWO[0],
            replace(
                TWO[1],
                sender="Brand",
                content=Text(text="Another Content"),
                provider_options={"smspoh": {"unicode": True, "encrypt": False}},
            ),
            replace(THREE[2], message_id=LONG_ID, sender=None, content=Text(text="မင်္ဂလာပါ")),
        ),
        request=replace(
            posted(
                '{"messages":[{"to":"+959123456701","message":"Hello World","from":"SMSPoh",'
                f'"clientReference":"sale-01","deliveryReceiptUrl":"{RECEIPT_URL}"}},'
                '{"to":"+959123456702","message":"Another Content","from":"Brand",'
                '"clientReference":"sale-02","unicode":1,"encrypt":0,'
                f'"deliveryReceiptUrl":"{RECEIPT_URL}"}},'
                '{"to":"+66912345603","message":"မင်္ဂလာပါ","from":"Sampai",'
                '"clientReference":"campaign:2026-11-~a339f824829d9284a77fe085d7e4a600","unicode":1,'
                f'"deliveryReceiptUrl":"{RECEIPT_URL}"}}]}}',
                "send/bulk",
            ),
            response_limit=2 * 1024 * 1024,
        ),
    ),
)


def entry_to(number: str, **changes: Any) -> dict[str, Any]:
    """Return the entry of a number. Its id ends like the number. The page's examples have no reference."""
    return {**TAKEN, "messageId": f"327DABCC-{number[-2:]}", "to": number, "clientReference": "", **changes}


def refusal_to(number: str | None, **changes: Any) -> dict[str, Any]:
    named = {} if number is None else {"to": number}
    return {"status": False, "message": "Invalid Sender ID", **named, **changes}


def taken_by(number: str) -> Taken:
    return Taken(provider_message_id=f"327DABCC-{number[-2:]}", provider_status="Accepted")


UNKNOWN = Unknown(why="")
BAD_SENDER = says(Reason.INVALID_SENDER, "sender")


def told_apart(title: str, response: HttpResponse, *outcomes: Outcome) -> ManyAnswer:
    messages = {2: TWO, 3: THREE, 10: promoted(*TEN_NUMBERS)}[len(outcomes)]
    return ManyAnswer(title=title, messages=messages, response=response, outcomes=outcomes)


def bulk(*entries: object, http: int = 201) -> HttpResponse:
    return said(http, {"messages": list(entries)})


MANY_ANSWERS = (
    told_apart(
        "ten messages, ten entries",
        bulk(*(entry_to(number) for number in TEN_NUMBERS)),
        *(taken_by(number) for number in TEN_NUMBERS),
    ),
    told_apart(
        "entries with our references",
        bulk(*(entry_to(number, clientReference=f"sale-{number[-2:]}") for number in (ONE_NUMBER, OTHER_NUMBER))),
        taken_by(ONE_NUMBER),
        taken_by(OTHER_NUMBER),
    ),
    told_apart(
        "entries in another order",
        bulk(entry_to(ABROAD), entry_to(ONE_NUMBER, to="+959123456701"), entry_to(OTHER_NUMBER)),
        taken_by(ONE_NUMBER),
        taken_by(OTHER_NUMBER),
        taken_by(ABROAD),
    ),
    told_apart(
        "a message without an entry",
        bulk(entry_to(ONE_NUMBER), entry_to(ABROAD)),
        taken_by(ONE_NUMBER),
        UNKNOWN,
        taken_by(ABROAD),
    ),
    told_apart(
        "an entry with somebody else's reference is somebody else's",
        bulk(entry_to(ONE_NUMBER, clientReference="sale-02"), entry_to(OTHER_NUMBER)),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
    ),
    told_apart(
        "two entries to one number: the reference tells which",
        bulk(
            entry_to(ONE_NUMBER, messageId="327DABCC-XX", clientReference="an-older-sale"),
            entry_to(OTHER_NUMBER),
            entry_to(ONE_NUMBER, clientReference="sale-01"),
        ),
        taken_by(ONE_NUMBER),
        taken_by(OTHER_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "two entries to one number: the one in its place counts",
        bulk(entry_to(ONE_NUMBER), entry_to(ONE_NUMBER, messageId="327DABCC-XX")),
        taken_by(ONE_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "two entries to one number and none in its place",
        bulk(entry_to(OTHER_NUMBER), entry_to(ONE_NUMBER), entry_to(ONE_NUMBER, messageId="327DABCC-XX")),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "one id twice names neither",
        bulk(entry_to(ONE_NUMBER, messageId="327DABCC"), entry_to(OTHER_NUMBER, messageId="327DABCC")),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "one id also for a number that is not ours",
        bulk(entry_to(ONE_NUMBER), entry_to("959999999901")),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "an entry in the place of a message, but without its number",
        bulk(entry_to(ONE_NUMBER, to=None), entry_to(OTHER_NUMBER)),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
    ),
    told_apart(
        "an entry that is refused, with its number",
        bulk(entry_to(ONE_NUMBER), refusal_to(OTHER_NUMBER), entry_to(ABROAD)),
        taken_by(ONE_NUMBER),
        BAD_SENDER,
        taken_by(ABROAD),
    ),
    told_apart(
        "an entry that is refused for the account, beside one that was taken before",
        bulk(entry_to(ONE_NUMBER), refusal_to(OTHER_NUMBER, message="Insufficient balance")),
        taken_by(ONE_NUMBER),
        says(Reason.INSUFFICIENT_CREDIT, "insufficient"),
    ),
    told_apart(
        "entries that are refused without their numbers, the others in their places",
        bulk(refusal_to(None), entry_to(OTHER_NUMBER), refusal_to(None, message="No route for 66912345603")),
        BAD_SENDER,
        taken_by(OTHER_NUMBER),
        refused(Reason.PROVIDER_ERROR),
    ),
    told_apart(
        "a refusal without a number, the others not in their places",
        bulk(refusal_to(None), entry_to(ABROAD), entry_to(OTHER_NUMBER)),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
        taken_by(ABROAD),
    ),
    told_apart(
        "a refusal without a number, beside an entry without one",
        bulk(refusal_to(None), entry_to(OTHER_NUMBER, to=None)),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "a refusal without a number, among fewer entries than messages",
        bulk(entry_to(ONE_NUMBER), refusal_to(None)),
        taken_by(ONE_NUMBER),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "a refusal in another's place",
        bulk(refusal_to(OTHER_NUMBER), entry_to(ONE_NUMBER)),
        taken_by(ONE_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "a refusal of somebody else's reference",
        bulk(refusal_to(ONE_NUMBER, clientReference="an-older-sale"), refusal_to(None, clientReference="another")),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "refused and taken at once",
        bulk(refusal_to(ONE_NUMBER), entry_to(ONE_NUMBER), entry_to(ABROAD)),
        UNKNOWN,
        UNKNOWN,
        taken_by(ABROAD),
    ),
    told_apart(
        "entries that are none",
        bulk(None, [], entry_to(ABROAD)),
        UNKNOWN,
        UNKNOWN,
        taken_by(ABROAD),
    ),
    told_apart(
        "more entries than a bulk may have messages",
        bulk(entry_to(ONE_NUMBER), entry_to(OTHER_NUMBER), *[entry_to(ABROAD)] * 99),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart("no entries", bulk(), UNKNOWN, UNKNOWN),
    told_apart(
        "an answer that was cut off",
        HttpResponse(status=201, body=bulk(entry_to(ONE_NUMBER), entry_to(OTHER_NUMBER)).body[:-20]),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart("a page of HTML", HttpResponse(status=200, body=b"<html>login</html>"), UNKNOWN, UNKNOWN),
    told_apart(
        "an outage, whatever its body says",
        bulk(entry_to(ONE_NUMBER), entry_to(OTHER_NUMBER), http=500),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart("a status that the vendor does not describe", yii(405, "Method Not Allowed", ""), UNKNOWN, UNKNOWN),
    told_apart(
        "a field that the API does not like may be a neighbour's",
        said(422, [{"field": "to", "message": "To cannot be blank."}]),
        *[NotTaken(reason=Reason.INVALID_REQUEST, is_final=False, provider_code="422")] * 2,
    ),
    told_apart(
        "too large together",
        HttpResponse(status=413, body=b"<html>413 Request Entity Too Large</html>"),
        *[NotTaken(reason=Reason.TOO_LONG, is_final=False, provider_code="413")] * 2,
    ),
    told_apart("wrong credentials", said(401, UNAUTHORIZED), *[out_of_order("401")] * 2),
    told_apart(
        "too many requests",
        yii(429, "Too Many Requests", "Rate limit exceeded.", **{"retry-after": "7"}),
        *[NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=7.0)] * 2,
    ),
)


def credit(amount: float) -> AccountStatus:
    return AccountStatus(balances=(Balance(account="credit", amount=amount),))


def asked(
    title: str, response: HttpResponse, status: AccountStatus | None = None, *, is_refused: bool = False
) -> AccountAnswer:
    return AccountAnswer(title=title, check="balance", response=response, status=status, is_refused=is_refused)


ACCOUNT_ANSWERS = (
    asked("the page's own example", said(200, {"balance": 1227748, "currency": "MMK"}), credit(1227748.0)),
    asked("a fraction", said(200, {"balance": 0.5, "currency": "MMK"}), credit(0.5)),
    asked("a text, as a decimal column comes out of PHP", said(201, {"balance": "-1227748.50"}), credit(-1227748.5)),
    asked("wrong credentials", said(401, UNAUTHORIZED), is_refused=True),
    asked("not allowed", HttpResponse(status=403, body=b"<html>Forbidden</html>"), is_refused=True),
    asked("an outage, whatever its body says", said(500, {"balance": 1227748, "currency": "MMK"})),
    asked("too many requests", yii(429, "Too Many Requests", "Rate limit exceeded.")),
    asked("an error under 200", said(200, UNAUTHORIZED)),
    asked("a balance that is no number", said(200, {"balance": None, "currency": "MMK"})),
    asked("a balance for people", said(200, {"balance": "1,227,748 MMK"})),
    asked("a yes for a balance", said(200, {"balance": True})),
    asked("a balance that is not finite", HttpResponse(status=200, body=b'{"balance": Infinity}')),
    asked("a page of HTML", HttpResponse(status=200, body=b"<html>login</html>")),
)

CASES = ProviderCases(
    account=ProviderConfig(
        base_url=BASE,
        credentials={"api_key": "not-a-key", "api_secret": "not-a-secret"},
        sender="Sampai",
        receipt_url=RECEIPT_URL,
    ),
    endpoints=(("POST", "/send"), ("POST", "/send/bulk"), ("GET", "/messages"), ("GET", "/account/get-balance")),
    documented=("Accepted", "Sent", "Success", "Pending", "Rejected", "Error", "Expired", "?"),
    sends=SENDS,
    answers=ANSWERS,
    many_sends=MANY_SENDS,
    many_answers=MANY_ANSWERS,
    refusals=REFUSALS,
    list_requests=LIST_REQUESTS,
    list_answers=LIST_ANSWERS,
    account_checks=(("balance", HttpRequest(method="GET", url=f"{BASE}/account/get-balance", headers=AUTH)),),
    account_answers=ACCOUNT_ANSWERS,
    webhooks=WEBHOOKS,
    bad_webhooks=BAD_WEBHOOKS,
    secrets=(
        "not-a-key",
        "not-a-secret",
        "bm90LWEta2V5Om5vdC1hLXNlY3JldA==",
        "not-a-real-token",
        "not-a-real-encryption-key",
        "Hello World",
        "မင်္ဂလာပါ",
        "This is a test message.",
        "Another Content",
        "959123456701",
        ENCRYPTED["message"],
    ),
)
