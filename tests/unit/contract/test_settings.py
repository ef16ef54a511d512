"""The settings document."""

import json
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sampai.contract.settings import BrokenSettingsError, CallerSettings, Limits, Pace, parse_settings
from sampai.domain.caller import Caller
from sampai.domain.message import Channel
from sampai.domain.quiet_hours import QuietHours
from sampai.domain.quotas import Limit


def test_an_empty_document_is_complete() -> None:
    settings = parse_settings("{}")

    assert settings.routes[Channel.SMS] == {
        "KH": ("nomsa",),
        "BD": ("smsnoc",),
        "MM": ("smspoh",),
        "ID": ("nusasms",),
    }
    assert {name: p.base_url for name, p in settings.providers.items()} == {
        "nomsa": "https://api.nomsa.gov.kh/v1",
        "smsnoc": "https://app.smsnoc.com/api/v3",
        "smspoh": "https://v3.smspoh.com/api/rest",
        "nusasms": "https://api.nusasms.com",
    }
    assert settings.report_horizon_hours == 72
    assert settings.poll_seconds == (15, 60, 300, 1800, 7200, 21600)
    assert settings.public_base_url is None
    assert settings.sending_enabled is True
    assert settings.allowed_countries is None
    assert set(settings.limits.model_dump().values()) == {None}
    assert {p.allowed_senders for p in settings.providers.values()} == {None}


def test_provider_with_times_of_its_own_or_early_words_shows_them_in_the_defaults() -> None:
    clocks = {
        name: (provider.timezone, provider.delivered_after_seconds)
        for name, provider in parse_settings("{}").providers.items()
    }

    assert clocks == {
        "nomsa": (None, None),
        "smsnoc": ("Asia/Dhaka", 600),
        "smspoh": (None, None),
        "nusasms": (None, None),
    }


def test_limit_leaves_the_other_limits_unchanged() -> None:
    settings = parse_settings('{"limits": {"per_day": 5000}}')

    assert settings.limits.quotas() == {Limit.PER_DAY: 5000}


def test_document_overrides_the_defaults() -> None:
    settings = parse_settings(
        json.dumps(
            {
                "routes": {"sms": {"KH": [], "TH": ["smspoh"], "*": ["smspoh", "nomsa"]}},
                "providers": {"nomsa": {"enabled": False, "max_per_second": 20}},
            }
        )
    )

    assert settings.route_of(Channel.SMS, "KH") == ()
    assert settings.route_of(Channel.SMS, "BD") == ("smsnoc",)
    assert settings.route_of(Channel.SMS, "TH") == ("smspoh",)
    assert settings.route_of(Channel.SMS, "JP") == ("smspoh", "nomsa")
    assert settings.route_of(Channel.SMS, None) == ("smspoh", "nomsa")
    assert settings.providers["nomsa"].enabled is False
    assert settings.providers["nomsa"].base_url == "https://api.nomsa.gov.kh/v1"
    assert settings.providers["smspoh"].enabled is True


def _quiet(country: str, begin: str, end: str, zones: list[str] | None = None) -> str:
    return json.dumps({"quiet_hours": {country: {"from": begin, "to": end, "timezones": zones}}})


