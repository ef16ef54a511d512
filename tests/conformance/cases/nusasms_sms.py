"""The cases of NusaSMS, SMS v3. Answers and callbacks are from its page, with the stars in numbers filled in."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Channel, Media, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.template import Template
from sampai.providers.base import ProviderConfig
from tests.conformance.case import Answer, BadWebhook, ProviderCases, Refusal, Send, Webhook

BASE = "https://nusasms.example"
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"


def message(**changes: Any) -> Message:
    plain: dict[str, Any] = {
        "message_id": "otp-4711",
        "status": Status.SENDING,
        "recipient": "+6281234567890",
        "content": Text(text="Hello NusaSMS!"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**plain, **changes})


def posted(body: str, operation: str = "plain") -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{BASE}/api/v3/sendsms/{operation}",
        headers={"Accept": "application/json", "Content-Type": FORM},
        body=body.encode(),
    )


LOGIN = "user=not-a-user&password=not%26a+password%3D"

SENDS = (
    Send(
        title="a plain message: everything in the body, nothing in the address",
        message=message(),
        request=posted(f"{LOGIN}&SMSText=Hello+NusaSMS%21&GSM=6281234567890&output=json"),
    ),
    Send(
        title="a one-time password takes the route for them",
        message=message(category=Category.OTP, content=Text(text="Kode OTP anda 1234")),
        request=posted(f"{LOGIN}&SMSText=Kode+OTP+anda+1234&GSM=6281234567890&output=json&otp=Y"),
    ),
    Send(
        title="a text beyond the GSM alphabet is marked as unicode",
        message=message(content=Text(text="Selamat 😀\n&")),
        request=posted(f"{LOGIN}&SMSText=Selamat+%F0%9F%98%80%0A%26&GSM=6281234567890&output=json&unicode=True"),
    ),
    Send(
        title="a sender cannot be named",
        message=message(sender="SAMPAI"),
        request=posted(f"{LOGIN}&SMSText=Hello+NusaSMS%21&GSM=6281234567890&output=json"),
    ),
    Send(
        title="an audience is a group of the vendor's contacts",
        message=message(recipient=None, audience=("Example",)),
        request=posted(f"{LOGIN}&SMSText=Hello+NusaSMS%21&group=Example&output=json", "group"),
    ),
    Send(
        title="a group takes one-time passwords and unicode like a number",
        message=message(
            recipient=None,
            audience=("Pelanggan & mitra",),
            category=Category.OTP,
            content=Text(text="Selamat 😀"),
        ),
        request=posted(
            f"{LOGIN}&SMSText=Selamat+%F0%9F%98%80&group=Pelanggan+%26+mitra&output=json&otp=Y&unicode=True", "group"
        ),
    ),
)

MESSAGE_ID = "175041319203754627"
TAKEN = Taken(provider_message_id=MESSAGE_ID)
CAMPAIGN = "Group-Api-Campaign-cf27252-5101"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<results>
     <result>
          <status>{status}</status>
          <messageid>{messageid}</messageid>
          <destination>6285100803380</destination>
     </result>
</results>
"""


GROUP_XML = """<?xml version="1.0" encoding="UTF-8"?>
<results>
  <result>
    <status>{status}</status>
    <campaign_name>Group-Api-Campaign-cf27252-5101</campaign_name>
    <group>Example</group>
  </result>
</results>
"""


