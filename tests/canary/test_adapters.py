"""The real functions, wired as they are deployed, against an AWS and vendors on loopback that repeat all they hear."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

import pytest

from sampai import bootstrap
from sampai.adapters.items import to_item
from sampai.domain.http import HttpRequest
from sampai.domain.message import Message
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
from tests.canary.outside import Outside, watching
from tests.fakes import START
from tests.functional.sandbox import LIBRARIES, Context, environment_of, forget, handler_of
from tests.functional.vendors import ROOTS
from tests.harness.application import House

Answer = tuple[int, Any]
FUNCTIONS: Final = ("send", "webhook", "follow_up", "monitor", "publish")


def due_message() -> Message:
    house = House()
    house.send(json.dumps({"message_id": "otp", **REQUESTS["otp"]}))
    return house.message("otp")


class Aws:
    """Answers every call of the functions as AWS would, or refuses it and repeats it."""

    refuses: frozenset[str] = frozenset()
    """Names of services."""

    def __init__(self, address: str) -> None:
        providers = SETTINGS["providers"]
        assert isinstance(providers, dict)
        own = {name: {**said, "base_url": f"{address}/{ROOTS[name]}"} for name, said in providers.items()}
        self._settings = json.dumps({**SETTINGS, "providers": own})
        self._message = to_item(due_message())

    def answer(self, target: str, asked: Any) -> Answer:
        service, _, operation = target.partition(".")
        if any(name in service for name in self.refuses):
            return 400, {"__type": "ValidationException", "message": f"cannot take {json.dumps(asked)}"}
        return 200, getattr(self, f"_{operation}")(asked)

    def _GetSecretValue(self, asked: Any) -> Any:  # noqa: N802
        document = {"webhook_tokens": list(SECRET.webhook_tokens), **SECRET.credentials}
        is_key = asked["SecretId"] == "FINGERPRINT_SECRET_ARN"
        return {"SecretString": value("fingerprint key") if is_key else json.dumps(document)}

    def _GetParameter(self, asked: Any) -> Any:  # noqa: N802
        return {"Parameter": {"Value": self._settings, "Version": 1}}

    def _BatchExecuteStatement(self, asked: Any) -> Any:  # noqa: N802
        return {"Responses": [{} for _ in asked["Statements"]]}

    def _BatchGetItem(self, asked: Any) -> Any:  # noqa: N802
        ((table, _),) = asked["RequestItems"].items()
        return {"Responses": {table: [self._message] if table == "MESSAGES_TABLE" else []}, "UnprocessedKeys": {}}

    def _Query(self, asked: Any) -> Any:  # noqa: N802
        return {"Items": [{name: self._message[name] for name in ("due_at", "message_id")}]}

    def _UpdateItem(self, asked: Any) -> Any:  # noqa: N802
        given = {name.removeprefix(":"): said for name, said in asked.get("ExpressionAttributeValues", {}).items()}
        return {"Attributes": {**asked["Key"], **given, "encryption_key": given.get("key", {"S": ""})}}

    def _PutItem(self, asked: Any) -> Any:  # noqa: N802
        return {}

    _DeleteItem = _PutItem

    def _SendMessageBatch(self, asked: Any) -> Any:  # noqa: N802
        return {"Successful": [], "Failed": []}

    def _PutEvents(self, asked: Any) -> Any:  # noqa: N802
        return {"Entries": [{} for _ in asked["Entries"]], "FailedEntryCount": 0}


class _Handler(BaseHTTPRequestHandler):
    aws: ClassVar[Aws]
    vendors: ClassVar[Callable[[HttpRequest], Any]]
    heard: ClassVar[list[str]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = self.headers.get("x-amz-target")
        if target is not None:
            status, document = self.aws.answer(target, json.loads(body))
            self._say(status, json.dumps(document).encode())
            return
        request = HttpRequest(method=self.command, url=self.path, headers=dict(self.headers.items()), body=body)
        self.heard.append(f"{request.url} {dict(request.headers)} {body.decode()}")
        answer = type(self).vendors(request)
        if hasattr(answer, "status"):
            self._say(answer.status, answer.body)
        else:
            self.close_connection = True

    do_POST = do_GET  # noqa: N815

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the output of a test is the functions' own."""


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Handler]]:
    """Put this process into the environment of all functions, and return what answers them."""

    class Handler(_Handler):
        heard: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        Handler.aws, Handler.vendors = Aws(address), staticmethod(Honest())
        for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
            monkeypatch.delenv(name)
        variables = {name: name for function in FUNCTIONS for name in environment_of(function)}
        own = {
            "LEASE_SECONDS": "60",
            "RETENTION_DAYS": "90",
            "DUE_SHARDS": "8",
            "WEBHOOK_BASE_URL": address,
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
            "AWS_ENDPOINT_URL": address,
            "SEND_QUEUE_URL": f"{address}/send",
            "URGENT_QUEUE_URL": f"{address}/urgent",
            "AWS_DEFAULT_REGION": "ap-southeast-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }
        for name, said in {**variables, **own}.items():
            monkeypatch.setenv(name, said)
        levels = {library: logging.getLogger(library).level for library in LIBRARIES}
        for library in LIBRARIES:
            logging.getLogger(library).setLevel(logging.NOTSET)
        # The message that is due came to be when the clock of the fakes stood still.
        monkeypatch.setattr(bootstrap, "clock", lambda: START)
        forget()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Handler
        finally:
            server.shutdown()
            thread.join()
            forget()
            for library, level in levels.items():
                logging.getLogger(library).setLevel(level)


def run_everything() -> Outside:
    """Invoke every function with everything, and return what got out."""
    outside = Outside()

    def invoke(function: str, event: Any) -> None:
        try:
            outside.wake_up(f"answer of {function}", json.dumps(handler_of(function)(event, Context())))
        except Exception as error:
            outside.note_exception(f"exception that left {function}", error)

    with watching(outside):
        forget()
        bodies = request_bodies()
        invoke("send", {"Records": [{"messageId": f"r-{n}", "body": body} for n, body in enumerate(bodies)]})
        for event in [*callbacks(), *astray_callbacks(), *malformed_callbacks()[:10]]:
            invoke("webhook", event)
        invoke("follow_up", {})
        invoke("monitor", {})
        images = [{"dynamodb": {"NewImage": to_item(due_message())}}]
        invoke("publish", {"Records": images})
    return outside


def test_functions_as_they_are_deployed_say_nothing_and_do_their_work(door: type[_Handler]) -> None:
    outside = run_everything()

    assert outside.leaks() == []
    assert len(door.heard) > len(REQUESTS) / 2
    assert {CANARIES[name].vendor for name in canaries_in("".join(door.heard))} >= set(ROOTS)
    assert {f"answer of {function}" for function in FUNCTIONS} <= outside.places()
    assert "message attempted" in outside.text("standard output")
    assert "SendAccepted" in outside.text("standard output")


@pytest.mark.parametrize("services", [("DynamoDB",), ("SQS", "Events", "SSM")], ids=" ".join)
def test_a_service_that_refuses_and_repeats_what_it_was_told_reveals_nothing(
    door: type[_Handler], services: tuple[str, ...]
) -> None:
    door.aws.refuses = frozenset(services)

    assert run_everything().leaks() == []


@pytest.mark.parametrize("fault", ["HTTP 500", "a time-out"])
def test_a_vendor_that_fails_at_the_other_end_of_a_socket_reveals_nothing(door: type[_Handler], fault: str) -> None:
    door.vendors = staticmethod(FAULTS[fault])

    assert run_everything().leaks() == []
