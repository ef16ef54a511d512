"""SMS NOC, Bangladesh: SMS, also to contact lists. Facts, guesses and quirks: docs/reference/providers/smsnoc.md.

The software behind this API responds to most errors with HTTP 200, so the `status` in the body decides. An error is
not always a refusal: the software also answers with one after it called its gateway, which may have taken the message.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
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
    ListQuery,
    SupportsAccountChecks,
    SupportsBatchSend,
    SupportsListing,
    SupportsLookup,
)
from sampai.providers.responses import (
    AccountRefusedError,
    UnreadableAnswerError,
    parse_cost,
    parse_id,
    refused_by_status,
    retry_after_seconds,
)

PAGE_LIMIT_BYTES: Final = 1024 * 1024

BATCH_LIMIT_BYTES: Final = 2 * 1024 * 1024
"""Each row of the response repeats the text, possibly with six bytes for each of its UTF-16 units."""

# Public code of "Ultimate SMS", the software that SMS NOC runs, and of its gateways. The vendor's page names no status.
# The words of the last line are states of a campaign there; guess: a message can have them too.
STATUSES: Final = {
    "Delivered": Status.DELIVERED,
    **dict.fromkeys(("Enroute", "In Transit", "Sent", "Submitted", "Buffered", "Success"), Status.SENT),
    **dict.fromkeys(("Accepted", "Sending", "Queued"), Status.ACCEPTED),
    **dict.fromkeys(("Undelivered", "Expired", "Rejected", "Skipped", "Failed"), Status.UNDELIVERED),
    **dict.fromkeys(("Pending", "Scheduled", "Processing"), Status.ACCEPTED),
}
_STATUSES: Final = {word.lower(): status for word, status in STATUSES.items()}
_REASONS: Final = {"expired": Reason.EXPIRED, "undelivered": Reason.UNREACHABLE, "rejected": Reason.BLOCKED}

_PROVISIONAL: Final = frozenset({"failed"})
"""Failures that the software writes for any answer of its gateway that it does not know. A receipt may replace them."""


def _message_refusal(reason: Reason) -> NotTaken:
    return NotTaken(reason=reason, is_final=True)


def _account_refusal(reason: Reason) -> NotTaken:
    return NotTaken(reason=reason, is_final=False, scope=FailureScope.PROVIDER)


_NUMBER: Final = r"\+?[0-9]{1,20}"
_COMPLAINT: Final = (
    r"((field )?is required|format is invalid|must be an? (string|integer|number|array)"
    r"|(may|must) not be greater than [0-9]{1,6} characters|does not match the format [!-~ ]{1,30})"
)
_UNITS: Final = r"[-0-9.,]{1,20}"

FAILURES: Final = {
    # The account.
    r"Unauthenticated": _account_refusal(Reason.AUTHENTICATION),
    r"You do not have permission to access API": _account_refusal(Reason.AUTHENTICATION),
    r"Customer not found": _account_refusal(Reason.AUTHENTICATION),
    r"Purchased plan is not active\. Please contact support team": _account_refusal(Reason.AUTHENTICATION),
    r"(You (have|do not have|don't have) )?(no|any|an) active subscription[a-z ,.]{0,80}": _account_refusal(
        Reason.AUTHENTICATION
    ),
    r"No sending server available for your subscribed plan": _account_refusal(Reason.PROVIDER_ERROR),
    rf"There is not enough balance available to send this (message|campaign)\.?"
    rf"( ?You have {_UNITS} of the {_UNITS})?": _account_refusal(Reason.INSUFFICIENT_CREDIT),
    r"You have [a-z0-9 ,.]{0,60}not enough [a-z0-9 ,.]{1,60}": _account_refusal(Reason.INSUFFICIENT_CREDIT),
    r"You have exceeded your sending limit": _account_refusal(Reason.INSUFFICIENT_CREDIT),
    r"The route [!-~]{1,80} could not be found": _account_refusal(Reason.PROVIDER_ERROR),
    # The request, of whatever text and number.
    r"Too Many Attempts": NotTaken(reason=Reason.RATE_LIMITED, is_final=False),
    r"(Sender ID|Originator) ?[\"'“”]?[A-Za-z0-9+ ]{0,20}[\"'“”]? is not authorized to send"
    r" (this message|([a-z]{1,12} )?(SMS|messages?))": _message_refusal(Reason.INVALID_SENDER),
    rf"({_NUMBER} is an? invalid phone number[. ]{{0,2}}){{1,100}}": _message_refusal(Reason.INVALID_RECIPIENT),
    r"(The )?number (is|contains) in the blacklist": _message_refusal(Reason.BLOCKED),
    r"Your message contains spam words": _message_refusal(Reason.BLOCKED),
    rf"(Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {_NUMBER}"
    r"[. ]{0,2}){1,100}": _message_refusal(Reason.UNROUTABLE),
    r"Contact list not found": _message_refusal(Reason.INVALID_RECIPIENT),
    r"You cannot send more than 100 SMS in a single request": _message_refusal(Reason.INVALID_REQUEST),
    r"Please insert valid sms type called [a-z, ]{1,80}": _message_refusal(Reason.INVALID_REQUEST),
    # The validation of Laravel, under the software, names the field.
    rf"The recipient {_COMPLAINT}": _message_refusal(Reason.INVALID_RECIPIENT),
    rf"The contact[_ ]list[_ ]id {_COMPLAINT}": _message_refusal(Reason.INVALID_RECIPIENT),
    rf"The sender[_ ]id {_COMPLAINT}": _message_refusal(Reason.INVALID_SENDER),
    rf"The message {_COMPLAINT}": _message_refusal(Reason.INVALID_CONTENT),
    rf"The (sms )?type {_COMPLAINT}": _message_refusal(Reason.INVALID_REQUEST),
}
"""Patterns of the error texts that the software is known to say before it calls its gateway.

