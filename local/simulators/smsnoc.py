"""SMS NOC (Bangladesh), API v3.

Paths, parameters and the two envelopes follow the vendor's "SMS API Documents". The contents of `data`, the error texts
and their HTTP statuses are those of Ultimate SMS (Codeglen), the software that SMS NOC runs. Exceptions (credentials,
validation, throttling, an unknown message) have HTTP 200, refused sends have 403.
"""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta, tzinfo
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.simulators.http import Reply, Request, html
from local.simulators.ledger import Row, iso_utc
from local.simulators.lifecycles import Lifecycle, Stage
from local.simulators.outcomes import Fault, Refusal, outcome_of
from local.simulators.segments import is_gsm7, segments
from local.simulators.vendor import (
    OTHER_TEXT,
    Entry,
    Refused,
    Route,
    Submission,
    Vendor,
    naive_local,
    read_naive_local,
)

REQUIRED: Final = ("sender_id", "type", "message")
TEXT_TYPES: Final = ("plain", "unicode", "otp")
MAX_RECIPIENTS: Final = 100
PER_PAGE: Final = 25
DEFAULT_WINDOW: Final = timedelta(days=30)
BANGLADESHI_MOBILE: Final = re.compile(r"8801[3-9][0-9]{8}")
SENDER: Final = re.compile(r"[A-Za-z0-9]{1,11}|\+?[0-9]{7,15}")
STATUSES: Final = {
    Stage.ACCEPTED: "Accepted",
    Stage.SENT: "Enroute",
    Stage.DELIVERED: "Delivered",
    Stage.UNDELIVERED: "Undelivered",
}
# The words that progress may have instead; the number of a row selects one.
PROGRESS: Final = {
    Stage.ACCEPTED: ("Queued", "Accepted", "Sending"),
    Stage.SENT: ("Sent", "Submitted", "Success", "Buffered", "In Transit", "Enroute"),
}
# The HTTP status and the text of a refusal after the gateway was called; the number of a row selects one. The row shows
# the second text until the receipt of the gateway.
_TIMED_OUT: Final = "cURL error 28: Operation timed out after 30001 milliseconds with 0 bytes received"
LATE_REFUSALS: Final = (
    (403, "Failed", "Failed"),
    (200, "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away", "Delivered|15734"),
    (403, _TIMED_OUT, _TIMED_OUT),
    (403, "Service Unavailable", "Service Unavailable"),
)
NO_SERVER: Final = "No sending server available for your subscribed plan"
# "Delivered" directly after a send only means that the gateway accepted the message.
DELIVERED_TEXT: Final = "Your message was successfully delivered"
CAMPAIGN_TEXT: Final = "Your campaign successfully store and is being produced in the background"
DIRECTIONS: Final = ("outgoing", "incoming", "api")


