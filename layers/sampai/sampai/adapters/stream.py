"""Events of DynamoDB Streams: the changes of the tables of messages and inbound messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sampai.adapters.inbox import from_inbox_item
from sampai.adapters.items import from_item
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """The changes in one event, in their order."""

    changes: tuple[tuple[Message | None, Message], ...]
    """Revisions of messages, each with the revision before it, or None for a new message."""
    received: tuple[tuple[Inbound, datetime], ...]
    """Inbound messages, each with the time of its arrival."""


def parse_batch(event: Mapping[str, Any]) -> StreamBatch:
    """Return the changes in an event. Deleted items, which have no new image, are left out."""
    images = [record["dynamodb"] for record in event["Records"] if "NewImage" in record["dynamodb"]]
    return StreamBatch(
        changes=tuple(_parse_change(image) for image in images if "message_id" in image["NewImage"]),
        received=tuple(from_inbox_item(image["NewImage"]) for image in images if "inbound_key" in image["NewImage"]),
    )


def _parse_change(image: Mapping[str, Any]) -> tuple[Message | None, Message]:
    before = from_item(image["OldImage"]) if "OldImage" in image else None
    return before, from_item(image["NewImage"])