BROKEN = [
    ("not JSON", "{", ""),
    ("not an object", "[]", "not a JSON object"),
    ("unknown field", '{"colour": 1}', "colour"),
    ("provider without a type", '{"providers": {"philsms": {}}}', "providers.philsms.type: must be one of nomsa, "),
    ("unknown type", '{"providers": {"philsms": {"type": "acme"}}}', "providers.philsms.type: must be one of nomsa, "),
    ("no text as a type", '{"providers": {"philsms": {"type": ["smsnoc"]}}}', "providers.philsms.type"),
    ("type of a further provider", '{"providers": {"a": {"type": "smsnoc"}, "b": {"type": "a"}}}', "providers.b.type"),
    (
        "known provider of another type",
        '{"providers": {"nomsa": {"type": "smsnoc"}}}',
        "providers.nomsa.type: must be ",
    ),
    ("known provider without its type", '{"providers": {"nomsa": {"type": null}}}', "providers.nomsa.type"),
    ("name in capitals", '{"providers": {"PhilSms": {"type": "smsnoc"}}}', "providers.PhilSms"),
    ("name that begins with a digit", '{"providers": {"2nd": {"type": "smsnoc"}}}', "providers.2nd"),
    ("name that ends in a line break", '{"providers": {"second\\n": {"type": "smsnoc"}}}', "providers.second"),
    ("name of 33 characters", json.dumps({"providers": {"x" * 33: {"type": "smsnoc"}}}), "providers." + "x" * 33),
    ("provider that is no object", '{"providers": {"philsms": "smsnoc"}}', "providers.philsms"),
    ("two providers with one name", '{"providers": {"nomsa": {}, "nomsa": {}}}', "nomsa: occurs twice"),
    ("field of a further provider", '{"providers": {"a": {"type": "smsnoc", "sender": ""}}}', "providers.a.sender"),
    ("unknown provider on a route", '{"routes": {"sms": {"KH": ["acme"]}}}', "routes.sms.KH: unknown provider: acme"),
    ("unknown channel", '{"routes": {"fax": {}}}', "routes.fax"),
    ("country in lower case", '{"routes": {"sms": {"kh": []}}}', "routes.sms"),
    (
        "plain http to the world",
        '{"providers": {"nomsa": {"base_url": "http://a.example"}}}',
        "providers.nomsa.base_url",
    ),
    (
        "credentials in a URL",
        '{"providers": {"nomsa": {"base_url": "https://u:p@a.example"}}}',
        "providers.nomsa.base_url",
    ),
    ("a switch that is neither on nor off", '{"sending_enabled": "perhaps"}', "sending_enabled"),
    ("an allowed country in lower case", '{"allowed_countries": ["kh"]}', "allowed_countries.0"),
    ("all countries in the list", '{"allowed_countries": ["*"]}', "allowed_countries.0"),
    ("one allowed country, no list", '{"allowed_countries": "KH"}', "allowed_countries"),
    ("an empty sender", '{"providers": {"nomsa": {"allowed_senders": [""]}}}', "providers.nomsa.allowed_senders.0"),
    (
        "a zone that does not exist",
        '{"providers": {"smsnoc": {"timezone": "Asia/Dacca2"}}}',
        "providers.smsnoc.timezone",
    ),
    ("a folder of zones", '{"providers": {"smsnoc": {"timezone": "America"}}}', "providers.smsnoc.timezone"),
    ("a path", '{"providers": {"smsnoc": {"timezone": "../zoneinfo/UTC"}}}', "providers.smsnoc.timezone"),
    ("an absolute path", '{"providers": {"smsnoc": {"timezone": "/etc/localtime"}}}', "providers.smsnoc.timezone"),
    ("a NUL in a zone", '{"providers": {"smsnoc": {"timezone": "Asia\\u0000"}}}', "providers.smsnoc.timezone"),
    ("half a character in a zone", '{"providers": {"smsnoc": {"timezone": "\\ud800"}}}', "providers.smsnoc.timezone"),
    ("no zone", '{"providers": {"smsnoc": {"timezone": ""}}}', "providers.smsnoc.timezone"),
    ("an offset", '{"providers": {"smsnoc": {"timezone": "+06:00"}}}', "providers.smsnoc.timezone"),
    ("a number of hours", '{"providers": {"smsnoc": {"timezone": 6}}}', "providers.smsnoc.timezone"),
    ("an unknown limit", '{"limits": {"per_minute": 5}}', "limits.per_minute"),
    ("a limit of none", '{"limits": {"per_day": 0}}', "limits.per_day"),
    ("half a message", '{"limits": {"per_day": 0.5}}', "limits.per_day"),
    ("no limits at all", '{"limits": null}', "limits"),
    ("quiet hours without an end", '{"quiet_hours": {"KH": {"from": "21:00"}}}', "quiet_hours.KH.to: required"),
    ("quiet hours of no length", _quiet("KH", "21:00", "21:00"), "quiet_hours.KH.to: must not be the same as from"),
    ("a time beyond midnight", _quiet("KH", "24:00", "08:00"), "quiet_hours.KH.from: must be a time from 00:00 to"),
    ("a time without a zero", _quiet("KH", "21:00", "8:00"), "quiet_hours.KH.to: must be a time from 00:00 to 23:59"),
    ("a time with seconds", _quiet("KH", "21:00:00", "08:00"), "quiet_hours.KH.from: must be a time from 00:00 to"),
    ("quiet hours of all countries", _quiet("*", "21:00", "08:00"), "quiet_hours.*: the name must be a country"),
    ("quiet hours of a country without known zones", _quiet("TH", "21:00", "08:00"), "quiet_hours.TH.timezones: req"),
    ("quiet hours of a country without numbers", _quiet("CA", "21:00", "08:00"), "quiet_hours.CA: no number has this"),
    ("quiet hours in no zone", _quiet("KH", "21:00", "08:00", []), "quiet_hours.KH.timezones: must not be empty"),
    ("quiet hours in an unknown zone", _quiet("KH", "21:00", "08:00", ["Asia/X"]), "quiet_hours.KH.timezones.0: must"),
    ("more than 20 quiet hours", _quiet("KH", "12:00", "08:01"), "quiet_hours.KH: must leave at least 4 hours of the"),
    ("more than 20 in three zones", _quiet("ID", "12:00", "06:01"), "quiet_hours.ID: must leave at least 4 hours of"),
    ("unknown field of quiet hours", '{"quiet_hours": {"KH": {"zone": "UTC"}}}', "quiet_hours.KH.zone: unknown field"),
    ("negative horizon", '{"report_horizon_hours": -1}', "report_horizon_hours"),
    ("no poll steps", '{"poll_seconds": []}', "poll_seconds"),
]


