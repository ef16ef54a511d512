"""DynamoDB without botocore's walk through items: the requests and the answers are those of botocore."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from boto3.session import Session
from botocore.awsrequest import AWSRequest, AWSResponse, HeadersDict
from botocore.exceptions import ClientError

from benchmarks.growth import accepted_message
from sampai.adapters.aws import CONFIG, Aws
from sampai.adapters.items import to_item
from tests.fakes import START

ITEM = to_item(accepted_message("m-1", "smspoh", at=START, due_at=START))
TEXT = {"text": {"S": 'សួស្តី "Bonjour" \\ \u2028 😀'}, "n": {"N": "1"}, "l": {"L": [{"M": {"b": {"BOOL": True}}}]}}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a batch of statements": (
        "BatchExecuteStatement",
        {"Statements": [{"Statement": "UPDATE", "Parameters": [*ITEM.values(), *TEXT.values()]}] * 2},
    ),
    "a batch of keys": (
        "BatchGetItem",
        {"RequestItems": {"messages": {"Keys": [{"message_id": {"S": "m-1"}}], "ConsistentRead": True}}},
    ),
    "a query": ("Query", {"TableName": "t", "Limit": 5, "ExpressionAttributeValues": {":now": {"S": "2026"}}}),
    "an item": ("PutItem", {"TableName": "t", "Item": {**ITEM, **TEXT}}),
    "a binary value": ("PutItem", {"TableName": "t", "Item": {"part": {"B": b"\x00\xff"}}}),
}


class Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@contextmanager
def recorded(client: Any, operation: str, status: int, body: bytes) -> Iterator[list[AWSRequest]]:
    """Answer each call of an operation, and record its request."""
    requests: list[AWSRequest] = []

    def answer(request: AWSRequest, **_: Any) -> AWSResponse:
        requests.append(request)
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "r-1"}
        return AWSResponse(str(request.url), status, cast("Any", HeadersDict(headers)), Raw(body))

    client.meta.events.register(f"before-send.dynamodb.{operation}", answer)
    yield requests


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Return our client and one of botocore."""
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return Aws().client("dynamodb"), Session().client("dynamodb", config=CONFIG)


def call(client: Any, operation: str, parameters: dict[str, Any], status: int = 200, body: bytes = b"{}") -> Any:
    """Return the request of a call, and its answer or error."""
    method = {"BatchExecuteStatement": "batch_execute_statement", "BatchGetItem": "batch_get_item"}.get(operation)
    with recorded(client, operation, status, body) as requests:
        try:
            answer = getattr(client, method or {"PutItem": "put_item"}.get(operation, operation.lower()))(**parameters)
        except ClientError as error:
            answer = {
                "Error": error.response["Error"],
                "Item": error.response.get("Item"),
                "type": type(error).__name__,
            }
        except Exception as error:
            answer = type(error).__name__
    headers = {name: requests[-1].headers[name] for name in ("X-Amz-Target", "Content-Type")}
    return (requests[-1].method, requests[-1].url, headers, json.loads(requests[-1].body), len(requests)), answer


@pytest.mark.parametrize(("operation", "parameters"), CALLS.values(), ids=CALLS)
def test_request_is_that_of_botocore(clients: tuple[Any, Any], operation: str, parameters: dict[str, Any]) -> None:
    ours, botocore = (call(client, operation, parameters) for client in clients)

    assert ours == botocore


ANSWERS: dict[str, tuple[str, int, Any]] = {
    "items": ("a batch of keys", 200, {"Responses": {"messages": [ITEM, TEXT]}, "UnprocessedKeys": {}}),
    "a binary value": ("a batch of keys", 200, {"Responses": {"media": [{"part": {"B": "AP8="}}]}}),
    "refused statements": (
        "a batch of statements",
        200,
        {"Responses": [{}, {"Error": {"Code": "ConditionalCheckFailed", "Message": "no", "Item": ITEM}}]},
    ),
    "a page of keys": ("a query", 200, {"Items": [TEXT], "Count": 1, "LastEvaluatedKey": {"k": {"S": "v"}}}),
    "attributes": ("an item", 200, {"Attributes": ITEM}),
    "a refused condition": (
        "an item",
        400,
        {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no", "Item": ITEM},
    ),
    "a throttled call": (
        "a batch of keys",
        400,
        {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow"},
    ),
    "an outage": ("a batch of keys", 500, {"__type": "InternalServerError", "message": "oops"}),
    "no JSON": ("a batch of keys", 200, b"<html>"),
    "no object": ("a batch of keys", 200, b"[]"),
}


@pytest.mark.parametrize(("name", "status", "document"), ANSWERS.values(), ids=ANSWERS)
def test_answer_is_that_of_botocore(clients: tuple[Any, Any], name: str, status: int, document: Any) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    ours, botocore = (call(client, *CALLS[name], status=status, body=body) for client in clients)

    assert ours == botocore


def test_items_are_not_walked_through(clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """If a new version of botocore moves the attributes that are replaced, this fails: calls have become dear again."""
    walked: list[str] = []
    client = clients[0]
    serializer, factory = client._serializer._botocore, client._endpoint._response_parser_factory._botocore
    serialize = serializer._serialize

    def note(body: Any, value: dict[str, Any], *more: Any) -> None:
        walked.extend(value)
        serialize(body, value, *more)

    monkeypatch.setattr(serializer, "_serialize", note)
    monkeypatch.setattr(type(factory.create_parser("json")), "_parse_shape", lambda *_: walked.append("answer"))

    call(client, *CALLS["a batch of keys"], body=b'{"Responses": {}}')

    assert walked == []
