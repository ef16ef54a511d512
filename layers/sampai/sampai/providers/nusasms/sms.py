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
    INBOX,
    NAME,
    RECEIPT,
    REFUSALS,
    SUCCESSES,
    parse_inbox,
    parse_receipt,
    parse_text,
)
from sampai.providers.responses import parse_id, refused_by_status

# Guess: the vendor lists no status words for SMS. The letters are those of its WhatsApp messages. Its codes of refusals
# are those of Infobip's HTTP API v3, whose receipt words (public code) come next: `NOT_SENT` means "queued, not yet at
# the network". Then come the words of SMPP 3.4, and three common ones.
STATUSES: Final[Mapping[str, Status]] = {
    "U": Status.ACCEPTED,
    "Q": Status.ACCEPTED,
    "S": Status.SENT,
    "D": Status.DELIVERED,
    "R": Status.READ,
    "A": Status.UNDELIVERED,
    "F": Status.UNDELIVERED,
    "NOT_SENT": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "NOT_DELIVERED": Status.UNDELIVERED,
    "NOT_ALLOWED": Status.UNDELIVERED,
    "INVALID_DESTINATION_ADDRESS": Status.UNDELIVERED,
    "INVALID_SOURCE_ADDRESS": Status.UNDELIVERED,
    "ROUTE_NOT_AVAILABLE": Status.UNDELIVERED,
    "NOT_ENOUGH_CREDITS": Status.UNDELIVERED,
    "REJECTED": Status.UNDELIVERED,
    "INVALID_MESSAGE_FORMAT": Status.UNDELIVERED,
    "ACCEPTD": Status.SENT,
    "ENROUTE": Status.SENT,
    "DELIVRD": Status.DELIVERED,
    "UNDELIV": Status.UNDELIVERED,
    "REJECTD": Status.UNDELIVERED,
    "EXPIRED": Status.UNDELIVERED,
    "DELETED": Status.UNDELIVERED,
    "PENDING": Status.SENT,
    "FAILED": Status.UNDELIVERED,
    "UNDELIVERED": Status.UNDELIVERED,
}
_REASONS: Final = {
    "A": Reason.PROVIDER_ERROR,
    "F": Reason.PROVIDER_ERROR,
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


def _message_refusal(reason: Reason, detail: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=True, detail=detail)


def _account_refusal(reason: Reason, detail: str) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER, detail=detail)


# "Response Status" has the codes and names. The reason for each code is our interpretation. The codes that only mean
# "error" are unknown, because the vendor may have taken the message.
FAILURES: Final[Mapping[str, NotTaken | Unknown]] = {
    "-1": Unknown(why="SEND_ERROR"),
    "-2": _account_refusal(Reason.INSUFFICIENT_CREDIT, "NOT_ENOUGH_CREDITS"),
    "-3": _message_refusal(Reason.UNROUTABLE, "NETWORK_NOTCOVERED"),
    "-5": _account_refusal(Reason.AUTHENTICATION, "AUTHENTICATION_FAILED"),
    "-6": _message_refusal(Reason.INVALID_RECIPIENT, "MISSING_DESTINATION_ADDRESS"),
    "-7": _account_refusal(Reason.INSUFFICIENT_CREDIT, "BALANCE_EXPIRED"),
    "-9": _message_refusal(Reason.UNROUTABLE, "NO_ROUTE"),
    "-10": _message_refusal(Reason.BLOCKED, "REJECTED"),
    "-11": _message_refusal(Reason.INVALID_RECIPIENT, "UNKNOWN_DESTINATION_ADDRESS"),
    "-12": _message_refusal(Reason.INVALID_CONTENT, "MISSING_MESSAGE"),
    "-13": _message_refusal(Reason.INVALID_RECIPIENT, "INVALID_DESTINATION_ADDRESS"),
    "-14": _message_refusal(Reason.TOO_LONG, "SMS_TEXT_TOO_LONG"),
    "-22": _message_refusal(Reason.PROVIDER_ERROR, "SYNTAX_ERROR"),
    "-23": Unknown(why="ERROR_PROCESSING"),
    "-24": _message_refusal(Reason.PROVIDER_ERROR, "INVALID_API_COMMAND"),
    "-26": Unknown(why="COMMUNICATION_ERROR"),
    "-27": _message_refusal(Reason.PROVIDER_ERROR, "INVALID_SENDDATETIME"),
    "-28": _message_refusal(Reason.PROVIDER_ERROR, "INVALID_DELIVERY_REPORT_PUSH_URL"),
    "-30": _account_refusal(Reason.AUTHENTICATION, "INVALID_CLIENT_APPID"),
    "-31": _message_refusal(Reason.PROVIDER_ERROR, "RECORD_NOT_FOUND"),
    "-32": _message_refusal(Reason.PROVIDER_ERROR, "MISSING_MESSAGE_ID"),
    "-33": _message_refusal(Reason.PROVIDER_ERROR, "DUPLICATE_MESSAGEID"),
    "-34": _message_refusal(Reason.INVALID_SENDER, "SENDER_NOT_ALLOWED"),
    "-35": _message_refusal(Reason.INVALID_SENDER, "SENDER_NOT_REGISTERED"),
    "-36": _message_refusal(Reason.INVALID_SENDER, "SENDER_NOT_SET"),
    "-40": replace(_account_refusal(Reason.AUTHENTICATION, "IP_ADDRESS_FORBIDDEN"), is_address_refused=True),
    # Not in the table but in "Send Group": "Group is not available or the group has no contact list".
    "-55": _message_refusal(Reason.INVALID_RECIPIENT, "audience: no such group, or nobody in it"),
    "-77": _message_refusal(Reason.RATE_LIMITED, "SPAM_PATTERN"),
    "-78": _message_refusal(Reason.RATE_LIMITED, "LIMIT REACHED FOR DESTINATION NUMBER"),
    "-88": _message_refusal(Reason.BLOCKED, "REJECTED ROUTE"),
    "-99": Unknown(why="GENERAL_ERROR"),
}

