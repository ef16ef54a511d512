"""The fields of a vendor's callback, in any encoding that ordinary PHP code produces.

The body shows its own format, and the header, which may be wrong, gives only the charset.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from sampai.domain.http import MalformedWebhookError, WebhookRequest

_ENVELOPES: Final = ("data", "message", "messages")
"""The keys of a JSON object under which the callback may be."""

_CHARSET: Final = re.compile(
    r"charset\s*=\s*[\"']?"
    r"(utf-?8|iso[-_]?8859-(?:1[013-6]?|[2-9])|latin-?1|(?:windows-|cp)125[0-8]|tis-620|gb2312|gbk|gb18030|big5)\b",
    re.ASCII | re.IGNORECASE,
)
"""The charsets that a header may name. Other names could select slow or strange codecs of Python."""

_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""NUL and lone surrogates. JSON can express them, but the store cannot keep them."""

Pairs = Iterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFields:
    """The fields of a kind of callback that we read. `deciding` identify the message or decide its fate."""

    deciding: tuple[str, ...]
    others: tuple[str, ...] = ()


def read_fields(request: WebhookRequest, wanted: WebhookFields) -> dict[str, str]:
    """Return the wanted fields of the query and the body together, without those that are missing or null.

    Only these fields are decoded: the callback may have any number of others, with any content. Numbers and Booleans
    become texts. A byte that is neither in the declared charset nor in UTF-8 becomes U+FFFD.

    The deciding fields come without space at their ends. Raise MalformedWebhookError if one of them has two different
    values or is a list or an object, or if JSON cannot be parsed. Of the other fields the first value that is not empty
    counts. The caller limits the size of the request.
    """
    names = frozenset((*wanted.deciding, *wanted.others))
    charset = _charset_of(request.headers.get("content-type", ""), "utf-8")
    query = request.query.encode("utf-8", "surrogatepass")
    fields: dict[str, str] = {}
    for name, value in chain(_form_pairs(query, names, charset), _body_pairs(request.body, names, charset)):
        if value is None or value == [] or value == {}:  # PHP writes an empty array for nothing
            continue
        text = _to_text(value)
        if name not in wanted.deciding:
            fields[name] = fields.get(name) or text
            continue
        text = text.replace("\ufeff", "").strip()
        if isinstance(value, list | dict) or fields.setdefault(name, text) != text:
            raise MalformedWebhookError(f"{name}: not one value")
    return fields


def _body_pairs(body: bytes, names: Collection[str], charset: str) -> Pairs:
    encoding = json.detect_encoding(body)
    if encoding.startswith(("utf-16", "utf-32")):
        body, charset = body.decode(encoding, "replace").encode("utf-8", "replace"), "utf-8"
    body = body.strip().removeprefix(b"\xef\xbb\xbf").strip()
    if body[:1] in (b"{", b"["):
        return _json_pairs(_decode(body, charset), names)
    if body[:2] == b"--":
        return _multipart_pairs(body, names, charset)
    return _form_pairs(body, names, charset)


def _form_pairs(form: bytes, names: Collection[str], charset: str) -> Pairs:
    for pair in form.split(b"&"):
        name, _, value = pair.partition(b"=")
        text = unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace")
        if text in names:
            yield text, _decode(unquote_to_bytes(value.replace(b"+", b" ")), charset)


def _multipart_pairs(body: bytes, names: Collection[str], charset: str) -> Pairs:
    # Imported here, because few callbacks need it. Its default policy parses no header until we ask for one. The policy
    # HTTP takes 18 seconds for 64 KB of quotation marks.
    from email.parser import BytesParser

    # The first line is the delimiter, whatever boundary the header names.
    boundary = body[2:].partition(b"\n")[0].strip().replace(b'"', b"")
    try:
        form = BytesParser().parsebytes(b'Content-Type: multipart/form-data; boundary="%b"\n\n%b' % (boundary, body))
    except RecursionError as error:
        raise MalformedWebhookError("body") from error
    for part in form.walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and name in names and isinstance(content, bytes):
            yield name, _decode(content, _charset_of(str(part.get("content-type")), charset))


class _Object(dict[str, Any]):
    """A JSON object that remembers the values of a name that occurs twice. Its `repr` shows none of them."""

    __repr__ = object.__repr__

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _json_pairs(text: str, names: Collection[str]) -> Pairs:
    try:
        # A number stays as it is written: an id has no rounding, and 5,000 digits are no error.
        document = json.loads(
            text, strict=False, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Object
        )
    except (ValueError, RecursionError) as error:
        raise MalformedWebhookError("body") from error
    found = _single(document)
    if isinstance(found, _Object) and not found.keys() & names:
        inner = (_single(found.get(key)) for key in _ENVELOPES)
        found = next((value for value in inner if isinstance(value, _Object)), None)
    for name, value in found.pairs if isinstance(found, _Object) else ():
        if name in names:
            yield name, value


def _single(value: object) -> object:
    """Return the only entry of a list, or the value itself."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _to_text(value: Any) -> str:
    """Return a value as a text that can be stored. A list or an object becomes JSON, because it may hold a message."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _UNSTORABLE.sub("\ufffd", text)


def _charset_of(content_type: str, default: str) -> str:
    found = _CHARSET.search(content_type)
    return found[1] if found else default


def _decode(value: bytes, charset: str) -> str:
    for encoding in (charset, "utf-8"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.decode("utf-8", "replace")
