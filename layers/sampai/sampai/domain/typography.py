"""Typographic characters that would turn a text into UCS-2, and the plain ones that replace them."""

from collections.abc import Mapping
from typing import Final

from sampai.domain.segments import Encoding, segments_of

REPLACEMENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys("‘’‚‛‹›′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•‣◦▪·∙", "-"),
    **dict.fromkeys("…", "..."),
    **dict.fromkeys("\t\u00a0\u202f\u205f\u3000", " "),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),
    **dict.fromkeys("\u2028\u2029", "\n"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
}
"""The replacement of each character. The last ones are invisible, and are removed."""

_TABLE: Final = str.maketrans(dict(REPLACEMENTS))


def replace_typographic(text: str) -> str:
    """Return the text with plain characters if all of it then is GSM-7, in no more segments; else unchanged.

    A text with another character that GSM-7 lacks would stay UCS-2, so nothing is gained by changing it.
    """
    given, plain = segments_of(text), text.translate(_TABLE)
    if given.encoding is Encoding.GSM7 or not plain.strip():
        return text
    replaced = segments_of(plain)
    return plain if replaced.encoding is Encoding.GSM7 and replaced.count <= given.count else text