_CODED: Final = SUCCESSES | (frozenset(range(400, 500)) - {408, 429})
"""The HTTP statuses with which a code counts. Guess: a refusal has 200; 4xx is equally likely."""


class NusaSms(SupportsWebhooks):
    name = NAME
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"ID"}),
        credentials=frozenset({"user", "password"}),
        max_characters=160,
        max_lists=1,
        webhooks={"sms-receipt": RECEIPT, "sms-inbox": INBOX},
    )
    default_base_url = BASE_URL
    needs_sender = False  # the vendor sets it in the account, a request cannot

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
        # The page also documents a query with these fields, but then the password would be in logs.
        return HttpRequest.post_form(url, fields, headers={"Accept": "application/json"})

    def parse_send(self, response: HttpResponse) -> Outcome:
        """Return the outcome of a send. A code in the body takes precedence over the HTTP status."""
        result = _parse_result(response.body) if response.status in _CODED else None
        if result is not None:
            return _parse_outcome(result, is_success=response.status in SUCCESSES)
        by_status = refused_by_status(response) or REFUSALS.get(response.status)
        return by_status or Unknown(why=f"HTTP {response.status} without a result")

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        if kind == "sms-inbox":
            return (parse_inbox(request, Channel.SMS),)
        return (parse_receipt(request, STATUSES, _REASONS),)


def _destination(message: Message) -> dict[str, str]:
    if message.audience:
        return {"group": message.audience[0]}
    return {"GSM": (message.recipient or "").removeprefix("+")}


def _parse_outcome(result: Mapping[str, Any], *, is_success: bool) -> Outcome:
    code = result.get("status")
    if not isinstance(code, str):
        return Unknown(why="no code")
    if code != "0":
        failure = FAILURES.get(code, Unknown(why="undocumented code"))
        return replace(failure, provider_code=code) if isinstance(failure, NotTaken) else failure
    # The response to a group has the name of a campaign instead of a message id. There is no other difference.
    is_campaign = "messageid" not in result
    provider_message_id = parse_id(result.get("campaign_name")) if is_campaign else parse_text(result["messageid"], ID)
    if not is_success or provider_message_id is None:
        return Unknown(why="success without an id, or with the HTTP status of a refusal")
    return Taken(provider_message_id=provider_message_id)


def _parse_result(body: bytes) -> Mapping[str, Any] | None:
    """Return the only result in a response, in JSON or XML, or None if there is not exactly one."""
    try:
        text = body.decode("utf-8-sig").strip()
        (result,) = _parse_xml(text) if text.startswith("<") else _parse_json(text)
    except (ValueError, TypeError, KeyError, RecursionError, ElementTree.ParseError):
        return None
    return result if isinstance(result, dict) else None


def _parse_json(text: str) -> Any:
    # A number stays a text, because an id could lose digits as an int or a float.
    return json.loads(text, parse_int=str, object_pairs_hook=_to_fields)["results"]


def _parse_xml(text: str) -> list[dict[str, str]]:
    if "<!" in text:
        raise ValueError("a document type could contain entities")
    root = ElementTree.fromstring(text)  # noqa: S314  (without a document type there are no entities)
    if root.tag != "results":
        raise ValueError("not a list of results")
    return [
        _to_fields((field.tag, (field.text or "").strip()) for field in result) for result in root.findall("result")
    ]


def _to_fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a mapping. Raise ValueError if a name occurs twice, because the values may contradict."""
    listed = list(pairs)
    fields = dict(listed)
    if len(fields) != len(listed):
        raise ValueError("a name occurs twice")
    return fields