A pattern is that of a whole text without the period at its end, in any case of letters. It allows for the quotes and
numbers in the text and for nothing else: the raw answer of a gateway must not fit it, because that one comes after the
call. There are no error codes. Source: public code of "Ultimate SMS" 3.8 and 3.13.
"""

MAX_ERROR_CHARACTERS: Final = 20_000
"""A longer error text is not compared: a hundred numbers, each with its refusal, are shorter."""

_NOT_FOUND: Final = ("sms info not found", "no query results")

_SENDER: Final = re.compile(r"[A-Za-z0-9]{1,11}|\+?[0-9]{1,15}", re.ASCII)
_WORDS: Final = re.compile(r"[A-Za-z ]{1,40}", re.ASCII)
_LIST: Final = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)
_PLUS_NUMBER: Final = re.compile(r"\+[0-9]{1,15}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"[0-9a-f]{13}", re.ASCII)

FIRST_UID: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""The software did not exist before this time, so an earlier one in a uid is chance."""

MAX_ZONE_ERROR: Final = timedelta(hours=26)
"""The zones of the world are at most this far apart. A uid that differs more from the time of its row has no time."""

_AMOUNT: Final = re.compile(
    r"(?P<before>[^0-9]{0,20})(?P<number>[0-9]{1,3}(?:,[0-9]{2,3}){1,6}(?:\.[0-9]{1,6})?|[0-9]{1,15}(?:\.[0-9]{1,6})?)"
    r"[^0-9]{0,20}",
    re.ASCII,
)
"""A balance as people see it: one number, grouped by commas in thousands or lakhs, with any text around it."""

