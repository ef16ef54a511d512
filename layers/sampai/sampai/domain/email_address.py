"""E-mail addresses: their format, their normal form and their masked form."""

import re
from typing import Final

MAX_CHARACTERS: Final = 254
"""The longest address that mail systems carry (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""

_WORD: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@){_WORD}(?:\.{_WORD})*@(?:{_LABEL}\.)+{_LABEL}", re.ASCII)
"""One plain address of RFC 5321 in ASCII: no quotes, comments, lists or address literals. Use `is_address`."""

NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029<>@,;:\"\\]{1,64}")
"""The name of a sender, before its address. A comma would begin another address."""


def is_address(text: str) -> bool:
    """Return whether a text is exactly one plain e-mail address."""
    return len(text) <= MAX_CHARACTERS and ADDRESS.fullmatch(text) is not None


def is_sender(text: str) -> bool:
    """Return whether a text is an address, or a name with an address: `Ministry <no-reply@example.com>`."""
    name, bracket, rest = text.rpartition(" <")
    if not bracket:
        return is_address(text)
    return NAME.fullmatch(name) is not None and rest.endswith(">") and is_address(rest[:-1])


def normalize_address(address: str) -> str:
    """Return an address with its domain in lower case. Only the mailbox before the @ may depend on the case."""
    mailbox, _, domain = address.rpartition("@")
    return f"{mailbox}@{domain.lower()}"


def mask_address(address: str) -> str:
    """Return an address that is safe for events and logs: `sok.dara@example.com` becomes `s***@example.com`."""
    mailbox, _, domain = address.rpartition("@")
    return f"{mailbox[:1]}***@{domain}"
