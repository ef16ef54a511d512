"""Settings and secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Settings need pydantic, and half of the functions do not import it.
    from sampai.contract.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """The parsed secret document."""

    webhook_tokens: tuple[str, ...] = field(default=(), repr=False)
    """Vendors are given the first token; all tokens are accepted."""
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """By provider name."""
    callback_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Callbacks are signed with all of them. None if one is unfit: callbacks wait."""


class SettingsSource(Protocol):
    def current(self) -> "Settings":
        """Return the settings, at most one minute old.

        Raises UnavailableError if no valid settings were ever read.
        """
        ...


class SecretSource(Protocol):
    def current(self) -> Secret:
        """Return the secret, at most one minute old. Raises UnavailableError if no valid secret was ever read."""
        ...

    def refresh(self) -> None:
        """Drop the cached secret: a vendor or a caller uses a different one."""
        ...

    def fingerprint_key(self) -> bytes:
        """Return the key of request fingerprints. It never changes. Raises UnavailableError."""
        ...
