"""A vendor that refuses our IP address says so in its response."""

import json

import pytest

from sampai.domain.failure import Reason
from sampai.domain.http import HttpResponse
from sampai.domain.message import Channel
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown
from sampai.domain.status import Status
from sampai.providers.responses import refuses_address, with_refused_address
from tests.harness.application import Application, request
from tests.harness.sending import new_batch

FINAL = NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True)


def response(status: int, body: object) -> HttpResponse:
    text = body if isinstance(body, str) else json.dumps(body)
    return HttpResponse(status=status, headers={}, body=text.encode())


RESPONSES = [
    (403, {"code": "forbidden", "message": "Your IP address is not whitelisted"}, True),
    (401, {"message": "Unauthorized IP"}, True),
    (403, {"error": True, "message": "IP_ADDRESS_FORBIDDEN"}, True),
    (403, "<html>IP 203.0.113.7 denied</html>", True),
    (401, {"code": "unauthenticated", "message": "Invalid API key"}, False),
    (403, {"message": "No permission to access api"}, False),
    (403, {"message": "Forbidden", "recipient": "shipping is invalid"}, False),
    (400, {"message": "Your IP address is not whitelisted"}, False),
    (500, {"message": "Your IP address is not whitelisted"}, False),
]


@pytest.mark.parametrize(("status", "body", "expected"), RESPONSES)
def test_refusal_of_the_address_is_401_or_403_with_its_words(status: int, body: object, expected: bool) -> None:
    assert refuses_address(response(status, body)) is expected


def test_refused_address_is_no_fault_of_the_message() -> None:
    refused = with_refused_address(FINAL, response(403, {"message": "IP not registered"}))

    assert refused == NotTaken(
        reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, is_address_refused=True
    )


@pytest.mark.parametrize("outcome", [FINAL, Unknown(why="HTTP 500")])
def test_other_outcomes_stay(outcome: Outcome) -> None:
    assert with_refused_address(outcome, response(500, {"message": "IP not registered"})) == outcome


def test_nusasms_has_a_code_for_it() -> None:
    provider = new_batch().configuration.routing.provider("nusasms", Channel.SMS)
    assert provider is not None

    outcome = provider.parse_send(response(200, {"results": [{"status": "-40"}]}))

    assert isinstance(outcome, NotTaken)
    assert outcome.is_address_refused


def test_message_to_a_vendor_that_refuses_our_address_waits_and_an_alarm_rings() -> None:
    app = Application(response(403, {"message": "Your IP is not whitelisted"}))

    app.send(request())

    assert app.message().status is Status.QUEUED
    assert app.telemetry.counts["AddressRefused", "nomsa"] == 1