def said(status: int, document: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def result(code: object, messageid: object = "", http: int = 200) -> HttpResponse:
    return said(http, {"results": [{"status": code, "messageid": messageid, "destination": "6285100803380"}]})


def group(code: str, campaign_name: object = CAMPAIGN) -> HttpResponse:
    return said(200, {"results": [{"status": code, "campaign_name": campaign_name, "group": "Example"}]})


def raw(text: str, http: int = 200) -> HttpResponse:
    return HttpResponse(status=http, body=text.encode())


def final(reason: Reason, code: str, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code, detail=detail)


def out_of_order(reason: Reason, code: str, detail: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, provider_code=code, detail=detail)


CODES: tuple[tuple[str, Outcome], ...] = (
    ("-1", Unknown(why="SEND_ERROR")),
    ("-2", out_of_order(Reason.INSUFFICIENT_CREDIT, "-2", "NOT_ENOUGH_CREDITS")),
    ("-3", final(Reason.UNROUTABLE, "-3", "NETWORK_NOTCOVERED")),
    ("-5", out_of_order(Reason.AUTHENTICATION, "-5", "AUTHENTICATION_FAILED")),
    ("-6", final(Reason.INVALID_RECIPIENT, "-6", "MISSING_DESTINATION_ADDRESS")),
    ("-7", out_of_order(Reason.INSUFFICIENT_CREDIT, "-7", "BALANCE_EXPIRED")),
    ("-9", final(Reason.UNROUTABLE, "-9", "NO_ROUTE")),
    ("-10", final(Reason.BLOCKED, "-10", "REJECTED")),
    ("-11", final(Reason.INVALID_RECIPIENT, "-11", "UNKNOWN_DESTINATION_ADDRESS")),
    ("-12", final(Reason.INVALID_CONTENT, "-12", "MISSING_MESSAGE")),
    ("-13", final(Reason.INVALID_RECIPIENT, "-13", "INVALID_DESTINATION_ADDRESS")),
    ("-14", final(Reason.TOO_LONG, "-14", "SMS_TEXT_TOO_LONG")),
    ("-22", final(Reason.PROVIDER_ERROR, "-22", "SYNTAX_ERROR")),
    ("-23", Unknown(why="ERROR_PROCESSING")),
    ("-24", final(Reason.PROVIDER_ERROR, "-24", "INVALID_API_COMMAND")),
    ("-26", Unknown(why="COMMUNICATION_ERROR")),
    ("-27", final(Reason.PROVIDER_ERROR, "-27", "INVALID_SENDDATETIME")),
    ("-28", final(Reason.PROVIDER_ERROR, "-28", "INVALID_DELIVERY_REPORT_PUSH_URL")),
    ("-30", out_of_order(Reason.AUTHENTICATION, "-30", "INVALID_CLIENT_APPID")),
    ("-31", final(Reason.PROVIDER_ERROR, "-31", "RECORD_NOT_FOUND")),
    ("-32", final(Reason.PROVIDER_ERROR, "-32", "MISSING_MESSAGE_ID")),
    ("-33", final(Reason.PROVIDER_ERROR, "-33", "DUPLICATE_MESSAGEID")),
    ("-34", final(Reason.INVALID_SENDER, "-34", "SENDER_NOT_ALLOWED")),
    ("-35", final(Reason.INVALID_SENDER, "-35", "SENDER_NOT_REGISTERED")),
    ("-36", final(Reason.INVALID_SENDER, "-36", "SENDER_NOT_SET")),
    ("-40", replace(out_of_order(Reason.AUTHENTICATION, "-40", "IP_ADDRESS_FORBIDDEN"), is_address_refused=True)),
    ("-55", final(Reason.INVALID_RECIPIENT, "-55", "audience: no such group, or nobody in it")),
    ("-77", final(Reason.RATE_LIMITED, "-77", "SPAM_PATTERN")),
    ("-78", final(Reason.RATE_LIMITED, "-78", "LIMIT REACHED FOR DESTINATION NUMBER")),
    ("-88", final(Reason.BLOCKED, "-88", "REJECTED ROUTE")),
    ("-99", Unknown(why="GENERAL_ERROR")),
)

ANSWERS = (
    Answer(title="accepted", response=result("0", MESSAGE_ID), outcome=TAKEN),
    Answer(title="accepted, in XML", response=raw(XML.format(status="0", messageid=MESSAGE_ID)), outcome=TAKEN),
    Answer(title="accepted, under 201", response=result("0", MESSAGE_ID, 201), outcome=TAKEN),
    Answer(title="accepted, under 202", response=result("0", MESSAGE_ID, 202), outcome=TAKEN),
    Answer(
        title="accepted, after a byte order mark",
        response=raw('\ufeff{"results": [{"status": "0", "messageid": "175041319203754627"}]}'),
        outcome=TAKEN,
    ),
    Answer(title="a code and an id as numbers", response=result(0, 175041319203754627), outcome=TAKEN),
    Answer(
        title="an id keeps its leading zeros",
        response=result("0", "008078391643125660"),
        outcome=Taken(provider_message_id="008078391643125660"),
    ),
    Answer(
        title="an id with letters",
        response=result("0", "XXXX05224010031105891853"),
        outcome=Taken(provider_message_id="XXXX05224010031105891853"),
    ),
    *(Answer(title=f"the code {code}", response=result(code), outcome=outcome) for code, outcome in CODES),
    Answer(
        title="a code as a number",
        response=result(-13),
        outcome=final(Reason.INVALID_RECIPIENT, "-13", "INVALID_DESTINATION_ADDRESS"),
    ),
    Answer(
        title="wrong user or password, in XML",
        response=raw(XML.format(status="-5", messageid="")),
        outcome=out_of_order(Reason.AUTHENTICATION, "-5", "AUTHENTICATION_FAILED"),
    ),
    Answer(
        title="a code under 400: the code decides",
        response=result("-2", http=400),
        outcome=out_of_order(Reason.INSUFFICIENT_CREDIT, "-2", "NOT_ENOUGH_CREDITS"),
    ),
    Answer(
        title="a code under 401: the code decides",
        response=result("-40", http=401),
        outcome=replace(out_of_order(Reason.AUTHENTICATION, "-40", "IP_ADDRESS_FORBIDDEN"), is_address_refused=True),
    ),
    Answer(title="a code that says little, under 400", response=result("-99", http=400), outcome=Unknown(why="")),
    Answer(title="a code that nobody has described", response=result("-56"), outcome=Unknown(why="")),
    Answer(title="a code that is no code", response=result(None), outcome=Unknown(why="")),
    Answer(title="a code that is a fraction", response=result(0.0, MESSAGE_ID), outcome=Unknown(why="")),
    Answer(title="success without an id", response=result("0", ""), outcome=Unknown(why="")),
    Answer(title="an id that fits no key", response=result("0", "1" * 101), outcome=Unknown(why="")),
    Answer(title="an id that lost digits", response=result("0", 1.75e17), outcome=Unknown(why="")),
    Answer(title="an id of two lines", response=result("0", "1\n2"), outcome=Unknown(why="")),
    Answer(title="success under a refusal", response=result("0", MESSAGE_ID, 400), outcome=Unknown(why="")),
    Answer(title="success under 203", response=result("0", MESSAGE_ID, 203), outcome=Unknown(why="")),
    Answer(title="success without a body", response=HttpResponse(status=204), outcome=Unknown(why="")),
    Answer(
        title="two results for one message",
        response=said(200, {"results": [{"status": "0", "messageid": "1"}, {"status": "0", "messageid": "2"}]}),
        outcome=Unknown(why=""),
    ),
    Answer(title="no result", response=said(200, {"results": []}), outcome=Unknown(why="")),
    Answer(title="no list of results", response=said(200, {"results": "0"}), outcome=Unknown(why="")),
    Answer(
        title="a code that comes twice",
        response=raw(XML.format(status="-5</status><status>0", messageid="1")),
        outcome=Unknown(why=""),
    ),
    Answer(title="a page of HTML", response=raw("<!DOCTYPE html><html>login</html>"), outcome=Unknown(why="")),
    Answer(
        title="a group, accepted: the campaign stands for its messages",
        response=group("0"),
        outcome=Taken(provider_message_id=CAMPAIGN),
    ),
    Answer(
        title="a group, accepted, in XML",
        response=raw(GROUP_XML.format(status="0")),
        outcome=Taken(provider_message_id=CAMPAIGN),
    ),
    Answer(
        title="a campaign with a name of several words",
        response=group("0", "Group Api Campaign 5101"),
        outcome=Taken(provider_message_id="Group Api Campaign 5101"),
    ),
    Answer(
        title="a group that is not available, or has no contacts",
        response=group("-55"),
        outcome=final(Reason.INVALID_RECIPIENT, "-55", "audience: no such group, or nobody in it"),
    ),
    Answer(
        title="a group that is not available, in XML",
        response=raw(GROUP_XML.format(status="-55")),
        outcome=final(Reason.INVALID_RECIPIENT, "-55", "audience: no such group, or nobody in it"),
    ),
    Answer(
        title="a group, with wrong user or password",
        response=group("-5"),
        outcome=out_of_order(Reason.AUTHENTICATION, "-5", "AUTHENTICATION_FAILED"),
    ),
    Answer(title="a campaign without a name", response=group("0", ""), outcome=Unknown(why="")),
    Answer(title="a campaign whose name is none", response=group("0", ["a"]), outcome=Unknown(why="")),
    Answer(
        title="a message without an id that belongs to a campaign",
        response=said(200, {"results": [{"status": "0", "messageid": "", "campaign_name": CAMPAIGN}]}),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="a bad request",
        response=raw("Bad Request", 400),
        outcome=final(Reason.INVALID_REQUEST, "400"),
    ),
    Answer(
        title="wrong credentials",
        response=said(401, {"detail": "Not authenticated"}),
        outcome=out_of_order(Reason.AUTHENTICATION, "401"),
    ),
    Answer(title="not allowed", response=raw("", 403), outcome=out_of_order(Reason.AUTHENTICATION, "403")),
    Answer(title="no such page", response=raw("<html></html>", 404), outcome=final(Reason.PROVIDER_ERROR, "404")),
    Answer(title="too large", response=raw("", 413), outcome=final(Reason.TOO_LONG, "413")),
    Answer(
        title="a field that the API does not like",
        response=said(
            422, {"detail": [{"loc": ["query", "SMSText"], "msg": "field required", "type": "value_error.missing"}]}
        ),
        outcome=final(Reason.INVALID_REQUEST, "422"),
    ),
    Answer(
        title="too many requests, whatever the body says",
        response=HttpResponse(status=429, headers={"retry-after": "2"}, body=result("0", MESSAGE_ID).body),
        outcome=NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=2.0),
    ),
    Answer(title="a status that says little", response=raw("Method Not Allowed", 405), outcome=Unknown(why="")),
    Answer(title="an outage, whatever its body says", response=result("-5", http=500), outcome=Unknown(why="")),
    Answer(title="a redirect", response=result("0", MESSAGE_ID, 302), outcome=Unknown(why="")),
    Answer(title="a time-out at the vendor", response=result("-5", http=408), outcome=Unknown(why="")),
)

