"""Select the providers that can send a message."""

from collections.abc import Collection, KeysView
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from sampai.contract.settings import Limits, Settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Channel, Message, count_segments
from sampai.domain.phone import country_of
from sampai.domain.recipient import is_email
from sampai.domain.webhook_token import webhook_token
from sampai.providers.base import Provider, ProviderConfig
from sampai.providers.registry import load, on_channel
from sampai.services.ports.configuration import Secret
from sampai.services.ports.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Configured:
    """A provider with its configuration, and the credentials that it lacks."""

    provider: Provider
    missing: tuple[str, ...]
    """Credentials that are missing from the secret or not usable, each after the name of the provider and a dot."""


class Routing:
    """The providers as the current settings and the current secret configure them.

    A provider is *off* if the settings turn it off or no longer have it, or if the secret does not name it. It is
    *unusable* if the secret names it and lacks a credential: the route of a message keeps it, and the message waits for
    it.
    """

    def __init__(self, settings: Settings, secret: Secret, *, webhook_base_url: str = "") -> None:
        """`webhook_base_url` is the address for receipts that vendors are told with a message."""
        self._settings = settings
        self._secret = secret
        self._webhook_base_url = settings.public_base_url or webhook_base_url
        self._providers: dict[tuple[str, Channel], _Configured | None] = {}

    def names(self) -> KeysView[str]:
        """Return the names of the providers that the settings have."""
        return self._settings.providers.keys()

    def apis_of(self, name: str) -> tuple[type[Provider], ...]:
        """Return the classes of a provider, one for each channel; none if the settings do not have it."""
        settings = self._settings.providers.get(name)
        return () if settings is None else load(settings.type)

    def provider(self, name: str, channel: Channel) -> Provider | None:
        """Return a provider that can be called, or None if it is unknown, off or unusable on the channel."""
        configured = self._configured(name, channel)
        return None if configured is None or configured.missing else configured.provider

    def unusable(self) -> dict[str, tuple[str, ...]]:
        """Return the credentials that are missing, by the name of each unusable provider that was asked for."""
        missing: dict[str, set[str]] = {}
        for (name, _), configured in self._providers.items():
            if configured is not None and configured.missing:
                missing.setdefault(name, set()).update(configured.missing)
        return {name: tuple(sorted(fields)) for name, fields in missing.items()}

    def unnamed(self, message: Message) -> tuple[str, ...]:
        """Return the providers on the present route of a message that are off because the secret does not name them."""
        settings, named = self._settings.providers, self._secret.credentials
        return tuple(n for n in self._names_for(message) if n in settings and settings[n].enabled and n not in named)

    def route_of(self, message: Message) -> tuple[str, ...] | Failure:
        """Return the names of the providers that can send a message, in order, or the reason why there is none."""
        if (refusal := self._validate_message(message)) is not None:
            return refusal
        names = self._names_for(message)
        if not names:
            return Failure(reason=Reason.UNROUTABLE, detail=_no_route(message))
        refusals = {name: self._validate(name, message) for name in names}
        able = tuple(name for name in names if refusals[name] is None)
        return able or next(failure for failure in refusals.values() if failure is not None)

    def reroute(self, message: Message) -> Message | Failure:
        """Return a message with the present route if a provider of its own route is off, else unchanged.

        Return the reason if the present route has no provider for it.
        """
        if message.route and all(self._configured(name, message.channel) for name in message.route):
            return message
        route = self.route_of(message)
        return route if isinstance(route, Failure) else replace(message, route=route)

    def providers_for(self, message: Message) -> tuple[Provider, ...]:
        """Return the providers on the route of a message that can be called."""
        found = (self.provider(name, message.channel) for name in message.route)
        return tuple(provider for provider in found if provider is not None)

    def all_providers_for(self, message: Message) -> tuple[Provider, ...]:
        """Return the providers on the route of a message that are on, with the unusable ones."""
        found = (self._configured(name, message.channel) for name in message.route)
        return tuple(configured.provider for configured in found if configured is not None)

    def validate_policy(self, message: Message, provider: Provider) -> Failure | None:
        """Return the reason why the current settings forbid a provider to send a message, or None."""
        return self._validate_message(message) or self._validate_sender(message, provider)

    def _names_for(self, message: Message) -> tuple[str, ...]:
        """Return the provider that the caller named, or the route of the settings."""
        if message.requested_provider is not None:
            return (message.requested_provider,)
        return self._settings.route_of(message.channel, country_of(message.recipient or ""))

    def _validate(self, name: str, message: Message) -> Failure | None:
        settings = self._settings.providers.get(name)
        if settings is not None and on_channel(settings.type, message.channel) is None:
            return Failure(reason=Reason.UNSUPPORTED, detail=f"channel: {name} does not offer it")
        configured = self._configured(name, message.channel)
        if configured is None:
            return Failure(reason=Reason.UNROUTABLE, detail="provider: turned off or without credentials")
        provider = configured.provider
        return self._validate_sender(message, provider) or provider.validate(message)

    def _validate_message(self, message: Message) -> Failure | None:
        """Return the reason why the settings forbid a message to every provider."""
        foreign = _validate_country(message.recipient, self._settings.allowed_countries)
        refusal = foreign or _validate_segments(message, self._settings.limits, path="limits")
        rules = self._settings.rules_of(message.caller)
        if refusal is not None or message.caller is None or rules is None:
            return refusal
        return _validate_segments(message, rules.limits, path=f"{message.caller.settings_path}.limits")

    def _validate_sender(self, message: Message, provider: Provider) -> Failure | None:
        rules = self._settings.rules_of(message.caller)
        own = None if rules is None else rules.allowed_senders
        allowed, default = self._settings.providers[provider.name].allowed_senders, provider.config.sender
        refusal = _validate_allowed(message.sender, allowed, default=default)
        return refusal or _validate_allowed(message.sender, own, default=default)

    def _configured(self, name: str, channel: Channel) -> _Configured | None:
        """Return a provider that is on, or None if it is off or does not offer the channel."""
        if (name, channel) not in self._providers:
            self._providers[name, channel] = self._configure(name, channel)
        return self._providers[name, channel]

    def _configure(self, name: str, channel: Channel) -> _Configured | None:
        settings = self._settings.providers.get(name)
        api = on_channel(settings.type, channel) if settings is not None and settings.enabled else None
        credentials = self._secret.credentials.get(name)
        if settings is None or api is None or credentials is None:
            return None
        can, age = api.capabilities, settings.delivered_after_seconds
        zone = settings.timezone or can.timezone
        config = ProviderConfig(
            name=name,
            base_url=settings.base_url,
            credentials=credentials,
            sender=settings.senders.get(channel, settings.sender),
            receipt_url=self._receipt_url(name),
            zone=ZoneInfo(zone) if zone else UTC,
            delivered_after=timedelta(seconds=can.delivered_after_seconds if age is None else age),
        )
        missing = sorted(can.credentials - credentials.keys())
        return _Configured(provider=api(config), missing=tuple(f"{name}.{field}" for field in missing))

    def _receipt_url(self, name: str) -> str | None:
        tokens = self._secret.webhook_tokens
        if not tokens:
            return None
        return f"{self._webhook_base_url}/webhooks/{name}/receipt/{webhook_token(tokens[0], name)}"


