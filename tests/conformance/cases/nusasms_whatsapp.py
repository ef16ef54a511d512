"""The cases of NusaSMS, WhatsApp. Requests are its page's; answers, dates and refusals are as users have seen them."""

import json
from datetime import UTC, datetime
from typing import Any

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Attachments, Channel, Media, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.template import Template
from sampai.providers.base import ProviderConfig
from tests.conformance.case import (
    AccountAnswer,
    Answer,
    BadWebhook,
    LookupAnswer,
    ProviderCases,
    Refusal,
    Send,
    Webhook,
)

BASE = "https://nusasms.example"
ROOT = f"{BASE}/nusasms_api/1.0"
HEADERS = {"APIKey": "not-a-real-key", "Accept": "application/json"}
FORM = "application/x-www-form-urlencoded"
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SENDER = "6281243214321"
GROUP = "6281243214321-1611111111"


def message(**changes: Any) -> Message:
    plain: dict[str, Any] = {
        "message_id": "order-4711",
        "status": Status.SENDING,
        "channel": Channel.WHATSAPP,
        "recipient": "+6281212341234",
        "content": Text(text="Message text"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**plain, **changes})


def options(**given: object) -> dict[str, dict[str, object]]:
    return {"nusasms": given}


def posted(operation: str, body: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{ROOT}/whatsapp/{operation}",
        headers={**HEADERS, "Content-Type": "application/json"},
        body=body.encode(),
    )


SENDS = (
    Send(
        title="a text",
        message=message(),
        request=posted("message", '{"destination":"6281212341234","message":"Message text"}'),
    ),
    Send(
        title="a text with all that may go with it",
        message=message(
            sender=SENDER,
            provider_options=options(
                timeout=86400, queue="YOUR_QUEUE", is_group=False, channel=0, include_unsubscribe=True
            ),
        ),
        request=posted(
            "message",
            '{"destination":"6281212341234","timeout":86400,"queue":"YOUR_QUEUE","is_group":false,"channel":0,'
            '"include_unsubscribe":true,"sender":"6281243214321","message":"Message text"}',
        ),
    ),
    Send(
        title="the grinning face as the page writes it",
        message=message(content=Text(text="😀")),
        request=posted("message", r'{"destination":"6281212341234","message":"\\U0001F600"}'),
    ),
    Send(
        title="the flag of Indonesia as the page writes it",
        message=message(content=Text(text="🇮🇩")),
        request=posted("message", r'{"destination":"6281212341234","message":"\\U0001F1EE\\U0001F1E9"}'),
    ),
    Send(
        title="other characters, line breaks and backslashes as they are",
        message=message(content=Text(text='Halo ☺ សួស្តី\n"C:\\new"\t😀')),
        request=posted(
            "message",
            r'{"destination":"6281212341234","message":"Halo ☺ សួស្តី\n\"C:\\new\"\t\\U0001F600"}',
        ),
    ),
    Send(
        title="a group of WhatsApp",
        message=message(recipient=None, audience=(GROUP,)),
        request=posted(
            "message", '{"destination":"6281243214321-1611111111","is_group":true,"message":"Message text"}'
        ),
    ),
    Send(
        title="a group of WhatsApp, by the option too",
        message=message(recipient=None, audience=(GROUP,), provider_options=options(is_group=True)),
        request=posted(
            "message", '{"destination":"6281243214321-1611111111","is_group":true,"message":"Message text"}'
        ),
    ),
    Send(
        title="a file that the vendor fetches",
        message=message(
            content=Media(media_url="https://example.com/image_name.png", caption="Caption text"),
            provider_options=options(queue="YOUR_QUEUE", include_unsubscribe=True),
        ),
        request=posted(
            "media",
            '{"destination":"6281212341234","queue":"YOUR_QUEUE","include_unsubscribe":true,"caption":"Caption text",'
            '"media_url":"https://example.com/image_name.png"}',
        ),
    ),
    Send(
        title="a file of our own",
        message=message(
            sender=SENDER,
            content=Media(media_key="order-4711/0f/1", file_name="your_image_file.png", size=11, caption="Foto 😀"),
            attachments=Attachments(file=b"\x89PNG\r\n\x1a\n\x00\xff\xfe"),
        ),
        request=posted(
            "media",
            '{"destination":"6281212341234","sender":"6281243214321","caption":"Foto \\\\U0001F600",'
            '"media_base64":"iVBORw0KGgoA//4=","file_name":"your_image_file.png"}',
        ),
    ),
    Send(
        title="a file without a caption, for a group",
        message=message(
            recipient=None, audience=(GROUP,), content=Media(media_url="https://example.com/image_name.png")
        ),
        request=posted(
            "media",
            '{"destination":"6281243214321-1611111111","is_group":true,'
            '"media_url":"https://example.com/image_name.png"}',
        ),
    ),
)

