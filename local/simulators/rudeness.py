"""Answers as rude as real servers: valid for every browser, and a trap for a client that reads HTTP by the letter.

The setting `rude` turns them on for every call to a vendor. They take turns, so that each operation meets each of them.
The setting `echoes` changes the words of an answer: they repeat the request.
"""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from local.simulators.http import Reply, Request

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def mark_byte_order(reply: Reply) -> Reply:
    """Put a byte order mark before a JSON document, as a PHP file saved with one does."""
    return replace(reply, body=BYTE_ORDER_MARK + reply.body) if reply.content_type == "application/json" else reply


def name_charset_as_coding(reply: Reply) -> Reply:
    """Name the charset where a coding belongs: proxies do that, and the body is as it is."""
    return replace(reply, headers={**reply.headers, "Content-Encoding": "UTF-8"})


def compress_unasked(reply: Reply) -> Reply:
    """Compress the body although the client asked for no compression."""
    return replace(reply, body=gzip.compress(reply.body), headers={**reply.headers, "Content-Encoding": "gzip"})


def announce_first(reply: Reply) -> Reply:
    """Send an informational answer first."""
    return replace(reply, interim=b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")


def send_broken_header(reply: Reply) -> Reply:
    """Send a line without a colon among the headers."""
    return replace(reply, raw_headers=(*reply.raw_headers, b"X-Served-By gateway 7"))


def repeat_length(reply: Reply) -> Reply:
    """Send the same Content-Length twice."""
    return replace(reply, raw_headers=(*reply.raw_headers, b"Content-Length: %d" % len(reply.body)))


TRICKS: Final[Mapping[str, Callable[[Reply], Reply]]] = MappingProxyType(
    {
        "byte order mark": mark_byte_order,
        "charset as coding": name_charset_as_coding,
        "compressed unasked": compress_unasked,
        "informational answer first": announce_first,
        "header without a colon": send_broken_header,
        "length twice": repeat_length,
    }
)


def make_rude(reply: Reply, turn: int) -> Reply:
    """Return a reply with one of the tricks: they take turns."""
    tricks = list(TRICKS.values())
    return tricks[turn % len(tricks)](reply)


# --- echoes -----------------------------------------------------------------------------------------------------------

WORDS: Final = ("message", "msg")
"""The fields in which vendors put the words of a refusal."""

_LONG_NUMBER: Final = re.compile(r"(?<![0-9])([0-9]{2,5}?)([0-9]{3})([0-9]{3,4})([0-9]{3})(?![0-9])")


def echo(reply: Reply, request: Request) -> Reply:
    """Repeat a request in the words of a JSON answer: its headers and its body, once as it came and once formatted.

    An answer without words gets a field with some. Other answers remain as they are.
    """
    if request.method != "POST" or reply.content_type != "application/json":
        return reply
    body = request.body.decode("utf-8", "replace")
    formatted = _LONG_NUMBER.sub(r"(\1) \2-\3 \4", body)
    words = f" Request was {request.path} {dict(request.headers)} {body}, that is {formatted}"
    document = json.loads(reply.body)
    told = _append(document, words)
    if told == document and isinstance(document, dict):
        told = document | {"message": words.strip()}
    return replace(reply, body=json.dumps(told, ensure_ascii=False).encode())


def _append(node: Any, words: str) -> Any:
    """Return a JSON value with something more at the end of all its words."""
    if isinstance(node, dict):
        return {
            name: value + words if name in WORDS and isinstance(value, str) else _append(value, words)
            for name, value in node.items()
        }
    return [_append(value, words) for value in node] if isinstance(node, list) else node
