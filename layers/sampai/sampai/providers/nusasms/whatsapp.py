"""NusaSMS: WhatsApp. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""

import re
from base64 import b64encode
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from sampai.domain.account import AccountStatus, Balance
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel, Media, Message, Text
from sampai.domain.report import Report
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.base import Capabilities
from sampai.providers.features import SupportsLookup, SupportsWebhooks
from sampai.providers.nusasms.common import ID, INBOX, JAKARTA, RECEIPT, WORD, parse_inbox, parse_receipt, parse_text
from sampai.providers.nusasms.json_api import Check, JsonApi, parse_data, parse_envelope
from sampai.providers.responses import UnreadableAnswerError

# The tables of "Whatsapp Message Status" and "Message Info". Guess: a word can replace its letter.
STATUSES: Final[Mapping[str, Status]] = {
    "U": Status.ACCEPTED,
    "UN-SENT": Status.ACCEPTED,
    "Q": Status.ACCEPTED,
    "QUEUE": Status.ACCEPTED,
    "S": Status.SENT,
    "SENT": Status.SENT,
    "D": Status.DELIVERED,
    "DELIVERED": Status.DELIVERED,
    "R": Status.READ,
    "READ": Status.READ,
    "A": Status.UNDELIVERED,
    "ABORT": Status.UNDELIVERED,
    "ABORTED": Status.UNDELIVERED,
    "F": Status.UNDELIVERED,
    "FAILED": Status.UNDELIVERED,
}
_REASONS: Final = {word: Reason.PROVIDER_ERROR for word, status in STATUSES.items() if status is Status.UNDELIVERED}

# Public code: "Invalid WA Sender" and "File exceed limits (max 512 KB)". Guess: a refusal for missing credit contains
# "credit" or "balance".
FAILURES: Final[Mapping[str, Reason]] = {
    "invalid wa sender": Reason.INVALID_SENDER,
    "file exceed limits": Reason.TOO_LONG,
    "credit": Reason.INSUFFICIENT_CREDIT,
    "balance": Reason.INSUFFICIENT_CREDIT,
}

# "Message Info": the date of each status.
_DATES: Final = {
    Status.ACCEPTED: "create_date",
    Status.SENT: "sent_date",
    Status.DELIVERED: "delivered_date",
    Status.READ: "read_date",
}

_EMOJI: Final = re.compile(r"[\U00010000-\U0010ffff]")


def _parse_balances(data: Any) -> AccountStatus:
    if not isinstance(data, dict) or not data.keys() & {"sms_balance", "wa_balance"}:
        raise UnreadableAnswerError("no balance")
    return AccountStatus(balances=(_parse_balance(data, "sms"), _parse_balance(data, "wa")))


def _parse_balance(data: Mapping[str, Any], account: str) -> Balance:
    amount = data.get(f"{account}_balance")
    if amount is not None and (type(amount) not in (int, float) or not isfinite(amount)):
        raise UnreadableAnswerError("no amount")
    return Balance(
        account=account,
        amount=None if amount is None else float(amount),
        # A date without a time. The page does not say whether the day is included, so the balance ends before it.
        expires_at=parse_vendor_time(data.get(f"{account}_expired_date"), JAKARTA),
    )


def _parse_key(data: Any) -> AccountStatus:
    if not isinstance(data, dict) or "userid" not in data:
        raise UnreadableAnswerError("no user")
    return AccountStatus()


_CHECKS: Final[Mapping[str, Check]] = {"balance": ("balance", _parse_balances), "key": ("auth/api_key", _parse_key)}


class NusaSmsWhatsApp(JsonApi, SupportsLookup, SupportsWebhooks):
    failures = FAILURES
    checks = _CHECKS
    capabilities = Capabilities(
        channel=Channel.WHATSAPP,
        countries=frozenset({"*"}),
        credentials=frozenset({"api_key"}),
        contents=frozenset({Text, Media}),
        max_characters=4096,  # guess; the vendor documents no limit
        max_file_bytes=512 * 1024,  # public code: "File exceed limits (max 512 KB)"
        options={"queue": str, "is_group": bool, "include_unsubscribe": bool, "timeout": int, "channel": int},
        max_lists=1,
        webhooks={"whatsapp-receipt": RECEIPT, "whatsapp-inbox": INBOX},
        account_checks=frozenset(_CHECKS),
    )
    needs_sender = False  # the page documents it as optional

    def _validate_options(self, message: Message) -> Failure | None:
        if message.audience and self.options_of(message).get("is_group") is False:
            detail = f"provider_options.{self.name}.is_group: an audience is a group"
            return Failure(reason=Reason.UNSUPPORTED, detail=detail)
        return super()._validate_options(message)

    def build_send(self, message: Message) -> HttpRequest:
        document: dict[str, Any] = {"destination": _destination(message), **self.options_of(message)}
        if message.audience:
            document["is_group"] = True
        if (sender := self.sender_of(message)) is not None:
            document["sender"] = sender
        if isinstance(message.content, Media):
            document |= _media(message, message.content)
            return HttpRequest.post_json(self._url("whatsapp/media"), document, headers=self._headers)
        document["message"] = _escape_emoji(self.text_of(message))
        return HttpRequest.post_json(self._url("whatsapp/message"), document, headers=self._headers)

    def build_lookup(self, provider_message_id: str) -> HttpRequest:
        url = self._url(f"whatsapp/status/{quote(provider_message_id, safe='')}")
        return HttpRequest.get(url, headers=self._headers)

    def parse_lookup(self, response: HttpResponse) -> Report | None:
        # Guess: an unknown message has 404 with the envelope of a refusal. The page has no example.
        if response.status == 404 and parse_envelope(response).get("error") is True:
            return None
        data = parse_data(response)
        provider_message_id, provider_status = parse_text(data["ref_no"], ID), parse_text(data["status"], WORD)
        if provider_message_id is None or provider_status is None:
            raise UnreadableAnswerError("no ref_no or status")
        word = provider_status.upper()
        status = STATUSES.get(word)
        return Report(
            provider_message_id=provider_message_id,
            status=status,
            provider_status=provider_status,
            reason=_REASONS.get(word),
            occurred_at=parse_vendor_time(data.get(_DATES[status]), JAKARTA) if status in _DATES else None,
        )

    @classmethod
    def parse_webhook(cls, kind: str, request: WebhookRequest) -> tuple[Report | Inbound, ...]:
        if kind == "whatsapp-inbox":
            return (parse_inbox(request, Channel.WHATSAPP),)
        return (parse_receipt(request, STATUSES, _REASONS),)


def _destination(message: Message) -> str:
    return message.audience[0] if message.audience else (message.recipient or "").removeprefix("+")


def _media(message: Message, content: Media) -> dict[str, Any]:
    """Return the fields of a file. Raise ValueError if it was not loaded."""
    caption = {} if content.caption is None else {"caption": _escape_emoji(content.caption)}
    if content.media_url is not None:
        return {**caption, "media_url": content.media_url}
    if message.attachments.file is None:
        raise ValueError("no file")
    return {**caption, "media_base64": b64encode(message.attachments.file).decode(), "file_name": content.file_name}


def _escape_emoji(text: str) -> str:
    r"""Return a text with its emoji as the page documents them: 😀 becomes the ten characters `\U0001F600`.

    This includes all characters outside the Basic Multilingual Plane. Guess: the others need no change.
    """
    return _EMOJI.sub(lambda match: f"\\U{ord(match[0]):08X}", text)
