"""Providers without usable credentials, or turned off: their messages wait, take another route, or fail."""

from dataclasses import replace

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from tests.harness.application import House, request
from tests.harness.sending import SECRET
from tests.unit.application.providers import PROVIDERS, change_settings, new_application

SLIP = {"nomsa": {"apikey": "house_v1_nomsa"}}


def give(house: House, **credentials: dict[str, str]) -> None:
    house.secret.secret = replace(SECRET, credentials=dict(SECRET.credentials) | credentials)


def test_messages_of_an_unusable_provider_wait_for_it_and_an_alarm_names_the_field() -> None:
    house = new_application()
    give(house, **SLIP)
    house.send(request(), request("m-2"))

    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()

    assert [house.message(m).status for m in ("m-1", "m-2")] == [Status.QUEUED] * 2
    assert house.transport.requests == []
    said = ("error", "provider unusable", {"provider": "nomsa", "fields": ("nomsa.api_key",)})
    assert house.telemetry.lines.count(said) == house.telemetry.counts["ProviderUnusable", "nomsa"] == 2

    give(house)
    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()
    assert [house.message(m).status for m in ("m-1", "m-2")] == [Status.ACCEPTED] * 2


def test_message_that_names_an_unusable_provider_waits_for_it() -> None:
    house = new_application(routes={"sms": {"KH": ["smspoh"]}})
    give(house, **SLIP)

    house.send(request(provider="nomsa"))

    assert house.message().status is Status.QUEUED


def test_message_without_its_provider_in_the_secret_fails_and_rings() -> None:
    house = new_application()
    house.secret.secret = replace(SECRET, credentials={})

    house.send(request())

    assert house.failure_reason() is Reason.UNROUTABLE
    assert ("error", "provider not configured", {"provider": "nomsa"}) in house.telemetry.lines
    assert house.telemetry.counts["ProviderNotConfigured", "nomsa"] == 1


def test_waiting_message_takes_the_present_route_when_its_provider_is_turned_off() -> None:
    house = new_application(sending_enabled=False)
    house.send(request())
    house.send(request("m-2", provider="nomsa"))
    off = PROVIDERS | {"nomsa": {"enabled": False}}
    change_settings(house, providers=off, routes={"sms": {"KH": ["smspoh"]}})

    house.clock.advance(minutes=3)
    house.follow_up()
    house.resume()

    assert (house.message().status, house.message().provider) == (Status.ACCEPTED, "smspoh")
    assert house.failure_reason("m-2") is Reason.UNROUTABLE


def test_trunk_zero_is_refused_before_any_call() -> None:
    house = new_application()

    house.send(request(recipient="+62081234567810"))

    detail = "recipient: must not have a 0 right after the country code"
    assert house.message().failure == Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    assert house.transport.requests == []


def test_key_of_the_caller_survives_the_wait_for_an_unusable_provider() -> None:
    house = new_application()
    give(house, smspoh={"api_key": "house"})
    options = {"smspoh": {"encrypt": True, "encryptKey": "key-of-the-caller-0123456789"}}

    house.send(request(home="smspoh", provider_options=options))

    assert house.message().status is Status.QUEUED
    assert house.encryption_keys.keys == {"m-1": "key-of-the-caller-0123456789"}
