"""SMS NOC, Bangladesh: SMS, also to contact lists. Facts, guesses and quirks: docs/reference/providers/smsnoc.md.

The HTTP status says little: the product behind this API answers most errors with 200. The body's `status` decides.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Channel, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.base import Capabilities
from sampai.providers.features import (
    ListedMessage,
    ListPage,
    SupportsAccountChecks,
    SupportsBatchSend,
    SupportsListing,
    SupportsLookup,
    Window,
)
from sampai.providers.responses import (
    AccountRefusedError,
    UnreadableAnswerError,
    parse_id,
    refused_by_status,
    retry_after_seconds,
)

PAGE_LIMIT_BYTES: Final = 1024 * 1024

MANY_LIMIT_BYTES: Final = 2 * 1024 * 1024
"""Each row of the answer to a comma list repeats the text, perhaps with six bytes for each UTF-16 unit of it."""

DHAKA_MINUTES: Final = 6 * 60
"""East of UTC, no summer time. That an account's times are Bangladesh's own is a guess."""
DHAKA: Final = timezone(timedelta(minutes=DHAKA_MINUTES))

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
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER)


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
_LIST: Final = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"[0-9a-f]{13}", re.ASCII)

_AMOUNT: Final = re.compile(
    r"(?P<before>[^0-9]{0,20})(?P<number>[0-9]{1,3}(?:,[0-9]{2,3}){1,6}(?:\.[0-9]{1,6})?|[0-9]{1,15}(?:\.[0-9]{1,6})?)"
    r"[^0-9]{0,20}",
    re.ASCII,
)
"""A balance as it is shown: one number, its thousands (or lakhs) grouped by commas, with anything around it."""

_EXPIRY: Final = re.compile(
    r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th) (?P<month>[A-Z][a-z]{2}) (?P<year>[0-9]{2}),"
    r" (?P<hour>1[0-2]|0?[1-9]):(?P<minute>[0-5][0-9]) (?P<half>AM|PM)",
    re.ASCII,
)
"""PHP's `jS M y, g:i A`, as in `8th Sep 26, 4:44 PM`. PHP writes it in English, whatever the locale."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class SmsNoc(SupportsLookup, SupportsListing, SupportsBatchSend, SupportsAccountChecks):
    name = "smsnoc"
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"BD"}),
        credentials=frozenset({"api_token"}),
        max_characters=918,  # a guess, the vendor states none: six joined parts of 153
        max_lists=10,  # ours: the vendor states none
        max_batch_size=100,  # public code of "Ultimate SMS"
        account_checks=frozenset({"balance"}),
    )
    default_base_url = "https://app.smsnoc.com/api/v3"

    def validate(self, message: Message) -> Failure | None:
        if failure := super().validate(message):
            return failure
        if _SENDER.fullmatch(self.sender_of(message) or "") is None:
            detail = "sender: smsnoc takes up to 11 letters and digits, or a phone number"
            return Failure(reason=Reason.INVALID_SENDER, detail=detail)
        if any(_LIST.fullmatch(name) is None for name in message.audience):
            detail = "audience.lists: smsnoc takes ids of up to 40 letters and digits"
            return Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
        return None

    def build_send(self, message: Message) -> HttpRequest:
        if message.audience:
            # The table of the vendor's page has this name, its examples have `recipient`; the product wants this one.
            lists = ",".join(dict.fromkeys(message.audience))
            return self._post("campaign", {"contact_list_id": lists}, message)
        return self._post("send", {"recipient": _digits(message.recipient)}, message)

    def parse_send(self, response: HttpResponse) -> Outcome:
        envelope = _envelope(response)
        if envelope.get("status") == "success":
            return _taken(envelope.get("data"))
        return _validate(envelope, response)

    def coalesce(self, message: Message) -> str | None:
        """Return sender and text: a comma list has one of each for all its numbers. A sender has no blank."""
        if message.recipient is None or not isinstance(message.content, Text):
            return None
        return f"{self.sender_of(message)} {message.content.text}"

    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        numbers = ",".join(_digits(message.recipient) for message in messages)
        request = self._post("send", {"recipient": numbers}, messages[0])
        return replace(request, response_limit=MANY_LIMIT_BYTES)

    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        """Read the answer to a comma list. What became of a number without a row stands in free text alone: unknown."""
        envelope = _envelope(response)
        if envelope.get("status") == "success":
            return _taken_each(envelope.get("data"), [_digits(message.recipient) for message in messages])
        refusal = _validate(envelope, response)
        if not isinstance(refusal, NotTaken) or refusal.reason is Reason.PROVIDER_ERROR:
            # The product answers any fault of its own with an error text, also one in the middle of the list.
            return [Unknown(why="refused in words that we do not know")] * len(messages)
        return [replace(refusal, is_final=False)] * len(messages)

    def is_trackable(self, message: Message) -> bool:
        """Whether the message went to a number: a campaign is not among the messages that are shown and listed."""
        return not message.audience

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
        readable = (row for row in rows if isinstance(row, dict) and parse_id(row.get("uid")))
        return ListPage(
            entries=tuple(_listed(row) for row in readable), is_last=not rows or _is_last_page(paginator, page + 1)
        )

    def build_account_check(self, check: str) -> HttpRequest:
        return HttpRequest.get(f"{self.config.base_url}/{check}", headers=self._headers)

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        envelope = _envelope(response)
        if envelope.get("status") != "success" and _is_refused_account(envelope, response):
            raise AccountRefusedError(f"HTTP {response.status}")
        return AccountStatus(balances=(_balance(_data(envelope, response)),))

    def _post(self, operation: str, destination: Mapping[str, str], message: Message) -> HttpRequest:
        document = {
            **destination,
            "sender_id": self.sender_of(message),
            "type": "plain",
            "message": self.text_of(message),
        }
        return HttpRequest.post_json(f"{self._sms_url}/{operation}", document, headers=self._headers)

    @property
    def _sms_url(self) -> str:
        return f"{self.config.base_url}/sms"

    @property
    def _headers(self) -> Mapping[str, str]:
        # Without Accept the product answers errors with a page or a redirect.
        return {"Authorization": f"Bearer {self.config.credentials['api_token']}", "Accept": "application/json"}