class SmsNoc(Vendor):
    """Send, campaign, view, list, balance. No callbacks: clients poll."""

    name: ClassVar[str] = "smsnoc"
    api_path: ClassVar[str] = "/api/v3"
    credentials: ClassVar[Mapping[str, str]] = {"api_token": "1|local-simulator"}
    # The age is longer than the lifecycle of a message here, which takes seconds.
    product_settings: ClassVar[Mapping[str, Any]] = {"sender": "SampaiBD", "delivered_after_seconds": 5}
    country_code: ClassVar[str] = "880"
    mobile: ClassVar[re.Pattern[str]] = BANGLADESHI_MOBILE

    @property
    def senders(self) -> tuple[str, ...]:
        """The sender ids that the account may use."""
        return self.world.settings.smsnoc_senders

    def declare_routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/api/v3/sms/send", "send", self._send),
            Route("POST", "/api/v3/sms/campaign", "campaign", self._campaign),
            Route("GET", "/api/v3/balance", "balance", self._balance),
            Route("GET", "/api/v3/sms", "list", self._list),
            Route("GET", "/api/v3/sms/([^/]+)", "get", self._view),
        )

    def refuse_caller(self, request: Request) -> Reply | None:
        if "json" not in request.header("accept").partition(",")[0]:
            return html(302, "Redirecting to the login page", Location=f"{request.root_url}/login")
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme == "Bearer" and re.fullmatch(r"[0-9]+\|.+", token) and token == self.credentials["api_token"]:
            return None
        return error("Unauthenticated.")

    def no_such_path(self, request: Request) -> Reply:
        return error(f"The route {request.path.lstrip('/')} could not be found.")

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        path = request.path.lstrip("/")
        return error(f"The {request.method} method is not supported for route {path}. Supported methods: {allowed}.")

    def throttled(self, retry_after_seconds: int) -> Reply:
        return error("Too Many Attempts.", headers={"Retry-After": str(retry_after_seconds)})

    def server_error(self) -> Reply:
        return Reply.json(500, {"message": "Server Error"})

    def refuse_late(self, entries: Sequence[Entry]) -> Reply:
        status, text, _ = _late_refusal_of(next(entry for entry in entries if isinstance(entry, Row)))
        return error(text, status=status)

    def name_message(self, serial: int, submission: Submission) -> str:
        """Return 13 hexadecimal digits of seconds and microseconds, in the format of PHP's uniqid()."""
        seconds, microseconds = divmod(serial, 1_000_000)
        return f"{seconds:08x}{microseconds:05x}"

    def other_message(self, number: int) -> Submission:
        fields = {"sender_id": "OtherBD", "message": OTHER_TEXT, "type": "plain"}
        return self._submission(f"88017{number:08}", fields, {"is_list": False, "failed_before": []})

    def _answer_send(self, entries: Sequence[Entry]) -> Reply:
        rows = [entry for entry in entries if isinstance(entry, Row)]
        complaints = [_complaint(entry) for entry in entries if isinstance(entry, Refused)]
        details = _details_of(entries[0])
        if not rows:
            return _refused_send(" ".join(complaints))
        if not details["is_list"]:
            return _success(_sent(rows[0]), DELIVERED_TEXT)
        if details["is_scheduled"]:
            return _success(None, "Message is scheduled successfully.")
        # For a list, the text names the numbers that failed, and the status is still success.
        text = " ".join([*details["failed_before"], *complaints]) or DELIVERED_TEXT
        return _success([_sent(row) for row in rows], text)

    def _send(self, request: Request) -> Reply:
        fields = _fields(request)
        refusal = self._validate(fields, ("recipient", *REQUIRED))
        if refusal is not None:
            return refusal
        numbers = _numbers(fields["recipient"])
        if len(numbers) > MAX_RECIPIENTS:
            return error("You cannot send more than 100 SMS in a single request.")
        failed = [complaint for number in numbers if (complaint := self._number_complaint(number)) is not None]
        valid = [number for number in numbers if self._number_complaint(number) is None]
        if not valid:
            return _refused_send(" ".join(failed))
        details = {"is_list": len(numbers) > 1, "failed_before": failed}
        return self.submit([self._submission(number, fields, details) for number in valid], self._answer_send)

    def _submission(self, number: str, fields: dict[str, str], details: dict[str, Any]) -> Submission:
        # Only a list honours the schedule; a single number is sent at once.
        starts_at = self._schedule(fields) if details["is_list"] else None
        return Submission(
            recipient=number,
            sender=fields["sender_id"],
            text=fields["message"],
            operation="send_bulk" if details["is_list"] else "send",
            starts_at=starts_at,
            details={**details, "type": _type_of(fields), "is_scheduled": starts_at is not None},
        )

    def _campaign(self, request: Request) -> Reply:
        settings, fields = self.world.settings, _fields(request)
        # The vendor's table has contact_list_id, its examples have recipient; its software reads contact_list_id.
        name = "recipient" if settings.smsnoc_campaign_takes_recipient else "contact_list_id"
        refusal = self._validate(fields, (name, *REQUIRED))
        if refusal is not None:
            return refusal
        if any(list_id not in settings.smsnoc_lists for list_id in fields[name].split(",")):
            return error("Contact list not found.", status=404)
        starts_at = self._schedule(fields)
        submission = Submission(
            recipient=fields[name],
            sender=fields["sender_id"],
            text=fields["message"],
            operation="campaign",
            starts_at=starts_at,
            details={"type": _type_of(fields), "is_scheduled": starts_at is not None},
        )
        return self.submit([submission], _answer_campaign)

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.world.settings.smsnoc_timezone)

    def _schedule(self, fields: Mapping[str, str]) -> float | None:
        return _read_schedule(fields["schedule_time"], self.zone) if "schedule_time" in fields else None

    def _validate(self, fields: dict[str, str], required: Sequence[str]) -> Reply | None:
        account_error = self.world.settings.smsnoc_account_error
        if account_error:
            return error(account_error, status=403 if account_error == NO_SERVER else 404)
        complaint = _field_complaint(fields, required)
        if complaint is not None:
            return error(complaint)
        if fields["sender_id"] not in self.senders:
            return _refused_send(f'Sender ID "{fields["sender_id"]}" is not authorized to send this message.')
        return None

    def _view(self, request: Request, uid: str) -> Reply:
        row = self.world.ledger.find(self.name, uid)
        if row is None or row.operation == "campaign":
            return error(f"No query results for model [App\\Models\\Reports] {uid}")
        return _success(self._show(row), None)

    def _list(self, request: Request) -> Reply:
        try:
            query = _ListQuery(request.parameters, self.zone)
        except ValueError as complaint:
            return error(str(complaint), status=422)
        rows = [row for row in self.world.ledger.listed(self.name) if query.matches(row)]
        start = (query.page - 1) * PER_PAGE
        shown = [
            {"id": row.serial, **self._show(row), "sent_at": _time(row, self.zone)}
            for row in rows[start : start + PER_PAGE]
        ]
        path = f"{request.root_url}/api/v3/sms"
        return _success(_paginator(shown, total=len(rows), page=query.page, path=path), "SMS data fetched successfully")

    def _balance(self, request: Request) -> Reply:
        settings = self.world.settings
        balance = {"remaining_balance": settings.smsnoc_remaining_balance, "expired_on": settings.smsnoc_expired_on}
        return _success(balance, None)

    def _show(self, row: Row) -> dict[str, Any]:
        status = _word_of(row, self.world.read_stage(row))
        return {**_fields_of(row), "status": status, "sms_type": row.details["type"], "direction": "outgoing"}

    def _number_complaint(self, number: str) -> str | None:
        if self.mobile.fullmatch(number):
            return None
        if not re.fullmatch("[0-9]{8,15}", number) or number.startswith(self.country_code):
            return f"{number} is a invalid phone number"
        return f"Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {number}"


