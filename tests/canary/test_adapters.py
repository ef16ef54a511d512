"""The real functions with their real adapters, on the local AWS and on vendors that repeat all they are told."""

import json
import logging
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
    Honest,
    astray_callbacks,
    callbacks,
    malformed_callbacks,
    request_bodies,
)
from tests.canary.canaries import CANARIES, canaries_in, value
from tests.canary.outside import VENDORS, Outside, watching
from tests.emulator import Emulator
from tests.fakes import START
from tests.functional.sandbox import FUNCTIONS, LIBRARIES, Deployment, forget
from tests.harness.vendors import base_urls, serving

Reply = Callable[[HttpRequest], HttpResponse | NoResponse]


@dataclass
class Door:
    """The deployed functions, and the text of every request that the vendors got."""

    deployment: Deployment
    outside: Outside = field(default_factory=Outside)
    heard: list[str] = field(default_factory=list)
    refused: tuple[Service, ...] = ()
    """Services of AWS that refuse every call and repeat it."""

    def invoke(self, function: str, *events: Any) -> None:
        """Invoke a function in a fresh sandbox."""
        with watching(self.outside):
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
            self.outside.record_exception(f"exception that left {function}", error)
        else:
            self.outside.record(f"answer of {function}", json.dumps(answer))


def _refuse(params: Mapping[str, Any], **_: Any) -> Any:
    error = {"Code": "ValidationException", "Message": f"cannot take {params['body']!r}"}
    return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}


@pytest.fixture
def reply() -> Reply:
    return Honest()


@pytest.fixture
def door(emulator: Emulator, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    heard: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse | NoResponse:
        heard.append(f"{request.url} {dict(request.headers)} {request.body.decode('utf-8', 'backslashreplace')}")
        return reply(request)

    levels = {library: logging.getLogger(library).level for library in LIBRARIES}
    # Requests and callbacks of the canaries have fixed times.
    monkeypatch.setattr(bootstrap, "clock", lambda: START)
    with serving(answer) as address:
        deployment = Deployment(
            emulator=emulator,
            base_urls=base_urls(address),
            monkeypatch=monkeypatch,
            secret={"webhook_tokens": list(SECRET.webhook_tokens), **SECRET.credentials},
            fingerprint_key=value("fingerprint key"),
            settings=SETTINGS,
        )
        yield Door(deployment, heard=heard)
    forget()
    for library, level in levels.items():
        logging.getLogger(library).setLevel(level)


def run_everything(door: Door) -> Outside:
    """Invoke every function with everything, and return all that got out."""
    deployment, bodies = door.deployment, request_bodies()
    door.invoke("send", {"Records": [{"messageId": f"r-{n}", "body": body} for n, body in enumerate(bodies)]})
    door.invoke("webhook", *callbacks(), *astray_callbacks(), *malformed_callbacks()[:10])
    for item in deployment.items(deployment.messages):
        if "due_at" in item:
            deployment.make_due(item["message_id"]["S"])
    door.invoke("follow_up", {})
    door.invoke("monitor", {})
    images = [{"dynamodb": {"NewImage": item}} for item in deployment.items(deployment.messages)]
    door.invoke("publish", {"Records": images})
    return door.outside


def test_functions_as_they_are_deployed_reveal_nothing_and_do_their_work(door: Door) -> None:
    outside = run_everything(door)

    assert outside.leaks() == []
    assert len(door.heard) > len(REQUESTS) / 2
    assert {CANARIES[name].vendor for name in canaries_in("".join(door.heard))} >= set(VENDORS)
    assert {f"answer of {function}" for function in FUNCTIONS} <= outside.places()
    assert "message attempted" in outside.text("standard output")
    assert "SendAccepted" in outside.text("standard output")


REFUSED: Final[list[tuple[Service, ...]]] = [("dynamodb",), ("sqs", "events", "ssm")]


@pytest.mark.parametrize("services", REFUSED, ids=" ".join)
def test_service_that_refuses_a_call_and_repeats_it_reveals_nothing(door: Door, services: tuple[Service, ...]) -> None:
    door.refused = services

    outside = run_everything(door)

    assert outside.leaks() == []
    assert "ValidationException" in "".join(outside.text(place) for place in outside.places())


@pytest.mark.parametrize("reply", [FAULTS["HTTP 500"], FAULTS["a time-out"]], ids=["HTTP 500", "a cut connection"])
def test_vendor_that_fails_at_the_other_end_of_a_socket_reveals_nothing(door: Door) -> None:
    assert run_everything(door).leaks() == []