REFUSALS = (
    Refusal(
        title="too long",
        message=message(content=Text(text="x" * 161)),
        failure=Failure(reason=Reason.TOO_LONG, detail="content.text: nusasms takes 160 characters"),
    ),
    Refusal(
        title="an option that is not offered",
        message=message(provider_options={"nusasms": {"unicode": True}}),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="provider_options.nusasms.unicode: option not offered"),
    ),
    Refusal(
        title="two groups",
        message=message(recipient=None, audience=("Example", "Another")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="audience: nusasms takes 1 list on sms"),
    ),
    Refusal(
        title="a file",
        message=message(content=Media(media_url="https://example.com/image_name.png")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="content.type: nusasms takes no media on sms"),
    ),
    Refusal(
        title="a template",
        message=message(content=Template(template_id="65a08d56-a2b9-45f5-98d3-98671e639055")),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="content.type: nusasms takes no template on sms"),
    ),
)

SENT_AT = datetime(2022, 10, 19, 3, 30, 15, tzinfo=UTC)


def reported(
    word: str, status: Status | None, reason: Reason | None = None, code: str | None = None
) -> tuple[Report, ...]:
    return (
        Report(
            provider_message_id=MESSAGE_ID,
            status=status,
            provider_status=word,
            reason=reason,
            provider_code=code,
            occurred_at=SENT_AT,
        ),
    )


