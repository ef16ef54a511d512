"""SMS v3: plain text to a number, or to a group of contacts.

Parameters, status codes and both response formats follow the vendor's page, section "SMS". Guesses: a failure has HTTP
200, and the values of `status` and `err_code` in a receipt. No document has them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.inbound import Callback, Inbound
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.nusasms.base import CREDENTIALS, NusaSmsApi
from local.simulators.nusasms.schema import problem, unprocessable
from local.simulators.outcomes import Refusal
from local.simulators.vendor import Entry, Refused, Route, Submission
from local.simulators.webhook_sender import Receipt

ROOT: Final = "/api/v3/sendsms"
MAX_TEXT: Final = 160
INDONESIAN_MOBILE: Final = re.compile(r"628[0-9]{7,11}")
LOOKS_LIKE_OTP: Final = re.compile(r"(?i)\b(otp|kode|code|pin|verifi\w*)\b.*[0-9]{4,8}")
GATEWAY_NUMBER: Final = "6281100000080"
OK: Final = "0"
NOT_ENOUGH_CREDITS: Final = "-2"
NETWORK_NOT_COVERED: Final = "-3"
AUTHENTICATION_FAILED: Final = "-5"
REJECTED: Final = "-10"
MISSING_MESSAGE: Final = "-12"
INVALID_DESTINATION: Final = "-13"
TEXT_TOO_LONG: Final = "-14"
# "Group is not available or the group has no contact list": missing from the vendor's table, shown in its example.
NO_SUCH_GROUP: Final = "-55"
REFUSALS: Final = {Refusal.INVALID_RECIPIENT: INVALID_DESTINATION, Refusal.NO_CREDIT: NOT_ENOUGH_CREDITS}
GROUP_REFUSALS: Final = {**REFUSALS, Refusal.INVALID_RECIPIENT: NO_SUCH_GROUP}
# Messages alternate between the letters that the vendor uses for WhatsApp, and words.
STATUSES: Final = {
    Stage.ACCEPTED: ("Q", "PENDING"),
    Stage.SENT: ("S", "SENT"),
    Stage.DELIVERED: ("D", "DELIVERED"),
    Stage.UNDELIVERED: ("F", "NOT_DELIVERED"),
}


class Sms(NusaSmsApi):
    """Send to a number or a group. A group has no receipts, because the response contains no message id."""

    channel: ClassVar[str] = "sms"

    def routes(self) -> tuple[Route, ...]:
        return (
            *(Route(method, f"{ROOT}/plain", "send", self._send) for method in ("POST", "GET")),
            *(Route(method, f"{ROOT}/group", "group", self._send_to_group) for method in ("POST", "GET")),
        )

    def refuse_caller(self, request: Request) -> Reply | None:
        """Return the refusal of a request without the API user's name and password, or None."""
        fields = _fields(request)
        user = fields.get("user") or fields.get("username")
        if request.content_type == "application/json" and user is None:
            return unprocessable(problem(("query", "user"), "field required", "value_error.missing"))
        if (user, fields.get("password")) == (CREDENTIALS["user"], CREDENTIALS["password"]):
            return None
        answer = _answer_group if request.path == f"{ROOT}/group" else _answer
        return answer(fields, AUTHENTICATION_FAILED)

    def name_message(self, serial: int, submission: Submission) -> str:
        """Return 18 digits with leading zeros (a string, not a number); for a group, a campaign name."""
        return _campaign_name(serial) if submission.operation == "group" else f"{serial:018d}"

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        if row.operation == "group":
            return None
        return self.receipt_by_query("sms-receipt", row, stage, STATUSES[stage][row.number % 2])

    def receive(self, inbound: Inbound) -> Callback:
        return self.receive_by_form(inbound, GATEWAY_NUMBER)

    def _send(self, request: Request) -> Reply:
        fields = _fields(request)
        status = self._validate(fields)
        if status is not None:
            return _answer(fields, status)

        def answer(entries: Sequence[Entry]) -> Reply:
            (entry,) = entries
            if isinstance(entry, Refused):
                return _answer(fields, REFUSALS[entry.refusal])
            return _answer(fields, OK, entry.provider_message_id)

        return self.vendor.submit([Submission(recipient=fields["GSM"], sender="", text=fields["SMSText"])], answer)

    def _send_to_group(self, request: Request) -> Reply:
        fields = _fields(request)
        status = self._group_refusal(fields)
        if status is not None:
            return _answer_group(fields, status, _campaign_name(self.world.ledger.next_serial()))

        def answer(entries: Sequence[Entry]) -> Reply:
            (entry,) = entries
            if isinstance(entry, Refused):
                campaign_name = _campaign_name(self.world.ledger.next_serial())
                return _answer_group(fields, GROUP_REFUSALS[entry.refusal], campaign_name)
            return _answer_group(fields, OK, entry.provider_message_id)

        submission = Submission(recipient=fields["group"], sender="", text=fields["SMSText"], operation="group")
        return self.vendor.submit([submission], answer)

    def _validate(self, fields: Mapping[str, str]) -> str | None:
        if not fields.get("SMSText"):
            return MISSING_MESSAGE
        return _number_refusal(fields.get("GSM", "")) or self._text_refusal(fields)

    def _group_refusal(self, fields: Mapping[str, str]) -> str | None:
        if not fields.get("SMSText"):
            return MISSING_MESSAGE
        if fields.get("group") not in self.world.settings.nusasms_groups:
            return NO_SUCH_GROUP
        return self._text_refusal(fields)

    def _text_refusal(self, fields: Mapping[str, str]) -> str | None:
        if len(fields["SMSText"]) > MAX_TEXT:
            return TEXT_TOO_LONG
        is_unmarked = fields.get("otp") != "Y" and LOOKS_LIKE_OTP.search(fields["SMSText"]) is not None
        return REJECTED if is_unmarked and self.world.settings.nusasms_refuses_unmarked_otp else None


def _number_refusal(number: str) -> str | None:
    """Return the status code for a number. As in the document, a missing number has the code of an invalid one."""
    if INDONESIAN_MOBILE.fullmatch(number):
        return None
    is_foreign = re.fullmatch("[1-9][0-9]{7,14}", number) is not None and not number.startswith("62")
    return NETWORK_NOT_COVERED if is_foreign else INVALID_DESTINATION


def _campaign_name(serial: int) -> str:
    """Return a unique name for each serial, such as `Group-Api-Campaign-cf27252-5101`."""
    upper, lower = divmod(serial, 16**7)
    return f"Group-Api-Campaign-{lower:07x}-{upper}"


def _fields(request: Request) -> dict[str, str]:
    """Return the parameters. The vendor's samples have them in the query, a form, or a multipart body."""
    return {**request.parameters, **request.form()}


def _answer(fields: Mapping[str, str], status: str, message_id: str = "") -> Reply:
    return _write_result(fields, {"status": status, "messageid": message_id, "destination": fields.get("GSM", "")})


def _answer_group(fields: Mapping[str, str], status: str, campaign_name: str = "") -> Reply:
    return _write_result(fields, {"status": status, "campaign_name": campaign_name, "group": fields.get("group", "")})


def _write_result(fields: Mapping[str, str], result: Mapping[str, str]) -> Reply:
    if fields.get("output") == "json":
        return Reply.json(200, {"results": [result]})
    inner = "".join(f"          <{name}>{_escaped(value)}</{name}>\n" for name, value in result.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<results>\n     <result>\n{inner}     </result>\n</results>\n'
    return Reply(200, body.encode(), "text/xml; charset=UTF-8")


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
