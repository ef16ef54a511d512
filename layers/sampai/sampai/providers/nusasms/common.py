"""NusaSMS: the common parts of its APIs. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

import re
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import MalformedWebhookError, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel
from sampai.domain.outcome import FailureScope, NotTaken
from sampai.domain.phone import normalize_number
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.domain.webhook_fields import WebhookFields, read_fields

NAME: Final = "nusasms"
BASE_URL: Final = "https://api.nusasms.com"

JAKARTA: Final = timezone(timedelta(hours=7))
"""The zone of Western Indonesia, all year. Guess: the vendor documents no zone."""

RECEIPT: Final = WebhookFields(deciding=("ref_no", "status"), others=("sent_date", "err_code"))
INBOX: Final = WebhookFields(deciding=("id", "originator"), others=("gateway_number", "receive_date", "msg"))
"""The fields of the callbacks about SMS and WhatsApp."""

SUCCESSES: Final = frozenset({200, 201, 202})
"""The HTTP statuses of success. The page also has 204, but that has no body and so no message id."""

# The meaning of an HTTP status when the body is not readable. 401, 408, 429 and 5xx are in `refused_by_status`.
REFUSALS: Final[Mapping[int, NotTaken]] = {
    400: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="400"),
    403: NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="403"),
    404: NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True, provider_code="404"),
    413: NotTaken(reason=Reason.TOO_LONG, is_final=True, provider_code="413"),
    422: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="422"),
}

# The accepted format of each field. An id may have leading zeros, so it is a text and never a number.
ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
WORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]{1,64}")
SENDER: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
"""The sender of an inbound message. A broken byte in it is kept, because the message must not be lost."""
_ERROR_CODE: Final = re.compile(r"(?!.*[0-9]{7})[!-~]{1,32}", re.ASCII)
_NO_ERROR: Final = re.compile(r"0*", re.ASCII)


def parse_text(value: object, pattern: re.Pattern[str]) -> str | None:
    """Return a text that matches the pattern, without spaces at its ends, or None for any other value."""
    text = value.strip() if isinstance(value, str) else ""
    return text if pattern.fullmatch(text) else None


def require_text(fields: Mapping[str, object], name: str, pattern: re.Pattern[str]) -> str:
    """Return a field of a callback as `parse_text` does, or raise MalformedWebhookError."""
    text = parse_text(fields.get(name), pattern)
    if text is None:
        raise MalformedWebhookError(name)
    return text


def parse_number(number: str, channel: Channel) -> str:
    """Return a sender's number as E.164, or unchanged if that is not possible.

    On WhatsApp every number is international. In SMS only an Indonesian number differs from a short code.
    """
    return normalize_number(number, home="ID", is_international=channel is not Channel.SMS) or number


def parse_receipt(request: WebhookRequest, statuses: Mapping[str, Status], reasons: Mapping[str, Reason]) -> Report:
    """Parse a "Delivery Status Callback" of SMS or WhatsApp. The tables have the words of the channel in capitals.

    Raise MalformedWebhookError without a valid id and status.
    """
    fields = read_fields(request, RECEIPT)
    provider_status = require_text(fields, "status", WORD)
    code = parse_text(fields.get("err_code"), _ERROR_CODE)
    return Report(
        provider_message_id=require_text(fields, "ref_no", ID),
        status=statuses.get(provider_status.upper()),
        provider_status=provider_status,
        reason=reasons.get(provider_status.upper()),
        provider_code=None if code is None or _NO_ERROR.fullmatch(code) else code,
        occurred_at=parse_vendor_time(fields.get("sent_date"), JAKARTA),
    )


def parse_inbox(request: WebhookRequest, channel: Channel) -> Inbound:
    """Parse a "Push Inbox" of SMS or WhatsApp. Raise MalformedWebhookError without a sender.

    The text may be missing, as for a picture. An invalid id is dropped, and the message is kept.
    """
    fields = read_fields(request, INBOX)
    return Inbound(
        provider=NAME,
        channel=channel,
        provider_message_id=parse_text(fields.get("id"), ID),
        sender=parse_number(require_text(fields, "originator", SENDER), channel),
        recipient=parse_text(fields.get("gateway_number"), WORD),
        text=fields.get("msg", ""),
        received_at=parse_vendor_time(fields.get("receive_date"), JAKARTA),
    )
