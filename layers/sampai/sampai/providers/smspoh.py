"""SMSPoh v3, Myanmar: SMS. Facts, guesses and quirks: docs/reference/providers/smspoh.md."""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final

from sampai.domain.failure import Reason
from sampai.domain.message import Channel, Message
from sampai.domain.outcome import About, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import read_vendor_time
from sampai.providers.base import (
    Capabilities,
    Listed,
    ListPage,
    Provider,
    UnreadableAnswerError,
    Window,
    refused_by_status,
)
from sampai.providers.http import HttpRequest, HttpResponse, MalformedWebhookError, WebhookRequest

PAGE_SIZE: Final = 100
PAGE_LIMIT_BYTES: Final = 1024 * 1024

YANGON_MINUTES: Final = 6 * 60 + 30
"""East of UTC, no summer time. Documented for `updatedAt`; that the other times follow is a guess."""

REFERENCE_LIMIT: Final = 50
"""Characters of a `clientReference`: from public code, the vendor's page states none."""

# "Delivery Report", and the words that a newer copy of the same page adds: Delivered, Failed, Undelivered. Pending is
# told after Sent: with the operator, waiting for delivery. `?`, the vendor's own "unknown status", moves nothing.
STATUSES: Final[Mapping[str, Status]] = {
    "Accepted": Status.ACCEPTED,
    "Sent": Status.SENT,
    "Pending": Status.SENT,
    "Success": Status.DELIVERED,
    "Delivered": Status.DELIVERED,
    "Rejected": Status.UNDELIVERED,
    "Error": Status.UNDELIVERED,
    "Failed": Status.UNDELIVERED,
    "Undelivered": Status.UNDELIVERED,
    "Expired": Status.UNDELIVERED,
}
_REASONS: Final = {
    "Rejected": Reason.BLOCKED,
    "Error": Reason.UNREACHABLE,
    "Failed": Reason.PROVIDER_ERROR,
    "Undelivered": Reason.UNREACHABLE,
    "Expired": Reason.EXPIRED,
}

# Public code: the refusals that come inside a 2xx. There is no code beside the text.
FAILURES: Final[Mapping[str, Reason]] = {"Invalid Sender ID": Reason.INVALID_SENDER}

# Only 401 is documented. The others are a guess from the framework whose error shape the vendor has.
_REFUSALS: Final = {
    400: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="400"),
    403: NotTaken(reason=Reason.AUTHENTICATION, is_final=False, about=About.PROVIDER, provider_code="403"),
    404: NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True, provider_code="404"),
    413: NotTaken(reason=Reason.TOO_LONG, is_final=True, provider_code="413"),
    422: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="422"),
}

# What a callback, an answer or a row must hold to be believed. The ids in the vendor's examples are not all GUIDs.
_ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
_WORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_REFERENCE: Final = re.compile(rf"[!-~]{{1,{REFERENCE_LIMIT}}}", re.ASCII)


