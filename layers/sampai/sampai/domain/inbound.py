"""Messages that come in, and what they ask for."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Final

from sampai.domain.message import Channel
from sampai.domain.times import to_text

WINDOW: Final = timedelta(hours=24)
"""How long after its last inbound message a conversation takes replies without a template."""

_VARIATION_SELECTOR: Final = re.compile(r"[\ufe00-\ufe0f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that somebody sent to us. `sender` is E.164 wherever the vendor's number could be read as one."""

    provider: str
    channel: Channel
    provider_message_id: str | None = None
    sender: str = field(repr=False)
    recipient: str | None = None
    text: str = field(repr=False)
    room_id: str | None = None
    received_at: datetime | None = None
    """The vendor's clock, in UTC."""

    def key(self, now: datetime) -> str:
        """Return what names the message: the vendor's id, else sender, text and minute.

        Vendors repeat a callback that we did not answer in time.
        """
        if self.provider_message_id is not None:
            return f"{self.provider}#{self.channel}#{self.provider_message_id}"
        minute = to_text((self.received_at or now).replace(second=0, microsecond=0))
        said = f"{self.sender}\x00{self.text}\x00{self.room_id or ''}"
        return f"{self.provider}#{self.channel}#{minute}#{sha256(said.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation, as far as replies depend on it."""

    room_id: str
    number: str | None = field(default=None, repr=False)
    """The other side's number, E.164."""
    last_inbound_at: datetime

    def is_open(self, now: datetime) -> bool:
        return now < self.last_inbound_at + WINDOW


class Consent(Enum):
    """What somebody asks for by writing one of the agreed words."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


def parse_keyword(text: str, *, opt_out_words: Collection[str], opt_in_words: Collection[str]) -> Consent | None:
    """Return what a message asks for, if it is one of the words and nothing else. Out wins over in."""
    said = _bare(text)
    if not said:
        return None
    if said in map(_bare, opt_out_words):
        return Consent.OPT_OUT
    return Consent.OPT_IN if said in map(_bare, opt_in_words) else None


def _bare(text: str) -> str:
    """Return a text without case, punctuation and needless space: ` Stop! ` says what `STOP` says."""
    kept = "".join(map(_kept, unicodedata.normalize("NFKC", text)))
    return " ".join(kept.casefold().split())


def _kept(character: str) -> str:
    """Return what a character adds to a word: itself, the end of the word, or nothing if it is never seen.

    Keyboards of Asia put joiners and breaks without a width inside words, and phones put selectors behind an emoji.
    """
    category = unicodedata.category(character)
    if category == "Cf" or _VARIATION_SELECTOR.fullmatch(character):
        return ""
    return " " if category[0] in "PSZC" else character
