"""What the rows of Nomsa's programmatic APIs have in common: an id, a status told by a word and by times, codes."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sampai.domain.status import Status
from sampai.providers.responses import UnreadableAnswerError, parse_id

_CODE: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.-]{1,40}", re.ASCII)


def id_of(row: Mapping[str, Any]) -> str:
    """Return the id of a row. Raises UnreadableAnswerError if it has none that is fit to be stored."""
    provider_message_id = parse_id(row.get("id"))
    if provider_message_id is None:
        raise UnreadableAnswerError("no id")
    return provider_message_id


def status_of(row: Mapping[str, Any], *, words: Mapping[str, Status], times: Mapping[Status, str]) -> Status | None:
    """Return the strongest of what the word and the times of a row say, or None if they say nothing that we know.

    `times` has the field that goes with each status, the strongest first.
    """
    said = {words.get(str(row.get("status")).upper())} | {status for status, time in times.items() if row.get(time)}
    return next((status for status in times if status in said), None)


def word_of(row: Mapping[str, Any]) -> str:
    """Return the vendor's own word for the status of a row, as far as it is fit to be kept."""
    return code_of(row.get("status")) or "(unreadable)"


def code_of(value: object) -> str | None:
    """Return a word or code that is fit to be kept: nothing in it can be somebody's number or text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None
