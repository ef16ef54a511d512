"""The number of billed segments of a text. All vendors here count them by 3GPP 23.038."""

from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")


def is_gsm7(text: str) -> bool:
    """Return whether a text fits the GSM 7-bit alphabet."""
    return set(text) <= _BASIC | _EXTENDED


def segments(text: str) -> int:
    """Return the number of segments, at least 1."""
    if is_gsm7(text):
        length, single, joined = len(text) + sum(character in _EXTENDED for character in text), 160, 153
    else:
        length, single, joined = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= single else -(-length // joined)
