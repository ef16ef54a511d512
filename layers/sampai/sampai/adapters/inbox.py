"""The table of inbound messages. Its stream brings them to the publish function."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import Item, to_ttl
from sampai.domain.inbound import Inbound, truncate_for_event
from sampai.domain.message import Channel
from sampai.domain.times import from_text, to_text
from sampai.domain.words import word_of

RETENTION: Final = timedelta(days=7)
"""The time in which a repeated callback is detected."""


class DynamoInbox:
    """Implements `ports.inbox.Inbox`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        with unavailable("inbox"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_inbox_item(key, inbound, now),
                    ConditionExpression="attribute_not_exists(inbound_key)",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True


def to_inbox_item(key: str, inbound: Inbound, now: datetime) -> Item:
    """Return the item of an inbound message that arrived at `now`. A text too long for an event is cut."""
    inbound = truncate_for_event(inbound)
    texts = {
        "inbound_key": key,
        "provider": inbound.provider,
        "channel": inbound.channel,
        "provider_message_id": inbound.provider_message_id,
        "sender": inbound.sender,
        "recipient": inbound.recipient,
        "text": inbound.text,
        "room_id": inbound.room_id,
        "received_at": to_text(inbound.received_at) if inbound.received_at else None,
        "came_at": to_text(now),
    }
    item: Item = {name: {"S": str(value)} for name, value in texts.items() if value is not None}
    return item | {"ttl": to_ttl(now, RETENTION)}


def from_inbox_item(item: Mapping[str, Any]) -> tuple[Inbound, datetime]:
    """Return the message in an item of `to_inbox_item`, and the time of its arrival."""

    def text(name: str) -> str | None:
        value = item.get(name)
        return None if value is None else str(value["S"])

    received_at = text("received_at")
    inbound = Inbound(
        provider=item["provider"]["S"],
        channel=word_of(Channel, item["channel"]["S"]),
        provider_message_id=text("provider_message_id"),
        sender=item["sender"]["S"],
        recipient=text("recipient"),
        text=text("text") or "",
        room_id=text("room_id"),
        received_at=from_text(received_at) if received_at else None,
    )
    return inbound, from_text(item["came_at"]["S"])
