"""Routing: which providers may carry a message under the settings and the secret of this moment."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.contract.settings import parse_settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Channel, Message, Text
from sampai.domain.status import Status
from sampai.domain.webhook_token import webhook_token
from sampai.services.ports.configuration import Secret
from sampai.services.routing import Routing
from tests.fakes import START

SECRET = Secret(credentials={"nomsa": {"api_key": "unit"}, "smspoh": {"api_key": "unit", "api_secret": "unit"}})
MESSAGE = Message(
    message_id="m-1",
    status=Status.QUEUED,
    recipient="+85591234510",
    sender="Sampai",
    content=Text(text="Your code is 1234"),
    created_at=START,
    updated_at=START,
    occurred_at=START,
)


def routing(*, secret: Secret = SECRET, settings: dict[str, Any] | None = None) -> Routing:
    return Routing(parse_settings(json.dumps(settings or {})), secret)


def route(wanted: str | None = None, **configuration: Any) -> object:
    return routing(**configuration).route_of(replace(MESSAGE, requested_provider=wanted))


OFF = {"providers": {"nomsa": {"enabled": False}}}
OFF_BUT_ROUTED = OFF | {"routes": {"sms": {"KH": ["nomsa", "smspoh"]}}}


def unroutable(detail: str) -> Failure:
    return Failure(reason=Reason.UNROUTABLE, detail=detail)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("nomsa",)),
        ({"wanted": "smspoh"}, ("smspoh",)),
        ({"settings": OFF_BUT_ROUTED}, ("smspoh",)),
        ({"settings": OFF}, unroutable("provider: turned off or without credentials")),
        ({"wanted": "nomsa", "settings": OFF}, unroutable("provider: turned off or without credentials")),
        ({"wanted": "smsnoc"}, unroutable("provider: turned off or without credentials")),
        ({"secret": Secret()}, unroutable("provider: turned off or without credentials")),
        ({"wanted": "gone"}, unroutable("provider: turned off or without credentials")),
    ],
)
def test_route_holds_the_providers_that_are_on_and_have_credentials(options: dict[str, Any], expected: object) -> None:
    assert route(**options) == expected


def test_wanted_provider_that_does_not_offer_the_channel_is_unsupported() -> None:
    message = replace(MESSAGE, channel=Channel.WHATSAPP, requested_provider="nomsa")

    assert routing().route_of(message) == Failure(reason=Reason.UNSUPPORTED, detail="channel: nomsa does not offer it")


A_SLIP = Secret(credentials={"nomsa": {"apikey": "unit"}, "smspoh": {"api_key": "unit", "api_secret": "unit"}})


@pytest.mark.parametrize("settings", [{}, {"routes": {"sms": {"KH": ["nomsa", "smspoh"]}}}], ids=["alone", "of two"])
def test_unusable_provider_stays_on_the_route_and_is_not_called(settings: dict[str, Any]) -> None:
    configured = routing(secret=A_SLIP, settings=settings)
    names = configured.route_of(MESSAGE)
    assert isinstance(names, tuple)

    providers = configured.providers_for(replace(MESSAGE, route=names))

    assert names[0] == "nomsa"
    assert [provider.name for provider in providers] == list(names[1:])
    assert configured.unusable() == {"nomsa": ("nomsa.api_key",)}


def test_unusable_on_one_channel_leaves_the_other_channels() -> None:
    configured = routing(secret=Secret(credentials={"nusasms": {"user": "unit", "password": "unit"}}))

    assert configured.provider("nusasms", Channel.SMS) is not None
    assert configured.provider("nusasms", Channel.WHATSAPP) is None
    assert configured.unusable() == {"nusasms": ("nusasms.api_key",)}


BOTH = {"routes": {"sms": {"KH": ["nomsa", "smspoh"]}}}
TO_SMSPOH = {"routes": {"sms": {"KH": ["smspoh"]}}}


@pytest.mark.parametrize(
    ("message", "settings", "expected"),
    [
        ({"route": ("nomsa",)}, TO_SMSPOH, ("nomsa",)),
        ({"route": ("nomsa",)}, OFF | TO_SMSPOH, ("smspoh",)),
        ({"route": ("nomsa",)}, OFF, unroutable("provider: turned off or without credentials")),
        ({"route": ("smspoh", "nomsa")}, BOTH, ("smspoh", "nomsa")),
        ({"route": ("smspoh", "nomsa")}, OFF | BOTH, ("smspoh",)),
        ({"route": ("smsnoc",)}, {}, ("nomsa",)),
        ({"route": ("nomsa",), "requested_provider": "nomsa"}, OFF | TO_SMSPOH,
         unroutable("provider: turned off or without credentials")),
        ({"route": ("smspoh",), "requested_provider": "smspoh"}, {}, ("smspoh",)),
        ({"route": ("gone",)}, {}, ("nomsa",)),
        ({"route": ("gone", "nomsa"), "provider_options": {"gone": {"encrypt": True}}}, {}, ("nomsa",)),
        ({"route": ("gone",), "requested_provider": "gone"}, {},
         unroutable("provider: turned off or without credentials")),
    ],
    ids=["on", "disabled", "disabled without another", "in its own order", "disabled, one of two", "not in the secret",
         "requested and disabled", "requested and on", "not in the settings", "not in the settings, one of two",
         "requested and not in the settings"],
)  # fmt: skip
def test_message_takes_the_present_route_once_a_provider_of_its_own_is_off(
    message: dict[str, Any], settings: dict[str, Any], expected: object
) -> None:
    rerouted = routing(settings=settings).reroute(replace(MESSAGE, **message))

    assert (rerouted.route if isinstance(rerouted, Message) else rerouted) == expected


@pytest.mark.parametrize(
    ("settings", "secret", "expected"),
    [
        ({}, Secret(), ("nomsa",)),
        (BOTH, Secret(credentials={"nomsa": {}}), ("smspoh",)),
        (OFF | BOTH, Secret(), ("smspoh",)),
        ({}, A_SLIP, ()),
    ],
    ids=["none named", "one of two", "disabled", "named with a slip"],
)
def test_providers_that_the_secret_does_not_name(
    settings: dict[str, Any], secret: Secret, expected: tuple[str, ...]
) -> None:
    assert routing(settings=settings, secret=secret).unnamed(MESSAGE) == expected


def test_receipt_address_has_the_provider_s_token_under_the_first_token_of_the_secret() -> None:
    secret = replace(SECRET, webhook_tokens=("new", "old"))
    configured = Routing(parse_settings("{}"), secret, webhook_base_url="https://hooks.example.net")

    provider = configured.provider("smspoh", Channel.SMS)

    assert provider is not None
    expected = f"https://hooks.example.net/webhooks/smspoh/receipt/{webhook_token('new', 'smspoh')}"
    assert provider.config.receipt_url == expected


FURTHER = {
    "providers": {
        "smspoh": {"sender": "First"},
        "smspoh-2": {"type": "smspoh", "base_url": "https://other.example", "sender": "Second", "allowed_senders": []},
    },
    "routes": {"sms": {"KH": ["smspoh-2", "smspoh"]}},
}
TWO_ACCOUNTS = Secret(
    webhook_tokens=("t",),
    credentials={
        "smspoh": {"api_key": "first", "api_secret": "first"},
        "smspoh-2": {"api_key": "second", "api_secret": "second"},
    },
)


def test_two_providers_of_one_type_have_their_own_configuration() -> None:
    configured = Routing(
        parse_settings(json.dumps(FURTHER)), TWO_ACCOUNTS, webhook_base_url="https://hooks.example.net"
    )

    first, second = (configured.provider(name, Channel.SMS) for name in ("smspoh", "smspoh-2"))

    assert first is not None
    assert second is not None
    assert type(first) is type(second)
    assert (first.name, second.name) == ("smspoh", "smspoh-2")
    assert (first.config.base_url, second.config.base_url) == (
        "https://v3.smspoh.com/api/rest",
        "https://other.example",
    )
    assert (first.config.sender, second.config.sender) == ("First", "Second")
    assert [dict(p.config.credentials) for p in (first, second)] == [*TWO_ACCOUNTS.credentials.values()]
    addresses = [
        f"https://hooks.example.net/webhooks/{n}/receipt/{webhook_token('t', n)}" for n in ("smspoh", "smspoh-2")
    ]
    assert [p.config.receipt_url for p in (first, second)] == addresses


@pytest.mark.parametrize(
    ("message", "credentials", "expected"),
    [
        ({"sender": None}, {}, ("smspoh-2", "smspoh")),
        ({"sender": "Sampai"}, {}, ("smspoh",)),
        ({"sender": None, "provider_options": {"smspoh-2": {"encrypt": True}}}, {}, ("smspoh-2", "smspoh")),
        ({"sender": None, "provider_options": {"smspoh-2": {"colour": "red"}}}, {}, ("smspoh",)),
        ({"sender": None, "requested_provider": "smspoh-2"}, {}, ("smspoh-2",)),
        ({"sender": None}, {"smspoh-2": None}, ("smspoh",)),
        ({"sender": None, "channel": Channel.WHATSAPP, "requested_provider": "smspoh-2"}, {},
         Failure(reason=Reason.UNSUPPORTED, detail="channel: smspoh-2 does not offer it")),
    ],
    ids=["both", "sender allowed to one", "option of one", "option that it does not offer", "requested",
         "one without credentials", "channel not offered"],
)  # fmt: skip
def test_further_provider_is_selected_by_its_own_configuration(
    message: dict[str, Any], credentials: dict[str, Any], expected: object
) -> None:
    given = {name: value for name, value in (dict(TWO_ACCOUNTS.credentials) | credentials).items() if value}

    assert routing(settings=FURTHER, secret=Secret(credentials=given)).route_of(replace(MESSAGE, **message)) == expected


def test_further_provider_without_a_credential_is_unusable_under_its_name() -> None:
    configured = routing(settings=FURTHER, secret=Secret(credentials={"smspoh-2": {"api_key": "second"}}))

    assert configured.provider("smspoh-2", Channel.SMS) is None
    assert configured.unusable() == {"smspoh-2": ("smspoh-2.api_secret",)}


def clock_of(name: str, **settings: Any) -> tuple[str, timedelta]:
    """Return the zone and the age from which `delivered` counts, as a provider is configured with some settings."""
    token = {"api_token": "unit"}
    secret = Secret(credentials={"nomsa": {"api_key": "unit"}, "smsnoc": token, "philsms": token})
    provider = routing(secret=secret, settings={"providers": {name: settings}}).provider(name, Channel.SMS)
    assert provider is not None
    return str(provider.config.zone), provider.config.delivered_after


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("nomsa", {}, ("UTC", timedelta(0))),
        ("nomsa", {"timezone": "Asia/Manila", "delivered_after_seconds": 60}, ("Asia/Manila", timedelta(minutes=1))),
        ("smsnoc", {}, ("Asia/Dhaka", timedelta(minutes=10))),
        ("smsnoc", {"timezone": None, "delivered_after_seconds": None}, ("Asia/Dhaka", timedelta(minutes=10))),
        ("smsnoc", {"timezone": "UTC", "delivered_after_seconds": 0}, ("UTC", timedelta(0))),
        ("philsms", {"type": "smsnoc"}, ("Asia/Dhaka", timedelta(minutes=10))),
        ("philsms", {"type": "smsnoc", "timezone": "Asia/Manila"}, ("Asia/Manila", timedelta(minutes=10))),
    ],
)
def test_provider_has_the_zone_and_the_age_of_the_settings_or_else_its_own(
    name: str, settings: dict[str, Any], expected: tuple[str, timedelta]
) -> None:
    assert clock_of(name, **settings) == expected