def report_unusable(routing: Routing, telemetry: Telemetry) -> None:
    """Log and count each unusable provider that was asked for."""
    for name, fields in routing.unusable().items():
        telemetry.error("provider unusable", provider=name, fields=fields)
        telemetry.count("ProviderUnusable", provider=name)


def _no_route(message: Message) -> str:
    if message.audience:
        return "provider: needed with an audience, which is known to one vendor alone"
    return "recipient: no route for its country and channel"


def _validate_country(recipient: str | None, allowed: Collection[str] | None) -> Failure | None:
    """Return a failure if the country of a number is not allowed. `allowed` has ISO 3166-1 codes; None allows all.

    An e-mail address has no country.
    """
    if recipient is None or allowed is None or is_email(recipient) or country_of(recipient) in allowed:
        return None
    return Failure(reason=Reason.BLOCKED, detail="recipient: its country is not allowed")


def _validate_segments(message: Message, limits: Limits, *, path: str) -> Failure | None:
    """Return a failure if an SMS exceeds `max_segments` of some limits. `path` is their place in the settings."""
    segments, maximum = count_segments(message).segments, limits.max_segments
    if segments is None or maximum is None or segments <= maximum:
        return None
    detail = f"content.text: has {segments} segments, {path}.max_segments allows {maximum}"
    return Failure(reason=Reason.TOO_LONG, detail=detail)


def _validate_allowed(sender: str | None, allowed: Collection[str] | None, *, default: str | None) -> Failure | None:
    """Return a failure if a request names a sender that is not allowed. The default sender is always allowed."""
    if sender is None or allowed is None or sender == default or sender in allowed:
        return None
    return Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")
