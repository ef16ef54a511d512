"""Inbound messages, conversations and opt-out keywords."""

import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Final

from sampai.domain.message import Channel
from sampai.domain.times import to_text

WINDOW: Final = timedelta(hours=24)
"""The time after the last inbound message in which a conversation accepts replies without a template."""

EVENT_TEXT_BYTES: Final = 200 * 1024
EVENT_FIELD_BYTES: Final = 8 * 1024
"""The longest JSON of the text, and of each other field of the vendor's choice. An event has at most 256 KB in all, and
a control character takes six bytes in JSON."""

_VARIATION_SELECTOR: Final = re.compile(r"[\ufe00-\ufe0f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that arrived at a vendor for us. `sender` is E.164 if the vendor's number can be converted to it."""

    provider: str
    """A parser gives the name of its type; the webhook service replaces it with that of the provider."""
    channel: Channel
    provider_message_id: str | None = None
    sender: str = field(repr=False)
    recipient: str | None = None
    text: str = field(repr=False)
    room_id: str | None = None
    received_at: datetime | None = None
    """The vendor's clock, in UTC."""

    def key(self, now: datetime) -> str:
        """Return the identity of the message: the vendor's id, or else sender, text and minute.

        It detects duplicates, because vendors repeat a callback without a timely response.
        """
        if self.provider_message_id is not None:
            return f"{self.provider}#{self.channel}#{self.provider_message_id}"
        minute = to_text((self.received_at or now).replace(second=0, microsecond=0))
        content = f"{self.sender}\x00{self.text}\x00{self.room_id or ''}"
        return f"{self.provider}#{self.channel}#{minute}#{sha256(content.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation with a recipient, with the facts that decide whether a reply is possible."""

    room_id: str
    number: str | None = field(default=None, repr=False)
    """The recipient's number, E.164."""
    last_inbound_at: datetime

    def is_open(self, now: datetime) -> bool:
        return now < self.last_inbound_at + WINDOW


def truncate_for_event(inbound: Inbound) -> Inbound:
    """Return an inbound message with each field cut to the length that fits into an event."""
    return replace(
        inbound,
        sender=_truncate(inbound.sender, EVENT_FIELD_BYTES),
        recipient=None if inbound.recipient is None else _truncate(inbound.recipient, EVENT_FIELD_BYTES),
        text=_truncate(inbound.text, EVENT_TEXT_BYTES),
        room_id=None if inbound.room_id is None else _truncate(inbound.room_id, EVENT_FIELD_BYTES),
    )


def _truncate(text: str, limit: int) -> str:
    """Return the longest beginning of a text whose JSON has at most `limit` bytes."""
    if len(text) * 12 + 2 <= limit:
        return text  # no character takes more than twelve bytes
    size = 2  # the quotation marks
    for position, character in enumerate(text):
        size += len(json.dumps(character)) - 2
        if size > limit:
            return text[:position]
    return text


class Consent(Enum):
    """A change that a recipient requests with a keyword."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


def parse_keyword(text: str, *, opt_out_words: Collection[str], opt_in_words: Collection[str]) -> Consent | None:
    """Return the change that a message requests, if the message is exactly one keyword. Opt-out takes precedence."""
    keyword = _normalize(text)
    if not keyword:
        return None
    if keyword in map(_normalize, opt_out_words):
        return Consent.OPT_OUT
    return Consent.OPT_IN if keyword in map(_normalize, opt_in_words) else None


def _normalize(text: str) -> str:
    """Return a text without case, punctuation and extra space: ` Stop! ` equals `STOP`."""
    normalized = "".join(map(_normalize_character, unicodedata.normalize("NFKC", text)))
    return " ".join(normalized.casefold().split())


def _normalize_character(character: str) -> str:
    """Return the character, a space for one that ends a word, or an empty text for an invisible one.

    Asian keyboards insert zero-width joiners and breaks into words, and phones add selectors after an emoji.
    """
    category = unicodedata.category(character)
    if category == "Cf" or _VARIATION_SELECTOR.fullmatch(character):
        return ""
    return " " if category[0] in "PSZC" else character
