"""Routing: which providers may carry a message under the settings and the secret of this moment."""

import json
from dataclasses import replace
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


def route(wanted: str | None = None, *, secret: Secret = SECRET, settings: dict[str, Any] | None = None) -> object:
    return Routing(parse_settings(json.dumps(settings or {})), secret).route_of(MESSAGE, wanted=wanted)


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
    message = replace(MESSAGE, channel=Channel.WHATSAPP)

    assert Routing(parse_settings("{}"), SECRET).route_of(message, wanted="nomsa") == Failure(
        reason=Reason.UNSUPPORTED, detail="channel: nomsa does not offer it"
    )


def test_receipt_address_has_the_provider_s_token_under_the_first_token_of_the_secret() -> None:
    secret = replace(SECRET, webhook_tokens=("new", "old"))
    routing = Routing(parse_settings("{}"), secret, webhook_base_url="https://hooks.example.net")

    provider = routing.provider("smspoh", Channel.SMS)

    assert provider is not None
    expected = f"https://hooks.example.net/webhooks/smspoh/receipt/{webhook_token('new', 'smspoh')}"
    assert provider.config.receipt_url == expected
