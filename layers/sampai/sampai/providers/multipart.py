"""Requests with a body of `multipart/form-data` (RFC 7578)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Final

from sampai.domain.http import HttpRequest

# The escapes of browsers, so that a name ends neither its quotes nor its line.
_QUOTED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file in a multipart body."""

    name: str = field(repr=False)
    media_type: str
    data: bytes = field(repr=False)


def post_multipart(url: str, parts: Iterable[tuple[str, str | File]], *, headers: Mapping[str, str]) -> HttpRequest:
    """Build a POST request. A name may occur several times. The same parts always result in the same bytes."""
    content = [_head(name, part) + (part.data if isinstance(part, File) else part.encode()) for name, part in parts]
    boundary = _boundary(b"".join(content))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in content) + b"--%b--\r\n" % boundary
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    return HttpRequest(method="POST", url=url, headers={**headers, "Content-Type": content_type}, body=body)


def _head(name: str, part: str | File) -> bytes:
    line = f'Content-Disposition: form-data; name="{name}"'
    if isinstance(part, File):
        line += f'; filename="{part.name.translate(_QUOTED)}"\r\nContent-Type: {part.media_type}'
    return f"{line}\r\n\r\n".encode()


def _boundary(content: bytes) -> bytes:
    """Return a boundary that is derived from the content and does not occur in it."""
    digests = (sha256(b"%d\n%b" % (number, content)).hexdigest()[:32].encode() for number in count())
    return next(digest for digest in digests if digest not in content)
