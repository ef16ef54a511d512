"""The real functions with their real adapters, on the local AWS, with vendors that repeat every request."""

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

import pytest

from sampai import bootstrap
from sampai.adapters.aws import Service
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse
from tests.canary.app import (
    FAULTS,
    REQUESTS,
    SECRET,
    SETTINGS,
    WorkingVendors,
    astray_callbacks,
    callbacks,
    odd_callbacks,
    request_bodies,
)
from tests.canary.canaries import CANARIES, find_canaries, value
from tests.canary.outputs import VENDORS, Outputs, recording
from tests.emulator import Emulator
from tests.fakes import START
from tests.functional.sandbox import FUNCTIONS, LIBRARIES, Deployment, forget
from tests.harness.vendors import base_urls, serving

Reply = Callable[[HttpRequest], HttpResponse | NoResponse]

CALLBACK_PATH: Final = "/callbacks"


@dataclass
class DeployedFunctions:
    """The deployed functions, and the text of every request to the vendors."""

    deployment: Deployment
    outputs: Outputs = field(default_factory=Outputs)
    received: list[str] = field(default_factory=list)
    refused: tuple[Service, ...] = ()
    """Services of AWS that refuse every call and repeat it."""

    def invoke(self, function: str, *events: Any) -> None:
        """Invoke a function in a fresh sandbox."""
        with recording(self.outputs):
            self.deployment.enter(function)
            for service in self.refused:
                client = bootstrap._aws().client(service)
                client.meta.events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}", _refuse)
            for event in events:
                self._invoke(function, event)

    def _invoke(self, function: str, event: Any) -> None:
        try:
            answer = self.deployment.call(function, event)
        except Exception as error:
            self.outputs.record_exception(f"exception that left {function}", error)
        else:
            self.outputs.record(f"answer of {function}", json.dumps(answer))


def _refuse(params: Mapping[str, Any], **_: Any) -> Any:
    error = {"Code": "ValidationException", "Message": f"cannot take {params['body']!r}"}
    return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}


@pytest.fixture
def reply() -> Reply:
    return WorkingVendors()


@pytest.fixture
def functions(emulator: Emulator, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeployedFunctions]:
    received: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse | NoResponse:
        received.append(f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'backslashreplace')}")
        is_callback = request.url.endswith(CALLBACK_PATH)
        return HttpResponse(status=500, body=request.body[-100:]) if is_callback else reply(request)

    levels = {library: logging.getLogger(library).level for library in LIBRARIES}
    # Requests and callbacks of the canaries have fixed times.
    monkeypatch.setattr(bootstrap, "clock", lambda: START)
    with serving(answer) as address:
        deployment = Deployment(
            emulator=emulator,
            base_urls=base_urls(address),
            monkeypatch=monkeypatch,
            secret={
                "webhook_tokens": list(SECRET.webhook_tokens),
                "callback_secrets": [f"whsec_{b64encode(value('callback key').encode()).decode()}"],
                **SECRET.credentials,
            },
            callback_url=f"{address}{CALLBACK_PATH}",
            fingerprint_key=value("fingerprint key"),
            settings=SETTINGS,
        )
        yield DeployedFunctions(deployment, received=received)
    forget()
    for library, level in levels.items():
        logging.getLogger(library).setLevel(level)


def run_everything(functions: DeployedFunctions) -> Outputs:
    """Invoke every function with every event, and return the recorded outputs."""
    deployment, bodies = functions.deployment, request_bodies()
    functions.invoke("send", {"Records": [{"messageId": f"r-{n}", "body": body} for n, body in enumerate(bodies)]})
    functions.invoke("webhook", *callbacks(), *astray_callbacks(), *odd_callbacks()[:10])
    for item in deployment.items(deployment.messages):
        if "due_at" in item:
            deployment.make_due(item["message_id"]["S"])
    functions.invoke("follow_up", {})
    functions.invoke("monitor", {})
    functions.outputs.record("attempts table", json.dumps(deployment.items(deployment.attempts), ensure_ascii=False))
    images = [{"dynamodb": {"NewImage": item}} for item in deployment.items(deployment.messages)]
    functions.invoke("publish", {"Records": images})
    inbound = {"text": value("inbound text"), "sender": value("inbound number"), "received_at": "2026-11-21T10:00:00Z"}
    received = {"id": "inbound", "source": "sampai", "detail-type": "Message Received", "detail": inbound}
    events = [*deployment.deliveries(), received, {**received, "source": value("misplaced")}]
    functions.invoke("callback", {"Records": [_callback_record(json.dumps(event)) for event in events]})
    return functions.outputs


def _callback_record(body: str) -> dict[str, Any]:
    record = {"messageId": "r", "receiptHandle": "h", "eventSourceARN": "arn:callbacks", "body": body}
    return {**record, "attributes": {"ApproximateReceiveCount": "1"}}


def test_deployed_functions_reveal_nothing_and_do_their_work(functions: DeployedFunctions) -> None:
    outputs = run_everything(functions)

    assert outputs.leaks() == []
    assert len(functions.received) > len(REQUESTS) / 2
    assert {CANARIES[name].vendor for name in find_canaries("".join(functions.received))} >= set(VENDORS)
    assert {f"answer of {function}" for function in FUNCTIONS} <= outputs.places()
    assert "message attempted" in outputs.text("standard output")
    assert "SendAccepted" in outputs.text("standard output")
    assert "callback not posted" in outputs.text("standard output")
    assert value("inbound number") in "".join(functions.received)


REFUSED: Final[list[tuple[Service, ...]]] = [("dynamodb",), ("sqs", "events", "ssm")]


@pytest.mark.parametrize("services", REFUSED, ids=" ".join)
def test_a_service_that_refuses_a_call_and_repeats_it_reveals_nothing(
    functions: DeployedFunctions, services: tuple[Service, ...]
) -> None:
    functions.refused = services
    functions.deployment.timeout_seconds = 22  # the repetitions last until the end of the invocation

    outputs = run_everything(functions)

    assert outputs.leaks() == []
    assert "ValidationException" in "".join(outputs.text(place) for place in outputs.places())


@pytest.mark.parametrize("reply", [FAULTS["HTTP 500"], FAULTS["a time-out"]], ids=["HTTP 500", "a cut connection"])
def test_a_vendor_that_fails_at_the_other_end_of_a_socket_reveals_nothing(functions: DeployedFunctions) -> None:
    assert run_everything(functions).leaks() == []
