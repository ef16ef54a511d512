"""NusaSMS (Indonesia), SMS v3: plain text.

Parameters, status codes and both forms of the answer are those of the vendor's "NusaSMS API v1.0", section SMS. That a
failure comes with HTTP 200 is a guess, and so are the values of `status` and `err_code` in a receipt: no document has
them.
"""

import re
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from local.simulators import credentials
from local.simulators.courier import Receipt
from local.simulators.journeys import Stage
from local.simulators.ledger import Row
from local.simulators.outcomes import Refusal
from local.simulators.vendor import Entry, Refused, Route, Submission, Vendor, naive_local
from local.simulators.wire import Reply, Request

# Guess: dates without a zone are Western Indonesian time.
JAKARTA: Final = timedelta(hours=7)
MAX_TEXT: Final = 160
INDONESIAN_MOBILE: Final = re.compile(r"628[0-9]{7,11}")
LOOKS_LIKE_OTP: Final = re.compile(r"(?i)\b(otp|kode|code|pin|verifi\w*)\b.*[0-9]{4,8}")
OK: Final = "0"
NOT_ENOUGH_CREDITS: Final = "-2"
NETWORK_NOT_COVERED: Final = "-3"
AUTHENTICATION_FAILED: Final = "-5"
REJECTED: Final = "-10"
MISSING_MESSAGE: Final = "-12"
INVALID_DESTINATION: Final = "-13"
TEXT_TOO_LONG: Final = "-14"
REFUSALS: Final = {Refusal.INVALID_RECIPIENT: INVALID_DESTINATION, Refusal.NO_CREDIT: NOT_ENOUGH_CREDITS}
# A letter as the vendor uses for WhatsApp, or a word: messages alternate. `err_code` alternates with them.
STATUSES: Final = {
    Stage.ACCEPTED: ("Q", "PENDING"),
    Stage.SENT: ("S", "SENT"),
    Stage.DELIVERED: ("D", "DELIVERED"),
    Stage.UNDELIVERED: ("F", "NOT_DELIVERED"),
}
NO_ERROR: Final = ("0", "")
UNDELIVERED_CODE: Final = "27"


class NusaSms(Vendor):
    """Send plain text, and receipts to the one address registered for the account."""

    name: ClassVar[str] = "nusasms"
    sends_receipts: ClassVar[bool] = True

    def declare_routes(self) -> tuple[Route, ...]:
        plain = "/api/v3/sendsms/plain"
        return (Route("POST", plain, "send", self._send), Route("GET", plain, "send", self._send))

    def refuse_caller(self, request: Request) -> Reply | None:
        fields = _fields(request)
        user = fields.get("user") or fields.get("username")
        expected = (credentials.NUSASMS_USER, credentials.NUSASMS_PASSWORD)
        if request.content_type == "application/json" and user is None:
            return _unprocessable("user")
        return None if (user, fields.get("password")) == expected else _answer(fields, AUTHENTICATION_FAILED)

    def no_such_path(self, request: Request) -> Reply:
        return Reply.json(404, {"detail": "Not Found"})

    def wrong_method(self, request: Request, allowed: str) -> Reply:
        return Reply.json(405, {"detail": "Method Not Allowed"})

    def throttled(self, retry_after_seconds: int) -> Reply:
        headers = {"Retry-After": str(retry_after_seconds)}
        return Reply.json(429, {"detail": "Too Many Requests"}, **headers)

    def server_error(self) -> Reply:
        return Reply(500, b"Internal Server Error", "text/plain; charset=utf-8")

    def name_message(self, serial: int) -> str:
        """Return 18 digits with leading zeros: no number, though it looks like one."""
        return f"{serial:018d}"

    def answer_send(self, entries: Sequence[Entry]) -> Reply:
        (entry,) = entries
        if isinstance(entry, Refused):
            details = entry.submission.details
            fields = {"GSM": entry.submission.recipient, "output": details["output"]}
            return _answer(fields, REFUSALS[entry.refusal])
        fields = {"GSM": entry.recipient, "output": entry.details["output"]}
        return _answer(fields, OK, entry.provider_message_id)

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        url, dialect = self.world.settings.receipt_url(self.name, "sms-receipt"), row.number % 2
        if not url:
            return None
        fields = {
            "ref_no": row.provider_message_id,
            "status": STATUSES[stage][dialect],
            "sent_date": naive_local(time.time(), JAKARTA),
            "err_code": UNDELIVERED_CODE if stage is Stage.UNDELIVERED else NO_ERROR[dialect],
        }
        return Receipt(vendor=self.name, method="GET", url=f"{url}?{urlencode(fields, quote_via=quote)}")

    def _send(self, request: Request) -> Reply:
        fields = _fields(request)
        status = self._refusal(fields)
        if status is not None:
            return _answer(fields, status)
        details = {"output": fields.get("output", "xml")}
        return self.submit([Submission(recipient=fields["GSM"], sender="", text=fields["SMSText"], details=details)])

    def _refusal(self, fields: dict[str, str]) -> str | None:
        number, text = fields.get("GSM", ""), fields.get("SMSText", "")
        if not text:
            return MISSING_MESSAGE
        if (status := _number_refusal(number)) is not None:
            return status
        if len(text) > MAX_TEXT:
            return TEXT_TOO_LONG
        is_unmarked = fields.get("otp") != "Y" and LOOKS_LIKE_OTP.search(text) is not None
        return REJECTED if is_unmarked and self.world.settings.nusasms_refuses_unmarked_otp else None


def _number_refusal(number: str) -> str | None:
    """Return the status for a number; a missing one has that of an invalid one, as the document shows it."""
    if INDONESIAN_MOBILE.fullmatch(number):
        return None
    is_foreign = re.fullmatch("[1-9][0-9]{7,14}", number) is not None and not number.startswith("62")
    return NETWORK_NOT_COVERED if is_foreign else INVALID_DESTINATION


def _fields(request: Request) -> dict[str, str]:
    """Return the parameters: the vendor's own samples put them into the query, a form, or a multipart body."""
    return {**request.parameters, **request.form()}


def _answer(fields: dict[str, str], status: str, message_id: str = "") -> Reply:
    result = {"status": status, "messageid": message_id, "destination": fields.get("GSM", "")}
    if fields.get("output") == "json":
        return Reply.json(200, {"results": [result]})
    inner = "".join(f"          <{name}>{_escaped(value)}</{name}>\n" for name, value in result.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<results>\n     <result>\n{inner}     </result>\n</results>\n'
    return Reply(200, body.encode(), "text/xml; charset=UTF-8")


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unprocessable(field: str) -> Reply:
    problem: dict[str, Any] = {"loc": ["query", field], "msg": "field required", "type": "value_error.missing"}
    return Reply.json(422, {"detail": [problem]})
