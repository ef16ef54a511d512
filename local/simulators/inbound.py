"""Messages from phones to the client: the body of `POST /_inbound`, and the webhook call that results from it."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from local.simulators.webhook_sender import Receipt

NUMBER: Final = re.compile(r"[1-9][0-9]{7,14}")
DATE_LAYOUT: Final = "%Y-%m-%d %H:%M:%S"
REQUIRED: Final = ("vendor", "kind", "sender", "text")
OPTIONAL: Final = ("id", "date", "room_id")


def is_uuid4(text: str) -> bool:
    """Return whether a text is a UUID of version 4, written with hyphens."""
    try:
        return len(text) == 36 and uuid.UUID(text).version == 4
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    try:
        return datetime.strptime(text, DATE_LAYOUT).strftime(DATE_LAYOUT) == text  # noqa: DTZ007
    except ValueError:
        return False


CHECKS: Final[tuple[tuple[str, Callable[[str], object], str], ...]] = (
    ("sender", NUMBER.fullmatch, "digits with the country code, without a plus"),
    ("date", _is_date, "like 2026-11-21 10:00:00"),
    ("room_id", is_uuid4, "a UUID of version 4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message from a phone. The vendor fills in empty fields; `date` is in the vendor's zone, without an offset."""

    vendor: str
    kind: str
    sender: str
    text: str
    id: str = ""
    date: str = ""
    room_id: str = ""

    @classmethod
    def read(cls, document: Any) -> "Inbound":
        """Parse the JSON body. Raises ValueError, which names the first missing, unknown or invalid field."""
        if not isinstance(document, dict):
            raise ValueError("not an object")
        for name in (*REQUIRED, *document):
            if name not in document or name not in REQUIRED + OPTIONAL:
                raise ValueError(f"missing or unknown: {name}")
            if not isinstance(document[name], str):
                raise ValueError(f"not a text: {name}")
        for name, is_valid, wanted in CHECKS:
            if name in document and not is_valid(document[name]):
                raise ValueError(f"{name}: must be {wanted}")
        return cls(**document)


@dataclass(frozen=True, slots=True)
class Callback:
    """A call to the client's webhook, and its fields."""

    receipt: Receipt
    fields: Mapping[str, str]
