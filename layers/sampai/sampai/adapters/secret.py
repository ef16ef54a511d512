"""The secret: webhook tokens and the vendors' credentials in one document of Secrets Manager, and the fingerprint key.

Almost every function imports this module, so it imports only small modules.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.document import BrokenDocumentError, Document
from sampai.services.ports.configuration import Secret
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

REFRESH_INTERVAL: Final = timedelta(seconds=5)
"""The shortest time between two reads, so that callers with wrong tokens cannot cause more."""


class SecretsManagerSecret(Document[Secret]):
    """Implements `ports.configuration.SecretSource`. The fingerprint key is the complete string of a second secret.

    `client` returns a client of Secrets Manager. It is called only before a read.
    """

    name = "secret"
    broken_metric = "SecretBroken"

    def __init__(
        self,
        client: Callable[[], Any],
        *,
        arn: str,
        fingerprint_arn: str | None = None,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__(clock=clock, telemetry=telemetry)
        self._client = client
        self._arn = arn
        self._fingerprint_arn = fingerprint_arn
        self._fingerprint_key: bytes | None = None

    def refresh(self) -> None:
        """Make `current` read the secret again, unless it was read within `REFRESH_INTERVAL`."""
        if self._is_stale(REFRESH_INTERVAL):
            self._read_at = None

    def fingerprint_key(self) -> bytes:
        """Return the key, which is read once. Raise UnavailableError if it cannot be read."""
        if self._fingerprint_key is None:
            key = self._get(self._fingerprint_arn) if self._fingerprint_arn else ""
            if not key:
                raise UnavailableError("fingerprint key: missing")
            self._fingerprint_key = key.encode()
        return self._fingerprint_key

    def _read(self) -> Secret:
        return parse_secret(self._get(self._arn))

    def _get(self, arn: str) -> str:
        with unavailable("secret"):
            document: str = self._client().get_secret_value(SecretId=arn).get("SecretString", "")
        return document


def parse_secret(document: str) -> Secret:
    """Parse a secret document. Raise BrokenDocumentError if it is not valid. Unknown names are ignored.

    A single token is accepted instead of a list, because CloudFormation can generate only a text.
    """
    try:
        given = json.loads(document)
    except (ValueError, RecursionError):
        # A JSON error contains parts of the document, so it must not appear in a log as the cause.
        raise BrokenDocumentError("not JSON") from None
    if not isinstance(given, dict):
        raise BrokenDocumentError("not a JSON object")
    return Secret(webhook_tokens=_parse_tokens(given.pop("webhook_tokens", [])), credentials=_parse_credentials(given))


def _parse_tokens(given: Any) -> tuple[str, ...]:
    tokens = [given] if isinstance(given, str) else given
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        raise BrokenDocumentError("webhook_tokens: must be a list of texts")
    return tuple(tokens)


def _parse_credentials(given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        provider: {name: value for name, value in entries.items() if isinstance(value, str) and value}
        for provider, entries in given.items()
        if isinstance(entries, dict)
    }