_EXPIRY: Final = re.compile(
    r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th) (?P<month>[A-Z][a-z]{2}) (?P<year>[0-9]{2}),"
    r" (?P<hour>1[0-2]|0?[1-9]):(?P<minute>[0-5][0-9]) (?P<half>AM|PM)",
    re.ASCII,
)
"""PHP's `jS M y, g:i A`, as in `8th Sep 26, 4:44 PM`. PHP writes it in English in every locale."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class SmsNoc(SupportsLookup, SupportsListing, SupportsBatchSend, SupportsAccountChecks):
    name = "smsnoc"
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"BD"}),
        credentials=frozenset({"api_token"}),
        max_characters=918,  # guess: six segments of 153; the vendor documents no limit
        max_lists=10,  # our choice; the vendor documents no limit
        max_batch_size=100,  # public code of "Ultimate SMS"
        account_checks=frozenset({"balance"}),
        timezone="Asia/Dhaka",  # guess: the panel has the time zone of Bangladesh
        delivered_after_seconds=600,  # the word is written at the hand-over too; the number is our choice
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
            # The table in the vendor's page has this name, and the software requires it. The examples have `recipient`.
            lists = ",".join(dict.fromkeys(message.audience))
            return self._post("campaign", {"contact_list_id": lists}, message)
        return self._post("send", {"recipient": _digits(message.recipient)}, message)

    def parse_send(self, response: HttpResponse) -> Outcome:
        envelope = _parse_envelope(response)
        if envelope.get("status") == "success":
            return _parse_taken(envelope.get("data"))
        return _parse_failure(envelope, response)

    def coalesce(self, message: Message) -> str | None:
        """Return the sender and the text, because a list of numbers has one of each. A sender contains no space."""
        if message.recipient is None or not isinstance(message.content, Text):
            return None
        return f"{self.sender_of(message)} {message.content.text}"

    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        numbers = ",".join(_digits(message.recipient) for message in messages)
        request = self._post("send", {"recipient": numbers}, messages[0])
        return replace(request, response_limit=BATCH_LIMIT_BYTES)

    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        """Parse the response to a list of numbers. A number without a row is unknown: only free text mentions it."""
        envelope = _parse_envelope(response)
        if envelope.get("status") == "success":
            return _parse_batch(envelope.get("data"), [_digits(message.recipient) for message in messages])
        outcome = _parse_failure(envelope, response)
        if isinstance(outcome, NotTaken):
            outcome = replace(outcome, is_final=False)
        return [outcome] * len(messages)

    def is_trackable(self, message: Message) -> bool:
        """Return whether the message went to a number. Lookup and list do not contain campaigns."""
        return not message.audience

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        return HttpRequest.get(f"{self._sms_url}/{quote(provider_message_id, safe='')}", headers=self._headers)

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        envelope = _parse_envelope(response)
        text = str(envelope.get("message")).lower()
        if envelope.get("status") == "error" and any(hint in text for hint in _NOT_FOUND):
            return None
        return _parse_report(_parse_data(envelope, response))

    def build_list(self, query: ListQuery, page: int) -> HttpRequest:
        # In the panel's own zone: its database compares the times as they are written, whatever zone the query names.
        zone = self.config.zone
        parameters = {
            "page": str(page + 1),
            "start_date": _format_time(query.since, zone),
            "end_date": _format_time(query.until, zone),
            "timezone": str(zone),
        }
        return HttpRequest.get(self._sms_url, query=parameters, headers=self._headers, response_limit=PAGE_LIMIT_BYTES)

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Parse one page of the list. A row without a valid uid is left out, and the other rows remain."""
        paginator = _parse_data(_parse_envelope(response), response)
        rows = paginator.get("data")
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no data")
        readable = (row for row in rows if isinstance(row, dict) and parse_id(row.get("uid")))
        zone = self.config.zone
        return ListPage(
            entries=tuple(_parse_row(row, zone) for row in readable),
            is_last=_is_last_page(paginator, page + 1),
            page_count=_parse_page_count(paginator),
        )

    def build_account_check(self, check: str) -> HttpRequest:
        return HttpRequest.get(f"{self.config.base_url}/{check}", headers=self._headers)

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        envelope = _parse_envelope(response)
        if envelope.get("status") != "success" and _is_refused_account(envelope, response):
            raise AccountRefusedError(f"HTTP {response.status}")
        return AccountStatus(balances=(_parse_balance(_parse_data(envelope, response), self.config.zone),))

    def sender_of(self, message: Message) -> str | None:
        """Return the sender as the software knows it: it compares literally, and keeps numbers without a plus."""
        sender = super().sender_of(message)
        return sender.removeprefix("+") if sender is not None and _PLUS_NUMBER.fullmatch(sender) else sender

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
        # Without Accept the software responds to errors with an HTML page or a redirect.
        return {"Authorization": f"Bearer {self.config.credentials['api_token']}", "Accept": "application/json"}


