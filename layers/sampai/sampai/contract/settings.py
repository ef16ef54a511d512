"""The settings document: an SSM parameter that an operator can change without a deployment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sampai.contract.problems import Matches, broken_rule, describe
from sampai.domain.caller import CALLER_ID, Caller
from sampai.domain.documents import parse_object
from sampai.domain.message import Channel
from sampai.domain.phone import COUNTRIES, country_of
from sampai.domain.quiet_hours import MIN_OPEN, ZONES, QuietHours
from sampai.domain.quotas import Limit
from sampai.providers.registry import PROVIDER_NAME, PROVIDERS, load

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class BrokenSettingsError(ValueError):
    """The settings document cannot be used. The text names the fields."""


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise broken_rule("must be a URL without user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise broken_rule("must be https; http is for loopback only")
    return url.rstrip("/")


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, no valid name, or a folder of names
        raise broken_rule("must be the name of an IANA time zone, such as Asia/Dhaka") from None
    return name


Url = Annotated[str, AfterValidator(_check_url)]
Name = Annotated[str, Matches(PROVIDER_NAME, "must be 1 to 32 of a-z 0-9 - and start with a letter")]
CallerId = Annotated[
    str, Matches(CALLER_ID, "must be the part of SenderId before the colon: the unique id of a user or role")
]
CallerName = Annotated[
    str,
    Matches(
        re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII),
        "must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit",
    ),
]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_check_zone)]
Age = Annotated[int, Field(ge=0, le=86_400)]
Sender = Annotated[str, StringConstraints(min_length=1, max_length=320)]
Words = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=40)], ...], Field(max_length=50)]
Country = Annotated[str, Matches(re.compile(r"([A-Z]{2}|\*)"), "must be a country of two capital letters, or *")]
NamedCountry = Annotated[str, Matches(re.compile("[A-Z]{2}"), "must be a country of two capital letters")]
TimeOfDay = Annotated[
    str, Matches(re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]"), "must be a time from 00:00 to 23:59, such as 21:00")
]
Most = Annotated[int, Field(ge=1, le=1_000_000_000)]
MostSegments = Annotated[int, Field(ge=1, le=255)]
"""An SMS numbers its segments in one byte."""
Rate = Annotated[float, Field(ge=0.1, le=10_000, allow_inf_nan=False)]
PollSeconds = Annotated[int, Field(ge=1, le=7 * 86_400)]
Balance = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Pace:
    """A limit on the messages, or the look-ups, per second. Those with the same name share it."""

    name: str
    per_second: float


class ProviderSettings(_Document):
    type: str = Field(
        description="The known provider whose API this one has. A known provider is its own type; any other needs it."
    )
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
    max_lookups_per_second: Rate | None = Field(
        default=None,
        description="Look-ups and list calls per second of all workers together. null: no limit but 64 at a time.",
    )
    timezone: Zone | None = Field(
        default=None,
        description="IANA zone of the vendor's times, where the vendor names none and has none of its own. null: the "
        "provider's own default.",
    )
    delivered_after_seconds: Age | None = Field(
        default=None,
        description="Age of an attempt in seconds from which a polled `delivered` is believed; before it, the word "
        "counts as `sent`. null: the provider's own default.",
    )
    rates: dict[Channel, Rate | None] = Field(
        default_factory=dict,
        description="Messages per second by channel; each overrides `max_per_second` and is counted by itself.",
    )


class Limits(_Document):
    """The limits on new messages, and on each SMS. Null: no limit."""

    per_recipient_per_hour: Most | None = None
    per_recipient_per_day: Most | None = None
    per_prefix_per_hour: Most | None = None
    per_day: Most | None = None
    max_segments: MostSegments | None = Field(default=None, description="Segments of one SMS.")

    def quotas(self) -> dict[Limit, int]:
        """Return the limits that are counted, without those that are not set."""
        set_limits = ((limit, getattr(self, limit)) for limit in Limit)
        return {limit: most for limit, most in set_limits if most is not None}


class CallerSettings(_Document):
    name: CallerName | None = Field(
        default=None, description="Stands for the id in events, items, log lines and reports. null: the id itself."
    )
    allowed_senders: tuple[Sender, ...] | None = Field(
        default=None,
        description="Values that its requests may use as `sender`, besides the default one; null: any value that the "
        "provider allows.",
    )
    limits: Limits = Field(
        default_factory=Limits, description="The limits on its messages, in addition to those on all messages."
    )


class QuietHoursSettings(_Document):
    """The quiet hours of a country, by the local clock."""

    from_: TimeOfDay = Field(alias="from", description="Local time at which they begin.")
    to: TimeOfDay = Field(description="Local time at which they end; before `from`: on the next day.")
    timezones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=12)] | None = Field(
        default=None,
        description="IANA zones of the country: it is quiet while it is quiet in any of them. Required, except for "
        f"{', '.join(ZONES)}.",
    )


class Settings(_Document):
    """The defaults are complete: an empty document works. A document is merged over them, object by object."""

    sending_enabled: bool = Field(default=True, description="False: every message waits, and none is sent to a vendor.")
    allowed_countries: tuple[NamedCountry, ...] | None = Field(
        default=None, description="ISO codes of the permitted destination countries; null: those of the routes."
    )
    limits: Limits
    callers: dict[CallerId, CallerSettings] = Field(
        default={},
        description="By the unique id of an IAM user or role. A caller without an entry has no rules of its own.",
    )
    quiet_hours: dict[NamedCountry, QuietHoursSettings] = Field(
        default={},
        description="By ISO code of the recipient's country: the time in which promotional messages wait.",
    )
    replace_typographic_characters: bool = Field(
        default=False,
        description="True: an SMS gets plain quotes, dashes and spaces if all of its text then is in the GSM alphabet.",
    )
    routes: dict[Channel, dict[Country, tuple[str, ...]]]
    providers: dict[Name, ProviderSettings]
    public_base_url: Url | None = None
    report_horizon_hours: Annotated[float, Field(gt=0, le=24 * 30, allow_inf_nan=False)] = 72
    poll_seconds: Annotated[tuple[PollSeconds, ...], Field(min_length=1, max_length=20)] = Field(
        default=(15, 60, 300, 1800, 7200, 21600),
        description="Delays before the first, second, … poll; the last one repeats. A message that a vendor has taken "
        "is first polled at the end of its lease, 60 s after the attempt, or after a longer first delay.",
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

    def pace_of(self, provider: str | None, channel: Channel) -> Pace | None:
        """Return the limit on the messages to a provider on a channel, or None if there is none."""
        given = self.providers.get(provider or "")
        if given is None:
            return None
        if channel in given.rates:
            rate = given.rates[channel]
            return None if rate is None else Pace(name=f"{provider}#{channel}", per_second=rate)
        rate = given.max_per_second
        return None if rate is None else Pace(name=provider or "", per_second=rate)

    def lookup_pace_of(self, provider: str) -> Pace | None:
        """Return the limit on the look-ups and list calls of a provider, or None if there is none.

        They share it over all channels, and never with messages.
        """
        given = self.providers.get(provider)
        rate = given.max_lookups_per_second if given is not None else None
        return None if rate is None else Pace(name=f"{provider}#lookups", per_second=rate)

    def caller(self, caller_id: str | None) -> Caller | None:
        """Return the caller of an id with its name, or None without an id."""
        if caller_id is None:
            return None
        given = self.callers.get(caller_id)
        return Caller(id=caller_id, name=(given.name if given is not None else None) or caller_id)

    def rules_of(self, caller: Caller | None) -> CallerSettings | None:
        """Return the rules of a caller, or None if it has none of its own."""
        return None if caller is None else self.callers.get(caller.id)

    def quiet_hours_in_force(self) -> dict[str, QuietHours]:
        """Return the quiet hours by country."""
        return {country: _quiet_hours_of(country, given) for country, given in self.quiet_hours.items()}


_FIELD_NAMES: Final = frozenset(
    name for model in (Settings, ProviderSettings, CallerSettings, Limits) for name in model.model_fields
)


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
        providers[name] = _default_provider(name)
        for can in (api.capabilities for api in load(name)):
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


def _default_provider(type_name: str) -> dict[str, Any]:
    first, *_ = apis = load(type_name)
    defaults: dict[str, Any] = {"type": type_name, "base_url": first.default_base_url, "sender": first.default_sender}
    if first.capabilities.timezone is not None:
        defaults["timezone"] = first.capabilities.timezone
    if first.capabilities.delivered_after_seconds:
        defaults["delivered_after_seconds"] = first.capabilities.delivered_after_seconds
    rates = {api.capabilities.channel.value: api.capabilities.max_per_second for api in apis}
    if known := {channel: rate for channel, rate in rates.items() if rate is not None}:
        defaults["rates"] = known
    return defaults


def parse_settings(document: str) -> Settings:
    """Parse a settings document, or raise BrokenSettingsError."""
    try:
        given = parse_object(document)
        defaults = default_settings()
        defaults["providers"] |= _defaults_of_further_providers(given.get("providers"))
        settings = Settings.model_validate(_laid_over(defaults, given))
    except ValidationError as error:
        raise BrokenSettingsError(describe(error, known=_FIELD_NAMES)) from None
    except (ValueError, RecursionError) as error:
        raise BrokenSettingsError(str(error)) from None
    for channel, routes in settings.routes.items():
        for country, route in routes.items():
            if unknown := sorted(set(route) - settings.providers.keys()):
                raise BrokenSettingsError(f"routes.{channel}.{country}: unknown provider: {', '.join(unknown)}")
    for country, given_hours in settings.quiet_hours.items():
        if (problem := _problem_of_quiet_hours(country, given_hours)) is not None:
            raise BrokenSettingsError(f"quiet_hours.{country}{problem}")
    return settings


def _quiet_hours_of(country: str, given: QuietHoursSettings) -> QuietHours:
    return QuietHours(
        country=country,
        begin=time.fromisoformat(given.from_),
        end=time.fromisoformat(given.to),
        zones=tuple(ZoneInfo(name) for name in given.timezones or ZONES[country]),
    )


def _problem_of_quiet_hours(country: str, given: QuietHoursSettings) -> str | None:
    """Return the reason why quiet hours cannot be used, to follow the name of the country, or None."""
    if country not in COUNTRIES:
        return ": no number has this country; a calling code of several countries counts as the largest one"
    if given.timezones is None and country not in ZONES:
        return f".timezones: required, because only those of {', '.join(ZONES)} are known"
    if given.from_ == given.to:
        return ".to: must not be the same as from"
    if _quiet_hours_of(country, given).longest() > timedelta(days=1) - MIN_OPEN:
        hours = MIN_OPEN // timedelta(hours=1)
        return f": must leave at least {hours} hours of the day, over all time zones of the country together"
    return None


def _defaults_of_further_providers(given: Any) -> dict[str, Any]:
    """Return the defaults of each provider that is not a known one: those of its type.

    Raise BrokenSettingsError, which names the field, for a type that does not exist, or not for this provider.
    """
    defaults: dict[str, Any] = {}
    for name, entry in (given if isinstance(given, dict) else {}).items():
        if not isinstance(entry, dict):
            continue
        type_name = entry.get("type", name)
        if not isinstance(type_name, str) or type_name not in PROVIDERS:
            raise BrokenSettingsError(f"providers.{name}.type: must be one of {', '.join(PROVIDERS)}")
        if name not in PROVIDERS:
            defaults[name] = _default_provider(type_name)
        elif type_name != name:
            raise BrokenSettingsError(f"providers.{name}.type: must be {name}, because that is a known provider")
    return defaults


def _laid_over(base: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(base)
    for name, value in given.items():
        known = base.get(name)
        laid[name] = _laid_over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return laid