REF_NO = "008078391643125660"
TAKEN = Taken(provider_message_id=REF_NO)
SENT: dict[str, Any] = {
    "sender": SENDER,
    "queue": None,
    "destination": "6281212341234",
    "message": "Message text",
    "ref_no": REF_NO,
}


def said(status: int, document: object, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status=status, headers=headers or {}, body=json.dumps(document).encode())


def succeeded(data: object, status: int = 201, text: str = "WA send message") -> HttpResponse:
    return said(status, {"error": False, "message": text, "data": data})


def refused(text: object, status: int = 400) -> HttpResponse:
    return said(status, {"error": True, "message": text, "description": None})


def unprocessable(*places: list[str | int]) -> HttpResponse:
    problems = [{"loc": place, "msg": "Invalid destination format", "type": "value_error"} for place in places]
    return said(422, {"detail": problems})


def raw(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, body=text.encode())


def final(reason: Reason, code: str | None = None, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code, detail=detail)


def out_of_order(reason: Reason, code: str | None = None, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, provider_code=code, detail=detail)


def field(name: str, reason: Reason) -> Answer:
    return Answer(
        title=f"a value that is not valid: {name}",
        response=unprocessable(["body", name]),
        outcome=final(reason, "422", f"{name}: refused by the vendor"),
    )


BUSINESS: tuple[tuple[str, HttpResponse, Outcome], ...] = (
    (
        "a sender that is not the account's",
        refused("Invalid WA Sender"),
        final(Reason.INVALID_SENDER, "400", "the refusal says: invalid wa sender"),
    ),
    (
        "a sender that is not the account's, under 200",
        refused("Invalid WA Sender", 200),
        final(Reason.INVALID_SENDER, None, "the refusal says: invalid wa sender"),
    ),
    (
        "a file that is too large",
        refused("File exceed limits (max 512 KB)"),
        final(Reason.TOO_LONG, "400", "the refusal says: file exceed limits"),
    ),
    (
        "no credit",
        refused("Insufficient WA credit"),
        out_of_order(Reason.INSUFFICIENT_CREDIT, "400", "the refusal says: credit"),
    ),
    (
        "no balance",
        refused("Your balance has expired", 200),
        out_of_order(Reason.INSUFFICIENT_CREDIT, None, "the refusal says: balance"),
    ),
    (
        "a refusal that nobody has described",
        refused("Nomor 6281212341234 sedang sibuk"),
        final(Reason.PROVIDER_ERROR, "400"),
    ),
    ("a refusal under 422", refused("Nomor sedang sibuk", 422), final(Reason.PROVIDER_ERROR, "422")),
    ("a refusal without words", refused(None, 200), final(Reason.PROVIDER_ERROR)),
)

