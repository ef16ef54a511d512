"""The secret: webhook tokens and the vendors' credentials in one document of Secrets Manager, and the fingerprint key.

Almost every function imports this module, so it imports only small modules.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from sampai.adapters.aws import unavailable
from sampai.adapters.document import BrokenDocumentError, Document
from sampai.domain.callback_signature import parse_key
from sampai.domain.documents import DocumentError, parse_object
from sampai.services.ports.configuration import Secret
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

REFRESH_INTERVAL: Final = timedelta(seconds=5)
"""The shortest time between two reads, so that callers with wrong tokens cannot cause more."""

_LASTING_ERRORS: Final = frozenset(
    {"AccessDeniedException", "DecryptionFailure", "InvalidRequestException", "ResourceNotFoundException"}
)
"""Errors of Secrets Manager that last until an operator acts: a deleted secret, or a missing permission."""

_FIT: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
"""The characters of an HTTP header (RFC 9110, section 5.5) without its obsolete ones."""

_AT_THE_ENDS: Final = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff]+|[\s\u200b-\u200f\u2060\ufeff]+$")
"""White space, byte order marks and invisible characters, which are copied together with a credential."""


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
            try:
                key = self._get(self._fingerprint_arn) if self._fingerprint_arn else ""
            except BrokenDocumentError as error:
                raise UnavailableError(f"fingerprint key: {error}") from None
            if not key:
                raise UnavailableError("fingerprint key: missing")
            self._fingerprint_key = key.encode()
        return self._fingerprint_key

    def _read(self) -> Secret:
        return parse_secret(self._get(self._arn))

    def _read_older(self) -> Secret | None:
        try:
            secret = parse_secret(self._get(self._arn, VersionStage="AWSPREVIOUS"))
        except (BrokenDocumentError, UnavailableError):
            return None
        self._telemetry.warning("older secret in use")
        return secret

    def _get(self, arn: str, **version: str) -> str:
        """Return the string of a secret. Raise UnavailableError, or BrokenDocumentError for an error that lasts."""
        with unavailable("secret"):
            try:
                answer = self._client().get_secret_value(SecretId=arn, **version)
            except ClientError as error:
                if (code := error.response.get("Error", {}).get("Code")) in _LASTING_ERRORS:
                    raise BrokenDocumentError(f"cannot be read: {code}") from None
                raise
        document: str = answer.get("SecretString", "")
        return document


def parse_secret(document: str) -> Secret:
    """Parse a secret document. Raise BrokenDocumentError, which names the field, if it is not valid.

    A single token is accepted instead of a list, because CloudFormation can generate only a text. Each provider that
    the document names has an entry, with those of its credentials that can be used.
    """
    try:
        given = parse_object(document)
    except DocumentError as error:
        raise BrokenDocumentError(str(error)) from None
    except (ValueError, RecursionError):
        # A JSON error contains parts of the document, so it must not appear in a log as the cause.
        raise BrokenDocumentError("not JSON") from None
    return Secret(
        webhook_tokens=_parse_tokens(given.pop("webhook_tokens", None)),
        callback_keys=_parse_callback_secrets(given.pop("callback_secrets", [])),
        credentials=_parse_credentials(given),
    )


def _parse_tokens(given: Any) -> tuple[str, ...]:
    tokens = [given] if isinstance(given, str) else given
    usable = tuple(filter(None, map(_parse_text, tokens))) if isinstance(tokens, list) else ()
    if not usable or len(usable) < len(tokens):
        raise BrokenDocumentError("webhook_tokens: must be a list of one or more texts in printable ASCII")
    return usable


def _parse_callback_secrets(given: Any) -> tuple[bytes, ...]:
    """Return the keys of callbacks; none if an entry is unfit. That must not break the document for other functions."""
    secrets = given if isinstance(given, list) else [given]
    keys = [parse_key(_parse_text(secret) or "") for secret in secrets]
    usable = tuple(key for key in keys if key is not None)
    return usable if len(usable) == len(keys) else ()


def _parse_credentials(given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {provider: _parse_entries(entries) for provider, entries in given.items()}


def _parse_entries(entries: Any) -> dict[str, str]:
    usable = {name: _parse_text(value) for name, value in (entries.items() if isinstance(entries, dict) else ())}
    return {name: value for name, value in usable.items() if value is not None}


def _parse_text(value: Any) -> str | None:
    """Return a credential or token without white space at its ends, or None if no HTTP header can hold it."""
    text = _AT_THE_ENDS.sub("", value) if isinstance(value, str) else ""
    return text if _FIT.fullmatch(text) else None
