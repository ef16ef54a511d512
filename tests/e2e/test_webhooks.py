"""The webhook URL of the stack, with requests of vendors and of strangers."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from local.simulators.encodings import ENCODINGS
from sampai.domain.webhook_token import webhook_token
from tests.e2e.conftest import Stack, client

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def call(stack: Stack, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, str]:
    base = urlsplit(stack.outputs["WebhookBaseUrl"])
    connection = HTTPConnection(base.hostname or "", base.port, timeout=15)
    try:
        connection.request(method, f"{base.path}{path}", body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get_content_type()
    finally:
        connection.close()


def buffered(stack: Stack, key: str) -> object:
    """Return the item of a correlation."""
    table = stack.resource("CorrelationsTable")
    return (
        client("dynamodb")
        .get_item(TableName=table, Key={"correlation_key": {"S": key}}, ConsistentRead=True)
        .get("Item")
    )


@pytest.fixture(scope="module")
def token(local_stack: Stack) -> str:
    secret = client("secretsmanager").get_secret_value(SecretId=local_stack.outputs["ProviderSecretArn"])
    tokens: list[str] = json.loads(secret["SecretString"])["webhook_tokens"]
    return webhook_token(tokens[0], "smspoh")


def test_unknown_paths_get_one_constant_response(local_stack: Stack, token: str) -> None:
    query = "?messageId=X&status=Success"
    places = [
        f"/webhooks/smspoh/receipt/{token[:-1]}x",
        f"/webhooks/smspoh/receipt/{token[:20]}",
        f"/webhooks/acme/receipt/{token}",
        f"/webhooks/smspoh/inbox/{token}",
        f"/webhooks/nomsa/receipt/{token}",
        f"/webhooks/nusasms/sms-receipt/{token}",
    ]

    answers = {call(local_stack, "GET", place + query) for place in places}

    assert answers == {(404, b"not found", "text/plain")}


def test_known_and_unknown_messages_get_one_constant_response(local_stack: Stack, token: str) -> None:
    request = local_stack.request("smspoh")
    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "delivered"))
    known = local_stack.ledger(request)[0]["provider_message_id"]
    place = f"/webhooks/smspoh/receipt/{token}"

    answers = {
        call(local_stack, "GET", f"{place}?messageId={known}&status=Sent"),
        call(local_stack, "GET", f"{place}?messageId=NOBODY-1&status=Sent"),
        call(local_stack, "POST", place, b"messageId=NOBODY-2&status=Sent", **FORM),
        call(local_stack, "POST", place, b'{"messageId": "NOBODY-3", "status": "Sent"}', **JSON),
    }

    assert answers == {(200, b"ok", "text/plain")}
    assert local_stack.status(request["message_id"]) == "delivered"


def test_malformed_requests_get_one_constant_response(local_stack: Stack, token: str) -> None:
    place = f"/webhooks/smspoh/receipt/{token}"

    answers = {
        call(local_stack, "GET", place),
        call(local_stack, "GET", f"{place}?messageId=A&status=Sent&status=Success"),
        call(local_stack, "POST", f"{place}?messageId=A&status=Sent", b"status=Success", **FORM),
        call(local_stack, "POST", place, b'{"messageId": ', **JSON),
        call(local_stack, "POST", place, b"messageId=A&status=Sent&x=" + b"a" * 70_000, **FORM),
        call(local_stack, "POST", place, b"\xff\xfe", **FORM),
    }

    assert answers == {(400, b"malformed", "text/plain")}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_receipts_are_read_in_every_encoding(local_stack: Stack, token: str, encoding: str) -> None:
    provider_message_id = f"IN-{encoding.replace(' ', '-').upper()}"
    encoded = ENCODINGS[encoding]({"messageId": provider_message_id, "status": "Sent"})
    path = f"/webhooks/smspoh/receipt/{token}" + (f"?{encoded.query}" if encoded.query else "")
    headers = {"content-type": encoded.content_type} if encoded.content_type else {}

    answer = call(local_stack, encoded.method, path, encoded.body, **headers)

    assert answer == (200, b"ok", "text/plain")
    assert buffered(local_stack, f"smspoh#sms#{provider_message_id}") is not None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_change_nothing(local_stack: Stack, token: str, method: str) -> None:
    status, _, _ = call(local_stack, method, f"/webhooks/smspoh/receipt/{token}?messageId=BY-{method}&status=Sent")

    assert 200 <= status < 500
    assert buffered(local_stack, f"smspoh#sms#BY-{method}") is None


def test_a_report_without_a_message_is_buffered(local_stack: Stack, token: str) -> None:
    call(local_stack, "POST", f"/webhooks/smspoh/receipt/{token}?messageId=BY-POST&status=Sent")

    assert buffered(local_stack, "smspoh#sms#BY-POST") is not None
