"""Check the token in the path of a webhook."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from sampai.services.ports.configuration import SecretSource


def is_valid_token(token: str, secret: SecretSource) -> bool:
    """Return whether a token is one of the secret's webhook tokens. Raises UnavailableError.

    An unknown token may be newer than the cached secret, so it is checked again after a refresh.
    """
    if _is_one_of(token, secret.current().webhook_tokens):
        return True
    secret.refresh()
    return _is_one_of(token, secret.current().webhook_tokens)


def _is_one_of(token: str, valid: Sequence[str]) -> bool:
    """Compare with every token in constant time: the time shows neither the length nor the place of a difference."""
    given = sha256(token.encode("utf-8", "surrogatepass")).digest()
    matches = [hmac.compare_digest(given, sha256(other.encode()).digest()) for other in valid]
    return any(matches)
