"""Nomsa: the common parts of its two APIs. Facts, guesses and quirks: docs/reference/providers/nomsa.md.

Both have a request to send, one for the status by id, and a list. They differ in the path, the fields and the words.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

from sampai.domain.failure import Reason
from sampai.domain.http import BODY_LIMIT, HttpRequest, HttpResponse
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time, to_text
from sampai.providers.features import ListedMessage, ListPage, ListQuery, SupportsListing, SupportsLookup
from sampai.providers.responses import UnreadableAnswerError, parse_id, retry_after_seconds

PAGE_SIZE: Final = 100

# "API Response Formats": `code` is reliable. It shows `rate_limit`; the others come from the public code of Postman.
COMMON_FAILURES: Final = {
    "api_validation": Reason.INVALID_CONTENT,
    "invalid_parameters": Reason.INVALID_CONTENT,
    "invalid_template": Reason.INVALID_CONTENT,
    "malformed": Reason.PROVIDER_ERROR,
    "invalid_recipient": Reason.INVALID_RECIPIENT,
    "unauthenticated": Reason.AUTHENTICATION,
    "unauthorized": Reason.AUTHENTICATION,
    "not_found": Reason.PROVIDER_ERROR,
    "rate_limit": Reason.RATE_LIMITED,
}

REFUSED: Final = {
    400: Reason.PROVIDER_ERROR,
    401: Reason.AUTHENTICATION,
    402: Reason.INSUFFICIENT_CREDIT,
    403: Reason.AUTHENTICATION,
    404: Reason.PROVIDER_ERROR,
    413: Reason.INVALID_CONTENT,
    422: Reason.PROVIDER_ERROR,
    429: Reason.RATE_LIMITED,
}
"""The HTTP statuses of a refusal, with the reason for responses without a known code."""

ALREADY_SENT: Final = "already_sent"
"""The one code of an error that says that the message was sent (public code of Postman)."""

_CODE: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.-]{1,40}", re.ASCII)


class NomsaApi(SupportsLookup, SupportsListing):
    """One of the vendor's APIs."""

    name = "nomsa"
    default_base_url = "https://api.nomsa.gov.kh/v1"
    path: ClassVar[str]
    """The path of the API below the base address."""
    statuses: ClassVar[Mapping[str, Status]]
    """The status of each word of the vendor."""
    times: ClassVar[Mapping[Status, str]]
    """The field with the time of each status, the highest status first."""
    failures: ClassVar[Mapping[str, Reason]]
    """The reason of each error code."""
    row_limit_bytes: ClassVar[int] = BODY_LIMIT
    """The most bytes of a response with one row."""
    page_limit_bytes: ClassVar[int]
    """The most bytes of a page of the list."""

    @abstractmethod
    def parse_row(self, row: Mapping[str, Any]) -> ListedMessage:
        """Return a row of the list. It has a valid id."""

    def parse_send(self, response: HttpResponse) -> Outcome:
        if 200 <= response.status < 300:
            return _parse_taken(response)
        if response.status in REFUSED:
            return self._parse_refusal(response)
        return Unknown(why=f"HTTP {response.status}")

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        url = f"{self.url}/{quote(provider_message_id, safe='')}"
        return HttpRequest.get(url, headers=self.headers, response_limit=self.row_limit_bytes)

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        match response.status:
            case 404:
                return None
            case 410:
                return Report(provider_message_id="", status=None, provider_status="redacted")
        return self.parse_report(_parse_document(response))

    def build_list(self, query: ListQuery, page: int) -> HttpRequest:
        parameters = {
            "limit": str(PAGE_SIZE),
            "offset": str(page * PAGE_SIZE),
            "created_at[gte]": to_text(query.since),
            "created_at[lte]": to_text(query.until),
        }
        return HttpRequest.get(self.url, query=parameters, headers=self.headers, response_limit=self.page_limit_bytes)

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Parse one page of the list. A row without a valid id is left out, and the other rows remain."""
        document = _parse_document(response)
        rows = document.get("data")
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no data")
        readable = (row for row in rows if isinstance(row, dict) and parse_id(row.get("id")))
        entries = tuple(self.parse_row(row) for row in readable)
        return ListPage(entries=entries, is_last=document.get("has_more") is False)

    def parse_report(self, row: Mapping[str, Any]) -> Report:
        """Return the report in a row. Raise UnreadableAnswerError if it has no id that can be stored."""
        provider_message_id = parse_id(row.get("id"))
        if provider_message_id is None:
            raise UnreadableAnswerError("no id")
        status = self._parse_status(row)
        return Report(
            provider_message_id=provider_message_id,
            status=status,
            provider_status=parse_code(row.get("status")) or "(unreadable)",
            provider_code=parse_code(row.get("error_code")),
            occurred_at=parse_vendor_time(row.get(self.times[status])) if status else None,
        )

    @property
    def url(self) -> str:
        """The address of the list."""
        return f"{self.config.base_url}/{self.path}"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.config.credentials['api_key']}"}

    def _parse_status(self, row: Mapping[str, Any]) -> Status | None:
        """Return the highest status that the word and the times of a row prove, or None without a known one."""
        word = self.statuses.get(str(row.get("status")).strip().upper())
        proven = {word} | {status for status, time in self.times.items() if row.get(time)}
        return next((status for status in self.times if status in proven), None)

    def _parse_refusal(self, response: HttpResponse) -> Outcome:
        error = _parse_error(response)
        code = parse_code(error.get("code"))
        if code == ALREADY_SENT:
            return Unknown(why=code)
        text = str(error.get("message")).lower()
        reason = self.reason_of(code, text) or self.failures.get(code or "", REFUSED[response.status])
        # One code has two meanings: a rate limit, and the end of the ten messages of a demo account, which is final.
        is_throttled = reason is Reason.RATE_LIMITED and "demo" not in text
        is_account = reason in (Reason.AUTHENTICATION, Reason.INSUFFICIENT_CREDIT)
        return NotTaken(
            reason=reason,
            is_final=not (is_throttled or is_account),
            scope=FailureScope.PROVIDER if is_account else FailureScope.MESSAGE,
            provider_code=code or str(response.status),
            retry_after_seconds=retry_after_seconds(response) if is_throttled else None,
        )

    def reason_of(self, code: str | None, text: str) -> Reason | None:
        """Return the reason of an error whose text, in lower case, says more than its code, or None."""
        return None


def proves_nothing(report: Report) -> bool:
    """Return whether a row shows no sign that the vendor accepted the message.

    The vendor stores a row before it sends the message, so an UNSENT row without a time proves nothing.
    """
    return report.status is None and report.provider_status.upper() == "UNSENT"


def parse_code(value: object) -> str | None:
    """Return a word or code, or None if it could be a phone number or a message text, which must not be stored."""
    text = value.strip() if isinstance(value, str) else ""
    return text if _CODE.fullmatch(text) else None


def _parse_taken(response: HttpResponse) -> Outcome:
    row = response.json()
    provider_message_id = parse_id(row.get("id"))
    if provider_message_id is None:
        return Unknown(why="success without an id")
    return Taken(provider_message_id=provider_message_id, provider_status=parse_code(row.get("status")))


def _parse_error(response: HttpResponse) -> Mapping[str, Any]:
    """Return the documented error body, or an empty one: the HTTP status has already decided the outcome."""
    try:
        error = response.json()
    except ValueError:
        return {}
    return error if isinstance(error, dict) else {}


def _parse_document(response: HttpResponse) -> Mapping[str, Any]:
    if not 200 <= response.status < 300:
        raise UnreadableAnswerError(f"HTTP {response.status}")
    document = response.json()
    if not isinstance(document, dict):
        raise UnreadableAnswerError("not an object")
    return document
