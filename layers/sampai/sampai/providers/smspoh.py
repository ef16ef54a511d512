"""SMSPoh v3, Myanmar: SMS. Facts, guesses and quirks: docs/reference/providers/smspoh.md."""

import re
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from math import ceil
from typing import Any, Final

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, MalformedWebhookError, WebhookRequest
from sampai.domain.message import Channel, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.domain.report import Report
from sampai.domain.segments import Encoding, encoding_of
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.domain.webhook_fields import WebhookFields, read_fields
from sampai.providers.base import Capabilities
from sampai.providers.features import (
    ListedMessage,
    ListPage,
    ListQuery,
    SupportsAccountChecks,
    SupportsBatchSend,
    SupportsEncryption,
    SupportsListing,
    SupportsReferences,
    SupportsWebhooks,
)
from sampai.providers.responses import AccountRefusedError, UnreadableAnswerError, refused_by_status

PAGE_SIZE: Final = 1000
PAGE_LIMIT_BYTES: Final = 8 * 1024 * 1024
"""A full page of the longest texts, with six bytes for each of their characters."""

BATCH_LIMIT_BYTES: Final = 2 * 1024 * 1024
"""Each entry of the response repeats its text, possibly with six bytes for each of its UTF-16 units."""

YANGON: Final = timezone(timedelta(hours=6, minutes=30))
"""The zone of Myanmar, all year. Documented for `updatedAt`; guess: the other times have the same zone."""

KEY_OPTION: Final = "encryptKey"

_RECEIPT: Final = WebhookFields(deciding=("messageId", "status", "clientReference"), others=("updatedAt", "finishedAt"))

REFERENCE_LIMIT: Final = 50
"""Characters of a `clientReference`, from public code. The vendor's page documents no limit."""

# "Delivery Report"; a newer copy of the same page adds Delivered, Failed and Undelivered. Pending comes after Sent: the
# operator has the message and waits for the delivery. `?` is the vendor's "unknown status" and changes nothing.
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

# The reason of a refusal with HTTP 2xx by a part of its text, in lower case, because it has no code. The first match
# counts. Public code: "Invalid Sender ID", and that other texts are about the credit or the number.
FAILURES: Final[Mapping[str, Reason]] = {
    "insufficient": Reason.INSUFFICIENT_CREDIT,
    "balance": Reason.INSUFFICIENT_CREDIT,
    "credit": Reason.INSUFFICIENT_CREDIT,
    "sender": Reason.INVALID_SENDER,
    "recipient": Reason.INVALID_RECIPIENT,
    "number": Reason.INVALID_RECIPIENT,
}

# Public code: the field that a validation error names. The reason for each field is our interpretation.
_FIELDS: Final[Mapping[str, Reason]] = {
    "to": Reason.INVALID_RECIPIENT,
    "from": Reason.INVALID_SENDER,
    "message": Reason.INVALID_CONTENT,
}

# Only 401 is documented. Guess: the others mean the same as in the framework with the same error format.
_REFUSALS: Final = {
    400: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="400"),
    403: NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="403"),
    404: NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True, provider_code="404"),
    413: NotTaken(reason=Reason.TOO_LONG, is_final=True, provider_code="413"),
    422: NotTaken(reason=Reason.INVALID_REQUEST, is_final=True, provider_code="422"),
}

# The accepted format of each field. Not all ids in the vendor's examples are GUIDs.
_ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
_WORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]{1,64}")
_REFERENCE: Final = re.compile(rf"[!-~]{{1,{REFERENCE_LIMIT}}}", re.ASCII)
_KEY: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?", re.ASCII)


