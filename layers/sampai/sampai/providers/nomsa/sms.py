"""Nomsa: SMS. Facts, guesses and quirks: docs/reference/providers/nomsa.md."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Channel, Message
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time, to_text
from sampai.providers.base import Capabilities
from sampai.providers.features import ListedMessage, ListPage, ListQuery, SupportsListing, SupportsLookup
from sampai.providers.nomsa.common import parse_code, parse_status, parse_word, require_id
from sampai.providers.responses import UnreadableAnswerError, parse_id, retry_after_seconds

PAGE_SIZE: Final = 100
PAGE_LIMIT_BYTES: Final = 1024 * 1024

# "Programmatic SMS API" shows UNSENT, SENT and DELIVERED. ACCEPTED and ERROR come from the public code of Postman.
# UNSENT is missing because it proves nothing alone: the message may or may not have been accepted.
STATUSES: Final = {
    "ACCEPTED": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "ERROR": Status.UNDELIVERED,
}

# The time of each status, the highest status first. Guess: a time proves as much as the word. The vendor's own examples
# need it: they have UNSENT rows with `accepted_at`, and DELIVERED rows without `delivered_at`.
TIMES: Final = {
    Status.UNDELIVERED: "errored_at",
    Status.DELIVERED: "delivered_at",
    Status.SENT: "sent_at",
    Status.ACCEPTED: "accepted_at",
}

# "API Response Formats": `code` is reliable. It shows `rate_limit`; the others come from the public code of Postman.
FAILURES: Final = {
    "api_validation": Reason.INVALID_CONTENT,
    "invalid_parameters": Reason.INVALID_CONTENT,
    "invalid_template": Reason.INVALID_CONTENT,
    "malformed": Reason.PROVIDER_ERROR,
    "invalid_recipient": Reason.INVALID_RECIPIENT,
    "invalid_credentials": Reason.INVALID_SENDER,  # also for an unknown label
    "invalid_credential_label": Reason.INVALID_SENDER,
    "unauthenticated": Reason.AUTHENTICATION,
    "unauthorized": Reason.AUTHENTICATION,
    "not_found": Reason.PROVIDER_ERROR,
    "rate_limit": Reason.RATE_LIMITED,
}

_ALREADY_SENT: Final = "already_sent"
"""The one code of an error that says that the message was sent (public code of Postman)."""

_HTML_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")

_REFUSALS: Final = {
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


class Nomsa(SupportsLookup, SupportsListing):
    name = "nomsa"
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"KH"}),
        credentials=frozenset({"api_key"}),
        max_characters=918,  # guess: six segments of 153; the vendor documents no limit
    )
    default_base_url = "https://api.nomsa.gov.kh/v1"
    default_sender = "mcs-otp"

    def build_send(self, message: Message) -> HttpRequest:
        document = {"body": self.text_of(message), "recipient": message.recipient, "label": self.sender_of(message)}
        return HttpRequest.post_json(f"{self._sms_url}/send", document, headers=self._headers)

    def parse_send(self, response: HttpResponse) -> Outcome:
        if 200 <= response.status < 300:
            return _parse_taken(response)
        if response.status in _REFUSALS:
            return _parse_refusal(response)
        return Unknown(why=f"HTTP {response.status}")

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        return HttpRequest.get(f"{self._sms_url}/{quote(provider_message_id, safe='')}", headers=self._headers)

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        match response.status:
            case 404:
                return None
            case 410:
                return Report(provider_message_id="", status=None, provider_status="redacted")
        return _parse_report(_parse_document(response))

    def build_list(self, query: ListQuery, page: int) -> HttpRequest:
        parameters = {
            "limit": str(PAGE_SIZE),
            "offset": str(page * PAGE_SIZE),
            "created_at[gte]": to_text(query.since),
            "created_at[lte]": to_text(query.until),
        }
        return HttpRequest.get(self._sms_url, query=parameters, headers=self._headers, response_limit=PAGE_LIMIT_BYTES)

    def listed_texts(self, text: str) -> tuple[str, ...]:
        """Return the text, and the text as Postman, the software with the same API, sanitises it before it stores it.

        It removes HTML tags and escapes other angle brackets. `<1234>` is no HTML tag.
        """
        without_tags = _HTML_TAG.sub("", text)
        return text, without_tags, without_tags.replace("<", "&lt;").replace(">", "&gt;")

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Parse one page of the list. A row without a valid id is left out, and the other rows remain."""
        document = _parse_document(response)
        rows = document.get("data")
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no data")
        readable = (row for row in rows if isinstance(row, dict) and parse_id(row.get("id")))
        entries = tuple(_parse_row(row) for row in readable)
        return ListPage(entries=entries, is_last=document.get("has_more") is False)

    @property
    def _sms_url(self) -> str:
        return f"{self.config.base_url}/transactional/sms"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.config.credentials['api_key']}"}


def _parse_taken(response: HttpResponse) -> Outcome:
    row = response.json()
    provider_message_id = parse_id(row.get("id"))
    if provider_message_id is None:
        return Unknown(why="success without an id")
    return Taken(provider_message_id=provider_message_id, provider_status=parse_code(row.get("status")))


def _parse_refusal(response: HttpResponse) -> Outcome:
    error = _parse_error(response)
    code = parse_code(error.get("code"))
    if code == _ALREADY_SENT:
        return Unknown(why=code)
    reason = FAILURES.get(code or "", _REFUSALS[response.status])
    # One code has two meanings: a rate limit, and the end of the ten messages of a demo account, which is final.
    is_throttled = reason is Reason.RATE_LIMITED and "demo" not in str(error.get("message")).lower()
    is_account = reason in (Reason.AUTHENTICATION, Reason.INSUFFICIENT_CREDIT)
    return NotTaken(
        reason=reason,
        is_final=not (is_throttled or is_account),
        scope=FailureScope.PROVIDER if is_account else FailureScope.MESSAGE,
        provider_code=code or str(response.status),
        retry_after_seconds=retry_after_seconds(response) if is_throttled else None,
    )


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


def _parse_report(row: Mapping[str, Any]) -> Report:
    status = parse_status(row, words=STATUSES, times=TIMES)
    return Report(
        provider_message_id=require_id(row),
        status=status,
        provider_status=parse_word(row),
        provider_code=parse_code(row.get("error_code")),
        occurred_at=parse_vendor_time(row.get(TIMES[status])) if status else None,
    )


def _parse_row(row: Mapping[str, Any]) -> ListedMessage:
    report = _parse_report(row)
    # The vendor stores a row before it calls the carrier, so an UNSENT row without a time proves nothing.
    proves_nothing = report.status is None and report.provider_status.upper() == "UNSENT"
    return ListedMessage(
        report=None if proves_nothing else report,
        recipient=str(row.get("recipient") or ""),
        text=str(row.get("body") or ""),
        created_at=parse_vendor_time(row.get("created_at")),
    )
