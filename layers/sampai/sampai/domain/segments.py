"""The billed segments of a text, after 3GPP TS 23.038 (alphabets) and 23.040 (concatenation)."""

from dataclasses import dataclass
from enum import StrEnum

_GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM7 = _GSM7_BASIC | _GSM7_EXTENDED


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Segments:
    """The encoding of an SMS, and the number of its segments."""

    encoding: Encoding
    count: int


def encoding_of(text: str) -> Encoding:
    """Return the smallest encoding that contains all characters of the text."""
    return Encoding.GSM7 if _GSM7.issuperset(text) else Encoding.UCS2


def segments_of(text: str) -> Segments:
    """Count the segments of a text. A single one has 160 septets or 70 UTF-16 units, each of several 153 or 67.

    A character is never split: an escape sequence or a surrogate pair that does not fit goes to the next segment.
    """
    encoding = encoding_of(text)
    single, joined = (160, 153) if encoding is Encoding.GSM7 else (70, 67)
    if _length(text, encoding) <= single:
        return Segments(encoding, 1)
    count, used = 1, 0
    for width in (_width(c, encoding) for c in text):
        if used + width > joined:
            count, used = count + 1, 0
        used += width
    return Segments(encoding, count)


def _length(text: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return len(text) + sum(map(text.count, _GSM7_EXTENDED))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _GSM7_EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1
