"""SMSPoh API v3 (Myanmar and abroad).

Paths, fields, responses and receipts follow the vendor's "API Specification Version 3.0". Methods, HTTP 201 and the
second vocabulary of statuses follow a newer copy of its page. Guesses: errors other than 401 have the format of Yii 2,
like the documented 401; the texts of failures, except "Invalid Sender ID"; unknown fields are refused; a message of a
bulk request accepts all options of a single message.
"""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode, urlsplit

from local.simulators.http import Reply, Request
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.outcomes import Refusal
from local.simulators.segments import segments
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
from local.simulators.webhook_sender import Receipt

YANGON: Final = timezone(timedelta(hours=6, minutes=30))
MAX_TEXT: Final = 918
MAX_REFERENCE: Final = 50
FIELDS: Final = (
    "to",
    "message",
    "from",
    "scheduledAt",
    "encrypt",
    "encryptKey",
    "unicode",
    "test",
    "deliveryReceiptUrl",
    "clientReference",
)
LIMITS: Final = ("20", "50", "100", "500", "1000")
NETWORKS: Final = ("MPT", "Ooredoo", "ATOM", "Mytel", "Unknown")
FLAGS: Final = ("encrypt", "unicode", "test")
# The first word of each pair is from the specification, the second from the newer page.
STATUSES: Final = {
    Stage.ACCEPTED: ("Accepted", "Accepted"),
    Stage.SENT: ("Sent", "Pending"),
    Stage.DELIVERED: ("Success", "Delivered"),
    Stage.UNDELIVERED: ("Error", "Undelivered"),
}
FINAL: Final = (Stage.DELIVERED, Stage.UNDELIVERED)
REFUSALS: Final = {
    Refusal.INVALID_RECIPIENT: "Invalid Phone Number",
    Refusal.NO_CREDIT: "Insufficient balance",
}
DIALECTS: Final = ("form", "query", "json")
CURRENCY: Final = "MMK"


