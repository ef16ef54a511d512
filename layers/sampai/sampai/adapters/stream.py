"""Events of DynamoDB Streams: the changes of the tables of messages and inbound messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sampai.adapters.inbox import from_inbox_item
from sampai.adapters.items import from_item
from sampai.adapters.reading import Parsed, read_item
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.services.ports.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """The changes in one event, in their order."""

    changes: tuple[tuple[Message | None, Message], ...]
    """Revisions of messages, each with the revision before it, or None for a new message or an unreadable revision."""
    received: tuple[tuple[Inbound, datetime], ...]
    """Inbound messages, each with the time of its arrival."""


def parse_batch(event: Mapping[str, Any], telemetry: Telemetry) -> StreamBatch:
    """Return the changes in an event. Deleted items, which have no new image, are left out.

    A record that cannot be read is reported and left out, so that it does not block the records after it.
    """
    images = [record["dynamodb"] for record in event["Records"] if "NewImage" in record["dynamodb"]]
    changes = [_parse_change(image, telemetry) for image in images if "message_id" in image["NewImage"]]
    received = [
        _read(image["NewImage"], from_inbox_item, "inbound_key", telemetry)
        for image in images
        if "inbound_key" in image["NewImage"]
    ]
    return StreamBatch(
        changes=tuple(change for change in changes if change is not None),
        received=tuple(inbound for inbound in received if inbound is not None),
    )


def _parse_change(image: Mapping[str, Any], telemetry: Telemetry) -> tuple[Message | None, Message] | None:
    before = _read(image["OldImage"], from_item, "message_id", telemetry) if "OldImage" in image else None
    after = _read(image["NewImage"], from_item, "message_id", telemetry)
    return None if after is None else (before, after)


def _read(
    item: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Parsed], key: str, telemetry: Telemetry
) -> Parsed | None:
    return read_item(item, parse, table="stream", key=key, telemetry=telemetry)
