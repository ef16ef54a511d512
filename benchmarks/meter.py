"""A meter for the requests of a handler to AWS, in units of the bill.

The handler runs in this process, against the local AWS. The meter computes the units of DynamoDB from the items before
and after each write.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from benchmarks.billing import (
    CHUNK,
    EVENT_REQUESTS,
    EVENTS,
    INDEX_WRITES,
    LOG_BYTES,
    PARAMETERS,
    READ_UNITS,
    REFUSED,
    REQUESTS,
    SECRETS,
    SQS,
    WRITE_UNITS,
    WRITES,
    Item,
    Usage,
    index_units,
    line_bytes,
    query_units,
    read_units,
    size_of,
    write_units,
)
from local.emulator.partiql_proxy import classic_call
from tests.emulator import Emulator


@dataclass(kw_only=True)
class Meter:
    emulator: Emulator
    changes: list[dict[str, Item]] = field(default_factory=list)
    """Images of the writes to tables with a stream, as the stream contains them. The reader empties the list."""
    largest: int = 0
    """Size of the largest written item in bytes."""
    metrics: set[str] = field(default_factory=set)
    """The custom metrics in the log, with their dimensions."""
    _usage: Usage = field(default_factory=Usage)
    _tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    _stdout: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self._reader = self.emulator.client("dynamodb")

    def measure(self, task: Callable[[], object]) -> Usage:
        """Run the task, and return its usage. Its standard output counts as its log."""
        self._usage = Usage()
        # Empty the buffer instead of replacing it: the logger of a sandbox keeps the stream of its first line.
        self._stdout.seek(0)
        self._stdout.truncate()
        patched: Any = BaseClient
        call = patched._make_api_call
        meter = self

        def count_call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if client is meter._reader:
                return call(client, operation, params)
            return meter._count(client, operation, params, lambda: call(client, operation, params))

        with pytest.MonkeyPatch.context() as patch, redirect_stdout(self._stdout):
            patch.setattr(BaseClient, "_make_api_call", count_call)
            task()
        lines = self._stdout.getvalue().splitlines()
        self._usage[LOG_BYTES] += sum(line_bytes(line) for line in lines)
        self.metrics |= {name for line in lines for name in _metrics_in(line)}
        return self._usage

    def _count(self, client: Any, operation: str, params: dict[str, Any], call: Callable[[], Any]) -> Any:
        match client.meta.service_model.service_name:
            case "dynamodb":
                return self._count_dynamodb(operation, params, call)
            case "sqs":
                size = sum(len(entry.get("MessageBody", "").encode()) for entry in params.get("Entries", ()))
                self._usage[SQS] += max(1, ceil(size / CHUNK))
            case "secretsmanager":
                self._usage[SECRETS] += 1
            case "ssm":
                self._usage[PARAMETERS] += 1
            case "events":
                self._usage[EVENT_REQUESTS] += 1
                self._usage[EVENTS] += sum(ceil(len(entry["Detail"].encode()) / CHUNK) for entry in params["Entries"])
        return call()

    def _count_dynamodb(self, operation: str, params: dict[str, Any], call: Callable[[], Any]) -> Any:
        self._usage[REQUESTS] += 1
        if operation in _READS:
            response = call()
            self._usage[READ_UNITS] += _READS[operation](params, response)
            return response
        keys = self._written_keys(operation, params)
        before = [self._read(*key) for key in keys]
        try:
            response = call()
        except ClientError:
            self._count_writes(keys, before, [True] * len(keys))
            raise
        refused = [bool(entry.get("Error")) for entry in response.get("Responses", ())]
        self._count_writes(keys, before, refused or [False] * len(keys))
        return response

    def _count_writes(
        self, keys: Sequence[tuple[str, Item]], before: Sequence[Item | None], refused: Sequence[bool]
    ) -> None:
        for (table, key), old, is_refused in zip(keys, before, refused, strict=True):
            new = old if is_refused else self._read(table, key)
            self._usage[REFUSED if is_refused else WRITES] += 1
            self._usage[WRITE_UNITS] += write_units(old, new)
            self.largest = max(self.largest, size_of(new or {}))
            for index in self._describe(table).get("GlobalSecondaryIndexes", ()):
                units = index_units(old, new, _key_names(index))
                self._usage[WRITE_UNITS] += units
                self._usage[INDEX_WRITES] += units
            if not is_refused and new is not None and "StreamSpecification" in self._describe(table):
                self.changes.append({"NewImage": new, **({"OldImage": old} if old else {})})

    def _read(self, table: str, key: Item) -> Item | None:
        item: Item | None = self._reader.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item

    def _written_keys(self, operation: str, params: Mapping[str, Any]) -> list[tuple[str, Item]]:
        """Return the table and key of each item that a request writes."""
        if operation == "BatchExecuteStatement":
            calls = [classic_call(statement) for statement in params["Statements"]]
            return [key for call in calls if call for key in self._written_keys(*call)]
        table = params["TableName"]
        values = _to_typed(params["Item"] if operation == "PutItem" else params["Key"])
        return [(table, {name: values[name] for name in _key_names(self._describe(table))})]

    def _describe(self, table: str) -> dict[str, Any]:
        if table not in self._tables:
            self._tables[table] = self._reader.describe_table(TableName=table)["Table"]
        return self._tables[table]


def _key_names(table_or_index: Mapping[str, Any]) -> list[str]:
    return [key["AttributeName"] for key in table_or_index["KeySchema"]]


def _metrics_in(line: str) -> Iterator[str]:
    """Yield the metrics of a log line in the embedded metric format."""
    if '"_aws"' not in line:
        return
    document = json.loads(line)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            values = [str(document[name]) for name in names]
            yield from (" ".join([metric["Name"], *values]) for metric in directive["Metrics"])


def _to_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in DynamoDB's JSON. The resources of boto3 pass plain values."""
    is_typed = all(isinstance(value, dict) and len(value) == 1 and set(value) <= _TYPES for value in values.values())
    return dict(values) if is_typed else {name: TypeSerializer().serialize(value) for name, value in values.items()}


def _units_of_batch_get(params: Mapping[str, Any], response: Mapping[str, Any]) -> float:
    return sum(
        read_units(response["Responses"].get(table, ()), asked=len(wanted["Keys"]))
        for table, wanted in params["RequestItems"].items()
    )


def _units_of_get(params: Mapping[str, Any], response: Mapping[str, Any]) -> float:
    units = read_units([_to_typed(response["Item"])] if "Item" in response else [], asked=1)
    return units if params.get("ConsistentRead") else units / 2


_TYPES: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
_READS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], float]]] = {
    "BatchGetItem": _units_of_batch_get,
    "GetItem": _units_of_get,
    "Query": lambda _, response: query_units(response["Items"]),
}
