"""The configuration documents: JSON objects that operators write."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

_FIELD: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)


class DocumentError(ValueError):
    """The document is no object, or has a field twice. The text contains no value, so it can be logged."""


def parse_object(document: str) -> dict[str, Any]:
    """Return the JSON object in a document. Raise DocumentError, ValueError or RecursionError for anything else.

    JSON parsers keep the last value of a repeated field, so one of two providers with the same name would be lost.
    """
    given = json.loads(document.removeprefix("\ufeff"), object_pairs_hook=_to_object)
    if not isinstance(given, dict):
        raise DocumentError("not a JSON object")
    return given


def _to_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            # A name that is no field may be a text or a credential in the wrong place.
            raise DocumentError(f"{name if _FIELD.fullmatch(name) else 'a field'}: occurs twice")
        fields[name] = value
    return fields
