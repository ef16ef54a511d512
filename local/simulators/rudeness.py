"""Answers as rude as real servers: valid for every browser, and a trap for a client that reads HTTP by the letter.

The setting `rude` turns them on for every call to a vendor. They take turns, so that each operation meets each of them.
"""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from local.simulators.http import Reply

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
