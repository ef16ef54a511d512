"""Messages as the tool shows them: without the text, with the recipient masked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sampai.adapters.dynamo import Item, get_all
from sampai.adapters.items import from_item
from sampai.domain.message import Message
from sampai.domain.recipient import mask
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai_cli.errors import InputError
from sampai_cli.lines import since as instant_of
from sampai_cli.run import Run

PRICE_PER_MILLION_READS: Final = 0.1425
"""US dollars for a million read units on demand in ap-southeast-1. Other regions differ a little."""

MAX_READ_UNITS: Final = 50_000
"""Where a search of the table stops by default: about 400 MB."""


@dataclass(slots=True, kw_only=True)
class Search:
    """A search through the table of messages: its limit, and the units that it has used."""

    run: Run
    max_units: float = MAX_READ_UNITS
    units: float = 0.0
    items: int = 0
    is_complete: bool = True

    def scan(
        self, fields: tuple[str, ...] = (), *, index: str | None = None, table: str | None = None
    ) -> Iterator[Item]:
        """Yield the items of the table of messages, of its index, or of another table. Stop at the limit.

        With `fields`, an item has only these attributes.
        """
        client = self.run.client("dynamodb")
        request: dict[str, Any] = {
            "TableName": table or self.run.stack.output("MessagesTableName"),
            "ReturnConsumedCapacity": "TOTAL",
        }
        if fields:
            names = {f"#{number}": name for number, name in enumerate(fields)}
            request |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        if index is not None:
            request["IndexName"] = index
        while True:
            answer = client.scan(**request)
            self.units += answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
            self.items += answer.get("ScannedCount", len(answer["Items"]))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            if self.units >= self.max_units:
                self.is_complete = False
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def tell_price(self) -> None:
        """Tell what the search has cost, and whether it reached the end."""
        dollars = self.units * PRICE_PER_MILLION_READS / 1_000_000
        end = "" if self.is_complete else " It stopped at its limit and is not complete: raise --max-units."
        self.run.note(f"Read {self.items} items with {self.units:.0f} read units, about ${dollars:.6f}.{end}")


OPEN: Final = "open"
"""In place of a status: every message that is not final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which messages a list has. None: any."""

    status: str | None = None
    provider: str | None = None
    changed_since: str | None = None
    """A time as the table has it."""

    def accepts(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row of `row_of` passes."""
        status: str | None = row["status"]
        is_wanted = self.status in (None, status) or (self.status == OPEN and not is_final(status))
        return (
            is_wanted
            and self.provider in (None, row["provider"])
            and (self.changed_since is None or (row["updated_at"] or "") >= self.changed_since)
        )


def new_filter(*, status: str | None, provider: str | None, since: str | None, now: datetime) -> Filter:
    """Return the filter that the words of a person stand for. Raises InputError."""
    if status is not None and status not in (OPEN, *Status):
        raise InputError(f"{status[:40]!r} is no status. Use one of {', '.join([OPEN, *Status])}.")
    changed_since = None if since is None else to_text(instant_of(since, now=now))
    return Filter(status=status, provider=provider, changed_since=changed_since)


def read_item(run: Run, message_id: str) -> Item | None:
    """Return the stored item of a message with strong consistency, or None."""
    answer = run.client("dynamodb").get_item(
        TableName=run.stack.output("MessagesTableName"), Key={"message_id": {"S": message_id}}, ConsistentRead=True
    )
    item: Item | None = answer.get("Item")
    return item


def read_items(run: Run, message_ids: list[str]) -> list[Item]:
    return get_all(run.client("dynamodb"), run.stack.output("MessagesTableName"), "message_id", message_ids)


def open_ids(search: Search) -> list[str]:
    """Return the ids of the messages that are not final, by the due index, which has no others."""
    return [item["message_id"]["S"] for item in search.scan(("message_id",), index="due")]


LISTED: Final = ("message_id", "status", "provider", "attempt", "created_at", "updated_at", "reason")
"""The columns of a list."""
STORED: Final = ("message_id", "status", "channel", "provider", "attempt", "created_at", "updated_at", "failure")


def row_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an item for a list."""
    return {
        **{name: text_of(item, name) for name in LISTED if name not in ("attempt", "reason")},
        "channel": text_of(item, "channel"),
        "attempt": number_of(item, "attempt"),
        "reason": text_of(item.get("failure", {}).get("M", {}), "reason"),
    }


_TEXTS: Final = (
    "message_id",
    "status",
    "channel",
    "category",
    "recipient",
    "sender",
    "provider",
    "provider_message_id",
    "provider_status",
    "attempt",
    "not_found_count",
    "lookup_error",
    "lookup_errors",
    "segments",
    "encoding",
    "cost",
    "caller",
    "created_at",
    "updated_at",
    "send_at",
    "expires_at",
    "due_at",
    "failure",
)
"""The facts of a story, in their order. `content` is not among them, and of `metadata` there are only the names."""


def facts_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an item for a story."""
    facts = {name: _plain(item[name]) if name in item else None for name in _TEXTS}
    if facts["recipient"]:
        facts["recipient"] = mask(facts["recipient"])
    facts["metadata"] = sorted(item.get("metadata", {}).get("M", {}))
    return facts


def message_of(item: Mapping[str, Any]) -> Message | None:
    """Return the message in an item, or None if this release cannot read it."""
    try:
        return from_item(item)
    except Exception:  # of any type, as from_item says
        return None


def history_of(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_plain(entry) for entry in item.get("history", {}).get("L", [])]


def is_final(status: str | None) -> bool:
    """Return whether a stored status is final. An unknown word of another release is not."""
    return any(known == status and known.is_final for known in Status)


def text_of(item: Mapping[str, Any], name: str) -> str | None:
    return item[name].get("S") if name in item else None


def number_of(item: Mapping[str, Any], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _plain(value: Mapping[str, Any]) -> Any:
    """Return a value of DynamoDB as Python's own."""
    ((kind, content),) = value.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "S": str,
        "N": lambda number: int(number) if number.lstrip("-").isdigit() else float(number),
        "M": lambda fields: {name: _plain(each) for name, each in fields.items()},
        "L": lambda entries: [_plain(each) for each in entries],
    }
    return readers.get(kind, lambda other: other)(content)