@pytest.mark.parametrize(("document", "named"), [c[1:] for c in BROKEN], ids=[c[0] for c in BROKEN])
def test_error_about_a_broken_document_names_the_field(document: str, named: str) -> None:
    with pytest.raises(BrokenSettingsError) as caught:
        parse_settings(document)

    assert named in str(caught.value)


def test_no_country_has_quiet_hours_by_default() -> None:
    assert parse_settings("{}").quiet_hours_in_force() == {}


QUIET = [
    ("home country", _quiet("KH", "21:00", "08:00"), time(21), time(8), ["Asia/Phnom_Penh"]),
    (
        "home country of several zones",
        _quiet("ID", "21:00", "07:00"),
        time(21),
        time(7),
        ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"],
    ),
    ("zones of its own", _quiet("ID", "12:00", "13:30", ["Asia/Jakarta"]), time(12), time(13, 30), ["Asia/Jakarta"]),
    ("another country", _quiet("TH", "00:00", "07:59", ["Asia/Bangkok"]), time(0), time(7, 59), ["Asia/Bangkok"]),
    ("as many hours as possible", _quiet("KH", "12:00", "08:00"), time(12), time(8), ["Asia/Phnom_Penh"]),
]


@pytest.mark.parametrize(("document", "begin", "end", "zones"), [c[1:] for c in QUIET], ids=[c[0] for c in QUIET])
def test_quiet_hours_have_the_zones_of_their_country(document: str, begin: time, end: time, zones: list[str]) -> None:
    ((country, hours),) = parse_settings(document).quiet_hours_in_force().items()

    assert document.startswith(f'{{"quiet_hours": {{"{country}"')
    assert hours == QuietHours(country=country, begin=begin, end=end, zones=tuple(map(ZoneInfo, zones)))


def test_plain_http_is_allowed_on_loopback() -> None:
    settings = parse_settings('{"providers": {"nomsa": {"base_url": "http://127.0.0.1:4580/nomsa/v1/"}}}')

    assert settings.providers["nomsa"].base_url == "http://127.0.0.1:4580/nomsa/v1"


