"""NusaSMS: what all its APIs share. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

import re
from collections.abc import Mapping
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import MalformedWebhookError, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel
from sampai.domain.outcome import FailureScope, NotTaken
from sampai.domain.phone import E164
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time

NAME: Final = "nusasms"
BASE_URL: Final = "https://api.nusasms.com"

JAKARTA_MINUTES: Final = 7 * 60
"""East of UTC, no summer time. The vendor names no zone: a guess."""

SUCCESSES: Final = frozenset({200, 201, 202})
"""The HTTP statuses of success; the page adds 204, whose answer has no body and so names no message."""

# What an HTTP status means by itself, under a body that says nothing. 401, 408, 429 and 5xx: `refused_by_status`.
REFUSALS: Final[Mapping[int, NotTaken]] = {
    400: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="400"),
    403: NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="403"),
    404: NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True, provider_code="404"),
    413: NotTaken(reason=Reason.TOO_LONG, is_final=True, provider_code="413"),
    422: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="422"),
}

# What an answer or a callback must hold to be believed. An id may have leading zeros: it is never a number.
ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
WORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_ERROR_CODE: Final = re.compile(r"(?!.*[0-9]{7})[!-~]{1,32}", re.ASCII)
_NO_ERROR: Final = re.compile(r"0*", re.ASCII)


def readable(value: object, shape: re.Pattern[str]) -> str | None:
    """Return a text of the given shape, without blanks around it; None for anything else."""
    text = value.strip() if isinstance(value, str) else ""
    return text if shape.fullmatch(text) else None


def required(fields: Mapping[str, object], name: str, shape: re.Pattern[str]) -> str:
    """Return a field of a callback as `readable` does, or raise MalformedWebhookError."""
    text = readable(fields.get(name), shape)
    if text is None:
        raise MalformedWebhookError(name)
    return text


def read_number(number: str, channel: Channel) -> str:
    """Return a sender's number as E.164, or as it was given where it cannot be read as one.

    On WhatsApp every number is international. By SMS only an Indonesian one can be told from a short code.
    """
    full = number
    if number.startswith("08"):
        full = f"+62{number[1:]}"
    elif number.startswith("62") or channel is not Channel.SMS:
        full = f"+{number}"
    return full if E164.fullmatch(full) else number


def read_receipt(request: WebhookRequest, statuses: Mapping[str, Status], reasons: Mapping[str, Reason]) -> Report:
    """Read a "Delivery Status Callback" of SMS or WhatsApp, by the words of the channel in capitals.

    Raises MalformedWebhookError.
    """
    fields = request.fields()
    provider_status = required(fields, "status", WORD)
    code = readable(fields.get("err_code"), _ERROR_CODE)
    return Report(
        provider_message_id=required(fields, "ref_no", ID),
        status=statuses.get(provider_status.upper()),
        provider_status=provider_status,
        reason=reasons.get(provider_status.upper()),
        provider_code=None if code is None or _NO_ERROR.fullmatch(code) else code,
        occurred_at=parse_vendor_time(fields.get("sent_date"), JAKARTA_MINUTES),
    )


def read_inbox(request: WebhookRequest, channel: Channel) -> Inbound:
    """Read a "Push Inbox" of SMS or WhatsApp. Raises MalformedWebhookError without a sender or a text.

    The text may be empty. An id that cannot be read costs the id alone, not the message.
    """
    fields = request.fields()
    if "msg" not in fields:
        raise MalformedWebhookError("msg")
    return Inbound(
        provider=NAME,
        channel=channel,
        provider_message_id=readable(fields.get("id"), ID),
        sender=read_number(required(fields, "originator", WORD), channel),
        recipient=readable(fields.get("gateway_number"), WORD),
        text=fields["msg"],
        received_at=parse_vendor_time(fields.get("receive_date"), JAKARTA_MINUTES),
    )
