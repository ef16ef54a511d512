"""The cases of SMS NOC. Requests and envelopes are from its page, their contents from "Ultimate SMS"."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Category, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.features import ListedMessage, ListPage, ListQuery
from tests.conformance.case import (
    AccountAnswer,
    Answer,
    ListAnswer,
    LookupAnswer,
    ManyAnswer,
    ProviderCases,
    Refusal,
    Send,
    SendMany,
)

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


def campaign(*lists: str) -> Message:
    return message(recipient=None, audience=lists)


ROW: dict[str, Any] = {
    "uid": "609681630f78b",
    "to": "8801744977947",
    "from": "YourName",
    "message": "This is a test message",
    "status": "Delivered",
    "cost": "1",
    "sms_count": 1,
}
CAMPAIGN_ROW: dict[str, Any] = {
    "id": 7,
    "uid": "6415907d0d37a",
    "campaign_name": "API_1679134845",
    "status": "queued",
    "message": "This is a test message",
    "created_at": "2023-03-18T10:20:45.000000Z",
    "sms_type": "plain",
}
CAMPAIGN_TEXT = "Your campaign successfully store and is being produced in the background"
UID_AT = datetime(2021, 5, 8, 12, 17, 39, 63371, tzinfo=UTC)
"""The time in the uid: eight hex digits of seconds, five of microseconds."""


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
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, provider_code=code)


def throttled(code: str | None = None) -> NotTaken:
    return NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code=code)


# Said before the gateway is called. The HTTP status beside each is the usual one; the others are tried as well.
BEFORE_THE_GATEWAY: tuple[tuple[str, int, Reason, bool], ...] = (
    # The text, the HTTP status, the reason, and whether the whole account is refused.
    ("Unauthenticated.", 200, Reason.AUTHENTICATION, True),
    ("You do not have permission to access API", 403, Reason.AUTHENTICATION, True),
    ("Customer not found", 404, Reason.AUTHENTICATION, True),
    ("Purchased plan is not active. Please contact support team.", 404, Reason.AUTHENTICATION, True),
    ("No active subscription found", 403, Reason.AUTHENTICATION, True),
    ("You do not have any active subscription.", 404, Reason.AUTHENTICATION, True),
    ("No sending server available for your subscribed plan", 403, Reason.PROVIDER_ERROR, True),
    (
        "There is not enough balance available to send this message.You have 0 of the 1",
        403,
        Reason.INSUFFICIENT_CREDIT,
        True,
    ),
    ("There is not enough balance available to send this campaign", 403, Reason.INSUFFICIENT_CREDIT, True),
    ("You have 0.5 units, not enough to send 1 message", 403, Reason.INSUFFICIENT_CREDIT, True),
    ("You have exceeded your sending limit.", 403, Reason.INSUFFICIENT_CREDIT, True),
    ("The route api/v3/sms/sent could not be found.", 200, Reason.PROVIDER_ERROR, True),
    ('Sender ID "YourName" is not authorized to send this message.', 404, Reason.INVALID_SENDER, False),
    ("Sender ID 8801754228383 is not authorized to send plain SMS", 404, Reason.INVALID_SENDER, False),
    ('Sender ID "" is not authorized to send this message.', 404, Reason.INVALID_SENDER, False),
    ("Originator YourName is not authorized to send this message", 403, Reason.INVALID_SENDER, False),
    ("8801744977947 is a invalid phone number", 404, Reason.INVALID_RECIPIENT, False),
    ("Number contains in the blacklist", 403, Reason.BLOCKED, False),
    ("Your message contains spam words.", 404, Reason.BLOCKED, False),
    (
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: 8801744977947",
        403,
        Reason.UNROUTABLE,
        False,
    ),
    ("Contact list not found.", 404, Reason.INVALID_RECIPIENT, False),
    ("You cannot send more than 100 SMS in a single request.", 403, Reason.INVALID_REQUEST, False),
    (
        "Please insert valid sms type called plain, unicode, voice, mms, viber, OTP and whatsapp.",
        404,
        Reason.INVALID_REQUEST,
        False,
    ),
    ("The recipient field is required.", 200, Reason.INVALID_RECIPIENT, False),
    ("The contact list id field is required.", 200, Reason.INVALID_RECIPIENT, False),
    ("The sender id may not be greater than 11 characters.", 200, Reason.INVALID_SENDER, False),
    ("The message field is required.", 422, Reason.INVALID_CONTENT, False),
    ("The message must be a string.", 422, Reason.INVALID_CONTENT, False),
    ("The type field is required.", 200, Reason.INVALID_REQUEST, False),
)

# Said after the gateway was called, or by nobody knows which part of the software.
AFTER_THE_GATEWAY = (
    "Failed",
    "Enroute",
    "sending|SM0123456789",
    "cURL error 28: Operation timed out after 30001 milliseconds with 0 bytes received",
    "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away",
    "fwrite(): write of 138 bytes failed with errno=28 No space left on device",
    "Service Unavailable",
    "An unexpected error occurred. Please try again.",
    "Something went wrong",
    "Server Error",
    "Wrong",
    "",
    # A gateway's own words that hold words of the table.
    "Error 11: Unauthenticated.",
    "Unauthenticated. Too Many Attempts.",
    "Invalid phone number",
    "8801744977947 is a invalid phone number, or the network timed out",
    "The message was queued. The recipient field is required.",
    "The message must be resent",
    "Blacklist: number was skipped after 2 of 3 parts",
    "You have exceeded your sending limit. 3 of 5 sent",
    "Gateway said: not enough balance",
)


def before_the_gateway() -> tuple[Answer, ...]:
    """Return an answer for each known refusal, under its usual HTTP status and under all others of a refusal."""
    return tuple(
        Answer(
            title=f"{text[:60]!r} under {status}",
            response=error(text, status),
            outcome=(out_of_order if is_account else refused)(reason, None if status == 200 else str(status)),
        )
        for text, usual, reason, is_account in BEFORE_THE_GATEWAY
        for status in sorted({usual, 200, 403, 404, 422})
    )


def after_the_gateway() -> tuple[Answer, ...]:
    return tuple(
        Answer(title=f"{text[:60]!r} under {status}", response=error(text, status), outcome=Unknown(why=""))
        for text, status in product(AFTER_THE_GATEWAY, (200, 400, 403, 404, 422, 500))
    )


TAKEN = Taken(provider_message_id="609681630f78b", provider_status="Delivered", cost="1")

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
        outcome=Taken(provider_message_id="609681630f78b", provider_status="(free text)", cost="1"),
    ),
    Answer(
        title="a cost in a currency",
        response=success({**ROW, "cost": " ৳0.35 "}),
        outcome=replace(TAKEN, cost="৳0.35"),
    ),
    Answer(title="a cost as a number", response=success({**ROW, "cost": 0.35}), outcome=replace(TAKEN, cost="0.35")),
    Answer(
        title="a cost that could be a phone number",
        response=success({**ROW, "cost": "8801744977947"}),
        outcome=replace(TAKEN, cost=None),
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
        title="a campaign",
        response=success(CAMPAIGN_ROW, text=CAMPAIGN_TEXT),
        outcome=Taken(provider_message_id="6415907d0d37a", provider_status="queued"),
    ),
    Answer(
        title="a campaign that is named otherwise alone",
        response=success({**CAMPAIGN_ROW, "uid": None}, text=CAMPAIGN_TEXT),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="the sentence of the vendor's page for a campaign",
        response=success("campaign reports with all details"),
        outcome=Unknown(why=""),
    ),
    *before_the_gateway(),
    *after_the_gateway(),
    Answer(
        title="a known refusal in other letters, with more spaces",
        response=error(" number  contains in the BLACKLIST.", 403),
        outcome=refused(Reason.BLOCKED, "403"),
    ),
    Answer(
        title="the refusals of two numbers",
        response=error("880174497 is a invalid phone number 880175422 is a invalid phone number", 403),
        outcome=refused(Reason.INVALID_RECIPIENT, "403"),
    ),
    Answer(
        title="a wrong token, under 401",
        response=error("Unauthenticated.", 401),
        outcome=out_of_order(Reason.AUTHENTICATION, "401"),
    ),
    Answer(
        title="a throttle, under 200",
        response=in_9_seconds(error("Too Many Attempts.")),
        outcome=replace(throttled(), retry_after_seconds=9.0),
    ),
    Answer(
        title="a throttle in other words, under 429",
        response=in_9_seconds(error("Slow down.", 429)),
        outcome=replace(throttled("429"), retry_after_seconds=9.0),
    ),
    Answer(
        title="an error without a text",
        response=said(400, {"status": "error"}),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="an error with an object for its text",
        response=said(422, {"status": "error", "message": {"recipient": ["The recipient field is required."]}}),
        outcome=Unknown(why=""),
    ),
    Answer(
        title="an endless text",
        response=error("8801744977947 is a invalid phone number " * 1000, 403),
        outcome=Unknown(why=""),
    ),
    Answer(title="an error under 500", response=error("Unauthenticated.", 500), outcome=Unknown(why="")),
    Answer(title="an error under 302", response=error("Unauthenticated.", 302), outcome=Unknown(why="")),
    Answer(
        title="a bare 401",
        response=said(401, {"message": "Unauthenticated."}),
        outcome=out_of_order(Reason.AUTHENTICATION, "401"),
    ),
    *(
        Answer(
            title=f"a page under {status}: it may hide an answer",
            response=HttpResponse(status=status, body=b"<html>Forbidden</html>"),
            outcome=Unknown(why=""),
        )
        for status in (400, 403, 404, 413, 422)
    ),
    Answer(
        title="an error in another envelope",
        response=said(403, {"error": True, "message": "Unauthenticated."}),
        outcome=Unknown(why=""),
    ),
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
BAD_LIST = Failure(
    reason=Reason.INVALID_RECIPIENT, detail="audience.lists: smsnoc takes ids of up to 40 letters and digits"
)
REFUSALS = (
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
    Refusal(title="a list with a comma in its id", message=campaign("6415907d0d37a,6415907d0d7a6"), failure=BAD_LIST),
    Refusal(title="one bad list among good ones", message=campaign("6415907d0d37a", "VIP list"), failure=BAD_LIST),
    Refusal(title="a list in other digits", message=campaign("৬৪১৫৯০৭"), failure=BAD_LIST),
    Refusal(title="a list of 41 letters", message=campaign("a" * 41), failure=BAD_LIST),
    Refusal(title="a list with a line break", message=campaign("6415907d0d37a\n"), failure=BAD_LIST),
)


def report(status: Status | None, word: str, reason: Reason | None = None, cost: str | None = "1") -> Report:
    return Report(
        provider_message_id="609681630f78b",
        status=status,
        provider_status=word,
        reason=reason,
        is_provisional=word == "Failed",
        cost=cost,
    )


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
    looked_up("Sent", Status.SENT),
    looked_up("Submitted", Status.SENT),
    looked_up("Success", Status.SENT),
    looked_up("Buffered", Status.SENT),
    looked_up("In Transit", Status.SENT),
    looked_up("Enroute", Status.SENT),
    looked_up("Accepted", Status.ACCEPTED),
    looked_up("Sending", Status.ACCEPTED),
    looked_up("sending|SM0123456789", Status.ACCEPTED, kept="sending"),
    looked_up("Expired", UNDELIVERED, Reason.EXPIRED),
    looked_up("Undelivered", UNDELIVERED, Reason.UNREACHABLE),
    looked_up("Rejected", UNDELIVERED, Reason.BLOCKED),
    looked_up("Skipped", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("Failed", UNDELIVERED, Reason.PROVIDER_ERROR),
    looked_up("Queued", Status.ACCEPTED),
    looked_up("Pending", Status.ACCEPTED),
    looked_up("Scheduled", Status.ACCEPTED),
    looked_up("processing", Status.ACCEPTED),
    looked_up("Unknown error", None),
    looked_up("Not Delivered", None),
    looked_up("Undelivered to 1 of 2", None, kept="(free text)"),
    looked_up("No credit for 8801744977947", None, kept="(free text)"),
    looked_up("cURL error 28: 8801744977947", None, kept="(free text)"),
    looked_up("x" * 41, None, kept="(free text)"),
    looked_up("|15734", None, kept=""),
    looked_up("", None),
    looked_up(None, None),
    LookupAnswer(
        title="the older name of the status",
        response=success({"uid": "609681630f78b", "customer_status": "Enroute"}),
        report=report(Status.SENT, "Enroute", cost=None),
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


def listed(created_at: datetime | None, expected: Report | None = None, uid: str = "609681630f78b") -> ListedMessage:
    return ListedMessage(
        report=replace(expected or report(Status.DELIVERED, "Delivered"), provider_message_id=uid),
        recipient="8801744977947",
        text="This is a test message",
        created_at=created_at,
    )


ONE = (listed(UID_AT),)
MORE = {"last_page": 3, "next_page_url": f"{BASE}/sms?page=2"}
LIST_ANSWERS = (
    ListAnswer(
        title="the time of the uid comes before that of the row, in whatever zone that is",
        response=page_of(
            ROW,
            {**ROW, "created_at": "2021-05-08 12:17:39"},
            {**ROW, "created_at": "2021-05-08 18:17:39"},
            {**ROW, "created_at": "2021-05-08 20:17:39"},
            {**ROW, "created_at": "21st Nov 26, 4:00 PM"},
        ),
        page=ListPage(entries=(listed(UID_AT),) * 5, is_last=True, page_count=1),
    ),
    ListAnswer(
        title="a uid of another time than its row is chance: the row is in the zone of the settings",
        response=page_of(
            {**ROW, "created_at": "2026-11-21 16:00:00"},
            {**ROW, "created_at": "2026-11-21T10:00:00.000000Z"},
            {**ROW, "created_at": None, "sent_at": "2026-11-21 16:00:00"},
        ),
        page=ListPage(entries=(listed(T0), listed(T0), listed(T0)), is_last=True, page_count=1),
    ),
    ListAnswer(
        title="uids that tell no time, with and without one in their row",
        response=page_of(
            {**ROW, "uid": "not-a-uniqid", "created_at": "2026-11-21 16:00:00"},
            {**ROW, "uid": "6096816", "created_at": "2026-11-21 16:00:00"},
            {**ROW, "uid": "60968163fffff"},
            {**ROW, "uid": "1096816300000"},
        ),
        page=ListPage(
            entries=(
                listed(T0, uid="not-a-uniqid"),
                listed(T0, uid="6096816"),
                listed(None, uid="60968163fffff"),
                listed(None, uid="1096816300000"),
            ),
            is_last=True,
            page_count=1,
        ),
    ),
    ListAnswer(
        title="a word of progress, the gateway's raw text, and the word of the software for it",
        response=page_of({**ROW, "status": "Sent"}, {**ROW, "status": "HTTP 500"}, {**ROW, "status": "Failed"}),
        page=ListPage(
            entries=(
                listed(UID_AT, report(Status.SENT, "Sent")),
                listed(UID_AT, report(None, "(free text)")),
                listed(UID_AT, report(UNDELIVERED, "Failed", Reason.PROVIDER_ERROR)),
            ),
            is_last=True,
            page_count=1,
        ),
    ),
    ListAnswer(
        title="a row with nothing in it but an id",
        response=page_of({"uid": "not-a-uniqid"}),
        page=ListPage(
            entries=(
                ListedMessage(
                    report=Report(provider_message_id="not-a-uniqid", status=None, provider_status=""),
                    recipient="",
                    text="",
                ),
            ),
            is_last=True,
            page_count=1,
        ),
    ),
    ListAnswer(
        title="the first of three",
        response=page_of(ROW, **MORE),
        page=ListPage(entries=ONE, is_last=False, page_count=3),
    ),
    ListAnswer(
        title="the third of three, by our own counting",
        response=page_of(ROW, **MORE),
        number=2,
        page=ListPage(entries=ONE, is_last=True, page_count=3),
    ),
    ListAnswer(
        title="no count, and no next page",
        response=page_of(ROW, last_page=None),
        page=ListPage(entries=ONE, is_last=True),
    ),
    ListAnswer(
        title="no next page, although more are counted",
        response=page_of(ROW, last_page=3),
        page=ListPage(entries=ONE, is_last=False, page_count=3),
    ),
    ListAnswer(
        title="no rows, although more are counted",
        response=page_of(**MORE),
        page=ListPage(entries=(), is_last=False, page_count=3),
    ),
    ListAnswer(
        title="a list that says nothing of its length goes on",
        response=success({"data": [ROW]}),
        page=ListPage(entries=ONE, is_last=False),
    ),
    ListAnswer(
        title="a row without a uid",
        response=page_of({**ROW, "uid": None}),
        page=ListPage(entries=(), is_last=True, page_count=1),
    ),
    ListAnswer(title="an object for the rows", response=success({"data": {}})),
    ListAnswer(title="an error with rows", response=said(200, {"status": "error", "data": {"data": [ROW]}})),
    ListAnswer(title="a sentence", response=success("sms reports with pagination")),
    ListAnswer(title="a wrong token, under 200", response=error("Unauthenticated.")),
)


def sent(document: str, operation: str = "send") -> HttpRequest:
    headers = {**HEADERS, "Content-Type": "application/json"}
    return HttpRequest(method="POST", url=f"{BASE}/sms/{operation}", headers=headers, body=document.encode())


def promoted(*numbers: str, **changes: Any) -> tuple[Message, ...]:
    promotional = {"category": Category.PROMOTIONAL, **changes}
    return tuple(message(message_id=f"sale-{number[-2:]}", recipient=f"+{number}", **promotional) for number in numbers)


ONE_NUMBER, OTHER_NUMBER, THIRD_NUMBER = "8801744977947", "8801754228383", "8801711111111"
TWO = promoted(ONE_NUMBER, OTHER_NUMBER)
THREE = promoted(ONE_NUMBER, OTHER_NUMBER, THIRD_NUMBER)
TEN_NUMBERS = tuple(f"88017449779{number}" for number in range(50, 60))


def row_to(number: str, uid: str = "", **changes: Any) -> dict[str, Any]:
    """Return the row of a number. Without a given uid, the uid ends like the number."""
    return {**ROW, "uid": uid or f"609681630f7{number[-2:]}", "to": number, **changes}


def taken_by(number: str, word: str = "Delivered") -> Taken:
    return Taken(provider_message_id=f"609681630f7{number[-2:]}", provider_status=word, cost="1")


UNKNOWN = Unknown(why="")


def refused_for_now(reason: Reason, code: str | None = None) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, provider_code=code)


def told_apart(title: str, response: HttpResponse, *outcomes: Outcome) -> ManyAnswer:
    messages = {2: TWO, 3: THREE, 10: promoted(*TEN_NUMBERS)}[len(outcomes)]
    return ManyAnswer(title=title, messages=messages, response=response, outcomes=outcomes)


MANY_ANSWERS = (
    told_apart(
        "ten numbers, ten rows",
        success([row_to(number) for number in TEN_NUMBERS]),
        *(taken_by(number) for number in TEN_NUMBERS),
    ),
    told_apart(
        "the rows in another order",
        success([row_to(THIRD_NUMBER), row_to(ONE_NUMBER), row_to(OTHER_NUMBER)]),
        taken_by(ONE_NUMBER),
        taken_by(OTHER_NUMBER),
        taken_by(THIRD_NUMBER),
    ),
    told_apart(
        "a number that stands in the text alone may have been taken all the same",
        success(
            [row_to(ONE_NUMBER), row_to(THIRD_NUMBER, customer_status="Enroute", status=None)],
            text="8801754228383 is a invalid phone number",
        ),
        taken_by(ONE_NUMBER),
        UNKNOWN,
        taken_by(THIRD_NUMBER, "Enroute"),
    ),
    told_apart(
        "one object for two numbers",
        success(row_to(OTHER_NUMBER)),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
    ),
    told_apart(
        "numbers written in another way",
        success([row_to(ONE_NUMBER, to="+880 1744-977947"), {**row_to(OTHER_NUMBER), "to": int(OTHER_NUMBER)}]),
        taken_by(ONE_NUMBER),
        taken_by(OTHER_NUMBER),
    ),
    told_apart(
        "two rows to one number: the one in its place counts",
        success([row_to(ONE_NUMBER), row_to(ONE_NUMBER, uid="609681630f7ff")]),
        taken_by(ONE_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "a place says nothing where a row is missing",
        success([row_to(ONE_NUMBER), row_to(ONE_NUMBER, uid="609681630f7ff")]),
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "two rows to one number and none in its place",
        success([row_to(OTHER_NUMBER), row_to(ONE_NUMBER), row_to(ONE_NUMBER, uid="609681630f7ff")]),
        UNKNOWN,
        taken_by(OTHER_NUMBER),
        UNKNOWN,
    ),
    told_apart(
        "one uid for two numbers names neither",
        success([row_to(ONE_NUMBER, uid="609681630f7aa"), row_to(OTHER_NUMBER, uid="609681630f7aa")]),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "one uid also for a number that is not ours",
        success([row_to(ONE_NUMBER), row_to("8801799999999", uid="609681630f747")]),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "rows without a uid, without a number, and no rows at all",
        success([row_to(ONE_NUMBER) | {"uid": None}, row_to(OTHER_NUMBER, to=None), None]),
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart(
        "more rows than a list may have numbers",
        success([row_to(ONE_NUMBER), row_to(OTHER_NUMBER), *[row_to(THIRD_NUMBER)] * 99]),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart("the sentence of the vendor's page", success("sms reports with all details"), UNKNOWN, UNKNOWN),
    told_apart("a schedule has no data", success(None, text="Message is scheduled successfully."), UNKNOWN, UNKNOWN),
    told_apart(
        "an answer that was cut off",
        HttpResponse(status=200, body=success([row_to(ONE_NUMBER), row_to(OTHER_NUMBER)]).body[:-20]),
        UNKNOWN,
        UNKNOWN,
    ),
    told_apart("a page", HttpResponse(status=200, body=b"<html>Log in</html>"), UNKNOWN, UNKNOWN),
    told_apart("an error under 500", error("Unauthenticated.", 500), UNKNOWN, UNKNOWN),
    told_apart(
        "a number that is refused may be a neighbour's",
        error("8801754228383 is a invalid phone number", 403),
        *[refused_for_now(Reason.INVALID_RECIPIENT, "403")] * 2,
    ),
    told_apart(
        "a fault of the product, which may come in the middle of the list",
        error("Attempt to read property on null"),
        *[Unknown(why="")] * 2,
    ),
    *(
        told_apart(f"{text[:60]!r} under {status}", error(text, status), *[UNKNOWN] * 2)
        for text, status in product(AFTER_THE_GATEWAY, (200, 403, 404))
    ),
    told_apart(
        "a plan that has ended",
        error("Purchased plan is not active. Please contact support team.", 404),
        *[out_of_order(Reason.AUTHENTICATION, "404")] * 2,
    ),
    told_apart(
        "no route to a gateway",
        error("No sending server available for your subscribed plan", 403),
        *[out_of_order(Reason.PROVIDER_ERROR, "403")] * 2,
    ),
    told_apart(
        "a throttle",
        in_9_seconds(error("Too Many Attempts.")),
        *[NotTaken(reason=Reason.RATE_LIMITED, is_final=False, retry_after_seconds=9.0)] * 2,
    ),
    told_apart(
        "no balance",
        error("There is not enough balance available to send this message.You have 1 of the 2", 403),
        *[out_of_order(Reason.INSUFFICIENT_CREDIT, "403")] * 2,
    ),
    told_apart("a wrong token", error("Unauthenticated."), *[out_of_order(Reason.AUTHENTICATION)] * 2),
    told_apart(
        "a refusal without an envelope",
        HttpResponse(status=413, body=b"<html>Too large</html>"),
        *[Unknown(why="")] * 2,
    ),
)


def balance_of(title: str, amount: float | None, expires_at: datetime | None, **data: Any) -> AccountAnswer:
    return AccountAnswer(
        title=title,
        check="balance",
        response=success(data),
        status=AccountStatus(balances=(Balance(account="credit", amount=amount, expires_at=expires_at),)),
    )


EXPIRY = datetime(2026, 9, 8, 10, 44, tzinfo=UTC)
ACCOUNT_ANSWERS = (
    balance_of("a balance", 1092.0, EXPIRY, remaining_balance="৳1,092", expired_on="8th Sep 26, 4:44 PM"),
    balance_of("the older name", 1092.5, EXPIRY, remaining_unit="1,092.50", expired_on="8th Sep 26, 4:44 PM"),
    balance_of("no limit", None, None, remaining_balance="Unlimited", expired_on=None),
    balance_of("no plan", None, None, remaining_balance=None),
    AccountAnswer(
        title="a wrong token, under 200", check="balance", response=error("Unauthenticated."), is_refused=True
    ),
    AccountAnswer(
        title="a wrong token, under 401", check="balance", response=error("Unauthenticated.", 401), is_refused=True
    ),
    AccountAnswer(title="an unexplained 403", check="balance", response=error("Forbidden.", 403), is_refused=True),
    AccountAnswer(
        title="what stands before the product blocks us",
        check="balance",
        response=HttpResponse(status=403, body=b"<html>Forbidden</html>"),
        is_refused=True,
    ),
    AccountAnswer(title="a throttle", check="balance", response=error("Too Many Attempts.")),
    AccountAnswer(title="an outage", check="balance", response=error("Unauthenticated.", 500)),
    AccountAnswer(title="a page", check="balance", response=HttpResponse(status=200, body=b"<html>Log in</html>")),
    AccountAnswer(title="the page's sentence", check="balance", response=success("sms Balance with all details")),
    AccountAnswer(title="no balance in it", check="balance", response=success({"expired_on": "8th Sep 26, 4:44 PM"})),
)


CASES = ProviderCases(
    account=ProviderConfig(base_url=BASE, credentials={"api_token": "1|not-a-real-token"}, zone=ZoneInfo("Asia/Dhaka")),
    endpoints=(
        ("POST", "/sms/send"),
        ("POST", "/sms/campaign"),
        ("GET", "/balance"),
        ("GET", "/sms/[^/]+"),
        ("GET", "/sms"),
    ),
    documented=(
        *("Delivered", "Undelivered", "Expired", "Rejected", "Skipped", "Failed"),
        *("Sent", "Sending", "Submitted", "Success", "Buffered", "In Transit", "Enroute", "Accepted", "Queued"),
        *("sending|SM0123456789", "cURL error 28", "SQLSTATE", "Service Unavailable"),
        "fwrite(): write of 138 bytes failed with errno=28 No space left on device",
        "An unexpected error occurred. Please try again.",
        *("Unauthenticated.", "Too Many Attempts.", "Customer not found", "No active subscription"),
        "You do not have permission to access API",
        "Purchased plan is not active. Please contact support team.",
        "No sending server available for your subscribed plan",
        "There is not enough balance available to send this message.You have",
        "You have exceeded your sending limit.",
        "Originator YourName is not authorized to send this message",
        "is not authorized to send plain SMS",
        "is a invalid phone number",
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number:",
        "Number contains in the blacklist",
        "Your message contains spam words.",
        "You cannot send more than 100 SMS in a single request.",
        "Please insert valid sms type called plain, unicode, voice, mms, viber, OTP and whatsapp.",
        "The recipient field is required.",
    ),
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
        Send(
            title="a number as the sender goes out without its plus",
            message=message(sender="+8801754228383"),
            request=sent(
                '{"recipient":"8801744977947","sender_id":"8801754228383","type":"plain",'
                '"message":"This is a test message"}'
            ),
        ),
        Send(
            title="a contact list",
            message=campaign("6415907d0d37a"),
            request=sent(
                '{"contact_list_id":"6415907d0d37a","sender_id":"YourName","type":"plain",'
                '"message":"This is a test message"}',
                "campaign",
            ),
        ),
        Send(
            title="contact lists, one of them named twice, with ids as long as in the vendor's table",
            message=campaign("641159070d0d7a6", "64159007d0d347a", "641159070d0d7a6"),
            request=sent(
                '{"contact_list_id":"641159070d0d7a6,64159007d0d347a","sender_id":"YourName","type":"plain",'
                '"message":"This is a test message"}',
                "campaign",
            ),
        ),
    ),
    answers=ANSWERS,
    many_sends=(
        SendMany(
            title="one text to three numbers",
            messages=THREE,
            request=replace(
                sent(
                    '{"recipient":"8801744977947,8801754228383,8801711111111","sender_id":"YourName","type":"plain",'
                    '"message":"This is a test message"}'
                ),
                response_limit=2 * 1024 * 1024,
            ),
        ),
    ),
    many_answers=MANY_ANSWERS,
    refusals=REFUSALS,
    lookup=("609681630f78b", HttpRequest(method="GET", url=f"{BASE}/sms/609681630f78b", headers=HEADERS)),
    lookup_answers=LOOKUP_ANSWERS,
    list_requests=(
        (
            ListQuery(since=T0, until=datetime(2026, 11, 21, 19, 30, tzinfo=UTC)),
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
    account_checks=(("balance", HttpRequest(method="GET", url=f"{BASE}/balance", headers=HEADERS)),),
    account_answers=ACCOUNT_ANSWERS,
    secrets=("8801744977947", "8801711111111"),
)
