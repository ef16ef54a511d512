"""Nomsa: the object in the responses of its email API. Facts, guesses and quirks: docs/reference/providers/nomsa.md.

The vendor documents this object, but no operation that returns it. So no channel sends email.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.nomsa.common import parse_code, parse_status, parse_word, require_id
from sampai.providers.responses import UnreadableAnswerError

# "API Response Formats" shows only ACCEPTED. The others come from the public code of Postman, ERROR from its SMS rows.
# A spam complaint proves that the email arrived. UNSENT is missing because it proves nothing alone.
STATUSES: Final = {
    "ACCEPTED": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "COMPLAINT": Status.DELIVERED,
    "OPENED": Status.READ,
    "BOUNCED": Status.UNDELIVERED,
    "ERROR": Status.UNDELIVERED,
}

# "API Response Formats". `errored_at` is a guess, from the vendor's SMS rows. The highest status first: an email can
# bounce after a server accepted it, and an email that was opened has arrived.
TIMES: Final = {
    Status.READ: "opened_at",
    Status.UNDELIVERED: "errored_at",
    Status.DELIVERED: "delivered_at",
    Status.SENT: "sent_at",
    Status.ACCEPTED: "accepted_at",
}

_ERROR: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.: -]{1,60}", re.ASCII)
"""Words such as `Hard bounce`, from the public code of Postman."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One email, as the vendor shows it. Times are the vendor's clock, in UTC. A field that cannot be parsed is None.

    `status` is None if the word is unknown and no time proves a status.
    """

    provider_message_id: str
    sender: str | None
    recipient: str | None = field(repr=False)
    subject: str | None = field(repr=False)
    body: str | None = field(repr=False)
    reply_to: str | None
    cc: tuple[str, ...] = field(repr=False)
    bcc: tuple[str, ...] = field(repr=False)
    status: Status | None
    provider_status: str
    error_code: str | None
    error_sub_type: str | None
    classification: str | None
    tag: str | None
    created_at: datetime | None
    updated_at: datetime | None
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None


def parse_email(document: object) -> Email:
    """Parse an email object. Raise UnreadableAnswerError if it is not an object or has no id."""
    if not isinstance(document, dict):
        raise UnreadableAnswerError("not an object")
    params = document.get("params")
    content: Mapping[str, Any] = params if isinstance(params, dict) else {}
    return Email(
        provider_message_id=require_id(document),
        sender=_parse_text(document.get("from")),
        recipient=_parse_text(document.get("recipient")),
        subject=_parse_text(content.get("subject")),
        body=_parse_text(content.get("body")),
        reply_to=_parse_text(content.get("reply_to")),
        cc=_parse_texts(document.get("cc")),
        bcc=_parse_texts(document.get("bcc")),
        status=parse_status(document, words=STATUSES, times=TIMES),
        provider_status=parse_word(document),
        error_code=_parse_error(document.get("error_code")),
        error_sub_type=_parse_error(document.get("error_sub_type")),
        classification=parse_code(document.get("classification")),
        tag=_parse_text(document.get("tag")),
        created_at=parse_vendor_time(document.get("created_at")),
        updated_at=parse_vendor_time(document.get("updated_at")),
        accepted_at=parse_vendor_time(document.get("accepted_at")),
        sent_at=parse_vendor_time(document.get("sent_at")),
        delivered_at=parse_vendor_time(document.get("delivered_at")),
        opened_at=parse_vendor_time(document.get("opened_at")),
    )


def _parse_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _parse_texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _parse_error(value: object) -> str | None:
    return value if isinstance(value, str) and _ERROR.fullmatch(value) else None