class SmsPoh(
    SupportsListing,
    SupportsReferences,
    SupportsBatchSend,
    SupportsEncryption,
    SupportsWebhooks,
    SupportsAccountChecks,
):
    name = "smspoh"
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"MM"}),
        credentials=frozenset({"api_key", "api_secret"}),
        max_characters=918,  # public code: six segments of 153
        options={"unicode": bool, "test": bool, "encrypt": bool, KEY_OPTION: str},
        key_option=KEY_OPTION,
        max_batch_size=100,  # our choice; the vendor documents no limit
        webhooks={"receipt": _RECEIPT},
        account_checks=frozenset({"balance"}),
    )
    default_base_url = "https://v3.smspoh.com/api/rest"

    def _validate_options(self, message: Message) -> Failure | None:
        if refusal := super()._validate_options(message):
            return refusal
        key, field = self.options_of(message).get(KEY_OPTION), f"provider_options.{self.name}.{KEY_OPTION}"
        if key is not None and _KEY.fullmatch(key) is None:
            detail = f"{field}: must be 1 to 200 characters, none of them a control character"
            return Failure(reason=Reason.INVALID_REQUEST, detail=detail)
        if key is not None and not self.encrypts(message):
            return Failure(reason=Reason.INVALID_REQUEST, detail=f"{field}: goes with encrypt: true")
        return None

    def build_send(self, message: Message) -> HttpRequest:
        document = self._document(message)
        if self.encrypts(message):
            # Without our key the vendor creates one, and returns it only in this response.
            document["encryptKey"] = _require_key(message)
        return self._post("send", document)

    def parse_send(self, response: HttpResponse) -> Outcome:
        if response.status == 422:
            return _parse_validation_error(response)
        if outcome := refused_by_status(response) or _REFUSALS.get(response.status):
            return outcome
        if not 200 <= response.status < 300:
            return Unknown(why=f"HTTP {response.status}")
        entries = response.json()["messages"]
        return _parse_entry(entries[0]) if len(entries) == 1 else Unknown(why=f"{len(entries)} messages for one")

    def encrypts(self, message: Message) -> bool:
        return self.options_of(message).get("encrypt") is True

    def coalesce(self, message: Message) -> str | None:
        """Return the same key for all texts to a number, because each has its own sender, text and options in a bulk.

        An encrypted text goes alone: the vendor's page does not document encryption in a bulk.
        """
        is_plain = message.recipient is not None and isinstance(message.content, Text)
        return "bulk" if is_plain and not self.encrypts(message) else None

    def build_send_many(self, messages: Sequence[Message]) -> HttpRequest:
        """Build a bulk. The page documents `to`, `message` and `from` for it; guess: the other fields work too."""
        request = self._post("send/bulk", {"messages": [self._document(message) for message in messages]})
        return replace(request, response_limit=BATCH_LIMIT_BYTES)

    def parse_send_many(self, response: HttpResponse, messages: Sequence[Message]) -> list[Outcome]:
        if outcome := refused_by_status(response) or _REFUSALS.get(response.status):
            common = replace(outcome, is_final=False) if isinstance(outcome, NotTaken) else outcome
            return [common] * len(messages)
        if not 200 <= response.status < 300:
            return [Unknown(why=f"HTTP {response.status}")] * len(messages)
        entries = response.json()["messages"]
        if not isinstance(entries, list) or len(entries) > self.capabilities.max_batch_size:
            raise UnreadableAnswerError("no messages, or too many")
        sent = [(_digits(message.recipient), self.reference_of(message)) for message in messages]
        return _parse_bulk([entry if isinstance(entry, dict) else {} for entry in entries], sent)

    def recipient_filter(self, message: Message) -> str | None:
        """Return the digits of a number in Myanmar: the page documents the filter for numbers that start with 95."""
        number = _digits(message.recipient)
        return number if number.startswith("95") else None

    def build_list(self, query: ListQuery, page: int) -> HttpRequest:
        parameters = {
            "limit": str(PAGE_SIZE),
            "page": str(page + 1),
            "filterByCreatedDateFrom": _format_yangon_date(query.since),
            # The page does not say whether the last day is included, so we request one more day.
            "filterByCreatedDateTo": _format_yangon_date(query.until + timedelta(days=1)),
            **({} if query.recipient is None else {"to": query.recipient}),
        }
        url = f"{self.config.base_url}/messages"
        return HttpRequest.get(url, query=parameters, headers=self._headers, response_limit=PAGE_LIMIT_BYTES)

    def parse_list(self, response: HttpResponse, page: int) -> ListPage:
        """Parse one page of the history. An invalid row is left out, and the other rows remain."""
        if not 200 <= response.status < 300:
            raise UnreadableAnswerError(f"HTTP {response.status}")
        document = response.json()
        rows = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise UnreadableAnswerError("no messages")
        entries = (_parse_row(row) for row in rows if isinstance(row, dict))
        return ListPage(
            entries=tuple(entry for entry in entries if entry is not None),
            is_last=_is_last_page(document, page=page, rows=len(rows)),
            page_count=_parse_page_count(document),
        )

    def reference_of(self, message: Message) -> str:
        """Return the message id, or a shortened form that differs from all message ids and other shortened forms.

        Message ids never contain `~`, and the shortened form ends in 128 bits of a digest.
        """
        if len(message.message_id) <= REFERENCE_LIMIT:
            return message.message_id
        tail = "~" + sha256(message.message_id.encode()).hexdigest()[:32]
        return message.message_id[: REFERENCE_LIMIT - len(tail)] + tail

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report, ...]:
        fields = read_fields(request, _RECEIPT)
        # An example in the page has `finishedAt=updatedAt=2024-12-23 00:02:00`.
        dates = {name: fields[name].strip().removeprefix("updatedAt=") for name in fields.keys() & _RECEIPT.others}
        report = _parse_report({**fields, **dates})
        if report is None:
            raise MalformedWebhookError("messageId or status")
        return (report,)

    def build_account_check(self, check: str) -> HttpRequest:
        return HttpRequest.get(f"{self.config.base_url}/account/get-{check}", headers=self._headers)

    def parse_account_check(self, check: str, response: HttpResponse) -> AccountStatus:
        if response.status in (401, 403):
            raise AccountRefusedError(f"HTTP {response.status}")
        if not 200 <= response.status < 300:
            raise UnreadableAnswerError(f"HTTP {response.status}")
        return AccountStatus(balances=(Balance(account="credit", amount=_parse_amount(response.json()["balance"])),))

    def _document(self, message: Message) -> dict[str, Any]:
        text = self.text_of(message)
        # Public clients always set `unicode` for such a text. Nothing shows that the vendor detects it.
        detected = {"unicode": True} if encoding_of(text) is Encoding.UCS2 else {}
        options = {**detected, **self.options_of(message)}
        document = {
            "to": message.recipient,
            "message": text,
            "from": self.sender_of(message),
            "clientReference": self.reference_of(message),
            # The page documents a Boolean; the server requires a number (public code).
            **{option: int(value) for option, value in options.items() if option != KEY_OPTION},
        }
        if self.config.receipt_url is not None:
            document["deliveryReceiptUrl"] = self.config.receipt_url
        return document

    def _post(self, path: str, document: Mapping[str, Any]) -> HttpRequest:
        return HttpRequest.post_json(f"{self.config.base_url}/{path}", document, headers=self._headers)

    @property
    def _headers(self) -> Mapping[str, str]:
        credentials = self.config.credentials
        token = b64encode(f"{credentials['api_key']}:{credentials['api_secret']}".encode()).decode()
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _require_key(message: Message) -> str:
    """Return the encryption key. Raise ValueError if it was not loaded."""
    if message.attachments.encryption_key is None:
        raise ValueError("no encryption key")
    return message.attachments.encryption_key


