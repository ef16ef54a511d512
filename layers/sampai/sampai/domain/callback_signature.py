"""Signatures of the callbacks to callers, by the Standard Webhooks scheme.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the public prefix of all secrets
KEY_BYTES: Final = range(24, 65)
"""The sizes of a key that the scheme recommends."""


def parse_key(secret: str) -> bytes | None:
    """Return the key in a secret, `whsec_` and the key in Base64, or None if it is not a secret of the scheme."""
    if not secret.startswith(SECRET_PREFIX):
        return None
    try:
        key = binascii.a2b_base64(secret.removeprefix(SECRET_PREFIX), strict_mode=True)
    except ValueError:
        return None
    return key if len(key) in KEY_BYTES else None


def sign(keys: Sequence[bytes], *, callback_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: a signature under each key, so that a receiver may have any of them.

    `timestamp` is the time of the attempt in Unix seconds. The id must have no full stop, which separates the parts.
    """
    signed = b".".join([callback_id.encode(), str(timestamp).encode(), body])
    return " ".join(f"v1,{_encode(hmac.digest(key, signed, sha256))}" for key in keys)


def _encode(signature: bytes) -> str:
    return binascii.b2a_base64(signature, newline=False).decode()
