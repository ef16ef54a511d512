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
        ({"wanted": "acme"}, Failure(reason=Reason.INVALID_REQUEST, detail="provider: not known")),
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
    ],
    ids=["on", "disabled", "disabled without another", "in its own order", "disabled, one of two", "not in the secret",
         "requested and disabled", "requested and on"],
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


def clock_of(name: str, **settings: Any) -> tuple[str, timedelta]:
    """Return the zone and the age from which `delivered` counts, as a provider is configured with some settings."""
    secret = Secret(credentials={"nomsa": {"api_key": "unit"}, "smsnoc": {"api_token": "unit"}})
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
    ],
)
def test_provider_has_the_zone_and_the_age_of_the_settings_or_else_its_own(
    name: str, settings: dict[str, Any], expected: tuple[str, timedelta]
) -> None:
    assert clock_of(name, **settings) == expected
