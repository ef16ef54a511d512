"""The token in a provider's webhook addresses."""

import hmac
from collections.abc import Sequence
from hashlib import sha256


def webhook_token(secret_token: str, provider: str) -> str:
    """Return the token of a provider: the HMAC-SHA256 of its name under a token of the secret, in 64 hex digits.

    Each provider has its own: a vendor that learns its token cannot report in the name of another.
    """
    return hmac.new(secret_token.encode(), provider.encode(), sha256).hexdigest()


def is_webhook_token(given: str, provider: str, secret_tokens: Sequence[str]) -> bool:
    """Return whether a token opens the webhooks of a provider, under any token of the secret.

    The comparison takes the same time wherever the difference is, and however many tokens there are before a match.
    """
    text = given.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(text, webhook_token(token, provider).encode()) for token in secret_tokens]
    return any(matches)
