"""The configuration that one batch is sent with."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from sampai.contract.settings import Settings
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.runtime import UnavailableError
from sampai.services.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings and secrets that one batch is sent with."""

    settings: Settings
    routing: Routing
    fingerprint_key: bytes = field(repr=False)
    lease: timedelta
    """How long a claim holds."""


class ConfigurationLoader:
    def __init__(
        self, *, settings: SettingsSource, secret: SecretSource, webhook_base_url: str, lease: timedelta
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._webhook_base_url = webhook_base_url
        self._lease = lease

    def load(self) -> Configuration:
        """Return the current configuration. Raises UnavailableError."""
        settings = self._settings.current()
        return Configuration(
            settings=settings,
            routing=Routing(settings, self._secret.current(), webhook_base_url=self._webhook_base_url),
            fingerprint_key=self._secret.fingerprint_key(),
            lease=self._lease,
        )

    def warm_up(self) -> None:
        """Fill the caches of the sources. If one is unavailable, the first batch loads it."""
        with suppress(UnavailableError):
            self.load()
