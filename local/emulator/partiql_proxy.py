"""A proxy between the functions and the local DynamoDB, which writes no stream records for PartiQL writes.

The local AWS (ministack 1.5.33) executes PartiQL writes correctly, with their conditions, but only the classic
operations reach the table's stream there; on AWS both do. So the functions of the local stack use this proxy as their
DynamoDB endpoint. It replaces a batch of PartiQL writes by equivalent classic calls, one for each statement, and
responds with a batch. It forwards every other request unchanged. Callers, tests and operators use the local AWS itself.
"""

import argparse
import json
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

HEALTH_PATH: Final = "/_health"
_TARGET: Final = "DynamoDB_20120810."

_INSERT: Final = re.compile(r'INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<fields>[^}]*)\}')
_UPDATE: Final = re.compile(
    r'UPDATE "(?P<table>[^"]+)"(?P<sets>(?: SET "\w+" = \?)*)(?P<removes>(?: REMOVE "\w+")*)'
    r' WHERE "(?P<key>\w+)" = \? AND "(?P<guard>\w+)" = \?'
)

Answer = tuple[int, bytes]


def classic_call(statement: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the classic operation and request that do the same as a PartiQL write of the store, or None for others."""
    text, parameters = statement["Statement"], statement["Parameters"]
    if found := _INSERT.fullmatch(text):
        return _put(found, parameters)
    if found := _UPDATE.fullmatch(text):
        return _update(found, statement, parameters)
    return None


def _put(found: re.Match[str], parameters: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    names = re.findall(r"'(\w+)': \?", found["fields"])
    return "PutItem", {
        "TableName": found["table"],
        "Item": dict(zip(names, parameters, strict=True)),
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": names[0]},
    }


def _update(
    found: re.Match[str], statement: Mapping[str, Any], parameters: Sequence[Any]
) -> tuple[str, dict[str, Any]]:
    sets, removes = re.findall(r'"(\w+)"', found["sets"]), re.findall(r'"(\w+)"', found["removes"])
    *values, key, guard = parameters
    names = {f"#{name}": name for name in [*sets, *removes, found["guard"]]}
    parts = []
    if sets:
        parts.append("SET " + ", ".join(f"#{name} = :{name}" for name in sets))
    if removes:
        parts.append("REMOVE " + ", ".join(f"#{name}" for name in removes))
    request = {
        "TableName": found["table"],
        "Key": {found["key"]: key},
        "UpdateExpression": " ".join(parts),
        "ConditionExpression": f"#{found['guard']} = :guard",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in zip(sets, values, strict=True)},
            ":guard": guard,
        },
    }
    on_failure = "ReturnValuesOnConditionCheckFailure"
    return "UpdateItem", request | ({on_failure: statement[on_failure]} if on_failure in statement else {})


def batch_response(operation: str, answer: Answer) -> dict[str, Any]:
    """Return the entry of a batch response for a statement that a classic call executed."""
    status, body = answer
    if status == 200:
        return {}
    error = json.loads(body)
    code = str(error.get("__type", "InternalServerError")).rpartition("#")[2]
    if code == "ConditionalCheckFailedException":
        code = "DuplicateItem" if operation == "PutItem" else "ConditionalCheckFailed"
    error_fields = {"Code": code, "Message": error.get("message", "")}
    return {"Error": error_fields | ({"Item": error["Item"]} if "Item" in error else {})}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "LocalDynamoDb"

    def do_GET(self) -> None:
        self._answer(200 if self.path == HEALTH_PATH else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        operation = self.headers.get("x-amz-target", "").removeprefix(_TARGET)
        translated = self._execute_classic_calls(json.loads(body)) if operation == "BatchExecuteStatement" else None
        status, answer = translated or self._forward(operation, body)
        self._answer(status, answer)

    def _execute_classic_calls(self, batch: Mapping[str, Any]) -> Answer | None:
        calls = [classic_call(statement) for statement in batch["Statements"]]
        if not all(calls):
            return None
        responses = [
            batch_response(call[0], self._forward(call[0], json.dumps(call[1]).encode())) for call in calls if call
        ]
        return 200, json.dumps({"Responses": responses}).encode()

    def _forward(self, operation: str, body: bytes) -> Answer:
        kept = {name: value for name, value in self.headers.items() if name.lower() in ("authorization", "x-amz-date")}
        headers = {**kept, "content-type": "application/x-amz-json-1.0", "x-amz-target": f"{_TARGET}{operation}"}
        upstream = HTTPConnection(self.server.upstream, timeout=30)
        try:
            upstream.request("POST", "/", body, headers)
            answer = upstream.getresponse()
            return answer.status, answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Write nothing: the requests are private."""


class LocalDynamoDb(ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1 (0: any free one) for the functions of the local AWS at `upstream`."""

    daemon_threads = True

    def __init__(self, port: int, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        super().__init__(("127.0.0.1", port), _Handler)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.emulator.partiql_proxy", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="the local AWS, http://127.0.0.1:4566")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with LocalDynamoDb(arguments.port, arguments.upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stopped.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
