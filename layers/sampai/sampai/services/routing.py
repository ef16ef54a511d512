"""Which providers may carry a message, and which one is next."""

from datetime import datetime

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message
from sampai.domain.phone import country_of
from sampai.providers.base import Account, Provider
from sampai.providers.registry import PROVIDERS, load
from sampai.services.circuits import Circuits
from sampai.services.ports import Secret


class Routing:
    """The providers as the settings and the secret of this moment configure them."""

    def __init__(self, settings: Settings, secret: Secret, *, webhook_base_url: str) -> None:
        self._settings = settings
        self._secret = secret
        self._webhook_base_url = settings.public_base_url or webhook_base_url
        self._providers: dict[str, Provider | None] = {}

    def provider(self, name: str) -> Provider | None:
        """Return a provider ready for use, or None if it is unknown, turned off or without credentials."""
        if name not in self._providers:
            self._providers[name] = self._configured(name)
        return self._providers[name]

    def route_of(self, message: Message, *, wanted: str | None) -> tuple[str, ...] | Failure:
        """Return the providers that can carry a new message, in order, or why there is none."""
        if wanted is not None and wanted not in PROVIDERS:
            return Failure(reason=Reason.INVALID_REQUEST, detail="provider: not known")
        if not message.provider_options.keys() <= PROVIDERS.keys():
            return Failure(reason=Reason.INVALID_REQUEST, detail="provider_options: provider not known")
        names = (wanted,) if wanted is not None else self._routed(message)
        if not names:
            return Failure(reason=Reason.UNROUTABLE, detail="recipient: no route for its country and channel")
        refusals = {name: self._refusal(name, message) for name in names}
        able = tuple(name for name in names if refusals[name] is None)
        return able or next(failure for failure in refusals.values() if failure is not None)

    def next_open(self, route: tuple[str, ...], circuits: Circuits, *, now: datetime) -> Provider | None:
        """Return the first provider of a route that is configured and in order."""
        ready = (provider for provider in map(self.provider, route) if provider is not None)
        return next((provider for provider in ready if not circuits.is_open(provider, now=now)), None)

    def still_on(self, route: tuple[str, ...]) -> tuple[str, ...]:
        """Return the part of a route that has not been turned off since."""
        return tuple(name for name in route if self.provider(name) is not None)

    def _routed(self, message: Message) -> tuple[str, ...]:
        return self._settings.route_of(message.channel, country_of(message.recipient or ""))

    def _refusal(self, name: str, message: Message) -> Failure | None:
        provider = self.provider(name)
        if provider is None:
            return Failure(reason=Reason.UNROUTABLE, detail="provider: turned off or without credentials")
        return provider.refusal(message)

    def _configured(self, name: str) -> Provider | None:
        settings = self._settings.providers.get(name)
        if settings is None or not settings.enabled or name not in PROVIDERS:
            return None
        provider = load(name)
        credentials = self._secret.credentials.get(name, {})
        if not provider.capabilities.credentials <= credentials.keys():
            return None
        account = Account(
            base_url=settings.base_url,
            credentials=credentials,
            sender=settings.sender,
            receipt_url=self._receipt_url(name),
        )
        return provider(account)

    def _receipt_url(self, name: str) -> str | None:
        tokens = self._secret.webhook_tokens
        return f"{self._webhook_base_url}/webhooks/{name}/receipt/{tokens[0]}" if tokens else None
