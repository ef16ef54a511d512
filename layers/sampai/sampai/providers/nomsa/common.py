"""The fields that all rows of Nomsa's APIs share: an id, a status told by a word and by times, and codes."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sampai.domain.status import Status
from sampai.providers.responses import UnreadableAnswerError, parse_id

_CODE: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.-]{1,40}", re.ASCII)


def require_id(row: Mapping[str, Any]) -> str:
    """Return the id of a row. Raise UnreadableAnswerError if it is missing or cannot be stored."""
    provider_message_id = parse_id(row.get("id"))
    if provider_message_id is None:
        raise UnreadableAnswerError("no id")
    return provider_message_id


def parse_status(row: Mapping[str, Any], *, words: Mapping[str, Status], times: Mapping[Status, str]) -> Status | None:
    """Return the highest status that the word and the times of a row prove, or None without a known one.

    `times` has the field of each status, the highest status first.
    """
    proven = {words.get(str(row.get("status")).upper())} | {status for status, time in times.items() if row.get(time)}
    return next((status for status in times if status in proven), None)


def parse_word(row: Mapping[str, Any]) -> str:
    """Return the vendor's own word for the status of a row, if it may be stored."""
    return parse_code(row.get("status")) or "(unreadable)"


def parse_code(value: object) -> str | None:
    """Return a word or code, or None if it could be a phone number or a message text, which must not be stored."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None
