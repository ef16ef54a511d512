"""SMS NOC, Bangladesh: SMS. Facts, guesses and quirks: docs/reference/providers/smsnoc.md.

The HTTP status says little: the product behind this API answers most errors with 200. The body's `status` decides.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from sampai.domain.failure import Failure, Reason
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
    readable_id,
    refused_by_status,
    retry_after_seconds,
)
from sampai.providers.http import HttpRequest, HttpResponse

PAGE_LIMIT_BYTES: Final = 1024 * 1024

DHAKA_MINUTES: Final = 6 * 60
"""East of UTC, no summer time. That an account's times are Bangladesh's own is a guess."""

# Public code of "Ultimate SMS", the product that SMS NOC runs; the vendor's page names no status. The last four are
# states of a campaign there; that a message may have them too is a guess.
STATUSES: Final = {
    "Delivered": Status.DELIVERED,
    "Enroute": Status.SENT,
    "Accepted": Status.ACCEPTED,
    "Expired": Status.UNDELIVERED,
    "Undelivered": Status.UNDELIVERED,
    "Rejected": Status.UNDELIVERED,
    "Skipped": Status.UNDELIVERED,
    "Failed": Status.UNDELIVERED,
    "Queued": Status.ACCEPTED,
    "Pending": Status.ACCEPTED,
    "Scheduled": Status.ACCEPTED,
    "Processing": Status.ACCEPTED,
}
_STATUSES: Final = {word.lower(): status for word, status in STATUSES.items()}
_REASONS: Final = {"expired": Reason.EXPIRED, "undelivered": Reason.UNREACHABLE, "rejected": Reason.BLOCKED}


def _about_message(reason: Reason) -> NotTaken:
    return NotTaken(reason=reason, is_final=True)


def _about_account(reason: Reason) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, about=About.PROVIDER)


# Public code of "Ultimate SMS": parts of its error texts, in lower case. There are no codes. A text is a hint at the
# reason alone; that the message was not taken is said by the envelope.
FAILURES: Final = {
    "unauthenticated": _about_account(Reason.AUTHENTICATION),
    "permission to access api": _about_account(Reason.AUTHENTICATION),
    "no active subscription": _about_account(Reason.AUTHENTICATION),
    "not enough balance": _about_account(Reason.INSUFFICIENT_CREDIT),
    "exceeded your sending limit": _about_account(Reason.INSUFFICIENT_CREDIT),
    "too many attempts": NotTaken(reason=Reason.RATE_LIMITED, is_final=False),
    "not authorized to send this message": _about_message(Reason.INVALID_SENDER),
    "invalid phone number": _about_message(Reason.INVALID_RECIPIENT),
    "blacklist": _about_message(Reason.BLOCKED),
    "spam words": _about_message(Reason.BLOCKED),
    "has not been enabled for the region": _about_message(Reason.UNROUTABLE),
}
_NOT_FOUND: Final = ("sms info not found", "no query results")

_REFUSING_STATUSES: Final = frozenset({200, 400, 401, 403, 404, 422, 429})
"""HTTP statuses under which an error envelope is a refusal. Under any other the message may have been taken."""

_BARE_REFUSALS: Final = {
    400: _about_message(Reason.PROVIDER_ERROR),
    403: _about_account(Reason.AUTHENTICATION),
    404: _about_message(Reason.PROVIDER_ERROR),
    413: _about_message(Reason.PROVIDER_ERROR),
    422: _about_message(Reason.PROVIDER_ERROR),
}
"""What an answer without an envelope comes to: it is not the product that speaks, but what stands before it."""

_SENDER: Final = re.compile(r"[A-Za-z0-9]{1,11}|\+?[0-9]{1,15}", re.ASCII)
_WORDS: Final = re.compile(r"[A-Za-z ]{1,40}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"[0-9a-f]{13}", re.ASCII)


class SmsNoc(Provider):
    name = "smsnoc"
    capabilities = Capabilities(
        channels=frozenset({Channel.SMS}),
        countries=frozenset({"BD"}),
        credentials=frozenset({"api_token"}),
        max_characters=918,  # a guess, the vendor states none: six joined parts of 153
        has_lookup=True,
        has_list=True,
    )
    default_base_url = "https://app.smsnoc.com/api/v3"

    def refusal(self, message: Message) -> Failure | None:
        if failure := super().refusal(message):
            return failure
        if _SENDER.fullmatch(self.sender_of(message) or "") is None:
            detail = "sender: smsnoc takes up to 11 letters and digits, or a phone number"
            return Failure(reason=Reason.INVALID_SENDER, detail=detail)
        return None

    def build_send(self, message: Message) -> HttpRequest:
        document = {
            "recipient": (message.recipient or "").removeprefix("+"),
            "sender_id": self.sender_of(message),
            "type": "plain",
            "message": self.text_of(message),
        }
        return HttpRequest.post_json(f"{self._sms_url}/send", document, headers=self._headers)

    def parse_send(self, response: HttpResponse) -> Outcome:
        envelope = _envelope(response)
        match envelope.get("status"):
            case "success":
                return _taken(envelope.get("data"))
            case "error":
                return _refused(response, str(envelope.get("message")))
        return _refused_bare(response)

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        return HttpRequest.get(f"{self._sms_url}/{quote(provider_message_id, safe='')}", headers=self._headers)

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        envelope = _envelope(response)
        text = str(envelope.get("message")).lower()
        if envelope.get("status") == "error" and any(hint in text for hint in _NOT_FOUND):
            return None
        return _report(_data(envelope, response))

    def build_list(self, window: Window, page: int) -> HttpRequest:
        query = {
            "page": str(page + 1),
            "start_date": _dhaka_time(window.since),
            "end_date": _dhaka_time(window.until),
            "timezone": "Asia/Dhaka",
        }
        return HttpRequest.get(self._sms_url, query=query, headers=self._headers, response_limit=PAGE_LIMIT_BYTES)

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Read one page of the list. A row without a readable uid is left out; it hides no other."""
        paginator = _data(_envelope(response), response)
        rows = paginator.get("data")
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no data")
        readable = (row for row in rows if isinstance(row, dict) and readable_id(row.get("uid")))
        return ListPage(
            entries=tuple(_listed(row) for row in readable), is_last=not rows or _is_last_page(paginator, page + 1)
        )

    @property
    def _sms_url(self) -> str:
        return f"{self.account.base_url}/sms"

    @property
    def _headers(self) -> Mapping[str, str]:
        # Without Accept the product answers errors with a page or a redirect.
        return {"Authorization": f"Bearer {self.account.credentials['api_token']}", "Accept": "application/json"}


