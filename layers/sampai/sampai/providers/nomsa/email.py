"""Nomsa: e-mail. Facts, guesses and quirks: docs/reference/providers/nomsa.md."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from sampai.domain.email_address import is_sender
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest
from sampai.domain.message import Channel, Email, Message
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.base import Capabilities
from sampai.providers.features import ListedMessage, SupportsReferences
from sampai.providers.multipart import File, post_multipart
from sampai.providers.nomsa.common import COMMON_FAILURES, NomsaApi, parse_code, proves_nothing

# "API Response Formats" shows only ACCEPTED. The others come from the public code of Postman, ERROR from its SMS rows.
# A spam complaint proves that the e-mail arrived. UNSENT is missing because it proves nothing alone.
STATUSES: Final = {
    "ACCEPTED": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "COMPLAINT": Status.DELIVERED,
    "OPENED": Status.READ,
    "BOUNCED": Status.UNDELIVERED,
    "ERROR": Status.UNDELIVERED,
}

# "API Response Formats". `errored_at` is a guess, from the vendor's SMS rows. The highest status first: an e-mail can
# bounce after a server accepted it, and an e-mail that was opened has arrived.
TIMES: Final = {
    Status.READ: "opened_at",
    Status.UNDELIVERED: "errored_at",
    Status.DELIVERED: "delivered_at",
    Status.SENT: "sent_at",
    Status.ACCEPTED: "accepted_at",
}

# The public code of Postman.
FAILURES: Final = {
    **COMMON_FAILURES,
    "invalid_from_address": Reason.INVALID_SENDER,
    "too_many_recipients": Reason.INVALID_RECIPIENT,
    "attachment_format": Reason.INVALID_CONTENT,
    "attachment_limit": Reason.TOO_LONG,
}

BOUNCES: Final = {
    "NoEmail": Reason.INVALID_RECIPIENT,
    "Suppressed": Reason.BLOCKED,
    "OnAccountSuppressionList": Reason.BLOCKED,
    "MessageTooLarge": Reason.TOO_LONG,
    "ContentRejected": Reason.INVALID_CONTENT,
    "AttachmentRejected": Reason.INVALID_CONTENT,
    "Hard bounce": Reason.INVALID_RECIPIENT,
    "Error 400: Blacklisted recipient": Reason.BLOCKED,
}
"""The reason of a bounce by `error_sub_type`, else by `error_code`. The public code of Postman passes on the words of
Amazon SES. Any other bounce is `unreachable`."""

CLASSIFICATIONS: Final = ("URGENT", "FOR_ACTION", "FOR_INFO")
"""The public documentation of Postman; Nomsa shows URGENT."""

_TAG: Final = "sampai:"
"""The begin of the tag of our e-mails. The rest is the message id."""

_ROW_BYTES: Final = 1024 * 1024
"""A row contains the body. In JSON a character of it can take six bytes."""


class NomsaEmail(SupportsReferences, NomsaApi):
    capabilities = Capabilities(
        channel=Channel.EMAIL,
        countries=frozenset({"*"}),
        credentials=frozenset({"api_key"}),
        contents=frozenset({Email}),
        max_characters=80_000,  # ours: four bytes each, they fit into an item of 400 KB
        max_file_bytes=700 * 1024,  # ours: a request with them in Base64 must fit into 1 MiB. Postman takes 10 MB
        max_per_second=10,
        options={"classification": str},
    )
    needs_sender = False
    are_references_complete: ClassVar[bool] = False
    path = "transactional/email"
    statuses = STATUSES
    times = TIMES
    failures = FAILURES
    row_limit_bytes = _ROW_BYTES
    page_limit_bytes = 4 * _ROW_BYTES

    def validate(self, message: Message) -> Failure | None:
        classification = self.options_of(message).get("classification")
        if isinstance(classification, str) and classification not in CLASSIFICATIONS:
            detail = f"provider_options.{self.name}.classification: must be one of {', '.join(CLASSIFICATIONS)}"
            return Failure(reason=Reason.INVALID_REQUEST, detail=detail)
        return super().validate(message)

    def sender_of(self, message: Message) -> str | None:
        """Return the From address, or None for that of the vendor. The default `sender` of the settings is a label."""
        sender = super().sender_of(message)
        return sender if sender is not None and is_sender(sender) else None

    def build_send(self, message: Message) -> HttpRequest:
        if not isinstance(message.content, Email):
            raise ValueError("no e-mail")
        fields = self._fields(message, message.content)
        url = f"{self.url}/send"
        if message.content.files:
            # In a form, a list is JSON (public code of Postman).
            parts: list[tuple[str, str | File]] = [
                (name, value if isinstance(value, str) else json.dumps(value)) for name, value in fields.items()
            ]
            parts += (("attachments", file) for file in _files(message.content, message.attachments.file or b""))
            request = post_multipart(url, parts, headers=self.headers)
        else:
            request = HttpRequest.post_json(url, fields, headers=self.headers)
        return replace(request, response_limit=_ROW_BYTES)

    def reference_of(self, message: Message) -> str:
        return message.message_id

    def parse_row(self, row: Mapping[str, Any]) -> ListedMessage:
        report = self.parse_report(row)
        params = row.get("params")
        content: Mapping[str, Any] = params if isinstance(params, dict) else {}
        return ListedMessage(
            report=None if proves_nothing(report) else report,
            recipient=str(row.get("recipient") or ""),
            text=f"{content.get('subject') or ''}\n{content.get('body') or ''}",
            created_at=parse_vendor_time(row.get("created_at")),
        )

    def parse_report(self, row: Mapping[str, Any]) -> Report:
        report = super().parse_report(row)
        tag = row.get("tag")
        reference = tag.removeprefix(_TAG) if isinstance(tag, str) and tag.startswith(_TAG) else None
        if report.status is not Status.UNDELIVERED:
            return replace(report, reference=reference, provider_code=None)
        codes = [code for name in ("error_sub_type", "error_code") if (code := _parse_bounce(row.get(name)))]
        return replace(
            report,
            reference=reference,
            reason=next((BOUNCES[code] for code in codes if code in BOUNCES), None),
            provider_code=" / ".join(reversed(codes)) or None,
        )

    def reason_of(self, code: str | None, text: str) -> Reason | None:
        """Return the reason of an error by its text. Texts from the public code of Postman."""
        if "blacklist" in text:
            return Reason.BLOCKED
        # An account without an address of its own may send no files. Its other e-mails are not affected.
        is_about_files = code == "unauthorized" and "attachment" in text
        return Reason.INVALID_SENDER if is_about_files else None

    def _fields(self, message: Message, email: Email) -> dict[str, str | list[str]]:
        """Return the fields of a request without files. A field without a value is left out."""
        fields: dict[str, str | list[str] | None] = {
            "subject": email.subject,
            "body": email.body,
            "recipient": message.recipient,
            "from": self.sender_of(message),
            "reply_to": email.reply_to,
            "cc": list(email.cc),
            "bcc": list(email.bcc),
            "classification": self.options_of(message).get("classification"),
            "tag": f"{_TAG}{message.message_id}",
        }
        return {name: value for name, value in fields.items() if value}


def _files(email: Email, data: bytes) -> Iterator[File]:
    """Cut the stored bytes into files. Raise ValueError if they are not exactly those of the e-mail."""
    if len(data) != sum(file.size for file in email.files):
        raise ValueError("not the files of the e-mail")
    start = 0
    for file in email.files:
        end = start + file.size
        # The vendor knows a file by the ending of its name.
        yield File(name=file.file_name, media_type="application/octet-stream", data=data[start:end])
        start = end


def _parse_bounce(value: object) -> str | None:
    """Return the words about a bounce, or None if they may not be stored: `Hard bounce`, `Error 400: …`."""
    text = value.strip() if isinstance(value, str) else ""
    return text if parse_code(text.replace(": ", "-").replace(" ", "-")) else None