def query(status: str, err_code: str = "000") -> str:
    return f"ref_no={MESSAGE_ID}&status={status}&sent_date=2022-10-19%2010:30:15&err_code={err_code}"


def worded(word: str, status: Status | None, reason: Reason | None = None) -> Webhook:
    return Webhook(
        title=f"the word {word}",
        kind="sms-receipt",
        request=WebhookRequest(method="GET", query=query(word)),
        reports=reported(word, status, reason),
    )


PROGRESS = {
    "NOT_SENT": Status.ACCEPTED,
    "SENT": Status.SENT,
    "ACCEPTD": Status.SENT,
    "ENROUTE": Status.SENT,
    "PENDING": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "DELIVRD": Status.DELIVERED,
}
LOSSES = {
    "NOT_DELIVERED": Reason.UNREACHABLE,
    "NOT_ALLOWED": Reason.BLOCKED,
    "INVALID_DESTINATION_ADDRESS": Reason.INVALID_RECIPIENT,
    "INVALID_SOURCE_ADDRESS": Reason.INVALID_SENDER,
    "ROUTE_NOT_AVAILABLE": Reason.UNROUTABLE,
    "NOT_ENOUGH_CREDITS": Reason.INSUFFICIENT_CREDIT,
    "REJECTED": Reason.BLOCKED,
    "INVALID_MESSAGE_FORMAT": Reason.INVALID_CONTENT,
    "UNDELIV": Reason.UNREACHABLE,
    "REJECTD": Reason.BLOCKED,
    "EXPIRED": Reason.EXPIRED,
    "DELETED": Reason.PROVIDER_ERROR,
    "FAILED": Reason.PROVIDER_ERROR,
    "UNDELIVERED": Reason.UNREACHABLE,
}

