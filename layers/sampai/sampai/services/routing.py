"""Select the providers that can send a message."""

from collections.abc import Collection

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Channel, Message
from sampai.domain.phone import country_of
from sampai.domain.webhook_token import webhook_token
from sampai.providers.base import Provider, ProviderConfig
from sampai.providers.registry import PROVIDERS, on_channel
from sampai.services.ports.configuration import Secret


class Routing:
    """The providers as the current settings and the current secret configure them."""

    def __init__(self, settings: Settings, secret: Secret, *, webhook_base_url: str = "") -> None:
        """`webhook_base_url` is the address for receipts that vendors are told with a message."""
        self._settings = settings
        self._secret = secret
        self._webhook_base_url = settings.public_base_url or webhook_base_url
        self._providers: dict[tuple[str, Channel], Provider | None] = {}

    def provider(self, name: str, channel: Channel) -> Provider | None:
        """Return a configured provider, or None if it is unknown, turned off or without credentials on the channel."""
        if (name, channel) not in self._providers:
            self._providers[name, channel] = self._configure(name, channel)
        return self._providers[name, channel]

    def route_of(self, message: Message, *, wanted: str | None) -> tuple[str, ...] | Failure:
        """Return the names of the providers that can send a new message, in order, or the reason why there is none."""
        if wanted is not None and wanted not in PROVIDERS:
            return Failure(reason=Reason.INVALID_REQUEST, detail="provider: not known")
        if not message.provider_options.keys() <= PROVIDERS.keys():
            return Failure(reason=Reason.INVALID_REQUEST, detail="provider_options: provider not known")
        if (foreign := _validate_country(message.recipient, self._settings.allowed_countries)) is not None:
            return foreign
        names = (wanted,) if wanted is not None else self._default_route(message)
        if not names:
            return Failure(reason=Reason.UNROUTABLE, detail=_no_route(message))
        refusals = {name: self._validate(name, message) for name in names}
        able = tuple(name for name in names if refusals[name] is None)
        return able or next(failure for failure in refusals.values() if failure is not None)

    def providers_for(self, message: Message) -> tuple[Provider, ...]:
        """Return the providers on the route of a message that are still turned on."""
        found = (self.provider(name, message.channel) for name in message.route)
        return tuple(provider for provider in found if provider is not None)

    def validate_policy(self, message: Message, provider: Provider) -> Failure | None:
        """Return the reason why the current settings forbid a provider to send a message, or None."""
        foreign = _validate_country(message.recipient, self._settings.allowed_countries)
        return foreign or self._validate_sender(message, provider)

    def _default_route(self, message: Message) -> tuple[str, ...]:
        return self._settings.route_of(message.channel, country_of(message.recipient or ""))

    def _validate(self, name: str, message: Message) -> Failure | None:
        if on_channel(name, message.channel) is None:
            return Failure(reason=Reason.UNSUPPORTED, detail=f"channel: {name} does not offer it")
        provider = self.provider(name, message.channel)
        if provider is None:
            return Failure(reason=Reason.UNROUTABLE, detail="provider: turned off or without credentials")
        return self._validate_sender(message, provider) or provider.validate(message)

    def _validate_sender(self, message: Message, provider: Provider) -> Failure | None:
        allowed = self._settings.providers[provider.name].allowed_senders
        return _validate_allowed(message.sender, allowed, default=provider.config.sender)

    def _configure(self, name: str, channel: Channel) -> Provider | None:
        settings = self._settings.providers.get(name)
        api = on_channel(name, channel) if settings is not None and settings.enabled else None
        if settings is None or api is None:
            return None
        credentials = self._secret.credentials.get(name, {})
        if not api.capabilities.credentials <= credentials.keys():
            return None
        config = ProviderConfig(
            base_url=settings.base_url,
            credentials=credentials,
            sender=settings.senders.get(channel, settings.sender),
            receipt_url=self._receipt_url(name),
        )
        return api(config)

    def _receipt_url(self, name: str) -> str | None:
        tokens = self._secret.webhook_tokens
        if not tokens:
            return None
        return f"{self._webhook_base_url}/webhooks/{name}/receipt/{webhook_token(tokens[0], name)}"


def _no_route(message: Message) -> str:
    if message.audience:
        return "provider: needed with an audience, which is known to one vendor alone"
    return "recipient: no route for its country and channel"


def _validate_country(recipient: str | None, allowed: Collection[str] | None) -> Failure | None:
    """Return a failure if the country of a number is not allowed. `allowed` has ISO 3166-1 codes; None allows all."""
    if recipient is None or allowed is None or country_of(recipient) in allowed:
        return None
    return Failure(reason=Reason.BLOCKED, detail="recipient: its country is not allowed")


def _validate_allowed(sender: str | None, allowed: Collection[str] | None, *, default: str | None) -> Failure | None:
    """Return a failure if a request names a sender that is not allowed. The default sender is always allowed."""
    if sender is None or allowed is None or sender == default or sender in allowed:
        return None
    return Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")