class SmsPoh(Provider):
    name = "smspoh"
    capabilities = Capabilities(
        channels=frozenset({Channel.SMS}),
        countries=frozenset({"MM"}),
        credentials=frozenset({"api_key", "api_secret"}),
        max_characters=918,  # public code; six joined parts of 153
        options={"unicode": bool, "test": bool},
        webhooks=frozenset({"receipt"}),
        has_list=True,
        echoes_reference=True,
    )
    default_base_url = "https://v3.smspoh.com/api/rest"

    def build_send(self, message: Message) -> HttpRequest:
        document = {
            "to": message.recipient,
            "message": self.text_of(message),
            "from": self.sender_of(message),
            "clientReference": self.reference_of(message),
            # The page says Boolean; the live server wants a number (public code).
            **{option: int(value) for option, value in self.options_of(message).items()},
        }
        if self.account.receipt_url is not None:
            document["deliveryReceiptUrl"] = self.account.receipt_url
        return HttpRequest.post_json(f"{self.account.base_url}/send", document, headers=self._headers)

    def parse_send(self, response: HttpResponse) -> Outcome:
        if outcome := refused_by_status(response) or _REFUSALS.get(response.status):
            return outcome
        if not 200 <= response.status < 300:
            return Unknown(why=f"HTTP {response.status}")
        entries = response.json()["messages"]
        return _outcome(entries[0]) if len(entries) == 1 else Unknown(why=f"{len(entries)} messages for one")

    def build_list(self, window: Window, page: int) -> HttpRequest:
        query = {
            "limit": str(PAGE_SIZE),
            "page": str(page + 1),
            "filterByCreatedDateFrom": _yangon_date(window.since),
            # Whether the last day counts as a whole is not said: a day more costs nothing.
            "filterByCreatedDateTo": _yangon_date(window.until + timedelta(days=1)),
        }
        url = f"{self.account.base_url}/messages"
        return HttpRequest.get(url, query=query, headers=self._headers, response_limit=PAGE_LIMIT_BYTES)

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Read one page of the history. A row that cannot be read is left out; it hides no other."""
        if not 200 <= response.status < 300:
            raise UnreadableAnswerError(f"HTTP {response.status}")
        document = response.json()
        rows = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no messages")
        entries = (_listed(row) for row in rows if isinstance(row, dict))
        return ListPage(
            entries=tuple(entry for entry in entries if entry is not None),
            is_last=_is_last(document, page=page, rows=len(rows)),
        )

    def reference_of(self, message: Message) -> str | None:
        """Return the message id, or a shortening that no message id and no other shortening equals.

        `~` stands in no message id; 128 bits of a digest tell the shortenings apart.
        """
        if len(message.message_id) <= REFERENCE_LIMIT:
            return message.message_id
        tail = "~" + sha256(message.message_id.encode()).hexdigest()[:32]
        return message.message_id[: REFERENCE_LIMIT - len(tail)] + tail

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report, ...]:
        # The page's own example has `finishedAt=updatedAt=2024-12-23 00:02:00`.
        fields = {name: value.strip().removeprefix("updatedAt=") for name, value in request.fields().items()}
        report = _report(fields)
        if report is None:
            raise MalformedWebhookError("messageId or status")
        return (report,)

    @property
    def _headers(self) -> Mapping[str, str]:
        credentials = self.account.credentials
        token = b64encode(f"{credentials['api_key']}:{credentials['api_secret']}".encode()).decode()
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    """Read the only entry of a 2xx: with an id and a status word it was taken, with `status: false` it was not."""
    provider_message_id, provider_status = _read(entry, "messageId", _ID), _read(entry, "status", _WORD)
    if provider_message_id is not None and provider_status is not None:
        return Taken(provider_message_id=provider_message_id, provider_status=provider_status)
    text = entry.get("message")
    if entry.get("status") is False and not entry.get("messageId") and isinstance(text, str):
        reason = FAILURES.get(text, Reason.PROVIDER_ERROR)
        return NotTaken(reason=reason, is_final=True, provider_code=text if text in FAILURES else None)
    return Unknown(why="neither an id nor a refusal")


def _report(fields: Mapping[str, Any]) -> Report | None:
    """Return what a callback or a row of the history reports, or None without a readable id and status."""
    provider_message_id, provider_status = _read(fields, "messageId", _ID), _read(fields, "status", _WORD)
    if provider_message_id is None or provider_status is None:
        return None
    word = provider_status.capitalize()
    status = STATUSES.get(word)
    updated_at = read_vendor_time(fields.get("updatedAt"), YANGON_MINUTES)
    finished_at = read_vendor_time(fields.get("finishedAt"), YANGON_MINUTES)
    return Report(
        provider_message_id=provider_message_id,
        status=status,
        provider_status=provider_status,
        reference=_read(fields, "clientReference", _REFERENCE),
        reason=_REASONS.get(word),
        occurred_at=(finished_at or updated_at) if status is not None and status.is_final else updated_at,
    )


def _listed(row: Mapping[str, Any]) -> Listed | None:
    report = _report(row)
    if report is None:
        return None
    return Listed(
        report=report,
        recipient=str(row.get("to") or ""),
        text=str(row.get("message") or ""),
        created_at=read_vendor_time(row.get("createdAt"), YANGON_MINUTES),
    )


def _is_last(document: Mapping[str, Any], *, page: int, rows: int) -> bool:
    """Count the pages ourselves: the vendor's links drop the filter that was asked for."""
    records, limit = document.get("records"), document.get("limit")
    page_size = limit if isinstance(limit, int) and limit > 0 else PAGE_SIZE
    if rows and isinstance(records, int):
        return (page + 1) * page_size >= records
    return rows < page_size


def _read(fields: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def _yangon_date(instant: datetime) -> str:
    return instant.astimezone(timezone(timedelta(minutes=YANGON_MINUTES))).date().isoformat()
