"""The secret: webhook tokens and the vendors' credentials in one document of Secrets Manager, and the fingerprint key.

Read by every function, so nothing heavy is imported here.
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
"""Callers with wrong tokens cannot make us read the secret more often than this."""


class SecretsManagerSecret(Document[Secret]):
    """Implements `ports.SecretSource`. The fingerprint key is the whole string of a secret of its own.

    `client` returns a client of Secrets Manager; it is called when there is something to read.
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
        """Have `current` read the secret again, unless that was done a moment ago."""
        if self._is_stale(REFRESH_INTERVAL):
            self._read_at = None

    def fingerprint_key(self) -> bytes:
        """Return the key, read once. Raises UnavailableError."""
        if self._fingerprint_key is None:
            key = self._get(self._fingerprint_arn) if self._fingerprint_arn else ""
            if not key:
                raise UnavailableError("fingerprint key: none")
            self._fingerprint_key = key.encode()
        return self._fingerprint_key

    def _read(self) -> Secret:
        return parse_secret(self._get(self._arn))

    def _get(self, arn: str) -> str:
        with unavailable("secret"):
            document: str = self._client().get_secret_value(SecretId=arn).get("SecretString", "")
        return document


def parse_secret(document: str) -> Secret:
    """Read a secret document, or raise BrokenDocumentError. Names that we do not know are left alone.

    A single token may stand for a list of one: that is what CloudFormation can generate.
    """
    try:
        given = json.loads(document)
    except (ValueError, RecursionError):
        # The text of a JSON error is kept out of the log with its cause.
        raise BrokenDocumentError("not JSON") from None
    if not isinstance(given, dict):
        raise BrokenDocumentError("not a JSON object")
    return Secret(webhook_tokens=_tokens(given.pop("webhook_tokens", [])), credentials=_credentials(given))


def _tokens(given: Any) -> tuple[str, ...]:
    tokens = [given] if isinstance(given, str) else given
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        raise BrokenDocumentError("webhook_tokens: not a list of texts")
    return tuple(tokens)


def _credentials(given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        provider: {name: value for name, value in entries.items() if isinstance(value, str) and value}
        for provider, entries in given.items()
        if isinstance(entries, dict)
    }
