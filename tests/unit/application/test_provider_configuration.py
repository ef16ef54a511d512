"""Providers without usable credentials, or turned off: their messages wait, take another route, or fail."""

from dataclasses import replace

from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from tests.harness.application import Application, request
from tests.harness.sending import SECRET
from tests.unit.application.providers import PROVIDERS, change_settings, new_application

SLIP = {"nomsa": {"apikey": "house_v1_nomsa"}}


def give(app: Application, **credentials: dict[str, str]) -> None:
    app.secret.secret = replace(SECRET, credentials=dict(SECRET.credentials) | credentials)


def test_messages_of_an_unusable_provider_wait_for_it_and_an_alarm_names_the_field() -> None:
    app = new_application()
    give(app, **SLIP)
    app.send(request(), request("m-2"))

    app.clock.advance(minutes=10)
    app.follow_up()
    app.resume()

    assert [app.message(m).status for m in ("m-1", "m-2")] == [Status.QUEUED] * 2
    assert app.transport.requests == []
    said = ("error", "provider unusable", {"provider": "nomsa", "fields": ("nomsa.api_key",)})
    assert app.telemetry.lines.count(said) == app.telemetry.counts["ProviderUnusable", "nomsa"] == 2

    give(app)
    app.clock.advance(minutes=10)
    app.follow_up()
    app.resume()
    assert [app.message(m).status for m in ("m-1", "m-2")] == [Status.ACCEPTED] * 2


def test_message_that_names_an_unusable_provider_waits_for_it() -> None:
    app = new_application(routes={"sms": {"KH": ["smspoh"]}})
    give(app, **SLIP)

    app.send(request(provider="nomsa"))

    assert app.message().status is Status.QUEUED


def test_message_without_its_provider_in_the_secret_fails_and_rings() -> None:
    app = new_application()
    app.secret.secret = replace(SECRET, credentials={})

    app.send(request())

    assert app.failure_reason() is Reason.UNROUTABLE
    assert ("error", "provider not configured", {"provider": "nomsa"}) in app.telemetry.lines
    assert app.telemetry.counts["ProviderNotConfigured", "nomsa"] == 1


def test_waiting_message_takes_the_present_route_when_its_provider_is_turned_off() -> None:
    app = new_application(sending_enabled=False)
    app.send(request())
    app.send(request("m-2", provider="nomsa"))
    off = PROVIDERS | {"nomsa": {"enabled": False}}
    change_settings(app, providers=off, routes={"sms": {"KH": ["smspoh"]}})

    app.clock.advance(minutes=3)
    app.follow_up()
    app.resume()

    assert (app.message().status, app.message().provider) == (Status.ACCEPTED, "smspoh")
    assert app.failure_reason("m-2") is Reason.UNROUTABLE


def test_trunk_zero_is_refused_before_any_call() -> None:
    app = new_application()

    app.send(request(recipient="+62081234567810"))

    detail = "recipient: must not have a 0 right after the country code"
    assert app.message().failure == Failure(reason=Reason.INVALID_RECIPIENT, detail=detail)
    assert app.transport.requests == []


def test_key_of_the_caller_survives_the_wait_for_an_unusable_provider() -> None:
    app = new_application()
    give(app, smspoh={"api_key": "house"})
    options = {"smspoh": {"encrypt": True, "encryptKey": "key-of-the-caller-0123456789"}}

    app.send(request(home="smspoh", provider_options=options))

    assert app.message().status is Status.QUEUED
    assert app.encryption_keys.keys == {"m-1": "key-of-the-caller-0123456789"}