ANSWERS = (
    Answer(title="accepted", response=succeeded(SENT), outcome=TAKEN),
    Answer(
        title="accepted, by an older server",
        response=said(201, {"error": False, "error_code": 0, "message": "WA send message", "data": SENT}),
        outcome=TAKEN,
    ),
    Answer(
        title="a file, accepted",
        response=succeeded(
            {**SENT, "caption": "Halo", "media_url": "https://dev.nusasms.com/assets/a.png"}, text="WA Send Media"
        ),
        outcome=TAKEN,
    ),
    Answer(title="accepted, under 200", response=succeeded(SENT, 200), outcome=TAKEN),
    Answer(title="accepted, under 202", response=succeeded(SENT, 202), outcome=TAKEN),
    Answer(title="success without a body", response=HttpResponse(status=204), outcome=Unknown(why="")),
    Answer(title="success under 203", response=succeeded(SENT, 203), outcome=Unknown(why="")),
    Answer(title="success without an id", response=succeeded({**SENT, "ref_no": None}), outcome=Unknown(why="")),
    Answer(title="an empty id", response=succeeded({**SENT, "ref_no": ""}), outcome=Unknown(why="")),
    Answer(
        title="an id that lost its zeros",
        response=succeeded({**SENT, "ref_no": 8078391643125660}),
        outcome=Unknown(why=""),
    ),
    Answer(title="an id that fits no key", response=succeeded({**SENT, "ref_no": "1" * 101}), outcome=Unknown(why="")),
    Answer(title="an id of two lines", response=succeeded({**SENT, "ref_no": "1\n2"}), outcome=Unknown(why="")),
    Answer(title="success without data", response=succeeded(None), outcome=Unknown(why="")),
    Answer(title="a list for data", response=succeeded([SENT]), outcome=Unknown(why="")),
    Answer(title="success under a refusal", response=succeeded(SENT, 400), outcome=Unknown(why="")),
    Answer(title="neither success nor error", response=said(201, {"data": SENT}), outcome=Unknown(why="")),
    Answer(
        title="an error that is no boolean", response=said(201, {"error": 0, "data": SENT}), outcome=Unknown(why="")
    ),
    Answer(title="an error beside an id", response=said(200, {"error": True, "data": SENT}), outcome=Unknown(why="")),
    Answer(title="an error in a word", response=said(400, {"error": "true", "message": ""}), outcome=Unknown(why="")),
    *(Answer(title=title, response=response, outcome=outcome) for title, response, outcome in BUSINESS),
    Answer(
        title="a number that is none",
        response=said(
            422,
            {
                "detail": [
                    {"loc": ["body", "destination"], "msg": "Invalid destination format", "type": "value_error"},
                    {
                        "loc": ["body", "__root__"],
                        "msg": "argument of type 'NoneType' is not iterable",
                        "type": "type_error",
                    },
                ]
            },
        ),
        outcome=final(Reason.INVALID_RECIPIENT, "422", "destination: refused by the vendor"),
    ),
    field("message", Reason.INVALID_CONTENT),
    field("caption", Reason.INVALID_CONTENT),
    field("media_url", Reason.INVALID_CONTENT),
    field("media_base64", Reason.INVALID_CONTENT),
    field("file_name", Reason.INVALID_CONTENT),
    field("sender", Reason.INVALID_SENDER),
    Answer(
        title="a value that is not valid, of an option",
        response=unprocessable(["body", "timeout"]),
        outcome=final(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(
        title="values that are not valid: the first that tells something counts",
        response=unprocessable(["body", 0], ["body", "queue"], ["body", "sender"], ["body", "destination"]),
        outcome=final(Reason.INVALID_SENDER, "422", "sender: refused by the vendor"),
    ),
    Answer(
        title="a value that is not valid, and places that are none",
        response=said(
            422,
            {
                "detail": [
                    None,
                    "destination",
                    {"loc": "destination"},
                    {"loc": [["destination"], {}]},
                    {"msg": "missing"},
                ]
            },
        ),
        outcome=final(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(
        title="a value that is not valid, in a word",
        response=said(422, {"detail": "destination"}),
        outcome=final(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(title="a bad request", response=raw("Bad Request", 400), outcome=final(Reason.INVALID_REQUEST, "400")),
    Answer(
        title="a wrong key", response=refused("Invalid APIKey", 401), outcome=out_of_order(Reason.AUTHENTICATION, "401")
    ),
    Answer(
        title="not allowed, whatever it says",
        response=refused("Invalid WA Sender", 403),
        outcome=out_of_order(Reason.AUTHENTICATION, "403"),
    ),
    Answer(
        title="no such page", response=said(404, {"detail": "Not Found"}), outcome=final(Reason.PROVIDER_ERROR, "404")
    ),
    Answer(title="too large", response=raw("<html></html>", 413), outcome=final(Reason.TOO_LONG, "413")),
    Answer(
        title="too many requests",
        response=said(429, {"detail": "Too Many Requests"}, {"retry-after": "2"}),
        outcome=NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=2.0),
    ),
    Answer(
        title="a status that says little", response=said(405, {"detail": "Method Not Allowed"}), outcome=Unknown(why="")
    ),
    Answer(title="a page of HTML", response=raw("<!DOCTYPE html><html>login</html>"), outcome=Unknown(why="")),
    Answer(
        title="an answer in XML", response=raw("<results><error>false</error></results>", 201), outcome=Unknown(why="")
    ),
    Answer(title="a redirect", response=succeeded(SENT, 302), outcome=Unknown(why="")),
    Answer(title="a time-out at the vendor", response=refused("Invalid WA Sender", 408), outcome=Unknown(why="")),
    Answer(title="an outage", response=raw("Internal Server Error", 500), outcome=Unknown(why="")),
    Answer(title="an outage, whatever it says", response=refused("Invalid WA Sender", 503), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="a template",
        message=message(content=Template(template_id="65a08d56-a2b9-45f5-98d3-98671e639055")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="content.type: nusasms takes no template on whatsapp"),
    ),
    Refusal(
        title="a conversation",
        message=message(room_id="9d1c1f5e-fb79-4c3e-b19e-546f761dfebf"),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="room_id: nusasms has no conversations on whatsapp"),
    ),
    Refusal(
        title="two groups",
        message=message(recipient=None, audience=(GROUP, "6281243214321-1622222222")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="audience: nusasms takes 1 list on whatsapp"),
    ),
    Refusal(
        title="a group that is said to be none",
        message=message(recipient=None, audience=(GROUP,), provider_options=options(is_group=False)),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="provider_options.nusasms.is_group: an audience is a group"),
    ),
    Refusal(
        title="an option of another channel",
        message=message(provider_options=options(media_type="image")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="provider_options.nusasms.media_type: option not offered"),
    ),
    Refusal(
        title="an option of another type",
        message=message(provider_options=options(timeout="86400")),
        failure=Failure(reason=Reason.INVALID_REQUEST, detail="provider_options.nusasms.timeout: wrong type"),
    ),
    Refusal(
        title="a file of more than 512 KB",
        message=message(content=Media(media_key="order-4711/0f/3", file_name="a.png", size=524_289)),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.media_base64: nusasms takes 524288 bytes"),
    ),
    Refusal(
        title="a caption that is too long",
        message=message(content=Media(media_url="https://example.com/image_name.png", caption="x" * 4097)),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.caption: nusasms takes 4096 characters"),
    ),
)

INFO: dict[str, Any] = {
    "destination": "6281212341234",
    "sender": SENDER,
    "is_group": False,
    "create_date": "2022-01-28T23:31:50",
    "sent_date": "2022-01-28T23:31:51",
    "read_date": "2022-01-28T23:31:53",
    "delivered_date": "2022-01-28T23:31:52",
    "ref_no": REF_NO,
    "status": "D",
    "message": "Message text",
    "caption": None,
    "media_url": None,
}
CREATED_AT = datetime(2022, 1, 28, 16, 31, 50, tzinfo=UTC)
SENT_AT = datetime(2022, 1, 28, 16, 31, 51, tzinfo=UTC)
DELIVERED_AT = datetime(2022, 1, 28, 16, 31, 52, tzinfo=UTC)
READ_AT = datetime(2022, 1, 28, 16, 31, 53, tzinfo=UTC)


def info(**changes: object) -> HttpResponse:
    return succeeded({**INFO, **changes}, 200, "Message data")


def report(
    word: str,
    status: Status | None,
    occurred_at: datetime | None,
    reason: Reason | None = None,
    code: str | None = None,
) -> Report:
    return Report(
        provider_message_id=REF_NO,
        status=status,
        provider_status=word,
        reason=reason,
        provider_code=code,
        occurred_at=occurred_at,
    )


WORDS: tuple[tuple[str, Status | None, datetime | None, Reason | None], ...] = (
    ("U", Status.ACCEPTED, CREATED_AT, None),
    ("Q", Status.ACCEPTED, CREATED_AT, None),
    ("S", Status.SENT, SENT_AT, None),
    ("D", Status.DELIVERED, DELIVERED_AT, None),
    ("R", Status.READ, READ_AT, None),
    ("A", Status.UNDELIVERED, None, Reason.PROVIDER_ERROR),
    ("F", Status.UNDELIVERED, None, Reason.PROVIDER_ERROR),
    ("UN-SENT", Status.ACCEPTED, CREATED_AT, None),
    ("QUEUE", Status.ACCEPTED, CREATED_AT, None),
    ("SENT", Status.SENT, SENT_AT, None),
    ("DELIVERED", Status.DELIVERED, DELIVERED_AT, None),
    ("READ", Status.READ, READ_AT, None),
    ("ABORT", Status.UNDELIVERED, None, Reason.PROVIDER_ERROR),
    ("ABORTED", Status.UNDELIVERED, None, Reason.PROVIDER_ERROR),
    ("FAILED", Status.UNDELIVERED, None, Reason.PROVIDER_ERROR),
    ("d", Status.DELIVERED, DELIVERED_AT, None),
    ("P", None, None, None),
)

LOOKUP_ANSWERS = (
    *(
        LookupAnswer(title=f"the word {word}", response=info(status=word), report=report(word, status, at, reason))
        for word, status, at, reason in WORDS
    ),
    LookupAnswer(
        title="a date with a zone, as on the page",
        response=info(delivered_date="2019-08-24T14:15:22Z"),
        report=report("D", Status.DELIVERED, datetime(2019, 8, 24, 14, 15, 22, tzinfo=UTC)),
    ),
    LookupAnswer(
        title="dates that are null",
        response=info(create_date=None, sent_date=None, delivered_date=None, read_date=None),
        report=report("D", Status.DELIVERED, None),
    ),
    LookupAnswer(title="not known", response=refused("Message not found", 404)),
    LookupAnswer(title="no such page", response=said(404, {"detail": "Not Found"}), unreadable=True),
    LookupAnswer(title="a page that is not there", response=raw("<html>404</html>", 404), unreadable=True),
    LookupAnswer(title="a refusal", response=refused("Message not found", 400), unreadable=True),
    LookupAnswer(title="a refusal under 200", response=refused("Message not found", 200), unreadable=True),
    LookupAnswer(title="an id that is not valid", response=unprocessable(["path", "ref_no"]), unreadable=True),
    LookupAnswer(title="a wrong key", response=refused("Invalid APIKey", 401), unreadable=True),
    LookupAnswer(title="an outage", response=raw("", 503), unreadable=True),
    LookupAnswer(title="no data", response=succeeded(None, 200), unreadable=True),
    LookupAnswer(title="an error beside the data", response=said(200, {"error": True, "data": INFO}), unreadable=True),
    LookupAnswer(title="no id", response=info(ref_no=None), unreadable=True),
    LookupAnswer(title="an id as a number", response=info(ref_no=8078391643125660), unreadable=True),
    LookupAnswer(title="no status", response=info(status=None), unreadable=True),
    LookupAnswer(title="a status that is a speech", response=info(status="D" * 65), unreadable=True),
)

CREDIT: dict[str, Any] = {
    "idClient": 1000001,
    "wa_balance": 1000,
    "wa_expired_date": "2020-01-01",
    "hlr_balance": 0,
    "hlr_expired_date": None,
    "sim_balance": 0,
    "sim_expired_date": None,
    "sms_balance": 782.5,
    "sms_expired_date": "2020-12-05",
    "pulsa_balance": None,
}
USER = {"userid": "cdev_testing_user", "idPerson": 1000001, "idClient": 1000001}


def credit(**changes: object) -> HttpResponse:
    return succeeded({**CREDIT, **changes}, 200, "Client credit data")


def checked(check: str, title: str, response: HttpResponse, *, is_refused: bool = False) -> AccountAnswer:
    return AccountAnswer(title=f"{check}: {title}", check=check, response=response, is_refused=is_refused)


ACCOUNT_ANSWERS = (
    AccountAnswer(
        title="the balances that messages are paid from",
        check="balance",
        response=credit(),
        status=AccountStatus(
            balances=(
                Balance(account="sms", amount=782.5, expires_at=datetime(2020, 12, 4, 17, tzinfo=UTC)),
                Balance(account="wa", amount=1000.0, expires_at=datetime(2019, 12, 31, 17, tzinfo=UTC)),
            )
        ),
    ),
    AccountAnswer(
        title="balances that are null",
        check="balance",
        response=credit(sms_balance=None, sms_expired_date=None, wa_balance=0, wa_expired_date=None),
        status=AccountStatus(balances=(Balance(account="sms", amount=None), Balance(account="wa", amount=0.0))),
    ),
    checked("balance", "an amount that is a text", credit(wa_balance="1000")),
    checked("balance", "an amount that is none", raw('{"error": false, "data": {"wa_balance": NaN}}')),
    checked("balance", "an amount that is a yes", credit(wa_balance=True)),
    checked("balance", "no amounts", succeeded({"idClient": 1000001}, 200)),
    AccountAnswer(
        title="a good key",
        check="key",
        response=succeeded(USER, 200, "APIKey Authentication check"),
        status=AccountStatus(),
    ),
    checked("key", "nobody", succeeded({}, 200)),
    *(
        answer
        for check in ("balance", "key")
        for answer in (
            checked(check, "a wrong key", refused("Invalid APIKey", 401), is_refused=True),
            checked(check, "an address that is not listed", raw("", 403), is_refused=True),
            checked(check, "too many requests", said(429, {"detail": "Too Many Requests"})),
            checked(check, "an outage", raw("Internal Server Error", 500)),
            checked(check, "an error under 200", refused("Client not found", 200)),
            checked(check, "an error beside the data", said(200, {"error": True, "data": {**CREDIT, **USER}})),
            checked(check, "success under 500", succeeded({**CREDIT, **USER}, 500)),
            checked(check, "no data", succeeded(None, 200)),
            checked(check, "a page of HTML", raw("<html>login</html>")),
        )
    ),
)


def told(status: str, err_code: str = "000") -> str:
    return f"ref_no={REF_NO}&status={status}&sent_date=2022-01-28%2023:31:51&err_code={err_code}"


RECEIPTS = (
    *(
        Webhook(
            title=f"the word {word}",
            kind="whatsapp-receipt",
            request=WebhookRequest(method="GET", query=told(word)),
            reports=(report(word, status, SENT_AT, reason),),
        )
        for word, status, _, reason in WORDS
    ),
    Webhook(
        title="an error code is kept",
        kind="whatsapp-receipt",
        request=WebhookRequest(method="GET", query=told("F", "E-27")),
        reports=(report("F", Status.UNDELIVERED, SENT_AT, Reason.PROVIDER_ERROR, "E-27"),),
    ),
    Webhook(
        title="by POST, all in the query",
        kind="whatsapp-receipt",
        request=WebhookRequest(method="POST", query=told("R")),
        reports=(report("R", Status.READ, SENT_AT),),
    ),
    Webhook(
        title="by POST with a form, without a date",
        kind="whatsapp-receipt",
        request=WebhookRequest(
            method="POST", headers={"content-type": FORM}, body=f"ref_no={REF_NO}&status=R&sent_date=".encode()
        ),
        reports=(report("R", Status.READ, None),),
    ),
)

BAD_RECEIPTS = tuple(
    BadWebhook(title=title, kind="whatsapp-receipt", request=WebhookRequest(method="GET", query=query))
    for title, query in (
        ("no id", "status=D"),
        ("an id of two lines", "ref_no=1%0A2&status=D"),
        ("no status", f"ref_no={REF_NO}"),
        ("an empty status", f"ref_no={REF_NO}&status="),
        ("two statuses", f"ref_no={REF_NO}&status=D&status=F"),
    )
)


def inbox(body: str) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": FORM}, body=body.encode())


INBOX = "id=81734&gateway_number=6281243214321&originator=6281298765432&receive_date=2022-01-28%2023%3A31%3A53"


def received(**changes: Any) -> tuple[Inbound, ...]:
    documented: dict[str, Any] = {
        "provider": "nusasms",
        "channel": Channel.WHATSAPP,
        "provider_message_id": "81734",
        "sender": "+6281298765432",
        "recipient": "6281243214321",
        "text": "Pesan masuk",
        "received_at": READ_AT,
    }
    return (Inbound(**{**documented, **changes}),)


INBOXES = (
    Webhook(
        title="an inbound message",
        kind="whatsapp-inbox",
        request=inbox(f"{INBOX}&msg=Pesan+masuk"),
        reports=received(),
    ),
    Webhook(
        title="an inbound message without words",
        kind="whatsapp-inbox",
        request=inbox(f"{INBOX}&msg="),
        reports=received(text=""),
    ),
    Webhook(
        title="an inbound message from abroad: every number of WhatsApp is international",
        kind="whatsapp-inbox",
        request=inbox("originator=85512345678&msg=Pesan+masuk"),
        reports=received(provider_message_id=None, sender="+85512345678", recipient=None, received_at=None),
    ),
    Webhook(
        title="an inbound message from a group",
        kind="whatsapp-inbox",
        request=inbox(f"originator={GROUP}&msg=Pesan+masuk"),
        reports=received(provider_message_id=None, sender=GROUP, recipient=None, received_at=None),
    ),
)

BAD_INBOXES = tuple(
    BadWebhook(title=title, kind="whatsapp-inbox", request=inbox(body))
    for title, body in (
        ("an inbound message without a sender", "id=81734&msg=Pesan+masuk"),
        ("an inbound message from two senders", f"{INBOX}&originator=6281298765433&msg=Pesan+masuk"),
    )
)

CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"api_key": "not-a-real-key"}),
    endpoints=(
        ("GET", "/nusasms_api/1.0/auth/api_key"),
        ("GET", "/nusasms_api/1.0/balance"),
        ("POST", "/nusasms_api/1.0/whatsapp/media"),
        ("POST", "/nusasms_api/1.0/whatsapp/message"),
        ("GET", "/nusasms_api/1.0/whatsapp/status/[^/]+"),
    ),
    documented=tuple("U Q S D R A F UN-SENT QUEUE SENT DELIVERED READ ABORT ABORTED FAILED".split()),
    sends=SENDS,
    answers=ANSWERS,
    refusals=REFUSALS,
    lookup=(
        "0080/7839",
        HttpRequest(method="GET", url=f"{ROOT}/whatsapp/status/0080%2F7839", headers=HEADERS),
    ),
    lookup_answers=LOOKUP_ANSWERS,
    account_checks=tuple(
        (check, HttpRequest(method="GET", url=f"{ROOT}/{path}", headers=HEADERS, response_limit=1024 * 1024))
        for check, path in (("balance", "balance"), ("key", "auth/api_key"))
    ),
    account_answers=ACCOUNT_ANSWERS,
    webhooks=RECEIPTS + INBOXES,
    bad_webhooks=BAD_RECEIPTS + BAD_INBOXES,
    secrets=("Nomor", "image_name", "your_image_file", "iVBORw0KGgoA", "Pesan masuk", "81298765432", "85512345678"),
)
