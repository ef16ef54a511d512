"""The private values of a run, and the forms in which each can leak: raw, in part, encoded or reversed."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from sampai.domain.phone import calling_code_of
from sampai.domain.webhook_token import webhook_token


class Kind(Enum):
    CREDENTIAL = "credential"
    TOKEN = "token"
    FINGERPRINT_KEY = "fingerprint key"
    ENCRYPTION_KEY = "encryption key"
    CALLBACK_KEY = "callback key"
    CONTENT = "content"
    FILE = "file"
    NUMBER = "number"
    INBOUND = "inbound"
    MISPLACED = "misplaced"
    """A private value in a field that is not meant for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    name: str
    kind: Kind
    value: str
    vendor: str | None = None
    """The vendor of a credential."""


def _derive_letters(name: str, alphabet: str = "abcdefghijklmnopqrstuvwxyz", length: int = 24) -> str:
    """Derive letters from the name that do not occur anywhere by chance."""
    return "".join(alphabet[byte % len(alphabet)] for byte in sha256(name.encode()).digest()[:length])


KHMER: Final = "".join(map(chr, range(0x1780, 0x17A3)))
DIGITS: Final = "0123456789"


def _credential(vendor: str, name: str) -> Canary:
    return Canary(
        name=f"{vendor} {name}", kind=Kind.CREDENTIAL, value=_derive_letters(f"{vendor} {name}"), vendor=vendor
    )


def _canaries(kind: Kind, *names: str, shape: str = "{}") -> Iterator[Canary]:
    return (Canary(name=name, kind=kind, value=shape.format(_derive_letters(name))) for name in names)


def _webhook_token(place: str, vendor: str) -> Canary:
    """Return the token of a vendor under the first or the second token of the secret."""
    token = webhook_token(_derive_letters(f"{place} token"), vendor)
    return Canary(name=f"{place} {vendor} token", kind=Kind.TOKEN, value=token)


def _number(kind: Kind, name: str, start: str) -> Canary:
    return Canary(name=name, kind=kind, value=start + _derive_letters(name, DIGITS, 8))


CANARIES: Final[Mapping[str, Canary]] = {
    canary.name: canary
    for canary in (
        _credential("nomsa", "api_key"),
        _credential("smsnoc", "api_token"),
        _credential("smspoh", "api_key"),
        _credential("smspoh", "api_secret"),
        _credential("nusasms", "api_key"),
        _credential("nusasms", "user"),
        _credential("nusasms", "password"),
        *_canaries(Kind.TOKEN, "first token", "second token", "wrong token"),
        *(_webhook_token(place, vendor) for place in ("first", "second") for vendor in ("smspoh", "nusasms")),
        *_canaries(Kind.FINGERPRINT_KEY, "fingerprint key"),
        *_canaries(Kind.CALLBACK_KEY, "callback key"),
        *_canaries(Kind.ENCRYPTION_KEY, "our key", "caller's key", "vendor's key"),
        *_canaries(Kind.CONTENT, "text", "promotional text", "caption", "reply", shape='{} "ok" é+/'),
        *_canaries(Kind.CONTENT, "template value", "button value", "recipient name", "fallback value"),
        *_canaries(Kind.CONTENT, "media url", "header url", shape="https://files.example.org/{}.pdf"),
        *_canaries(Kind.NUMBER, "e-mail address", "copied address", "blind copied address", shape="{}@example.org"),
        *_canaries(Kind.CONTENT, "reply address", shape="{}@example.org"),
        *_canaries(Kind.CONTENT, "subject", "body of an e-mail", shape='{} "ok" é+/'),
        *_canaries(Kind.CONTENT, "attachment name", shape="{}.pdf"),
        *_canaries(Kind.FILE, "attachment", shape="%PDF-1.7 {} %%EOF"),
        *_canaries(Kind.MISPLACED, "misplaced", shape='{} "no" é+/'),
        *_canaries(Kind.CONTENT, "file name", shape="{}.pdf"),
        Canary(name="Khmer text", kind=Kind.CONTENT, value=_derive_letters("Khmer text", KHMER)),
        Canary(name="one-time password", kind=Kind.CONTENT, value=_derive_letters("one-time password", DIGITS, 10)),
        *_canaries(Kind.FILE, "file", shape="%PDF-1.7 {} %%EOF"),
        _number(Kind.NUMBER, "Cambodian number", "+8559"),
        _number(Kind.NUMBER, "Bangladeshi number", "+88017"),
        _number(Kind.NUMBER, "Burmese number", "+9599"),
        _number(Kind.NUMBER, "second Burmese number", "+9599"),
        _number(Kind.NUMBER, "Indonesian number", "+6281"),
        _number(Kind.INBOUND, "inbound number", "+6281"),
        *_canaries(Kind.INBOUND, "inbound text", shape='{} "ya" é+/'),
    )
}


def value(name: str) -> str:
    return CANARIES[name].value


def _base64(offset: int) -> Callable[[str], str]:
    """Return an encoder for a text at `offset` bytes after a multiple of three. Omit bits shared with neighbours."""

    def encode(text: str) -> str:
        data = b"\0" * offset + text.encode()
        whole = len(data) * 8 // 6
        return b64encode(data).decode()[(0, 2, 3)[offset] : whole]

    return encode


ENCODINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "raw": str,
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in a URL": lambda text: quote(text, safe=""),
    "in the repr of bytes": lambda text: repr(text.encode())[2:-1],
    "in base64": _base64(0),
    "in base64, offset 1": _base64(1),
    "in base64, offset 2": _base64(2),
    "in hex": lambda text: text.encode().hex(),
    "reversed": lambda text: text[::-1],
}


def _distinctive_parts(canary: Canary) -> tuple[str, ...]:
    """Return the unique parts of a value: half a value is a leak, three digits of a number are not."""
    if canary.value.startswith("+"):
        return (canary.value[1 + len(calling_code_of(canary.value) or "") :],)
    longest = max((part for part in canary.value.replace("/", " ").replace(".", " ").split()), key=len)
    half = len(longest) // 2
    return (longest,) if longest.isdigit() else (longest[:half], longest[half:])


def _patterns(canary: Canary) -> Iterator[str]:
    """Yield every text that reveals a canary, including base64 for URLs and escapes in upper and lower case."""
    for part in _distinctive_parts(canary):
        for encode in ENCODINGS.values():
            pattern = encode(part)
            yield from {pattern, pattern.replace("+", "-").replace("/", "_")}
            if pattern.isascii():
                yield from {pattern.lower(), pattern.upper()} if encode in _IN_ANY_CASE else ()


_IN_ANY_CASE: Final = (ENCODINGS["in a URL"], ENCODINGS["in JSON"], ENCODINGS["in hex"])
_BACKSLASHES: Final = re.compile(r"\\+")
_PATTERNS: Final = {canary.name: frozenset(_patterns(canary)) for canary in CANARIES.values()}


def find_canaries(text: str) -> frozenset[str]:
    """Return the names of the canaries that a text contains in any form."""
    once = _BACKSLASHES.sub(r"\\", text)  # JSON in JSON, or the repr of a repr
    return frozenset(name for name, patterns in _PATTERNS.items() if any(pattern in once for pattern in patterns))