def _envelope(response: HttpResponse) -> Mapping[str, Any]:
    """Return the documented envelope, or an empty one for whatever is not a JSON object."""
    try:
        envelope = response.json()
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _taken(data: object) -> Outcome:
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or (provider_message_id := readable_id(row.get("uid"))) is None:
        return Unknown(why="success without a uid")
    return Taken(provider_message_id=provider_message_id, provider_status=_word(row))


def _refused(response: HttpResponse, text: str) -> Outcome:
    if response.status not in _REFUSING_STATUSES:
        return Unknown(why=f"HTTP {response.status}")
    by_status = refused_by_status(response)
    hinted = next((failure for hint, failure in FAILURES.items() if hint in text.lower()), None)
    return _completed(hinted or by_status or _about_message(Reason.PROVIDER_ERROR), response)


def _refused_bare(response: HttpResponse) -> Outcome:
    refusal = refused_by_status(response) or _BARE_REFUSALS.get(response.status)
    return _completed(refusal, response) if refusal else Unknown(why="no envelope")


def _completed(outcome: Outcome, response: HttpResponse) -> Outcome:
    """Add what the headers say. The HTTP status, where it is not 200, is the nearest thing to a code that there is."""
    if not isinstance(outcome, NotTaken):
        return outcome
    return replace(
        outcome,
        provider_code=None if response.status == 200 else str(response.status),
        retry_after_seconds=retry_after_seconds(response) if outcome.reason is Reason.RATE_LIMITED else None,
    )


def _data(envelope: Mapping[str, Any], response: HttpResponse) -> Mapping[str, Any]:
    data = envelope.get("data")
    if envelope.get("status") != "success" or not isinstance(data, dict):
        raise UnreadableAnswerError(f"HTTP {response.status}, no data")
    return data


def _report(row: Mapping[str, Any]) -> Report:
    provider_message_id = readable_id(row.get("uid"))
    if provider_message_id is None:
        raise UnreadableAnswerError("no uid")
    word = _word(row)
    status = _STATUSES.get(word.lower(), Status.UNDELIVERED) if word else None
    return Report(
        provider_message_id=provider_message_id,
        status=status,
        provider_status=word or "",
        reason=_REASONS.get((word or "").lower(), Reason.PROVIDER_ERROR) if status is Status.UNDELIVERED else None,
    )


def _word(row: Mapping[str, Any]) -> str | None:
    """Return the status of a row, None without one. Older versions append `|` and the gateway's id.

    A failed send has its gateway's free text here, which may hold a number: only plain words are kept.
    """
    said = row.get("status") or row.get("customer_status")
    word = said.partition("|")[0].strip() if isinstance(said, str) else ""
    if not word:
        return None
    return word if _WORDS.fullmatch(word) else "(free text)"


def _listed(row: Mapping[str, Any]) -> Listed:
    report = _report(row)
    created_at = read_vendor_time(row.get("created_at"), DHAKA_MINUTES) or read_vendor_time(
        row.get("sent_at"), DHAKA_MINUTES
    )
    return Listed(
        report=report,
        recipient=str(row.get("to") or ""),
        text=str(row.get("message") or ""),
        created_at=created_at or _time_in(report.provider_message_id),
    )


def _time_in(uid: str) -> datetime | None:
    """Read the time out of a uid that looks like PHP's uniqid: eight hex digits of Unix seconds, five below them."""
    return datetime.fromtimestamp(int(uid[:8], 16), UTC) if _UNIQUE_ID.fullmatch(uid) else None


def _is_last_page(paginator: Mapping[str, Any], number: int) -> bool:
    last = paginator.get("last_page")
    return paginator.get("next_page_url", "") is None or (isinstance(last, int) and number >= last)


def _dhaka_time(instant: datetime) -> str:
    return instant.astimezone(timezone(timedelta(minutes=DHAKA_MINUTES))).strftime("%Y-%m-%d %H:%M:%S")
