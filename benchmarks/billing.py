"""Billed resources, amounts of them, and the rules of DynamoDB, SQS and CloudWatch Logs for units."""

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

REQUESTS: Final = "DynamoDB requests"
WRITES: Final = "completed writes"
REFUSED: Final = "writes with a false condition"
WRITE_UNITS: Final = "write units"
INDEX_WRITES: Final = "index write units"
"""A part of the write units."""
READ_UNITS: Final = "read units"
STORED: Final = "bytes stored"
SQS: Final = "SQS requests"
SECRETS: Final = "secret reads"
PARAMETERS: Final = "parameter reads"
EVENTS: Final = "events"
EVENT_REQUESTS: Final = "PutEvents requests"
VENDOR_CALLS: Final = "vendor calls"
VENDOR_BYTES: Final = "bytes to vendors"
API: Final = "API requests"
LOG_BYTES: Final = "log bytes"
PLATFORM_LOG_BYTES: Final = "log bytes of Lambda itself"

CHUNK: Final = 64 * 1024
"""Bytes that SQS and EventBridge bill as one request or event."""

LOG_LINE_OVERHEAD: Final = 26
"""Bytes that CloudWatch Logs adds to each line."""

ITEM_OVERHEAD: Final = 100
"""Bytes that DynamoDB adds to each stored item."""


def invocations(function: str) -> str:
    """Return the resource name for invocations of a function."""
    return f"invocations of {function}"


def records_of(function: str) -> str:
    """Return the resource name for the records in the events of a function."""
    return f"records of {function}"


def waits(function: str, service: str) -> str:
    """Return the resource name for sequential waits of a function for an AWS service or a vendor."""
    return f"{function} waits for {service}"


class Usage(dict[str, float]):
    """Amounts of resources, by the names above. Missing amounts are 0."""

    def __missing__(self, name: str) -> float:
        return 0.0

    def __add__(self, other: Mapping[str, float]) -> "Usage":
        return Usage({name: self[name] + other.get(name, 0.0) for name in {**self, **other}})

    def __sub__(self, other: "Usage") -> "Usage":
        return self + other * -1

    def __mul__(self, factor: float) -> "Usage":
        return Usage({name: amount * factor for name, amount in self.items()})


# --- units ------------------------------------------------------------------------------------------------------------

Item = Mapping[str, Any]
"""An item in DynamoDB's JSON."""


def size_of(item: Item) -> int:
    """Return the size of an item in bytes, from which DynamoDB computes units: its names and values."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "N":
            digits = str(content).lstrip("-").replace(".", "").strip("0") or "0"
            return ceil(len(digits) / 2) + 1 + str(content).startswith("-")
        case "B":
            return len(bytes(content))
        case "L":
            return 3 + sum(1 + _size_of_value(entry) for entry in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size_of_value(entry) for name, entry in content.items())
    return 1


def write_units(before: Item | None, after: Item | None) -> int:
    """Return the units of a write to one item, from its states before and after. A refused write costs the same."""
    larger = max(size_of(before or {}), size_of(after or {}))
    return max(1, ceil(larger / 1024))


def index_units(before: Item | None, after: Item | None, keys: Sequence[str]) -> int:
    """Return the units of a write in a sparse index that projects only keys. A changed key is a delete and a put."""
    old, new = _entry(before, keys), _entry(after, keys)
    return 0 if old == new else (old is not None) + (new is not None)


def _entry(item: Item | None, keys: Sequence[str]) -> list[Any] | None:
    return [item[key] for key in keys] if item and all(key in item for key in keys) else None


def read_units(items: Sequence[Item], *, asked: int) -> float:
    """Return the units of a strongly consistent read of `asked` keys. A missing item costs one unit."""
    return sum(max(1, ceil(size_of(item) / 4096)) for item in items) + max(0, asked - len(items))


def query_units(items: Sequence[Item]) -> float:
    """Return the units of one eventually consistent query."""
    return max(1, ceil(sum(size_of(item) for item in items) / 4096)) / 2


def polling_requests(size: int) -> int:
    """Return the number of SQS requests with which Lambda receives and deletes a batch of `size` bytes."""
    return max(1, ceil(size / CHUNK)) + 1


def line_bytes(line: str) -> int:
    """Return the bytes that CloudWatch Logs bills for a line."""
    return len(line.encode()) + LOG_LINE_OVERHEAD


def json_line_bytes(*documents: Mapping[str, Any]) -> int:
    """Return the bytes that CloudWatch Logs bills for documents, each on one line."""
    return sum(line_bytes(json.dumps(document, separators=(",", ":"))) for document in documents)