class _ListQuery:
    """The parameters of a list request. Raises ValueError with the vendor's text if they are invalid."""

    def __init__(self, parameters: dict[str, str], own_zone: tzinfo) -> None:
        page = parameters.get("page", "1")
        # Laravel treats a page that is not a positive number as page 1.
        self.page = int(page) if re.fullmatch("[1-9][0-9]{0,8}", page) else 1
        now = time.time()
        zone = _zone(parameters["timezone"]) if "timezone" in parameters else own_zone
        self.start = _bound(parameters, "start_date", zone, now - DEFAULT_WINDOW.total_seconds())
        self.end = _bound(parameters, "end_date", zone, now + 1)
        self.sms_type = parameters.get("sms_type", "")
        self.direction = parameters.get("direction", "")
        if self.direction and self.direction not in DIRECTIONS:
            raise ValueError("The selected direction is invalid.")

    def matches(self, row: Row) -> bool:
        """Return whether the list contains a row. Campaigns are not listed. All rows here were sent by API."""
        is_in_time = self.start <= row.created_at < self.end + 1
        is_message = row.operation != "campaign"
        return is_message and is_in_time and self.sms_type in ("", row.details["type"]) and self.direction != "incoming"


def error(message: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Build the documented error envelope."""
    return Reply.json(status, {"status": "error", "message": message}, **(headers or {}))


def _success(data: object, message: str | None) -> Reply:
    return Reply.json(200, {"status": "success", "message": message, "data": data})


def _word_of(row: Row, stage: Stage) -> str:
    """Return the word that a row shows: in the end that of its stage."""
    if stage not in (Stage.ACCEPTED, Stage.SENT):
        return STATUSES[stage]
    if outcome_of(row.recipient).fault is Fault.LATE_REFUSAL:
        return _late_refusal_of(row)[2]
    if row.lifecycle is Lifecycle.PREMATURE:
        return "Delivered|15734"
    words = PROGRESS[stage]
    return words[row.number % len(words)] if row.lifecycle is Lifecycle.WORDY else STATUSES[stage]


def _late_refusal_of(row: Row) -> tuple[int, str, str]:
    return LATE_REFUSALS[row.number % len(LATE_REFUSALS)]


def _refused_send(message: str) -> Reply:
    return error(message, status=403)


def _complaint(entry: Refused) -> str:
    if entry.refusal is Refusal.NO_CREDIT:
        return "There is not enough balance available to send this message.You have 0 of the 1"
    return f"{entry.submission.recipient} is a invalid phone number"


def _fields(request: Request) -> dict[str, str]:
    """Return the text fields of the body. Like Laravel, treat unreadable fields as missing."""
    try:
        document = request.json()
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: value for name, value in document.items() if isinstance(value, str) and value}


def _field_complaint(fields: dict[str, str], required: Sequence[str]) -> str | None:
    for name in required:
        if name not in fields:
            return f"The {name.replace('_', ' ')} field is required."
    if fields["type"] not in TEXT_TYPES:
        return "Please insert valid sms type called plain, unicode, voice, mms, viber, OTP and whatsapp."
    if not SENDER.fullmatch(fields["sender_id"]):
        return "The sender id may not be greater than 11 characters."
    if "schedule_time" in fields and _read_schedule(fields["schedule_time"], UTC) is None:
        return "The schedule time does not match the format Y-m-d H:i."
    return None


def _read_schedule(text: str, zone: tzinfo) -> float | None:
    try:
        return read_naive_local(text, "%Y-%m-%d %H:%M", zone)
    except ValueError:
        return None


def _numbers(recipient: str) -> list[str]:
    """Split a list of numbers and drop duplicates."""
    numbers = [re.sub(r"[+() -]", "", number).lstrip("0") for number in recipient.split(",")]
    return list(dict.fromkeys(numbers))


def _details_of(entry: Entry) -> dict[str, Any]:
    return entry.details if isinstance(entry, Row) else entry.submission.details


def _type_of(fields: dict[str, str]) -> str:
    return fields["type"] if is_gsm7(fields["message"]) else "unicode"


def _answer_campaign(entries: Sequence[Entry]) -> Reply:
    (entry,) = entries
    if isinstance(entry, Refused):
        if entry.refusal is Refusal.NO_CREDIT:
            return _refused_send(_complaint(entry))
        return error("Contact list not found.", status=404)
    campaign = {
        "id": entry.serial,
        "uid": entry.provider_message_id,
        "campaign_name": f"API_{int(entry.created_at)}",
        "status": "scheduled" if entry.details["is_scheduled"] else "queued",
        "message": entry.text,
        "created_at": f"{iso_utc(entry.created_at)[:-1]}000Z",
        "sms_type": entry.details["type"],
    }
    return _success(campaign, CAMPAIGN_TEXT)


def _fields_of(row: Row) -> dict[str, Any]:
    count = segments(row.text)
    return {
        "uid": row.provider_message_id,
        "to": row.recipient,
        "from": row.sender,
        "message": row.text,
        "cost": str(count),
        "sms_count": count,
    }


def _sent(row: Row) -> dict[str, Any]:
    return {**_fields_of(row), "status": "Delivered"}


def _time(row: Row, zone: tzinfo) -> str:
    return naive_local(row.created_at, zone)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("The timezone must be a valid zone.") from None


def _bound(parameters: dict[str, str], name: str, zone: tzinfo, default: float) -> float:
    if name not in parameters:
        return default
    try:
        return read_naive_local(parameters[name], "%Y-%m-%d %H:%M:%S", zone)
    except ValueError:
        raise ValueError(f"The {name.replace('_', ' ')} does not match the format Y-m-d H:i:s.") from None


def _paginator(shown: list[dict[str, Any]], *, total: int, page: int, path: str) -> dict[str, Any]:
    """Build the paginator of Laravel, which is the value of `data`."""
    last = max(1, -(-total // PER_PAGE))

    def url(number: int) -> str | None:
        return f"{path}?{urlencode({'page': number})}" if 1 <= number <= last else None

    first_shown = (page - 1) * PER_PAGE + 1 if shown else None
    return {
        "current_page": page,
        "data": shown,
        "first_page_url": url(1),
        "from": first_shown,
        "last_page": last,
        "last_page_url": url(last),
        "links": [
            {"url": url(page - 1), "label": "&laquo; Previous", "active": False},
            *({"url": url(number), "label": str(number), "active": number == page} for number in range(1, last + 1)),
            {"url": url(page + 1), "label": "Next &raquo;", "active": False},
        ],
        "next_page_url": url(page + 1),
        "path": path,
        "per_page": PER_PAGE,
        "prev_page_url": url(page - 1),
        "to": None if first_shown is None else first_shown + len(shown) - 1,
        "total": total,
    }
