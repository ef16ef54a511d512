"""Nomsa (Cambodia), transactional SMS.

Requests and responses follow the vendor's "Programmatic SMS API" and "API Response Formats". Nomsa uses the JSON of
Postman (opengovsg/postmangovsg); list parameters, error codes other than `rate_limit`, and the format of the key are
taken from there.
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.ledger import Row, iso_utc
from local.simulators.lifecycles import Lifecycle, Stage
from local.simulators.outcomes import DEFAULT, Refusal
from local.simulators.vendor import OTHER_TEXT, Entry, Refused, Route, Submission, Vendor

DEMO_LABEL: Final = "nomsa-sms-demo"
DEMO_QUOTA: Final = 10
DEMO_QUOTA_TEXT: Final = "You are reach out of SMS demo rate limit, Please contact Nomsa team For more information"
FIELDS: Final = ("body", "recipient", "label")
# The vendor's own samples have seven digits after 855. The upper limit is a guess.
RECIPIENT: Final = re.compile(r"\+855[0-9]{7,9}")
# This vendor reports an accepted message as UNSENT with `accepted_at` set.
STATUSES: Final = {
    Stage.ACCEPTED: "UNSENT",
    Stage.SENT: "SENT",
    Stage.DELIVERED: "DELIVERED",
    Stage.UNDELIVERED: "ERROR",
}
STATUS_WORDS: Final = ("UNSENT", "ACCEPTED", "SENT", "DELIVERED", "ERROR")
# Guess: the vendor lists no error codes of messages; Postman passes on those of its carrier.
UNDELIVERED_CODE: Final = "30003"
SORTABLE: Final = ("created_at", "updated_at")
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


class Nomsa(Vendor):
    """Send, get by id, list. No callbacks: clients poll."""

    name: ClassVar[str] = "nomsa"
    api_path: ClassVar[str] = "/v1"
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "local_v1_simulator"}
    product_settings: ClassVar[Mapping[str, Any]] = {"sender": "mcs-otp"}

    def declare_routes(self) -> tuple[Route, ...]:
        messages = "/v1/transactional/sms"
        return (
            Route("POST", f"{messages}/send", "send", self._send),
            Route("GET", messages, "list", self._list),
            Route("GET", f"{messages}/([^/]+)", "get", self._get),
        )

    def refuse_caller(self, request: Request) -> Reply | None:
        scheme, _, key = request.header("authorization").partition(" ")
        if scheme == "Bearer" and key.count("_") == 2 and key == self.credentials["api_key"]:
            return None
        return error(401, "unauthenticated", "Unauthenticated request. Please try again with correct authentication")

    def no_such_path(self, request: Request) -> Reply:
        return error(404, "not_found", f"Cannot {request.method} {request.path}")

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        return self.no_such_path(request)

    def throttled(self, retry_after_seconds: int) -> Reply:
        headers = {"Retry-After": str(retry_after_seconds)}
        return error(429, "rate_limit", "Too many requests. Please try again later.", **headers)

    def server_error(self) -> Reply:
        return error(500, "internal_server", "Internal Server Error.")

    def name_message(self, serial: int, submission: Submission) -> str:
        return str(serial)

    def other_message(self, number: int) -> Submission:
        details = {"message_id": f"MTPC{uuid.uuid4().hex[:30]}"}
        return Submission(recipient=f"+8557{number:07}", sender="other", text=OTHER_TEXT, details=details)

    def store_failed(self, submission: Submission) -> None:
        """Store an UNSENT row: it is stored before the call to the carrier, and stays when the carrier fails."""
        self.add_row(submission, DEFAULT, is_taken=False)

    def _answer_send(self, entries: Sequence[Entry]) -> Reply:
        (entry,) = entries
        if isinstance(entry, Refused):
            return _refuse(entry)
        shown = self._show(entry, Stage.ACCEPTED)
        if entry.sender == DEMO_LABEL:
            return Reply.json(201, {**shown, "remainingMessage": f"You have SMS demo {self._demo_left()} left"})
        # With a customer's own label, the documented response is SENT at once, while the list still shows UNSENT.
        return Reply.json(201, {**shown, "status": "UNSENT" if entry.lifecycle is Lifecycle.SILENT else "SENT"})

    def _send(self, request: Request) -> Reply:
        try:
            fields = request.json()
        except ValueError:
            return error(400, "malformed", "Malformed request body")
        if (complaint := _complaint(fields)) is not None:
            return error(400, "api_validation", complaint)
        if fields["label"] not in self.world.settings.nomsa_labels:
            return error(400, "invalid_credentials", "User credential cannot be found")
        if not RECIPIENT.fullmatch(fields["recipient"]):
            return error(400, "invalid_recipient", f"Phone number {fields['recipient']} is invalid")
        is_demo = fields["label"] == DEMO_LABEL
        if is_demo and self._demo_left() <= 0:
            return error(429, "rate_limit", DEMO_QUOTA_TEXT)
        prefix = "NOMSA-TEST@" if is_demo else "MTPC"
        details = {"message_id": prefix + uuid.uuid4().hex[:30]}
        recipient = fields["recipient"].lstrip("+") if is_demo else fields["recipient"]
        submission = Submission(recipient=recipient, sender=fields["label"], text=fields["body"], details=details)
        return self.submit([submission], self._answer_send)

    def _get(self, request: Request, sms_id: str) -> Reply:
        if not re.fullmatch("[0-9]+", sms_id):
            return error(400, "api_validation", '"smsId" must be a number')
        row = self.world.ledger.find(self.name, sms_id)
        if row is None:
            return error(404, "not_found", f"Sms message with ID {sms_id} not found.")
        return Reply.json(200, self._show(row, self.world.read_stage(row)))

    def _list(self, request: Request) -> Reply:
        try:
            query = _ListQuery(request.parameters)
        except ValueError as complaint:
            return error(400, "api_validation", str(complaint))
        rows = [row for row in self.world.ledger.listed(self.name) if query.matches(row, self._status(row))]
        rows.sort(key=lambda row: (self._sort_key(row, query.sort_by), row.serial), reverse=not query.is_ascending)
        page = rows[query.offset : query.offset + query.limit]
        shown = [self._show(row, self.world.read_stage(row)) for row in page]
        return Reply.json(200, {"has_more": len(rows) > query.offset + query.limit, "data": shown})

    def _demo_left(self) -> int:
        rows = self.world.ledger.rows(self.name)
        return DEMO_QUOTA - sum(row.sender == DEMO_LABEL and row.accepted_at is not None for row in rows)

    def _status(self, row: Row) -> str:
        return "UNSENT" if row.accepted_at is None else STATUSES[self.world.stage(row)]

    def _sort_key(self, row: Row, sort_by: str) -> float:
        return row.created_at if sort_by == "created_at" else self._reached_at(row, self.world.stage(row))

    def _reached_at(self, row: Row, stage: Stage) -> float:
        settings = self.world.settings
        delays = {Stage.ACCEPTED: 0.0, Stage.SENT: settings.sent_seconds}
        return min(row.starts_at + delays.get(stage, settings.final_seconds), time.time())

    def _show(self, row: Row, stage: Stage) -> dict[str, Any]:
        is_taken = row.accepted_at is not None
        # In the documented samples (SENT, DELIVERED) all later times are null; Postman fills them. Rows alternate.
        reached = iso_utc(self._reached_at(row, stage)) if is_taken and row.number % 2 else None
        has_failed = is_taken and stage is Stage.UNDELIVERED
        return {
            "id": row.provider_message_id,
            "credentialsLabel": row.sender,
            "recipient": row.recipient,
            "body": re.sub(r"<[^>]*>", "", row.text),
            "message_id": row.details["message_id"] if is_taken else None,
            "created_at": iso_utc(row.created_at),
            "updated_at": reached or iso_utc(row.accepted_at or row.created_at),
            "status": STATUSES[stage] if is_taken else "UNSENT",
            "error_code": UNDELIVERED_CODE if has_failed else None,
            "accepted_at": None if row.accepted_at is None else iso_utc(row.accepted_at),
            "sent_at": reached if stage is Stage.SENT else None,
            "delivered_at": reached if stage is Stage.DELIVERED else None,
            "errored_at": iso_utc(self._reached_at(row, stage)) if has_failed else None,
        }


class _ListQuery:
    """The parameters of a list request. Raises ValueError with the vendor's text if they are invalid."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self.limit = _integer(parameters, "limit", default=10, least=1, most=100)
        self.offset = _integer(parameters, "offset", default=0, least=0, most=None)
        self.status = parameters.get("status", "").upper()
        if self.status and self.status not in STATUS_WORDS:
            raise ValueError(f'"status" must be one of [{", ".join(STATUS_WORDS)}]')
        sort = parameters.get("sort_by", "created_at")
        # A "+" that is not encoded as %2B arrives as a space, and the list is then sorted in descending order.
        self.sort_by, self.is_ascending = sort.strip("+- "), "+" in sort
        if self.sort_by not in SORTABLE:
            raise ValueError('"sort_by" must be one of [created_at, updated_at]')
        self.bounds = [
            (compare, _moment(parameters[f"created_at[{word}]"]))
            for word, compare in COMPARISONS.items()
            if f"created_at[{word}]" in parameters
        ]
        known = {"limit", "offset", "status", "sort_by", *(f"created_at[{word}]" for word in COMPARISONS)}
        for name in parameters.keys() - known:
            raise ValueError(f'"{name}" is not allowed')

    def matches(self, row: Row, status: str) -> bool:
        """Return whether the list contains a row."""
        is_in_time = all(compare(row.created_at, bound) for compare, bound in self.bounds)
        return is_in_time and self.status in ("", status)


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """Build an error in the documented format."""
    return Reply.json(status, {"code": code, "message": message}, **headers)


def _refuse(entry: Refused) -> Reply:
    if entry.refusal is Refusal.NO_CREDIT:
        # Guess: no document mentions credit; 403 is "User doesn't have permission to perform the request".
        return error(403, "unauthorized", "User doesn't have permission to perform the request.")
    return error(400, "invalid_recipient", f"Phone number {entry.submission.recipient} is invalid")


def _complaint(fields: Any) -> str | None:
    if not isinstance(fields, dict):
        return '"value" must be of type object'
    for name in FIELDS:
        if name not in fields:
            return f'"{name}" is required'
        if not isinstance(fields[name], str):
            return f'"{name}" must be a string'
        if not fields[name]:
            return f'"{name}" is not allowed to be empty'
    return next((f'"{name}" is not allowed' for name in fields if name not in FIELDS), None)


def _integer(parameters: dict[str, str], name: str, *, default: int, least: int, most: int | None) -> int:
    text = parameters.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f'"{name}" must be a number')
    value = int(text)
    if value < least or (most is not None and value > most):
        raise ValueError(f'"{name}" is out of range')
    return value


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError('"created_at" must be in ISO 8601 date format') from None
    if moment.tzinfo is None:
        raise ValueError('"created_at" must be in ISO 8601 date format')
    return moment.timestamp()
