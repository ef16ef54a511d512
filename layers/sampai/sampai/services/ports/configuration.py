"""Settings and secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Settings need pydantic, and half of the functions do not import it.
    from sampai.contract.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """The secret document, read."""

    webhook_tokens: tuple[str, ...] = field(default=(), repr=False)
    """The first one is handed to vendors; all are accepted."""
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """By provider."""


class SettingsSource(Protocol):
    def current(self) -> "Settings":
        """Return the settings, at most a minute old. Raises UnavailableError if there never were good ones."""
        ...


class SecretSource(Protocol):
    def current(self) -> Secret:
        """Return the secret, at most a minute old. Raises UnavailableError if there never was one."""
        ...

    def refresh(self) -> None:
        """Forget the cached secret: a vendor or a caller disagrees with it."""
        ...

    def fingerprint_key(self) -> bytes:
        """Return the key under which requests are compared; it never changes."""
        ...