def test_further_provider_has_the_defaults_of_its_type_and_no_route() -> None:
    settings = parse_settings(
        json.dumps(
            {
                "providers": {
                    "nomsa": {"type": "nomsa"},
                    "smspoh-2": {"type": "smspoh", "sender": "Second"},
                    "philsms": {
                        "type": "smsnoc",
                        "base_url": "https://app.philsms.example/api/v3",
                        "max_per_second": 5,
                    },
                },
                "routes": {"sms": {"PH": ["philsms"]}},
            }
        )
    )

    defaults = parse_settings("{}")
    second = defaults.providers["smspoh"].model_copy(update={"sender": "Second"})
    other = {"base_url": "https://app.philsms.example/api/v3", "max_per_second": 5.0}
    philsms = defaults.providers["smsnoc"].model_copy(update=other)
    assert settings.providers == defaults.providers | {"smspoh-2": second, "philsms": philsms}
    assert {name: p.type for name, p in settings.providers.items()} == {
        "nomsa": "nomsa",
        "smsnoc": "smsnoc",
        "smspoh": "smspoh",
        "nusasms": "nusasms",
        "smspoh-2": "smspoh",
        "philsms": "smsnoc",
    }
    assert settings.routes[Channel.SMS] == dict(defaults.routes[Channel.SMS]) | {"PH": ("philsms",)}
    assert settings.pace_of("philsms", Channel.SMS) == Pace(name="philsms", per_second=5.0)


# --- callers ---------------------------------------------------------------------------------------------------------


def test_caller_has_the_name_of_the_settings_or_else_its_id() -> None:
    settings = parse_settings('{"callers": {"AROASHOP": {"name": "shop"}, "AIDABANK": {"limits": {"per_day": 7}}}}')

    assert [settings.caller(caller_id) for caller_id in ("AROASHOP", "AIDABANK", "444455556666", None)] == [
        Caller(id="AROASHOP", name="shop"),
        Caller(id="AIDABANK", name="AIDABANK"),
        Caller(id="444455556666", name="444455556666"),
        None,
    ]
    assert parse_settings("{}").callers == {}


def test_limits_of_a_caller_are_its_own_and_not_set_by_default() -> None:
    settings = parse_settings('{"limits": {"per_day": 9}, "callers": {"AIDABANK": {"limits": {"max_segments": 7}}}}')

    rules = settings.rules_of(settings.caller("AIDABANK"))

    assert rules == CallerSettings(name=None, allowed_senders=None, limits=Limits(max_segments=7))
    assert rules.limits.quotas() == {}
    assert [settings.rules_of(caller) for caller in (settings.caller("AROASHOP"), None)] == [None, None]


BROKEN_CALLERS = [
    ({"AROASHOP:session": {}}, "callers.AROASHOP:session: the name must be the part of SenderId before the colon: "),
    ({"arn:aws:iam::444455556666:role/shop": {}}, "callers.arn:aws:iam::444455556666:role/shop: the name must be "),
    ({"AROASHOP": {"name": ""}}, "callers.AROASHOP.name: must be 1 to 64 of "),
    ({"AROASHOP": {"name": "the shop"}}, "callers.AROASHOP.name: must be 1 to 64 of "),
    ({"AROASHOP": {"allowed_senders": [""]}}, "callers.AROASHOP.allowed_senders.0: must not be empty"),
    ({"AROASHOP": {"perDay": 7}}, "callers.AROASHOP.perDay: unknown field, write per_day"),
    ({"AROASHOP": {"sender": "MyShop"}}, "callers.AROASHOP.sender: unknown field"),
    ({"AROASHOP": 7}, "callers.AROASHOP: must be an object"),
]


@pytest.mark.parametrize(("callers", "text"), BROKEN_CALLERS)
def test_wrong_field_of_a_caller_is_named(callers: dict[str, Any], text: str) -> None:
    with pytest.raises(BrokenSettingsError) as broken:
        parse_settings(json.dumps({"callers": callers}))

    assert str(broken.value).startswith(text)
