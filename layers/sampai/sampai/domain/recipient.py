"""A recipient: an E.164 number, or an e-mail address on the channel `email`."""

import hmac
import re
from hashlib import sha256

from sampai.domain import phone
from sampai.domain.email_address import mask_address


def is_email(recipient: str) -> bool:
    """Return whether a valid recipient is an e-mail address. No number has an @."""
    return "@" in recipient


def fold(recipient: str) -> str:
    """Return the form in which a recipient is counted, opted out and erased: mail systems ignore the case."""
    return recipient.lower()


def mask(recipient: str) -> str:
    """Return a recipient that is safe for events and logs."""
    return mask_address(recipient) if is_email(recipient) else phone.mask(recipient)


def mentions(text: str, recipient: str) -> bool:
    """Return whether a text has a number or an address in it. A longer one that contains it is another recipient."""
    if not is_email(recipient):
        return phone.mentions(text, recipient)
    address = rf"(?<![\w.!#$%&'*+/=?^`{{|}}~-]){re.escape(recipient)}(?![\w-]|\.\w)"
    return re.search(address, text, re.IGNORECASE | re.ASCII) is not None


def keyed_digest(recipient: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of a recipient in hex. Without the key, a search through all numbers reveals nothing."""
    return hmac.new(key, fold(recipient).encode(), sha256).hexdigest()