class SmsPoh(Vendor):
    """Send, send in bulk, history, balance, and receipts to the address named in the send."""

    name: ClassVar[str] = "smspoh"
    api_path: ClassVar[str] = "/api/rest"
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "local-key", "api_secret": "local-secret"}
    product_settings: ClassVar[Mapping[str, Any]] = {"sender": "Sampai"}
    sends_receipts: ClassVar[bool] = True

    def declare_routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/api/rest/send", "send", self._send),
            Route("POST", "/api/rest/send/bulk", "send_bulk", self._send_bulk),
            Route("GET", "/api/rest/messages(?:/index)?", "list", self._list),
            Route("GET", "/api/rest/account/get-balance", "balance", self._balance),
        )

    def refuse_caller(self, request: Request) -> Reply | None:
        scheme, _, token = request.header("authorization").partition(" ")
        pair = f"{self.credentials['api_key']}:{self.credentials['api_secret']}"
        if scheme in ("Bearer", "Basic") and token == base64.b64encode(pair.encode()).decode():
            return None
        return error(401, "Unauthorized", "Your request was made with invalid credentials.")

    def no_such_path(self, request: Request) -> Reply:
        return error(404, "Not Found", "Page not found.")

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        return error(405, "Method Not Allowed", f"Method Not Allowed. This URL can only handle: {allowed}.")

    def throttled(self, retry_after_seconds: int) -> Reply:
        headers = {"Retry-After": str(retry_after_seconds)}
        return error(429, "Too Many Requests", "Rate limit exceeded.", **headers)

    def server_error(self) -> Reply:
        return error(500, "Internal Server Error", "An internal server error occurred.")

    def name_message(self, serial: int, submission: Submission) -> str:
        """Return an upper-case GUID. Every fourth id is not a valid GUID, like one documented sample."""
        name = str(uuid.uuid4()).upper()
        return f"F5BR4DB{name[8:14]}C{name[14:]}" if serial % 4 == 0 else name

    def other_message(self, number: int) -> Submission:
        return _submission(f"0977{number:07}", {"from": "Other", "message": OTHER_TEXT}, "send")

    def _answer_send(self, entries: Sequence[Entry]) -> Reply:
        """Build the reply: always 201; failed entries have the status false and no id."""
        return Reply.json(201, {"messages": [self._answer_entry(entry) for entry in entries]})

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        url = row.details["url"] or self.world.settings.webhook_url(self.name, "receipt")
        if not url:
            return None
        now = naive_local(time.time(), YANGON)
        fields = {
            "messageId": row.provider_message_id,
            "to": row.recipient,
            "clientReference": row.reference,
            "status": _word(row, stage),
            "updatedAt": now,
            "finishedAt": now if stage in FINAL else None,
        }
        documented = _build_receipt(url, fields, DIALECTS[row.number % len(DIALECTS)])
        return self.world.encode(documented, url, {name: value or "" for name, value in fields.items()})

    def _send(self, request: Request) -> Reply:
        try:
            fields = request.json()
        except ValueError:
            return _bad_request()
        if not isinstance(fields, dict):
            return _bad_request()
        complaints = _complaints(fields)
        if isinstance(fields.get("to"), list):
            complaints.append(_complaint("to", "To must be a string."))
        if complaints:
            return Reply.json(422, complaints)
        return self._submit_all([(fields["to"], fields)], "send")

    def _send_bulk(self, request: Request) -> Reply:
        try:
            document = request.json()
        except ValueError:
            return _bad_request()
        messages = document["messages"] if isinstance(document, dict) and document.keys() == {"messages"} else None
        if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
            return _bad_request()
        complaints = [complaint for fields in messages for complaint in _complaints(fields)]
        if complaints:
            return Reply.json(422, complaints)
        if self.world.settings.smspoh_bulk_ignores_reference:
            messages = [{**fields, "clientReference": None, "deliveryReceiptUrl": None} for fields in messages]
        wanted = [(to, fields) for fields in messages for to in _recipients(fields["to"])]
        return self._submit_all(wanted, "send_bulk")

    def _submit_all(self, wanted: Sequence[tuple[str, dict[str, Any]]], operation: str) -> Reply:
        """Submit the entries that pass their checks; the failures keep their positions in the reply."""
        failures = [self._failure(to, fields) for to, fields in wanted]
        passing = [
            _submission(to, fields, operation)
            for (to, fields), failure in zip(wanted, failures, strict=True)
            if failure is None
        ]
        if len(passing) == len(wanted):
            return self.submit(passing, self._answer_send)
        reply = self.submit(passing, self._answer_send) if passing else self._answer_send([])
        if reply.status != 201:
            return reply
        answered = iter(json.loads(reply.body)["messages"])
        merged = [next(answered) if failure is None else failure for failure in failures]
        return Reply.json(201, {"messages": merged}).with_fault(reply.fault)

    def _failure(self, to: str, fields: dict[str, Any]) -> dict[str, Any] | None:
        if fields["from"] not in self.world.settings.smspoh_senders:
            return _failed("Invalid Sender ID", to, fields["from"], fields.get("clientReference", ""))
        if _normalised(to) is None:
            return _failed("Invalid Phone Number", to, fields["from"], fields.get("clientReference", ""))
        return None

    def _answer_entry(self, entry: Entry) -> dict[str, Any]:
        if isinstance(entry, Refused):
            submission = entry.submission
            return _failed(REFUSALS[entry.refusal], submission.recipient, submission.sender, submission.reference)
        shown = _fields_of(entry, Stage.ACCEPTED)
        key = entry.details["encrypt_key"]
        # The vendor shows the key only in this response.
        return {**shown, "encryptMessage": True, "encryptKey": key} if key else shown

    def _list(self, request: Request) -> Reply:
        parameters = request.parameters
        limit_text = parameters.get("limit", "20")
        if limit_text not in LIMITS:
            return _bad_request()
        try:
            rows = [row for row in self.world.ledger.listed(self.name) if _matches(row, parameters)]
        except ValueError:
            return _bad_request()
        limit = int(limit_text)
        last = max(1, -(-len(rows) // limit))
        # For a page beyond the end, Yii returns the last page.
        page = min(max(1, int(parameters["page"])), last) if parameters.get("page", "").isdecimal() else 1
        start = (page - 1) * limit
        return Reply.json(
            200,
            {
                "messages": [self._show(row) for row in rows[start : start + limit]],
                "links": _links(f"{request.root_url}/api/rest/messages/index", page, last, bool(rows)),
                "limit": limit,
                "records": len(rows),
                "start": start,
            },
        )

    def _balance(self, request: Request) -> Reply:
        return Reply.json(200, {"balance": self.world.settings.smspoh_balance, "currency": CURRENCY})

    def _show(self, row: Row) -> dict[str, Any]:
        stage = self.world.read_stage(row)
        finished = naive_local(row.starts_at + self.world.settings.final_seconds, YANGON)
        return {**_fields_of(row, stage), "finishedAt": finished if stage in FINAL else None}


def error(status: int, name: str, message: str, **headers: str) -> Reply:
    """Build an error in the documented format."""
    return Reply.json(status, {"name": name, "message": message, "code": 0, "status": status}, **headers)


def _bad_request() -> Reply:
    return error(400, "Bad Request", "missing or invalid parameters")


def _complaint(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


def _complaints(fields: dict[str, Any]) -> list[dict[str, str]]:
    """Return the validation errors of one message."""
    found = [
        _complaint(name, f"{name.capitalize()} cannot be blank.")
        for name in ("message", "from")
        if not _is_text(fields, name)
    ]
    if not _recipients(fields.get("to")):
        found.append(_complaint("to", "To cannot be blank."))
    found += [_complaint(name, f"Unknown field: {name}.") for name in fields if name not in FIELDS]
    found += [
        _complaint(flag, f"{flag.capitalize()} must be a number.")
        for flag in FLAGS
        if flag in fields and fields[flag] not in (0, 1)
    ]
    for name, check, message in OPTIONAL_CHECKS:
        if fields.get(name) is not None and not (isinstance(fields[name], str) and check(fields[name])):
            found.append(_complaint(name, message))
    if _is_text(fields, "message") and len(fields["message"]) > MAX_TEXT:
        found.append(_complaint("message", f"Message should contain at most {MAX_TEXT} characters."))
    return found


def _is_text(fields: dict[str, Any], name: str) -> bool:
    return isinstance(fields.get(name), str) and bool(fields[name])


def _recipients(to: Any) -> list[str]:
    if isinstance(to, str) and to:
        return [to]
    return to if isinstance(to, list) and all(isinstance(number, str) for number in to) else []


def _is_mysql_time(text: str) -> bool:
    try:
        read_naive_local(text, "%Y-%m-%d %H:%M:%S", YANGON)
    except ValueError:
        return False
    return True


OPTIONAL_CHECKS: Final = (
    (
        "clientReference",
        lambda text: len(text) <= MAX_REFERENCE,
        f"Client Reference should contain at most {MAX_REFERENCE} characters.",
    ),
    (
        "deliveryReceiptUrl",
        lambda text: urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).hostname),
        "Delivery Receipt Url is not a valid URL.",
    ),
    ("scheduledAt", _is_mysql_time, "The format of Scheduled At is invalid."),
    ("encryptKey", bool, "Encrypt Key cannot be blank."),
)


def _normalised(to: str) -> str | None:
    """Return the number in the vendor's format (`959…`), or None if it is invalid."""
    if re.fullmatch(r"09[0-9]{7,9}", to):
        return f"95{to[1:]}"
    if re.fullmatch(r"\+?959[0-9]{7,9}", to):
        return to.lstrip("+")
    if re.fullmatch(r"\+[1-9][0-9]{7,14}", to) and not to.startswith("+95"):
        return to[1:]
    return None


def _submission(to: str, fields: dict[str, Any], operation: str) -> Submission:
    scheduled = fields.get("scheduledAt")
    starts_at = None if scheduled is None else read_naive_local(scheduled, "%Y-%m-%d %H:%M:%S", YANGON)
    key = (fields.get("encryptKey") or uuid.uuid4().hex) if fields.get("encrypt") else ""
    return Submission(
        recipient=_normalised(to) or to,
        sender=fields["from"],
        text=fields["message"],
        operation=operation,
        reference=fields.get("clientReference") or "",
        starts_at=starts_at,
        details={
            "url": fields.get("deliveryReceiptUrl") or "",
            "scheduled_at": scheduled,
            "is_test": bool(fields.get("test")),
            "encrypt_key": key,
        },
    )


def _failed(message: str, to: str, sender: str, reference: str) -> dict[str, Any]:
    return {"status": False, "message": message, "to": to, "from": sender, "clientReference": reference or ""}


def _word(row: Row, stage: Stage) -> str:
    return STATUSES[stage][row.number % 2]


def _fields_of(row: Row, stage: Stage) -> dict[str, Any]:
    return {
        "messageId": row.provider_message_id,
        "message": _stored_text(row),
        "to": row.recipient,
        "clientReference": row.reference,
        "scheduledAt": row.details["scheduled_at"],
        "createdAt": naive_local(row.created_at, YANGON),
        "messageCount": segments(row.text),
        "from": row.sender,
        "network": NETWORKS[row.number % len(NETWORKS)],
        "type": "sms.text",
        "status": _word(row, stage),
        "test": row.details["is_test"],
    }


def _stored_text(row: Row) -> str:
    """Return the text, or a digest in place of the vendor's ciphertext, which clients cannot decrypt either."""
    if not row.details["encrypt_key"]:
        return row.text
    digest = hashlib.sha512(f"{row.provider_message_id}{row.details['encrypt_key']}{row.text}".encode()).digest()
    return base64.b64encode(digest).decode()


def _matches(row: Row, parameters: dict[str, str]) -> bool:
    """Return whether the requested history contains a row. Raises ValueError for an invalid date."""
    day = naive_local(row.created_at, YANGON)[:10]
    return (
        _day(parameters.get("filterByCreatedDateFrom") or "0001-01-01") <= day
        and day <= _day(parameters.get("filterByCreatedDateTo") or "9999-12-31")
        and parameters.get("from", "") in ("", row.sender)
        and parameters.get("to", "") in ("", row.recipient)
        and parameters.get("message", "") in _stored_text(row)
    )


def _day(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("not a date")
    return text


def _links(index: str, page: int, last: int, has_rows: bool) -> dict[str, str]:
    """Build the links of Yii. They omit the filters, and there are no links beyond the first and last page."""
    numbers = {"self": page}
    if has_rows:
        numbers |= {"first": 1, "last": last}
        numbers |= {"prev": page - 1} if page > 1 else {}
        numbers |= {"next": page + 1} if page < last else {}
    return {name: f"{index}?page={number}" for name, number in numbers.items()}


def _build_receipt(url: str, fields: dict[str, str | None], dialect: str) -> Receipt:
    """Build a receipt in one of the dialects that clients have seen."""
    if dialect == "json":
        headers = {"Content-Type": "application/json"}
        return Receipt(vendor="smspoh", method="POST", url=url, headers=headers, body=json.dumps(fields).encode())
    texts = {name: value or "" for name, value in fields.items()}
    if dialect == "form":
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Receipt(vendor="smspoh", method="POST", url=url, headers=headers, body=urlencode(texts).encode())
    # The documented sample of a query contains "finishedAt=updatedAt=2024-12-23 00:02:00".
    finished = f"updatedAt={quote(texts.pop('finishedAt'))}" if texts["finishedAt"] else texts.pop("finishedAt")
    query = urlencode(texts, quote_via=quote) + f"&finishedAt={finished}"
    return Receipt(vendor="smspoh", method="GET", url=f"{url}{'&' if '?' in url else '?'}{query}")
