"""Nomsa: the object that its email API answers with. Facts, guesses and quirks: docs/reference/providers/nomsa.md.

The vendor's pages show this object and no way to get one: no channel of ours sends email.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.nomsa.common import code_of, id_of, status_of, word_of
from sampai.providers.responses import UnreadableAnswerError

# Seen in "API Response Formats": ACCEPTED. The others: public code of the related Postman, ERROR of its SMS rows alone.
# A complaint is the recipient's, who has the email and calls it junk. UNSENT is no entry: it says nothing by itself.
STATUSES: Final = {
    "ACCEPTED": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "COMPLAINT": Status.DELIVERED,
    "OPENED": Status.READ,
    "BOUNCED": Status.UNDELIVERED,
    "ERROR": Status.UNDELIVERED,
}

# "API Response Formats"; `errored_at` is a guess, the vendor's SMS rows have it. The strongest sign first: a mailbox
# may return what a server took, and nobody opens what never came.
TIMES: Final = {
    Status.READ: "opened_at",
    Status.UNDELIVERED: "errored_at",
    Status.DELIVERED: "delivered_at",
    Status.SENT: "sent_at",
    Status.ACCEPTED: "accepted_at",
}

_ERROR: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.: -]{1,60}", re.ASCII)
"""Words such as `Hard bounce`: public code of the related Postman."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One email, as the vendor shows it. Times are the vendor's clock, in UTC; None for whatever cannot be read.

    `status` is None for a word that we have not met, without a time that says more.
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


def read_email(document: object) -> Email:
    """Read an email object. Raises UnreadableAnswerError if it is no object, or has no id."""
    if not isinstance(document, dict):
        raise UnreadableAnswerError("not an object")
    params = document.get("params")
    content: Mapping[str, Any] = params if isinstance(params, dict) else {}
    return Email(
        provider_message_id=id_of(document),
        sender=_text(document.get("from")),
        recipient=_text(document.get("recipient")),
        subject=_text(content.get("subject")),
        body=_text(content.get("body")),
        reply_to=_text(content.get("reply_to")),
        cc=_texts(document.get("cc")),
        bcc=_texts(document.get("bcc")),
        status=status_of(document, words=STATUSES, times=TIMES),
        provider_status=word_of(document),
        error_code=_error(document.get("error_code")),
        error_sub_type=_error(document.get("error_sub_type")),
        classification=code_of(document.get("classification")),
        tag=_text(document.get("tag")),
        created_at=parse_vendor_time(document.get("created_at")),
        updated_at=parse_vendor_time(document.get("updated_at")),
        accepted_at=parse_vendor_time(document.get("accepted_at")),
        sent_at=parse_vendor_time(document.get("sent_at")),
        delivered_at=parse_vendor_time(document.get("delivered_at")),
        opened_at=parse_vendor_time(document.get("opened_at")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _error(value: object) -> str | None:
    return value if isinstance(value, str) and _ERROR.fullmatch(value) else None
