"""The settings document: an SSM parameter that an operator may change without a deployment."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from sampai.domain.message import Channel
from sampai.providers.registry import PROVIDERS, load

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class BrokenSettingsError(ValueError):
    """The settings document cannot be used. The text names the fields."""


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise PydanticCustomError("url", "must be a URL without user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise PydanticCustomError("url", "must be https; http is for loopback only")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_check_url)]
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ProviderSettings(_Document):
    enabled: bool = True
    base_url: Url
    sender: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    max_per_second: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Accepted and not yet enforced."
    )


class Settings(_Document):
    """Defaults are complete: an empty document works. A given document is laid over them, object by object."""

    routes: dict[Channel, dict[Country, tuple[str, ...]]]
    providers: dict[str, ProviderSettings]
    public_base_url: Url | None = None
    report_horizon_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 72
    poll_seconds: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (
        15,
        60,
        300,
        1800,
        7200,
        21600,
    )

    def route_of(self, channel: Channel, country: str | None) -> tuple[str, ...]:
        """Return the providers for a country, in order; `*` stands for every country that is not named."""
        routes = self.routes.get(channel, {})
        return routes.get(country or "*", routes.get("*", ()))


def default_settings() -> dict[str, Any]:
    """Return the document that stands for `{}`: every registered provider, routed to where it is at home."""
    routes: dict[str, dict[str, list[str]]] = {channel.value: {} for channel in Channel}
    providers: dict[str, Any] = {}
    for name in PROVIDERS:
        provider = load(name)
        providers[name] = {"base_url": provider.default_base_url, "sender": provider.default_sender}
        for channel in provider.capabilities.channels:
            for country in sorted(provider.capabilities.countries):
                routes[channel.value].setdefault(country, []).append(name)
    return {"routes": routes, "providers": providers}


def parse_settings(document: str) -> Settings:
    """Read a settings document, or raise BrokenSettingsError."""
    try:
        given = json.loads(document)
        if not isinstance(given, dict):
            raise BrokenSettingsError("not a JSON object")
        settings = Settings.model_validate(_laid_over(default_settings(), given))
    except (ValueError, RecursionError) as error:
        raise BrokenSettingsError(str(error)) from None
    named = {
        *settings.providers,
        *(p for routes in settings.routes.values() for route in routes.values() for p in route),
    }
    if unknown := named - PROVIDERS.keys():
        raise BrokenSettingsError(f"unknown provider: {', '.join(sorted(unknown))}")
    return settings


def _laid_over(base: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(base)
    for name, value in given.items():
        known = base.get(name)
        laid[name] = _laid_over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return laid