WEBHOOKS = (
    *(worded(word, status) for word, status in PROGRESS.items()),
    *(worded(word, Status.UNDELIVERED, reason) for word, reason in LOSSES.items()),
    worded("U", Status.ACCEPTED),
    worded("Q", Status.ACCEPTED),
    worded("S", Status.SENT),
    worded("D", Status.DELIVERED),
    worded("R", Status.READ),
    worded("A", Status.UNDELIVERED, Reason.PROVIDER_ERROR),
    worded("F", Status.UNDELIVERED, Reason.PROVIDER_ERROR),
    worded("Delivered", Status.DELIVERED),
    worded("ESCALATED", None),
    Webhook(
        title="an error code is kept",
        kind="sms-receipt",
        request=WebhookRequest(method="GET", query=query("F", "E-27")),
        reports=reported("F", Status.UNDELIVERED, Reason.PROVIDER_ERROR, "E-27"),
    ),
    Webhook(
        title="no error, said with nothing",
        kind="sms-receipt",
        request=WebhookRequest(method="GET", query=query("D", "")),
        reports=reported("D", Status.DELIVERED),
    ),
    Webhook(
        title="no error, said with a zero",
        kind="sms-receipt",
        request=WebhookRequest(method="GET", query=query("D", "0")),
        reports=reported("D", Status.DELIVERED),
    ),
    Webhook(
        title="an error that is a speech is no code",
        kind="sms-receipt",
        request=WebhookRequest(method="GET", query=query("F", "x" * 33)),
        reports=reported("F", Status.UNDELIVERED, Reason.PROVIDER_ERROR),
    ),
    Webhook(
        title="by POST with a form, a field that nobody knows, and no date",
        kind="sms-receipt",
        request=WebhookRequest(
            method="POST",
            headers={"content-type": FORM},
            body=b"ref_no=008078391643125660&status=D&sent_date=&gateway=7",
        ),
        reports=(Report(provider_message_id="008078391643125660", status=Status.DELIVERED, provider_status="D"),),
    ),
)

INBOX = "id=81734&gateway_number=6281100000080&originator=6281298765432&receive_date=2022-10-19%2010%3A30%3A15"


def inbox(body: str) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": FORM}, body=body.encode())


def received(**changes: Any) -> tuple[Inbound, ...]:
    documented: dict[str, Any] = {
        "provider": "nusasms",
        "channel": Channel.SMS,
        "provider_message_id": "81734",
        "sender": "+6281298765432",
        "recipient": "6281100000080",
        "text": "Pesan masuk",
        "received_at": SENT_AT,
    }
    return (Inbound(**{**documented, **changes}),)


def from_number(originator: str, sender: str) -> Webhook:
    return Webhook(
        title=f"a message from {originator}",
        kind="sms-inbox",
        request=inbox(f"id=81734&originator={originator}&msg=Pesan+masuk"),
        reports=received(sender=sender, recipient=None, received_at=None),
    )


LONG_TEXT = "Pesan panjang " * 4_000

INBOXES = (
    Webhook(
        title="an inbound message",
        kind="sms-inbox",
        request=inbox(f"{INBOX}&msg=Pesan+masuk"),
        reports=received(),
    ),
    Webhook(
        title="an inbound text stays as it is: blanks, line breaks, signs",
        kind="sms-inbox",
        request=inbox(f"{INBOX}&msg=+STOP%0D%0A%26%3D%2B+%F0%9F%98%80+"),
        reports=received(text=" STOP\r\n&=+ 😀 "),
    ),
    *(
        Webhook(title=title, kind="sms-inbox", request=inbox(f"{INBOX}{msg}"), reports=received(text=text))
        for title, msg, text in (
            ("an inbound message without a text: case 7 of the field", "", ""),
            ("an inbound text in Latin-1: case 6 of the field", "&msg=caf%E9", "caf\ufffd"),
            ("an inbound text with NUL", "&msg=%00", "\ufffd"),
        )
    ),
    Webhook(title="an empty inbound text", kind="sms-inbox", request=inbox(f"{INBOX}&msg="), reports=received(text="")),
    Webhook(
        title="a long inbound text",
        kind="sms-inbox",
        request=inbox(f"{INBOX}&msg={LONG_TEXT.replace(' ', '+')}"),
        reports=received(text=LONG_TEXT),
    ),
    Webhook(
        title="an inbound message without id, date or gateway",
        kind="sms-inbox",
        request=inbox("id=&gateway_number=&originator=6281298765432&receive_date=&msg=Pesan+masuk"),
        reports=received(provider_message_id=None, recipient=None, received_at=None),
    ),
    Webhook(
        title="an id that cannot be read costs no message",
        kind="sms-inbox",
        request=inbox("id=8%0A1&originator=6281298765432&msg=Pesan+masuk"),
        reports=received(provider_message_id=None, recipient=None, received_at=None),
    ),
    from_number("081298765432", "+6281298765432"),
    from_number("%2B6281298765432", "+6281298765432"),
    from_number("+6281298765432", "+6281298765432"),  # a "+" that is not encoded is a space
    from_number("%2B85512345678", "+85512345678"),
    from_number("85512345678", "85512345678"),
    from_number("0215551234", "+62215551234"),
    from_number("3636", "3636"),
    from_number("62", "62"),
    from_number("08ab", "08ab"),
    from_number("62812%FF98765432", "62812\ufffd98765432"),
    from_number("+62%20812-9876-5432", "+6281298765432"),
    from_number("006281298765432", "+6281298765432"),
    from_number("6281298765432%40c.us", "+6281298765432"),
    from_number("TELKOMSEL", "TELKOMSEL"),
)