def _parse_envelope(response: HttpResponse) -> Mapping[str, Any]:
    """Return the documented envelope, or an empty one if the body is not a JSON object."""
    try:
        envelope = response.json()
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _parse_taken(data: object) -> Outcome:
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or (provider_message_id := parse_id(row.get("uid"))) is None:
        return Unknown(why="success without a uid")
    return Taken(
        provider_message_id=provider_message_id, provider_status=_parse_word(row), cost=parse_cost(row.get("cost"))
    )


def _parse_batch(data: object, numbers: Sequence[str]) -> list[Outcome]:
    """Return the outcome of each number from its row: the row at its position, or else the only row with the number.

    A uid that occurs twice identifies no message, so its outcome is unknown.
    """
    listed = data if isinstance(data, list) else [data]
    if len(listed) > SmsNoc.capabilities.max_batch_size:
        raise UnreadableAnswerError("more rows than numbers")
    rows = [row if isinstance(row, dict) else {} for row in listed]
    rows_to: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        rows_to[_digits(row.get("to"))].append(row)
    uids = Counter(parse_id(row.get("uid")) for row in rows)

    def outcome(position: int, number: str) -> Outcome:
        is_in_order = len(rows) == len(numbers) and _digits(rows[position].get("to")) == number
        candidates = [rows[position]] if is_in_order else rows_to[number]
        if len(candidates) != 1:
            return Unknown(why=f"{len(candidates)} rows to the number")
        taken = _parse_taken(candidates[0])
        if isinstance(taken, Taken) and uids[taken.provider_message_id] > 1:
            return Unknown(why="one uid for two numbers")
        return taken

    return [outcome(position, number) for position, number in enumerate(numbers)]


def _digits(number: object) -> str:
    return "".join(c for c in str(number or "") if c.isascii() and c.isdigit())


def _parse_failure(envelope: Mapping[str, Any], response: HttpResponse) -> Outcome:
    """Return the outcome of a response that is not a success.

    Only a known refusal means that the message was not taken. A page without an envelope does not: a firewall may put
    it in the place of an answer that it dislikes, such as one that quotes SQL.
    """
    by_status = refused_by_status(response)
    if isinstance(by_status, Unknown):
        return by_status
    is_error = envelope.get("status") == "error"
    outcome = (_known_refusal(envelope.get("message")) if is_error else None) or by_status
    if outcome is None:
        return Unknown(why="an error text that may follow the hand-over" if is_error else "no envelope")
    return _add_headers(outcome, response)


def _known_refusal(text: object) -> Outcome | None:
    """Return the outcome of an error text that is known to be said before the gateway is called, else None."""
    if not isinstance(text, str) or len(text) > MAX_ERROR_CHARACTERS:
        return None
    folded = " ".join(text.split()).removesuffix(".")
    # Strings, which `re` compiles and keeps at their first use: a cold start compiles none.
    flags = re.IGNORECASE | re.ASCII
    return next((outcome for pattern, outcome in FAILURES.items() if re.fullmatch(pattern, folded, flags)), None)


def _is_refused_account(envelope: Mapping[str, Any], response: HttpResponse) -> bool:
    outcome = _parse_failure(envelope, response)
    is_refused = isinstance(outcome, NotTaken) and outcome.reason is Reason.AUTHENTICATION
    return is_refused or response.status == 403


def _add_headers(outcome: Outcome, response: HttpResponse) -> Outcome:
    """Add the HTTP status as the code, unless it is 200, and the Retry-After of a rate limit."""
    if not isinstance(outcome, NotTaken):
        return outcome
    return replace(
        outcome,
        provider_code=None if response.status == 200 else str(response.status),
        retry_after_seconds=retry_after_seconds(response) if outcome.reason is Reason.RATE_LIMITED else None,
    )


def _parse_data(envelope: Mapping[str, Any], response: HttpResponse) -> Mapping[str, Any]:
    data = envelope.get("data")
    if envelope.get("status") != "success" or not isinstance(data, dict):
        raise UnreadableAnswerError(f"HTTP {response.status}, no data")
    return data


