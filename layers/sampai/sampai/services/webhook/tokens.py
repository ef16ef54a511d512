"""Check the token in the path of a webhook."""

from sampai.domain.webhook_token import is_webhook_token
from sampai.services.ports.configuration import SecretSource


def is_valid_token(token: str, provider: str, secret: SecretSource) -> bool:
    """Return whether a token is one of a provider's. Raises UnavailableError.

    An unknown token may be newer than the cached secret, so it is checked again after a refresh.
    """
    if is_webhook_token(token, provider, secret.current().webhook_tokens):
        return True
    secret.refresh()
    return is_webhook_token(token, provider, secret.current().webhook_tokens)