BAD_INBOXES = tuple(
    BadWebhook(title=title, kind="sms-inbox", request=inbox(body))
    for title, body in (
        ("an inbound message without a sender", "id=81734&msg=Pesan+masuk"),
        ("an inbound message with a blank sender", "id=81734&originator=+&msg=Pesan+masuk"),
        ("an inbound sender that is a speech", f"originator={'6' * 65}&msg=Pesan+masuk"),
        ("an inbound sender of two lines", "originator=62812%0A98765432&msg=Pesan+masuk"),
        ("an inbound message from two senders", f"{INBOX}&originator=6281298765433&msg=Pesan+masuk"),
        ("an inbound message with two ids", f"{INBOX}&id=81735&msg=Pesan+masuk"),
    )
)

BAD_WEBHOOKS = tuple(
    BadWebhook(title=title, kind="sms-receipt", request=request)
    for title, request in (
        ("no id", WebhookRequest(method="GET", query="status=D")),
        ("an empty id", WebhookRequest(method="GET", query="ref_no=&status=D")),
        ("an id that fits no key", WebhookRequest(method="GET", query=f"ref_no={'1' * 101}&status=D")),
        ("an id that is not ASCII", WebhookRequest(method="GET", query="ref_no=%D9%A1&status=D")),
        ("an id of two lines", WebhookRequest(method="GET", query="ref_no=1%0A2&status=D")),
        ("no status", WebhookRequest(method="GET", query=f"ref_no={MESSAGE_ID}")),
        ("an empty status", WebhookRequest(method="GET", query=f"ref_no={MESSAGE_ID}&status=")),
        ("a status that is a speech", WebhookRequest(method="GET", query=f"ref_no={MESSAGE_ID}&status={'D' * 65}")),
        ("two statuses", WebhookRequest(method="GET", query=f"ref_no={MESSAGE_ID}&status=D&status=F")),
        ("a query and a form that differ", WebhookRequest(method="POST", query=query("D"), body=b"status=F")),
        ("a status with a broken byte", WebhookRequest(method="GET", query=f"ref_no={MESSAGE_ID}&status=%FF")),
    )
)

CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"user": "not-a-user", "password": "not&a password="}),
    endpoints=(("POST", "/api/v3/sendsms/plain"), ("POST", "/api/v3/sendsms/group")),
    documented=tuple(
        "0 -1 -2 -3 -5 -6 -7 -9 -10 -11 -12 -13 -14 -22 -23 -24 -26 -27 -28 -30 -31 -32 -33 -34 -35 -36 -40 -55 -77 "
        "-78 -88 -99".split()
    ),
    sends=SENDS,
    answers=ANSWERS,
    refusals=REFUSALS,
    webhooks=WEBHOOKS + INBOXES,
    bad_webhooks=BAD_WEBHOOKS + BAD_INBOXES,
    secrets=(
        "not-a-user",
        "not&a password=",
        "not%26a+password%3D",
        "Hello NusaSMS!",
        "Kode OTP anda 1234",
        "Selamat",
        "Pesan masuk",
        "Pesan panjang",
        "81298765432",
    ),
)
