"""The encodings in which a vendor's ordinary code may send the fields of a callback: all of them must be read.

The setting `callback_encodings` replaces the documented encoding of each vendor; with `rude`, all of them take turns.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

from local.simulators.webhook_sender import Receipt

FORM: Final = "application/x-www-form-urlencoded"
BOUNDARY: Final = "------------------------d74496d66958873e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The parts of a request that depend on the encoding of its fields."""

    method: str = "POST"
    query: str = ""
    content_type: str = ""
    body: bytes = b""


Fields = Mapping[str, str]


def by_query(fields: Fields) -> Encoded:
    """Put the fields into the query of a GET request."""
    return Encoded(method="GET", query=urlencode(fields, quote_via=quote))


def by_form(fields: Fields) -> Encoded:
    return Encoded(content_type=FORM, body=urlencode(fields).encode())


def by_parts(fields: Fields) -> Encoded:
    """Send a form in several parts, as PHP's curl sends an array."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()
    return Encoded(content_type=f"multipart/form-data; boundary={BOUNDARY}", body=body)


def by_json(fields: Mapping[str, Any]) -> Encoded:
    """Send a JSON object with more than the documented fields: Booleans, fractions, null and nested values."""
    more = {"test": False, "price": 25.5, "error": None, "parts": [{"id": 1, "status": "ok"}]}
    return Encoded(content_type="application/json", body=json.dumps({**fields, **more}).encode())


def by_json_with_numbers(fields: Fields) -> Encoded:
    """Send a JSON object in which texts of digits are numbers, unless a zero at their beginning would be lost."""
    return by_json({name: int(value) if _is_number(value) else value for name, value in fields.items()})


def by_json_after_mark(fields: Fields) -> Encoded:
    """Send JSON behind a byte order mark, as a PHP file saved with one does."""
    return Encoded(content_type="application/json; charset=utf-8", body=b"\xef\xbb\xbf" + by_json(fields).body)


def by_form_in_latin_1(fields: Fields) -> Encoded:
    """Send a form in Latin-1, or in UTF-8 if a value does not fit."""
    try:
        body = urlencode({**fields, "network": "Telefónica"}, encoding="iso-8859-1", errors="strict").encode()
    except UnicodeEncodeError:
        return by_form(fields)
    return Encoded(content_type=f"{FORM}; charset=ISO-8859-1", body=body)


def by_form_twice(fields: Fields) -> Encoded:
    """Send each field twice, with a field that nobody reads and that contradicts itself."""
    form = urlencode(fields)
    return Encoded(content_type=FORM, body=f"{form}&test=0&{form}&test=1".encode())


def by_long_form(fields: Fields) -> Encoded:
    """Send 60 more fields."""
    return by_form({**{f"custom_{number}": "" for number in range(60)}, **fields})


def by_broken_form(fields: Fields) -> Encoded:
    """Send a field that nobody reads with bytes that are no text."""
    return Encoded(content_type=FORM, body=b"network=Telef\xf3nica&token=%00%ff&" + by_form(fields).body)


ENCODINGS: Final[Mapping[str, Callable[[Fields], Encoded]]] = MappingProxyType(
    {
        "query": by_query,
        "form": by_form,
        "multipart": by_parts,
        "json": by_json,
        "numbers": by_json_with_numbers,
        "byte order mark": by_json_after_mark,
        "latin-1": by_form_in_latin_1,
        "twice": by_form_twice,
        "60 fields": by_long_form,
        "broken character": by_broken_form,
    }
)


def build_callback(vendor: str, url: str, fields: Fields, encoding: str) -> Receipt:
    """Build a call of the client's webhook with fields in one of the encodings."""
    encoded = ENCODINGS[encoding](fields)
    address = f"{url}{'&' if '?' in url else '?'}{encoded.query}" if encoded.query else url
    headers = {"Content-Type": encoded.content_type} if encoded.content_type else {}
    return Receipt(vendor=vendor, method=encoded.method, url=address, headers=headers, body=encoded.body)


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and (value == "0" or not value.startswith("0"))
