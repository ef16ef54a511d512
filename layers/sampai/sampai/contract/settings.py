"""The settings document: an SSM parameter that an operator can change without a deployment."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from sampai.domain.message import Channel
from sampai.domain.phone import country_of
from sampai.domain.quotas import Limit
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
Sender = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Words = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=40)], ...], Field(max_length=50)]
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]
NamedCountry = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Most = Annotated[int, Field(ge=1, le=1_000_000_000)]
MostSegments = Annotated[int, Field(ge=1, le=255)]
"""An SMS numbers its segments in one byte."""
Rate = Annotated[float, Field(ge=0.1, le=10_000, allow_inf_nan=False)]
PollSeconds = Annotated[int, Field(ge=1, le=7 * 86_400)]
Balance = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class ProviderSettings(_Document):
    enabled: bool = True
    base_url: Url
    sender: Sender | None = None
    senders: dict[Channel, Sender] = Field(default_factory=dict, description="By channel; each overrides `sender`.")
    allowed_senders: tuple[Sender, ...] | None = Field(
        default=None, description="Values that requests may use as `sender`, besides the default one; null: any value."
    )
    low_balance: dict[str, Balance | None] = Field(
        default_factory=dict,
        description="By account: the balance at or below which an alarm is raised. Default 0; null: not watched.",
    )
    max_per_second: Rate | None = Field(
        default=None,
        description="Messages per second of all workers together; an SMS counts its segments. null: no limit.",
    )


class Limits(_Document):
    """The limits on new messages, and on each SMS. Null: no limit."""

    per_recipient_per_hour: Most | None = None
    per_recipient_per_day: Most | None = None
    per_prefix_per_hour: Most | None = None
    per_day: Most | None = None
    max_segments: MostSegments | None = Field(default=None, description="Segments of one SMS.")


class Settings(_Document):
    """The defaults are complete: an empty document works. A document is merged over them, object by object."""

    sending_enabled: bool = Field(default=True, description="False: every message waits, and none is sent to a vendor.")
    allowed_countries: tuple[NamedCountry, ...] | None = Field(
        default=None, description="ISO codes of the permitted destination countries; null: those of the routes."
    )
    limits: Limits
    replace_typographic_characters: bool = Field(
        default=False,
        description="True: an SMS gets plain quotes, dashes and spaces if all of its text then is in the GSM alphabet.",
    )
    routes: dict[Channel, dict[Country, tuple[str, ...]]]
    providers: dict[str, ProviderSettings]
    public_base_url: Url | None = None
    report_horizon_hours: Annotated[float, Field(gt=0, le=24 * 30, allow_inf_nan=False)] = 72
    poll_seconds: Annotated[tuple[PollSeconds, ...], Field(min_length=1, max_length=20)] = (
        15,
        60,
        300,
        1800,
        7200,
        21600,
    )

    opt_out_words: dict[Country, Words] = Field(
        description="Inbound texts that stop promotional messages, by the sender's country; `*` for all countries."
    )
    opt_in_words: dict[Country, Words] = Field(description="Inbound texts that allow promotional messages again.")
    expiry_warning_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=7, description="Days before a balance expires at which an alarm is raised."
    )

    def route_of(self, channel: Channel, country: str | None) -> tuple[str, ...]:
        """Return the ordered providers for a country; `*` is the route of every country that is not named."""
        routes = self.routes.get(channel, {})
        return routes.get(country or "*", routes.get("*", ()))

    def rates(self) -> dict[str, float]:
        """Return `max_per_second` of the providers that have one, by provider name."""
        return {name: given.max_per_second for name, given in self.providers.items() if given.max_per_second}

    def limits_in_force(self) -> dict[Limit, int]:
        """Return the quotas that are set."""
        set_limits = ((limit, getattr(self.limits, limit)) for limit in Limit)
        return {limit: most for limit, most in set_limits if most is not None}


def keywords_for(words: Mapping[str, tuple[str, ...]], number: str) -> tuple[str, ...]:
    """Return the keywords for a sender's number: those of its country, and those for all countries."""
    return (*words.get(country_of(number) or "", ()), *words.get("*", ()))


def default_settings() -> dict[str, Any]:
    """Return the default settings document, which `{}` stands for: each registered provider with its home countries.

    The keywords are English, for all countries, and those of each country with a vendor.
    """
    routes: dict[str, dict[str, list[str]]] = {channel.value: {} for channel in Channel}
    providers: dict[str, Any] = {}
    for name in PROVIDERS:
        first, *_ = apis = load(name)
        providers[name] = {"base_url": first.default_base_url, "sender": first.default_sender}
        for can in (api.capabilities for api in apis):
            for country in sorted(can.countries):
                routes[can.channel.value].setdefault(country, []).append(name)
    return {
        "limits": dict.fromkeys(Limits.model_fields),
        "routes": routes,
        "providers": providers,
        "opt_out_words": {
            "*": ["STOP", "UNSUBSCRIBE"],
            "ID": ["BERHENTI"],
            # Khmer, Bengali and Burmese: not yet confirmed by a speaker.
            "KH": ["ឈប់", "បញ្ឈប់"],
            "BD": ["বন্ধ", "বন্ধ করুন"],
            "MM": ["ရပ်", "ရပ်ပါ"],
        },
        "opt_in_words": {
            "*": ["START", "UNSTOP"],
            "ID": ["MULAI"],
            "KH": ["ចាប់ផ្តើម", "ចាប់ផ្ដើម"],
            "BD": ["শুরু", "চালু"],
            "MM": ["စတင်", "စပါ"],
        },
    }


def parse_settings(document: str) -> Settings:
    """Parse a settings document, or raise BrokenSettingsError."""
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
