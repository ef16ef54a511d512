"""Providers that only the settings name, each with a `type`: all that holds for the type holds for them."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.services.ports.correlations import correlation_key
from sampai.services.webhook.service import Answer
from tests.fakes import FixedSettings
from tests.harness.application import SECRET, SETTINGS, Application, request, smspoh_taken, token_of, unauthorized

FILIPINO: Final = "+639171234510"
PHILSMS: Final = {"type": "smsnoc", "base_url": "https://app.philsms.example/api/v3", "sender": "PhilSMS"}
FURTHER: Final[dict[str, Any]] = {
    "providers": SETTINGS["providers"]
    | {
        "philsms": PHILSMS,
        "smspoh-2": {"type": "smspoh", "base_url": "https://second.example/api", "sender": "Second"},
        "nusasms-2": {"type": "nusasms"},
    },
    "routes": {"sms": {"PH": ["philsms"], "TH": ["smspoh-2", "smspoh"]}},
}
CREDENTIALS: Final = dict(SECRET.credentials) | {
    "philsms": {"api_token": "2|philsms"},
    "smspoh-2": {"api_key": "second", "api_secret": "second"},
    "nusasms-2": {"api_key": "second", "user": "second", "password": "second"},
}


def panel(request: HttpRequest) -> HttpResponse:
    """Answer as a panel of the software of SMS NOC. It gives every message the same id."""
    row = {"uid": "u-1", "status": "Undelivered", "to": "639171234510", "message": "Your code is 1234"}
    is_list = request.method == "GET" and not request.url.endswith("/u-1")
    return HttpResponse(
        status=200, body=json.dumps({"status": "success", "data": {"data": []} if is_list else row}).encode()
    )


def application(*replies: Any, **settings: Any) -> Application:
    app = Application(*(replies or (panel,)), settings=FURTHER | settings)
    app.secret.secret = replace(SECRET, credentials=CREDENTIALS)
    return app


def change_settings(app: Application, **settings: Any) -> None:
    app.settings.settings = FixedSettings(SETTINGS | FURTHER | settings).settings


def without(name: str) -> dict[str, Any]:
    """Return the providers of the settings without one."""
    return {known: given for known, given in FURTHER["providers"].items() if known != name}


# --- send and poll --------------------------------------------------------------------------------------------------


def test_panel_of_a_known_software_sends_and_is_polled_at_its_own_address_with_its_own_token() -> None:
    app = application()
    app.send(request(recipient=FILIPINO))
    sent = app.message()

    app.clock.advance(minutes=15)
    app.follow_up()

    assert (sent.status, sent.provider, sent.provider_message_id) == (Status.ACCEPTED, "philsms", "u-1")
    assert app.message().status is Status.UNDELIVERED
    assert {r.host for r in app.transport.requests} == {"app.philsms.example"}
    assert {r.headers["Authorization"] for r in app.transport.requests} == {"Bearer 2|philsms"}
    assert json.loads(app.transport.requests[0].body)["sender_id"] == "PhilSMS"
    assert app.telemetry.counts["SendAccepted", "philsms"] == 1
    assert [event.detail["provider"] for event in app.store.events][-1] == "philsms"


def test_one_vendor_id_at_two_panels_belongs_to_two_messages() -> None:
    app = application()
    app.send(request(home="smsnoc"))
    app.send(request("m-2", home="smsnoc", provider="philsms"))

    app.clock.advance(minutes=15)
    app.follow_up()

    assert [app.message(m).provider for m in ("m-1", "m-2")] == ["smsnoc", "philsms"]
    assert [app.message(m).status for m in ("m-1", "m-2")] == [Status.UNDELIVERED] * 2
    assert app.telemetry.counts.get(("ProviderMessageIdReused", "philsms"), 0) == 0
    tokens = {(r.host, r.headers["Authorization"]) for r in app.transport.requests}
    assert tokens == {("app.smsnoc.com", "Bearer 1|house"), ("app.philsms.example", "Bearer 2|philsms")}


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"provider": "elsewhere"}, "provider: not known"),
        ({"provider_options": {"elsewhere": {"encrypt": True}}}, "provider_options: provider not known"),
        ({"provider": "smspoh-2", "provider_options": {"smspoh-2": {"encrypt": 1}}},
         "provider_options.smspoh-2.encrypt: wrong type"),
    ],
)  # fmt: skip
def test_request_that_names_an_unknown_provider_or_a_wrong_option_is_invalid(
    changes: dict[str, Any], detail: str
) -> None:
    app = application()

    app.send(request(**changes))

    failure = app.message().failure
    assert failure is not None
    assert (failure.reason, failure.detail) == (Reason.INVALID_REQUEST, detail)
    assert app.transport.requests == []


def test_options_and_encryption_key_go_to_the_provider_that_they_name() -> None:
    app = application(smspoh_taken())
    options = {"smspoh-2": {"encrypt": True, "encryptKey": "the caller's"}, "smspoh": {"test": True}}

    app.send(request(home="smspoh", provider="smspoh-2", provider_options=options))

    document = json.loads(app.transport.requests[0].body)
    assert (document["encrypt"], document["encryptKey"], "test" in document) == (1, "the caller's", False)
    assert "the caller's" not in repr(app.store.messages)
    assert app.message().status is Status.ACCEPTED


def test_rate_of_one_provider_leaves_the_other_of_its_type_alone() -> None:
    slow = FURTHER["providers"] | {"philsms": PHILSMS | {"max_per_second": 0.1}}
    app = application(providers=slow, routes={"sms": {"BD": ["smsnoc"], "PH": ["philsms"]}})

    app.send(*(request(f"p-{n}", recipient=FILIPINO) for n in range(5)))
    app.send(*(request(f"b-{n}", home="smsnoc") for n in range(5)))

    assert [app.message(f"b-{n}").provider for n in range(5)] == ["smsnoc"] * 5
    assert [r.host for r in app.transport.requests].count("app.smsnoc.com") == 5
    assert [r.host for r in app.transport.requests].count("app.philsms.example") < 5


def test_circuit_of_one_account_leaves_the_other_of_its_type_alone() -> None:
    def reply(sent: HttpRequest) -> HttpResponse:
        return unauthorized() if sent.host == "second.example" else smspoh_taken()

    app = application(reply)

    app.send(request(home="smspoh", provider="smspoh-2"))
    app.send(request("m-2", home="smspoh", provider="smspoh-2"))
    app.send(request("m-3", home="smspoh"))

    assert [app.message(m).status for m in ("m-1", "m-2", "m-3")] == [Status.QUEUED, Status.QUEUED, Status.ACCEPTED]
    assert [r.host for r in app.transport.requests] == ["second.example", "v3.smspoh.com"]
    opened = [fields["provider"] for _, line, fields in app.telemetry.lines if line == "circuit opened"]
    assert opened == ["smspoh-2"]


def test_failover_leads_from_one_account_to_the_other_of_its_type() -> None:
    app = application(lambda sent: unauthorized() if sent.host == "second.example" else smspoh_taken())

    app.send(request(home="smspoh", recipient="+66812345610"))
    app.resume()

    assert (app.message().status, app.message().provider) == (Status.ACCEPTED, "smspoh")


# --- webhooks -------------------------------------------------------------------------------------------------------

FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
RECEIPT: Final = "messageId=AA-1&clientReference=m-1&status=Success"


def test_receipt_at_the_address_of_an_account_reports_on_its_messages_alone() -> None:
    app = application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh", provider="smspoh-2"))
    address = json.loads(app.transport.requests[0].body)["deliveryReceiptUrl"]

    at_the_other = app.receive("smspoh", query=RECEIPT)
    before = app.message().status
    answer = app.receive("smspoh-2", query=RECEIPT)

    assert address == f"https://hooks.example.net/webhooks/smspoh-2/receipt/{token_of('smspoh-2')}"
    assert (at_the_other, before) == (Answer.RECEIVED, Status.ACCEPTED)
    assert (answer, app.message().status) == (Answer.RECEIVED, Status.DELIVERED)
    assert {key: correlation.message_id for key, correlation in app.store.buffered.items()} == {
        "smspoh#sms#AA-1": None,
        "smspoh-2#sms#AA-1": "m-1",
    }
    assert {p: n for (metric, p), n in app.telemetry.counts.items() if metric == "WebhookReceived"} == {
        "smspoh": 1,
        "smspoh-2": 1,
    }


@pytest.mark.parametrize(
    ("provider", "kind", "token", "answer", "rejected"),
    [
        ("smspoh-2", "receipt", token_of("smspoh-2"), Answer.RECEIVED, 0),
        ("smspoh-2", "receipt", token_of("smspoh"), Answer.NOT_FOUND, 1),
        ("smspoh", "receipt", token_of("smspoh-2"), Answer.NOT_FOUND, 1),
        ("smspoh-2", "inbox", token_of("smspoh-2"), Answer.NOT_FOUND, 0),
        ("philsms", "receipt", token_of("philsms"), Answer.NOT_FOUND, 0),
        ("smspoh-3", "receipt", token_of("smspoh-3"), Answer.NOT_FOUND, 0),
        ("SMSPOH-2", "receipt", token_of("SMSPOH-2"), Answer.NOT_FOUND, 0),
        ("\ud800", "receipt", token_of("smspoh-2"), Answer.NOT_FOUND, 0),
    ],
    ids=["its own", "of its type", "at its type", "unknown kind", "type without webhooks", "unknown name", "no name",
         "no text"],
)  # fmt: skip
def test_address_of_a_further_provider_opens_with_its_own_token_and_kinds(
    provider: str, kind: str, token: str, answer: Answer, rejected: int
) -> None:
    app = application()

    assert app.receive(provider, kind, token, query=RECEIPT) is answer

    assert app.telemetry.counts.get(("WebhookTokenRejected", provider), 0) == rejected


def test_inbound_message_has_the_name_of_its_provider() -> None:
    app = application()
    form = b"id=7&originator=6281234567810&msg=Hello&receive_date=2026-11-21+10:00:00"

    answers = [
        app.receive(name, "sms-inbox", method="POST", body=form, headers=FORM)
        for name in ("nusasms", "nusasms-2", "nusasms-2")
    ]

    assert answers == [Answer.RECEIVED] * 3
    assert sorted(inbound.provider for inbound, _ in app.inbox.kept.values()) == ["nusasms", "nusasms-2"]
    assert app.telemetry.counts["MessageReceived", "nusasms-2"] == 1


def test_receipt_of_a_further_provider_waits_for_settings_that_can_be_read() -> None:
    app = application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh", provider="smspoh-2"))
    app.settings.is_down = True

    assert app.receive("smspoh-2", query=RECEIPT) is Answer.UNAVAILABLE
    assert app.receive("smspoh-2", token=token_of("smspoh"), query=RECEIPT) is Answer.NOT_FOUND
    assert app.receive("elsewhere", token="wrong", query=RECEIPT) is Answer.NOT_FOUND

    app.settings.is_down = False
    assert app.receive("smspoh-2", query=RECEIPT) is Answer.RECEIVED
    assert app.message().status is Status.DELIVERED


# --- a provider that has left the settings --------------------------------------------------------------------------


def test_waiting_message_takes_the_present_route_when_its_provider_leaves_the_settings() -> None:
    app = application(sending_enabled=False)
    app.send(request(recipient=FILIPINO, provider_options={"philsms": {}}))
    app.send(request("m-2", recipient=FILIPINO, provider="philsms"))
    change_settings(app, providers=without("philsms"), routes={"sms": {"PH": ["smsnoc"]}})

    app.clock.advance(minutes=3)
    app.follow_up()
    app.resume()

    assert (app.message().status, app.message().provider) == (Status.ACCEPTED, "smsnoc")
    assert (app.message("m-2").status, app.failure_reason("m-2")) == (Status.FAILED, Reason.UNROUTABLE)


@pytest.mark.parametrize("name", ["philsms", "smspoh-2"])
def test_accepted_message_of_a_provider_that_left_the_settings_waits_for_the_horizon(name: str) -> None:
    app = application(panel if name == "philsms" else smspoh_taken("AA-1"))
    app.send(request(home="smspoh", provider=name))
    change_settings(app, providers=without(name), routes={})
    calls = len(app.transport.requests)

    app.clock.advance(hours=1)
    app.follow_up()
    assert app.message().status is Status.ACCEPTED
    assert app.receive(name, query=RECEIPT) is Answer.NOT_FOUND

    app.clock.advance(hours=72)
    app.follow_up()
    assert (app.message().status, len(app.transport.requests)) == (Status.UNCONFIRMED, calls)


def test_correlation_keys_of_two_accounts_differ() -> None:
    app = application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    app.send(request("m-2", home="smspoh", provider="smspoh-2"))

    owners = {key: correlation.message_id for key, correlation in app.store.buffered.items()}
    channel = app.message().channel
    assert owners == {
        correlation_key("smspoh", channel, "AA-1"): "m-1",
        correlation_key("smspoh-2", channel, "AA-1"): "m-2",
    }
