"""The client's CPU time of calls to DynamoDB with items as plain JSON, and with botocore's walk through their values.

The answers are canned, so nothing but the client is measured: no connection, and no local AWS.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, Final, cast
from unittest.mock import patch

from boto3.session import Session
from botocore.awsrequest import AWSRequest, AWSResponse, HeadersDict

from benchmarks.growth import accepted_message
from benchmarks.results import Result
from sampai.adapters.aws import CONFIG, Aws
from sampai.adapters.items import to_item
from tests.fakes import START

CALLS: Final = 200
ROUNDS: Final = 7
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}

_ITEM: Final = to_item(accepted_message("m-1", "smspoh", at=START, due_at=START))
_STATEMENT: Final = {"Statement": f"UPDATE t {'SET a=? ' * len(_ITEM)}", "Parameters": list(_ITEM.values())}
_ANSWERS: Final = {
    "BatchGetItem": {"Responses": {"messages": [_ITEM]}, "UnprocessedKeys": {}},
    "BatchExecuteStatement": {"Responses": [{}]},
}

Call = Callable[[Any], object]


def _read(client: Any) -> object:
    return client.batch_get_item(RequestItems={"messages": {"Keys": [{"message_id": {"S": "m-1"}}]}})


def _write(client: Any, count: int = 1) -> object:
    return client.batch_execute_statement(Statements=[_STATEMENT] * count)


KINDS: Final[dict[str, tuple[Call, ...]]] = {
    "a receipt: a read and a write": (_read, _write),
    "a batch of ten: two writes": (lambda client: _write(client, 10), lambda client: _write(client, 10)),
}


def measure() -> list[Result]:
    with patch.dict(os.environ, CREDENTIALS):
        clients = {"plain": Aws().client("dynamodb"), "botocore": Session().client("dynamodb", config=CONFIG)}
    for client in clients.values():
        client.meta.events.register("before-send.dynamodb", _answer)
    return [_measure_kind(number, kind, calls, clients) for number, (kind, calls) in enumerate(KINDS.items())]


def _measure_kind(number: int, kind: str, calls: tuple[Call, ...], clients: dict[str, Any]) -> Result:
    spent: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, client in clients.items():
            started_at = time.process_time()
            for _ in range(CALLS):
                for call in calls:
                    call(client)
            spent[name].append((time.process_time() - started_at) / CALLS)
    plain, botocore = median(spent["plain"]), median(spent["botocore"])
    note = f"{plain * 1000:.2f} and {botocore * 1000:.2f} ms"
    label = f"{kind}: CPU time of the DynamoDB client ÷ that of botocore"
    return Result(key=f"plain-json.{number}", label=label, value=plain / botocore, goal=0.85, note=note)


def _answer(request: AWSRequest, event_name: str, **_: Any) -> AWSResponse:
    body = json.dumps(_ANSWERS[event_name.rpartition(".")[2]]).encode()
    return AWSResponse(str(request.url), 200, cast("Any", HeadersDict()), _Raw(body))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body
