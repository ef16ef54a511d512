"""The webhooks do as their OpenAPI document says: schemathesis drives the real handler over WSGI."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from werkzeug.test import Client, TestResponse

from docs.generate import REFERENCE
from tests.fuzz.test_webhook_surface import initial_state, load_handler, restore, shared_application
from tests.harness.application import token_of

DOCUMENT = json.loads((REFERENCE / "openapi.json").read_text())
TEXTS = {
    response["content"]["text/plain"]["schema"]["const"] for response in DOCUMENT["components"]["responses"].values()
}
CHECKS = [checks.status_code_conformance, checks.content_type_conformance]
OPERATIONS = [
    (path.replace("{token}", token_of(operation["tags"][0])), method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post")
]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve the document and the webhook function, as API Gateway would."""
    if environ["PATH_INFO"] == "/openapi.json":
        start_response("200 OK", [("content-type", "application/json")])
        return [json.dumps(DOCUMENT).encode()]
    answer = load_handler()(event_of(environ), None)
    start_response(f"{answer['statusCode']} {HTTPStatus(answer['statusCode']).phrase}", [*answer["headers"].items()])
    return [answer["body"].encode()]


def event_of(environ: dict[str, Any]) -> dict[str, Any]:
    """Return a WSGI request as an event of API Gateway."""
    _, _, provider, kind, token = environ["PATH_INFO"].split("/", 4)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return {
        "requestContext": {"http": {"method": environ["REQUEST_METHOD"]}},
        "rawQueryString": environ["QUERY_STRING"],
        "pathParameters": {"provider": provider, "kind": kind, "token": token},
        "headers": {"content-type": environ.get("CONTENT_TYPE", "")},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    shared_application().store.is_down = False
    restore(shared_application(), initial_state())


schema = schemathesis.openapi.from_wsgi("/openapi.json", application)


@schema.parametrize()
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_webhook_answers_as_documented(case: schemathesis.Case[Any]) -> None:
    # The token of another path parameter is nearly never the right one.
    case.path_parameters["token"] = token_of(case.operation.tags[0])

    response = case.call()

    assert response.status_code in (200, 400)
    assert response.text in TEXTS
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_webhook_answers_as_documented_to_a_stranger(case: schemathesis.Case[Any]) -> None:
    response = case.call()

    assert response.status_code == 404
    case.validate_response(response, checks=CHECKS)


def deliver(path: str, method: str, operation: dict[str, Any]) -> TestResponse:
    """Send the example of an operation."""
    if method == "get":
        query = {field["name"]: field["example"] for field in operation["parameters"]}
        return Client(application).get(path, query_string=urlencode(query))
    media = operation["requestBody"]["content"]["application/json"]
    return Client(application).post(path, json=media["example"])


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=[o[2]["operationId"] for o in OPERATIONS])
def test_example_of_a_webhook_is_received(path: str, method: str, operation: dict[str, Any]) -> None:
    answer = deliver(path, method, operation)

    assert (answer.status_code, answer.text) == (200, "ok")


def test_webhook_without_its_store_answers_503_as_documented() -> None:
    shared_application().store.is_down = True

    answer = deliver(*next(operation for operation in OPERATIONS if "receipt" in operation[0]))

    documented = DOCUMENT["components"]["responses"]["unavailable"]["content"]["text/plain"]["schema"]["const"]
    assert (answer.status_code, answer.text) == (503, documented)
