"""NusaSMS: SMS v3. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final
from xml.etree import ElementTree

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Channel, Message
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.segments import Encoding, encoding_of
from sampai.domain.status import Status
from sampai.providers.base import Capabilities
from sampai.providers.features import SupportsWebhooks
from sampai.providers.nusasms.common import (
    BASE_URL,
    ID,
    NAME,
    REFUSALS,
    SUCCESSES,
    read_inbox,
    read_receipt,
    readable,
)
from sampai.providers.responses import parse_id, refused_by_status

# All of it a guess: the vendor lists no status words for SMS. The letters are those of its WhatsApp messages.
STATUSES: Final[Mapping[str, Status]] = {
    "U": Status.ACCEPTED,
    "Q": Status.ACCEPTED,
    "S": Status.SENT,
    "SENT": Status.SENT,
    "PENDING": Status.SENT,
    "D": Status.DELIVERED,
    "DELIVERED": Status.DELIVERED,
    "R": Status.READ,
    "A": Status.UNDELIVERED,
    "F": Status.UNDELIVERED,
    "FAILED": Status.UNDELIVERED,
    "NOT_SENT": Status.UNDELIVERED,
    "NOT_DELIVERED": Status.UNDELIVERED,
    "UNDELIVERED": Status.UNDELIVERED,
    "EXPIRED": Status.UNDELIVERED,
    "REJECTED": Status.UNDELIVERED,
}
_REASONS: Final = {
    "A": Reason.PROVIDER_ERROR,
    "F": Reason.PROVIDER_ERROR,
    "FAILED": Reason.PROVIDER_ERROR,
    "NOT_SENT": Reason.PROVIDER_ERROR,
    "NOT_DELIVERED": Reason.UNREACHABLE,
    "UNDELIVERED": Reason.UNREACHABLE,
    "EXPIRED": Reason.EXPIRED,
    "REJECTED": Reason.BLOCKED,
}


def _about_message(reason: Reason, detail: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, detail=detail)


def _about_account(reason: Reason, detail: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, detail=detail)


# "Response Status". Codes and names are the vendor's; what each one means for a message is our reading. After the
# codes that only say "error" the message may be on its way.
FAILURES: Final[Mapping[str, NotTaken | Unknown]] = {
    "-1": Unknown(why="SEND_ERROR"),
    "-2": _about_account(Reason.INSUFFICIENT_CREDIT, "NOT_ENOUGH_CREDITS"),
    "-3": _about_message(Reason.UNROUTABLE, "NETWORK_NOTCOVERED"),
    "-5": _about_account(Reason.AUTHENTICATION, "AUTHENTICATION_FAILED"),
    "-6": _about_message(Reason.INVALID_RECIPIENT, "MISSING_DESTINATION_ADDRESS"),
    "-7": _about_account(Reason.INSUFFICIENT_CREDIT, "BALANCE_EXPIRED"),
    "-9": _about_message(Reason.UNROUTABLE, "NO_ROUTE"),
    "-10": _about_message(Reason.BLOCKED, "REJECTED"),
    "-11": _about_message(Reason.INVALID_RECIPIENT, "UNKNOWN_DESTINATION_ADDRESS"),
    "-12": _about_message(Reason.INVALID_CONTENT, "MISSING_MESSAGE"),
    "-13": _about_message(Reason.INVALID_RECIPIENT, "INVALID_DESTINATION_ADDRESS"),
    "-14": _about_message(Reason.TOO_LONG, "SMS_TEXT_TOO_LONG"),
    "-22": _about_message(Reason.PROVIDER_ERROR, "SYNTAX_ERROR"),
    "-23": Unknown(why="ERROR_PROCESSING"),
    "-24": _about_message(Reason.PROVIDER_ERROR, "INVALID_API_COMMAND"),
    "-26": Unknown(why="COMMUNICATION_ERROR"),
    "-27": _about_message(Reason.PROVIDER_ERROR, "INVALID_SENDDATETIME"),
    "-28": _about_message(Reason.PROVIDER_ERROR, "INVALID_DELIVERY_REPORT_PUSH_URL"),
    "-30": _about_account(Reason.AUTHENTICATION, "INVALID_CLIENT_APPID"),
    "-31": _about_message(Reason.PROVIDER_ERROR, "RECORD_NOT_FOUND"),
    "-32": _about_message(Reason.PROVIDER_ERROR, "MISSING_MESSAGE_ID"),
    "-33": _about_message(Reason.PROVIDER_ERROR, "DUPLICATE_MESSAGEID"),
    "-34": _about_message(Reason.INVALID_SENDER, "SENDER_NOT_ALLOWED"),
    "-35": _about_message(Reason.INVALID_SENDER, "SENDER_NOT_REGISTERED"),
    "-36": _about_message(Reason.INVALID_SENDER, "SENDER_NOT_SET"),
    "-40": _about_account(Reason.AUTHENTICATION, "IP_ADDRESS_FORBIDDEN"),
    # Missing from the table: "Send Group", "Group is not available or the group has no contact list".
    "-55": _about_message(Reason.INVALID_RECIPIENT, "audience: no such group, or nobody in it"),
    "-77": _about_message(Reason.RATE_LIMITED, "SPAM_PATTERN"),
    "-78": _about_message(Reason.RATE_LIMITED, "LIMIT REACHED FOR DESTINATION NUMBER"),
    "-88": _about_message(Reason.BLOCKED, "REJECTED ROUTE"),
    "-99": Unknown(why="GENERAL_ERROR"),
}

_CODED: Final = SUCCESSES | (frozenset(range(400, 500)) - {408, 429})
"""The HTTP statuses under which a code is believed. That refusals come under 200 is a guess; 4xx is as likely."""


class NusaSms(SupportsWebhooks):
    name = NAME
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"ID"}),
        credentials=frozenset({"user", "password"}),
        max_characters=160,
        max_lists=1,
        webhooks=frozenset({"sms-receipt", "sms-inbox"}),
    )
    default_base_url = BASE_URL
    needs_sender = False  # the vendor sets it in the account; a request cannot name one

    def build_send(self, message: Message) -> HttpRequest:
        text = self.text_of(message)
        fields = {
            "user": self.config.credentials["user"],
            "password": self.config.credentials["password"],
            "SMSText": text,
            **_destination(message),
            "output": "json",
        }
        if message.category is Category.OTP:
            fields["otp"] = "Y"
        if encoding_of(text) is Encoding.UCS2:
            fields["unicode"] = "True"
        url = f"{self.config.base_url}/api/v3/sendsms/{'group' if message.audience else 'plain'}"
        # The page takes all of this in the query too, where the password would end in logs.
        return HttpRequest.post_form(url, fields, headers={"Accept": "application/json"})

    def parse_send(self, response: HttpResponse) -> Outcome:
        """Read the answer: where the body holds a code, the code decides."""
        result = _result(response.body) if response.status in _CODED else None
        if result is not None:
            return _outcome(result, is_success=response.status in SUCCESSES)
        by_status = refused_by_status(response) or REFUSALS.get(response.status)
        return by_status or Unknown(why=f"HTTP {response.status} without a result")

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        if kind == "sms-inbox":
            return (read_inbox(request, Channel.SMS),)
        return (read_receipt(request, STATUSES, _REASONS),)


def _destination(message: Message) -> dict[str, str]:
    if message.audience:
        return {"group": message.audience[0]}
    return {"GSM": (message.recipient or "").removeprefix("+")}


def _outcome(result: Mapping[str, Any], *, is_success: bool) -> Outcome:
    code = result.get("status")
    if not isinstance(code, str):
        return Unknown(why="no code")
    if code != "0":
        failure = FAILURES.get(code, Unknown(why="undocumented code"))
        return replace(failure, provider_code=code) if isinstance(failure, NotTaken) else failure
    # The answer to a group names a campaign instead of a message: nothing else tells the two answers apart.
    is_campaign = "messageid" not in result
    provider_message_id = parse_id(result.get("campaign_name")) if is_campaign else readable(result["messageid"], ID)
    if not is_success or provider_message_id is None:
        return Unknown(why="success without an id, or under a refusal")
    return Taken(provider_message_id=provider_message_id)


def _result(body: bytes) -> Mapping[str, Any] | None:
    """Return the only result in an answer, in JSON or XML, or None if there is not exactly one to read."""
    try:
        text = body.decode("utf-8-sig").strip()
        (result,) = _xml_results(text) if text.startswith("<") else _json_results(text)
    except (ValueError, TypeError, KeyError, RecursionError, ElementTree.ParseError):
        return None
    return result if isinstance(result, dict) else None


def _json_results(text: str) -> Any:
    # A number keeps its digits: as an int or a float an id could lose some.
    return json.loads(text, parse_int=str, object_pairs_hook=_fields)["results"]


def _xml_results(text: str) -> list[dict[str, str]]:
    if "<!" in text:
        raise ValueError("a document type, from which entities could be expanded")
    root = ElementTree.fromstring(text)  # noqa: S314  (no document type: nothing to expand)
    if root.tag != "results":
        raise ValueError("not a list of results")
    return [_fields((field.tag, (field.text or "").strip()) for field in result) for result in root.findall("result")]


def _fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a mapping, or raise ValueError if a name comes twice: it contradicts itself."""
    listed = list(pairs)
    fields = dict(listed)
    if len(fields) != len(listed):
        raise ValueError("a name comes twice")
    return fields