def _envelope(response: HttpResponse) -> Mapping[str, Any]:
    """Return the documented envelope, or an empty one for whatever is not a JSON object."""
    try:
        envelope = response.json()
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _taken(data: object) -> Outcome:
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or (provider_message_id := parse_id(row.get("uid"))) is None:
        return Unknown(why="success without a uid")
    return Taken(provider_message_id=provider_message_id, provider_status=_word(row))


def _taken_each(data: object, numbers: Sequence[str]) -> list[Outcome]:
    """Give each number its row: the one in its place, else the only one to it. A uid that comes twice names nobody."""
    listed = data if isinstance(data, list) else [data]
    if len(listed) > SmsNoc.capabilities.max_batch_size:
        raise UnreadableAnswerError("more rows than numbers")
    rows = [row if isinstance(row, dict) else {} for row in listed]
    rows_to: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        rows_to[_digits(row.get("to"))].append(row)
    uids = Counter(parse_id(row.get("uid")) for row in rows)

    def outcome(place: int, number: str) -> Outcome:
        is_in_place = len(rows) == len(numbers) and _digits(rows[place].get("to")) == number
        candidates = [rows[place]] if is_in_place else rows_to[number]
        if len(candidates) != 1:
            return Unknown(why=f"{len(candidates)} rows to the number")
        taken = _taken(candidates[0])
        if isinstance(taken, Taken) and uids[taken.provider_message_id] > 1:
            return Unknown(why="one uid for two numbers")
        return taken

    return [outcome(place, number) for place, number in enumerate(numbers)]


def _digits(number: object) -> str:
    return "".join(c for c in str(number or "") if c.isascii() and c.isdigit())


def _validate(envelope: Mapping[str, Any], response: HttpResponse) -> Outcome:
    """Return what an answer means that is no success."""
    if envelope.get("status") == "error":
        return _refused(response, str(envelope.get("message")))
    return _refused_bare(response)


def _is_refused_account(envelope: Mapping[str, Any], response: HttpResponse) -> bool:
    refusal = _validate(envelope, response)
    is_refused = isinstance(refusal, NotTaken) and refusal.reason is Reason.AUTHENTICATION
    return is_refused or response.status == 403


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


def _balance(data: Mapping[str, Any]) -> Balance:
    """Read the credit. Older versions of the product call it `remaining_unit`."""
    said = [data[name] for name in ("remaining_balance", "remaining_unit") if name in data]
    if not said:
        raise UnreadableAnswerError("no balance")
    return Balance(account="credit", amount=_amount(said[0]), expires_at=_expiry(data.get("expired_on")))


def _amount(shown: object) -> float | None:
    """Read a balance that is meant for people, as `৳1,092` or `Unlimited`; None for whatever is no number."""
    said = _AMOUNT.fullmatch(str(shown).strip()) if isinstance(shown, str | int | float) else None
    if said is None:
        return None
    amount = float(said["number"].replace(",", ""))
    return -amount if "-" in said["before"] else amount


def _expiry(shown: object) -> datetime | None:
    said = _EXPIRY.fullmatch(shown.strip()) if isinstance(shown, str) else None
    if said is None or said["month"] not in _MONTHS:
        return None
    hour = int(said["hour"]) % 12 + (12 if said["half"] == "PM" else 0)
    year, month = 2000 + int(said["year"]), _MONTHS.index(said["month"]) + 1
    try:
        local = datetime(year, month, int(said["day"]), hour, int(said["minute"]), tzinfo=DHAKA)
    except ValueError:
        return None
    return local.astimezone(UTC)


def _report(row: Mapping[str, Any]) -> Report:
    provider_message_id = parse_id(row.get("uid"))
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


def _listed(row: Mapping[str, Any]) -> ListedMessage:
    report = _report(row)
    created_at = parse_vendor_time(row.get("created_at"), DHAKA_MINUTES) or parse_vendor_time(
        row.get("sent_at"), DHAKA_MINUTES
    )
    return ListedMessage(
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
    return instant.astimezone(DHAKA).strftime("%Y-%m-%d %H:%M:%S")