def _parse_balance(data: Mapping[str, Any], zone: tzinfo) -> Balance:
    """Return the credit. Older versions of the software name it `remaining_unit`."""
    shown = [data[name] for name in ("remaining_balance", "remaining_unit") if name in data]
    if not shown:
        raise UnreadableAnswerError("no balance")
    return Balance(
        account="credit", amount=_parse_amount(shown[0]), expires_at=_parse_expiry(data.get("expired_on"), zone)
    )


def _parse_amount(shown: object) -> float | None:
    """Return a balance that is formatted for people, such as `৳1,092`, or None for a text such as `Unlimited`."""
    match = _AMOUNT.fullmatch(str(shown).strip()) if isinstance(shown, str | int | float) else None
    if match is None:
        return None
    amount = float(match["number"].replace(",", ""))
    return -amount if "-" in match["before"] else amount


def _parse_expiry(shown: object, zone: tzinfo) -> datetime | None:
    match = _EXPIRY.fullmatch(shown.strip()) if isinstance(shown, str) else None
    if match is None or match["month"] not in _MONTHS:
        return None
    hour = int(match["hour"]) % 12 + (12 if match["half"] == "PM" else 0)
    year, month = 2000 + int(match["year"]), _MONTHS.index(match["month"]) + 1
    try:
        local = datetime(year, month, int(match["day"]), hour, int(match["minute"]), tzinfo=zone)
    except ValueError:
        return None
    return local.astimezone(UTC)


def _parse_report(row: Mapping[str, Any]) -> Report:
    provider_message_id = parse_id(row.get("uid"))
    if provider_message_id is None:
        raise UnreadableAnswerError("no uid")
    word = _parse_word(row) or ""
    status = _STATUSES.get(word.lower())
    return Report(
        provider_message_id=provider_message_id,
        status=status,
        provider_status=word,
        reason=_REASONS.get(word.lower(), Reason.PROVIDER_ERROR) if status is Status.UNDELIVERED else None,
        is_provisional=word.lower() in _PROVISIONAL,
        cost=parse_cost(row.get("cost")),
    )


def _parse_word(row: Mapping[str, Any]) -> str | None:
    """Return the status of a row, or None without one. Older versions append `|` and the gateway's id.

    A failed send has the free text of its gateway here. It may contain a phone number, so only plain words are stored.
    """
    shown = row.get("status") or row.get("customer_status")
    word = shown.partition("|")[0].strip() if isinstance(shown, str) else ""
    if not word:
        return None
    return word if _WORDS.fullmatch(word) else "(free text)"


def _parse_row(row: Mapping[str, Any], zone: tzinfo) -> ListedMessage:
    report = _parse_report(row)
    return ListedMessage(
        report=report,
        recipient=str(row.get("to") or ""),
        text=str(row.get("message") or ""),
        created_at=_parse_created_at(report.provider_message_id, row, zone),
    )


def _parse_created_at(uid: str, row: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    """Return the time of the uid if it has a plausible one, because that needs no zone, else the time of the row."""
    shown = parse_vendor_time(row.get("created_at"), zone) or parse_vendor_time(row.get("sent_at"), zone)
    named = _parse_uid_time(uid)
    is_plausible = named is not None and (shown is None or abs(named - shown) <= MAX_ZONE_ERROR)
    return named if is_plausible else shown


def _parse_uid_time(uid: str) -> datetime | None:
    """Return the time in a uid that looks like PHP's uniqid: eight hex digits of Unix seconds, five of microseconds."""
    if _UNIQUE_ID.fullmatch(uid) is None or int(uid[8:], 16) >= 1_000_000:
        return None
    named = datetime.fromtimestamp(int(uid[:8], 16), UTC) + timedelta(microseconds=int(uid[8:], 16))
    return named if named >= FIRST_UID else None


def _is_last_page(paginator: Mapping[str, Any], number: int) -> bool:
    last = _parse_page_count(paginator)
    return paginator.get("next_page_url", "") is None if last is None else number >= last


def _parse_page_count(paginator: Mapping[str, Any]) -> int | None:
    last = paginator.get("last_page")
    return last if type(last) is int and last > 0 else None


def _format_time(instant: datetime, zone: tzinfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
