"""How SMS NOC speaks: its page for requests and envelopes, "Ultimate SMS" for what stands in them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Channel, Message, Text
from sampai.domain.outcome import About, NotTaken, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import Account, Listed, ListPage, Window
from sampai.providers.http import HttpRequest, HttpResponse
from tests.conformance.case import Answer, ListAnswer, LookupAnswer, ProviderCases, Refusal, Send

BASE = "https://smsnoc.example/api/v3"
HEADERS = {"Authorization": "Bearer 1|not-a-real-token", "Accept": "application/json"}
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def message(**changes: Any) -> Message:
    draft: dict[str, Any] = {
        "message_id": "order-17",
        "status": Status.SENDING,
        "recipient": "+8801744977947",
        "sender": "YourName",
        "content": Text(text="This is a test message"),
        "created_at": T0,
        "updated_at": T0,
        "occurred_at": T0,
    }
    return Message(**{**draft, **changes})


ROW: dict[str, Any] = {
    "uid": "609681630f78b",
    "to": "8801744977947",
    "from": "YourName",
    "message": "This is a test message",
    "status": "Delivered",
    "cost": "1",
    "sms_count": 1,
}
UID_AT = datetime(2021, 5, 8, 12, 17, 39, tzinfo=UTC)
"""What the first eight hex digits of the uid say."""


def said(status: int, document: object) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def success(data: object, status: int = 200, text: str | None = None) -> HttpResponse:
    return said(status, {"status": "success", "message": text, "data": data})


def error(text: str, status: int = 200) -> HttpResponse:
    return said(status, {"status": "error", "message": text})


def in_9_seconds(response: HttpResponse) -> HttpResponse:
    return replace(response, headers={"retry-after": "9"})


def refused(reason: Reason, code: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, provider_code=code)


def out_of_order(reason: Reason, code: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, about=About.PROVIDER, provider_code=code)


TAKEN = Taken(provider_message_id="609681630f78b", provider_status="Delivered")

ANSWERS = (
    Answer(title="one number", response=success(ROW, text="Your message was successfully delivered"), outcome=TAKEN),
    Answer(title="the envelope decides, not the HTTP status", response=success(ROW, status=404), outcome=TAKEN),
    Answer(title="a list of one", response=success([ROW]), outcome=TAKEN),
    Answer(
        title="the older name of the status",
        response=success({"uid": "609681630f78b", "customer_status": "Enroute"}),
        outcome=Taken(provider_message_id="609681630f78b", provider_status="Enroute"),
    ),
    Answer(
        title="the gateway's id after the status",
        response=success({**ROW, "status": "Delivered|8801744977947"}),
        outcome=TAKEN,
    ),
    Answer(
        title="a gateway's free text is not kept",
        response=success({**ROW, "status": "cURL error 28: 8801744977947"}),
        outcome=Taken(provider_message_id="609681630f78b", provider_status="(free text)"),
    ),
    Answer(
        title="no status",
        response=success({"uid": "609681630f78b"}),
        outcome=Taken(provider_message_id="609681630f78b"),
    ),
    Answer(title="the sentence of the vendor's page", response=success("sms reports"), outcome=Unknown(why="")),
    Answer(title="a schedule has no data", response=success(None), outcome=Unknown(why="")),
    Answer(title="no uid", response=success({"status": "Delivered"}), outcome=Unknown(why="")),
    Answer(title="an empty uid", response=success({**ROW, "uid": ""}), outcome=Unknown(why="")),
    Answer(title="an empty list", response=success([]), outcome=Unknown(why="")),
    Answer(title="a list of two", response=success([ROW, ROW]), outcome=Unknown(why="")),
    Answer(title="another status", response=said(200, {"status": "maybe", "data": ROW}), outcome=Unknown(why="")),
    Answer(
        title="a wrong token, under 200",
        response=error("Unauthenticated."),
        outcome=out_of_order(Reason.AUTHENTICATION),
    ),
    Answer(
        title="a wrong token, under 401",
        response=error("Unauthenticated.", 401),
        outcome=out_of_order(Reason.AUTHENTICATION, "401"),
    ),
    Answer(
        title="an account without the API",
        response=error("You do not have permission to access API", 403),
        outcome=out_of_order(Reason.AUTHENTICATION, "403"),
    ),
    Answer(
        title="an account without a subscription",
        response=error("No active subscription found", 403),
        outcome=out_of_order(Reason.AUTHENTICATION, "403"),
    ),
    Answer(
        title="no balance",
        response=error("There is not enough balance available to send this message.You have 0 of the 1", 403),
        outcome=out_of_order(Reason.INSUFFICIENT_CREDIT, "403"),
    ),
    Answer(
        title="a used-up sending limit",
        response=error("You have exceeded your sending limit.", 403),
        outcome=out_of_order(Reason.INSUFFICIENT_CREDIT, "403"),
    ),
    Answer(
        title="a throttle, under 200",
        response=in_9_seconds(error("Too Many Attempts.")),
        outcome=NotTaken(reason=Reason.RATE_LIMITED, is_final=False, retry_after_seconds=9.0),
    ),
    Answer(
        title="a throttle in other words, under 429",
        response=in_9_seconds(error("Slow down.", 429)),
        outcome=NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=9.0),
    ),
    Answer(
        title="a sender that is not ours, older words",
        response=error("Originator YourName is not authorized to send this message", 403),
        outcome=refused(Reason.INVALID_SENDER, "403"),
    ),
    Answer(
        title="a sender that is not ours, newer words",
        response=error('Sender ID "YourName" is not authorized to send this message.', 404),
        outcome=refused(Reason.INVALID_SENDER, "404"),
    ),
    Answer(
        title="an invalid number",
        response=error("8801744977947 is a invalid phone number", 400),
        outcome=refused(Reason.INVALID_RECIPIENT, "400"),
    ),
    Answer(
        title="a number on the black list",
        response=error("Number contains in the blacklist", 403),
        outcome=refused(Reason.BLOCKED, "403"),
    ),
    Answer(
        title="a text that looks like spam",
        response=error("Your message contains spam words.", 403),
        outcome=refused(Reason.BLOCKED, "403"),
    ),
    Answer(
        title="a region without a route",
        response=error(
            "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: 8801744977947"
        ),
        outcome=refused(Reason.UNROUTABLE),
    ),
    Answer(
        title="a field that is missing, under 200",
        response=error("The recipient field is required."),
        outcome=refused(Reason.PROVIDER_ERROR),
    ),
    Answer(title="422", response=error("Wrong", 422), outcome=refused(Reason.PROVIDER_ERROR, "422")),
    Answer(
        title="an error without words",
        response=said(400, {"status": "error"}),
        outcome=refused(Reason.PROVIDER_ERROR, "400"),
    ),
    Answer(title="an error under 500", response=error("Unauthenticated.", 500), outcome=Unknown(why="")),
    Answer(title="an error under 302", response=error("Unauthenticated.", 302), outcome=Unknown(why="")),
    Answer(
        title="a bare 401",
        response=said(401, {"message": "Unauthenticated."}),
        outcome=out_of_order(Reason.AUTHENTICATION, "401"),
    ),
    Answer(
        title="what stands before the product blocks us",
        response=HttpResponse(status=403, body=b"<html>Forbidden</html>"),
        outcome=out_of_order(Reason.AUTHENTICATION, "403"),
    ),
    Answer(title="a bare 404", response=HttpResponse(status=404), outcome=refused(Reason.PROVIDER_ERROR, "404")),
    Answer(title="a bare 413", response=HttpResponse(status=413), outcome=refused(Reason.PROVIDER_ERROR, "413")),
    Answer(title="a bare 410", response=HttpResponse(status=410), outcome=Unknown(why="")),
    Answer(
        title="a page instead of an answer",
        response=HttpResponse(status=200, headers={"content-type": "text/html"}, body=b"<html>Log in</html>"),
        outcome=Unknown(why=""),
    ),
)

BAD_SENDER = Failure(
    reason=Reason.INVALID_SENDER, detail="sender: smsnoc takes up to 11 letters and digits, or a phone number"
)
REFUSALS = (
    Refusal(
        title="a channel that it does not have",
        message=message(channel=Channel.WHATSAPP),
        failure=Failure(reason=Reason.UNSUPPORTED, detail="channel: smsnoc does not offer it"),
    ),
    Refusal(
        title="no sender",
        message=message(sender=None),
        failure=Failure(reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings"),
    ),
    Refusal(title="a sender of twelve letters", message=message(sender="TwelveLetter"), failure=BAD_SENDER),
    Refusal(
        title="the vendor's own example of a sender", message=message(sender="YourName/Number"), failure=BAD_SENDER
    ),
    Refusal(title="a number that is too long", message=message(sender="+8801744977947123"), failure=BAD_SENDER),
    Refusal(title="a trailing line break", message=message(sender="YourName\n"), failure=BAD_SENDER),
)


def report(status: Status | None, word: str, reason: Reason | None = None) -> Report:
    return Report(provider_message_id="609681630f78b", status=status, provider_status=word, reason=reason)


def looked_up(
    word: str | None, status: Status | None, reason: Reason | None = None, kept: str | None = None
) -> LookupAnswer:
    return LookupAnswer(
        title=f"status {word!r}",
        response=success({**ROW, "status": word}),
        report=report(status, word or "" if kept is None else kept, reason),
    )


UNDELIVERED = Status.UNDELIVERED
LOOKUP_ANSWERS = (
    looked_up("Delivered", Status.DELIVERED),
    looked_up("DELIVERED", Status.DELIVERED),
    looked_up("Delivered|15734", Status.DELIVERED, kept="Delivered"),
    looked_up("Enroute", Status.SENT),
    looked_up("Accepted", Status.ACCEPTED),
    looked_up("Expired", UNDELIVERED, Reason.EXPIRED),
    looked_up("Undelivered", UNDELIVERED, Reason.UNREACHABLE),
    looked_up("Rejected", UNDELIVERED, Reason.BLOCKED),
    looked_up("Skipped", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("Failed", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("Queued", Status.ACCEPTED),
    looked_up("Pending", Status.ACCEPTED),
    looked_up("Scheduled", Status.ACCEPTED),
    looked_up("processing", Status.ACCEPTED),
    looked_up("Unknown error", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("Not Delivered", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("No credit for 8801744977947", UNDELIVERED, Reason.PROVIDER_ERROR, kept="(free text)"),
    looked_up("x" * 41, UNDELIVERED, Reason.PROVIDER_ERROR, kept="(free text)"),
    looked_up("|15734", None, kept=""),
    looked_up("", None),
    looked_up(None, None),
    LookupAnswer(
        title="the older name of the status",
        response=success({"uid": "609681630f78b", "customer_status": "Enroute"}),
        report=report(Status.SENT, "Enroute"),
    ),
    LookupAnswer(title="not known", response=error("SMS Info not found", 404)),
    LookupAnswer(
        title="not known, under 200",
        response=error("No query results for model [App\\Models\\Reports] 609681630f78b"),
    ),
    LookupAnswer(title="a wrong token, under 200", response=error("Unauthenticated."), unreadable=True),
    LookupAnswer(title="a throttle, under 200", response=error("Too Many Attempts."), unreadable=True),
    LookupAnswer(title="a page", response=HttpResponse(status=404, body=b"<html>404</html>"), unreadable=True),
    LookupAnswer(title="a sentence", response=success("sms data with all details"), unreadable=True),
    LookupAnswer(title="an error with a row", response=said(200, {"status": "error", "data": ROW}), unreadable=True),
    LookupAnswer(title="no uid", response=success({"status": "Delivered"}), unreadable=True),
)


def page_of(*rows: object, **changes: Any) -> HttpResponse:
    paginator = {
        "current_page": 1,
        "data": list(rows),
        "first_page_url": f"{BASE}/sms?page=1",
        "from": 1,
        "last_page": 1,
        "next_page_url": None,
        "per_page": 25,
        "total": len(rows),
    }
    return success({**paginator, **changes}, text="SMS data fetched successfully")


def listed(created_at: datetime | None, expected: Report | None = None) -> Listed:
    return Listed(
        report=expected or report(Status.DELIVERED, "Delivered"),
        recipient="8801744977947",
        text="This is a test message",
        created_at=created_at,
    )


ONE = (listed(UID_AT),)
MORE = {"last_page": 3, "next_page_url": f"{BASE}/sms?page=2"}
LIST_ANSWERS = (
    ListAnswer(
        title="rows with and without times",
        response=page_of(
            {**ROW, "created_at": "2026-11-21 16:00:00"},
            {**ROW, "created_at": "2026-11-21T10:00:00.000000Z"},
            {**ROW, "created_at": None, "sent_at": "2026-11-21 16:00:00"},
            {**ROW, "created_at": "21st Nov 26, 4:00 PM"},
        ),
        page=ListPage(entries=(listed(T0), listed(T0), listed(T0), listed(UID_AT)), is_last=True),
    ),
    ListAnswer(
        title="a uid that tells no time, a free text, and a row without words",
        response=page_of({"uid": "not-a-uniqid", "status": "HTTP 500"}),
        page=ListPage(
            entries=(
                Listed(
                    report=Report(
                        provider_message_id="not-a-uniqid",
                        status=UNDELIVERED,
                        provider_status="(free text)",
                        reason=Reason.PROVIDER_ERROR,
                    ),
                    recipient="",
                    text="",
                ),
            ),
            is_last=True,
        ),
    ),
    ListAnswer(title="the first of three", response=page_of(ROW, **MORE), page=ListPage(entries=ONE, is_last=False)),
    ListAnswer(
        title="the third of three, by our own counting",
        response=page_of(ROW, **MORE),
        number=2,
        page=ListPage(entries=ONE, is_last=True),
    ),
    ListAnswer(
        title="no next page",
        response=page_of(ROW, last_page=3),
        page=ListPage(entries=ONE, is_last=True),
    ),
    ListAnswer(title="no rows", response=page_of(**MORE), page=ListPage(entries=(), is_last=True)),
    ListAnswer(
        title="a list that says nothing of its length goes on",
        response=success({"data": [ROW]}),
        page=ListPage(entries=ONE, is_last=False),
    ),
    ListAnswer(
        title="a row without a uid",
        response=page_of({**ROW, "uid": None}),
        page=ListPage(entries=(), is_last=True),
    ),
    ListAnswer(title="an object for the rows", response=success({"data": {}})),
    ListAnswer(title="an error with rows", response=said(200, {"status": "error", "data": {"data": [ROW]}})),
    ListAnswer(title="a sentence", response=success("sms reports with pagination")),
    ListAnswer(title="a wrong token, under 200", response=error("Unauthenticated.")),
)


def sent(document: str) -> HttpRequest:
    headers = {**HEADERS, "Content-Type": "application/json"}
    return HttpRequest(method="POST", url=f"{BASE}/sms/send", headers=headers, body=document.encode())


CASES = ProviderCases(
    account=Account(base_url=BASE, credentials={"api_token": "1|not-a-real-token"}),
    sends=(
        Send(
            title="a plain text",
            message=message(),
            request=sent(
                '{"recipient":"8801744977947","sender_id":"YourName","type":"plain","message":"This is a test message"}'
            ),
        ),
        Send(
            title="a Bengali text from a number is plain too",
            message=message(content=Text(text="আপনার কোড ১২৩৪"), sender="8801754228383"),
            request=sent(
                '{"recipient":"8801744977947","sender_id":"8801754228383","type":"plain","message":"আপনার কোড ১২৩৪"}'
            ),
        ),
    ),
    answers=ANSWERS,
    refusals=REFUSALS,
    lookup=("609681630f78b", HttpRequest(method="GET", url=f"{BASE}/sms/609681630f78b", headers=HEADERS)),
    lookup_answers=LOOKUP_ANSWERS,
    list_requests=(
        (
            Window(since=T0, until=datetime(2026, 11, 21, 19, 30, tzinfo=UTC)),
            0,
            HttpRequest(
                method="GET",
                url=(
                    f"{BASE}/sms?page=1&start_date=2026-11-21+16%3A00%3A00"
                    "&end_date=2026-11-22+01%3A30%3A00&timezone=Asia%2FDhaka"
                ),
                headers=HEADERS,
                response_limit=1024 * 1024,
            ),
        ),
    ),
    list_answers=LIST_ANSWERS,
    unknown_word=Status.UNDELIVERED,
    secrets=("8801744977947",),
)