def _parse_validation_error(response: HttpResponse) -> NotTaken:
    """Return the refusal of a field that `[{"field": "to", "message": …}]` names. Its text may contain a number."""
    try:
        problems = response.json()
    except ValueError:
        problems = None
    listed = problems if isinstance(problems, list) else []
    named = {str(problem.get("field")) for problem in listed if isinstance(problem, dict)}
    field = next((name for name in _FIELDS if name in named), "")
    return replace(
        _REFUSALS[422],
        reason=_FIELDS.get(field, Reason.INVALID_REQUEST),
        detail=f"{field}: refused by the vendor" if field else None,
    )


def _parse_entry(entry: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an entry with HTTP 2xx: taken with an id and a word, not taken with `status: false`."""
    provider_message_id, provider_status = _parse_field(entry, "messageId", _ID), _parse_field(entry, "status", _WORD)
    if provider_message_id is not None and provider_status is not None:
        return Taken(
            provider_message_id=provider_message_id,
            provider_status=provider_status,
            encryption_key=_parse_field(entry, "encryptKey", _KEY),
        )
    text = entry.get("message")
    if entry.get("status") is False and not entry.get("messageId") and isinstance(text, str):
        return _parse_refusal(text)
    return Unknown(why="neither an id nor a refusal")


def _parse_refusal(text: str) -> NotTaken:
    """Return a refusal by a part of its text. The text itself may contain a number, so `detail` does not repeat it."""
    hint = next((hint for hint in FAILURES if hint in text.lower()), None)
    reason = FAILURES[hint] if hint else Reason.PROVIDER_ERROR
    is_account = reason is Reason.INSUFFICIENT_CREDIT
    return NotTaken(
        reason=reason,
        is_final=not is_account,
        scope=FailureScope.PROVIDER if is_account else FailureScope.MESSAGE,
        detail=f"the refusal says: {hint}" if hint else None,
        vendor_words=text.encode("utf-8", "replace"),
    )


def _parse_bulk(entries: Sequence[Mapping[str, Any]], sent: Sequence[tuple[str, str]]) -> list[Outcome]:
    """Return the outcome of each sent number and reference. A message without an entry is unknown."""
    parsed = [_parse_entry(entry) for entry in entries]
    ids = Counter(outcome.provider_message_id for outcome in parsed if isinstance(outcome, Taken))
    positions = _match_entries(entries, parsed, sent)
    outcomes = [Unknown(why="no matching entry") if at is None else parsed[at] for at in positions]
    return [
        Unknown(why="one id twice") if isinstance(outcome, Taken) and ids[outcome.provider_message_id] > 1 else outcome
        for outcome in outcomes
    ]


def _match_entries(
    entries: Sequence[Mapping[str, Any]], parsed: Sequence[Outcome], sent: Sequence[tuple[str, str]]
) -> list[int | None]:
    """Return the position of each message's entry: the position in the request, or the only entry with the number.

    A refusal has no id, so it matches only at its position in the request. It may lack the number if all other entries
    are in order.
    """
    numbers = [_digits(entry.get("to")) for entry in entries]
    positions_of: dict[str, list[int]] = defaultdict(list)
    for position, number in enumerate(numbers):
        positions_of[number].append(position)
    is_in_order = len(entries) == len(sent) and all(
        found == number or (not found and isinstance(outcome, NotTaken))
        for found, outcome, (number, _) in zip(numbers, parsed, sent, strict=True)
    )

    def match(position: int, number: str, reference: str) -> int | None:
        unnumbered = [position] if is_in_order and not numbers[position] else []
        candidates = [
            at
            for at in positions_of[number] + unnumbered
            if entries[at].get("clientReference") in (None, "", reference)
        ]
        if position in candidates and (len(candidates) == 1 or isinstance(parsed[position], Taken)):
            return position
        return candidates[0] if len(candidates) == 1 and isinstance(parsed[candidates[0]], Taken) else None

    return [match(position, number, reference) for position, (number, reference) in enumerate(sent)]


def _digits(number: object) -> str:
    return "".join(c for c in str(number or "") if c.isascii() and c.isdigit())


def _parse_amount(balance: object) -> float:
    """Return a balance. The page shows a number, but PHP writes a decimal column as a text."""
    if _AMOUNT.fullmatch(str(balance)) is None:
        raise UnreadableAnswerError("no balance")
    return float(str(balance))


def _parse_report(fields: Mapping[str, Any]) -> Report | None:
    """Return the report in a callback or a row of the history, or None without a valid id and status."""
    provider_message_id, provider_status = _parse_field(fields, "messageId", _ID), _parse_field(fields, "status", _WORD)
    if provider_message_id is None or provider_status is None:
        return None
    word = provider_status.capitalize()
    status = STATUSES.get(word)
    updated_at = parse_vendor_time(fields.get("updatedAt"), YANGON)
    finished_at = parse_vendor_time(fields.get("finishedAt"), YANGON)
    return Report(
        provider_message_id=provider_message_id,
        status=status,
        provider_status=provider_status,
        reference=_parse_field(fields, "clientReference", _REFERENCE),
        reason=_REASONS.get(word),
        occurred_at=(finished_at or updated_at) if status is not None and status.is_final else updated_at,
    )


def _parse_row(row: Mapping[str, Any]) -> ListedMessage | None:
    report = _parse_report(row)
    if report is None:
        return None
    return ListedMessage(
        report=report,
        recipient=str(row.get("to") or ""),
        text=str(row.get("message") or ""),
        created_at=parse_vendor_time(row.get("createdAt"), YANGON),
    )


def _is_last_page(document: Mapping[str, Any], *, page: int, rows: int) -> bool:
    """Return whether the page is the last one, by a count, because the vendor's links lose the requested filter."""
    records, limit = _parse_count(document, "records"), _parse_count(document, "limit")
    if records is None:
        return limit is not None and rows < limit
    return rows >= records if limit is None else (page + 1) * limit >= records


def _parse_page_count(document: Mapping[str, Any]) -> int | None:
    records, limit = _parse_count(document, "records"), _parse_count(document, "limit")
    return ceil(records / limit) if records and limit else None


def _parse_count(document: Mapping[str, Any], name: str) -> int | None:
    count = document.get(name)
    return count if type(count) is int and count >= 0 else None


def _parse_field(fields: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def _format_yangon_date(instant: datetime) -> str:
    return instant.astimezone(YANGON).date().isoformat()
