"""The cases of SMS NOC. Requests and envelopes are from its page, their contents from "Ultimate SMS"."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

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
UID_AT = datetime(2021, 5, 8, 12, 17, 39, tzinfo=UTC)
"""The time in the first eight hex digits of the uid."""


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
    Answer(
        title="a contact list that is not ours",
        response=error("Contact list not found.", 404),
        outcome=refused(Reason.PROVIDER_ERROR, "404"),
    ),
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


def listed(created_at: datetime | None, expected: Report | None = None) -> ListedMessage:
    return ListedMessage(
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
        page=ListPage(entries=(listed(T0), listed(T0), listed(T0), listed(UID_AT)), is_last=True, page_count=1),
    ),
    ListAnswer(
        title="a uid that tells no time, a free text, and a row without words",
        response=page_of({"uid": "not-a-uniqid", "status": "HTTP 500"}),
        page=ListPage(
            entries=(
                ListedMessage(
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
    return Taken(provider_message_id=f"609681630f7{number[-2:]}", provider_status=word)


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
    account=ProviderConfig(base_url=BASE, credentials={"api_token": "1|not-a-real-token"}),
    endpoints=(
        ("POST", "/sms/send"),
        ("POST", "/sms/campaign"),
        ("GET", "/balance"),
        ("GET", "/sms/[^/]+"),
        ("GET", "/sms"),
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
    unknown_word=Status.UNDELIVERED,
    secrets=("8801744977947", "8801711111111"),
)
