"""Read stored items one by one. An item that cannot be read never prevents the reading of another."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sampai.services.ports.telemetry import Telemetry

Parsed = TypeVar("Parsed")


def read_item(
    item: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Parsed], *, table: str, key: str, telemetry: Telemetry
) -> Parsed | None:
    """Return the parsed item. If it cannot be read, log and count it, and return None.

    `key` is the name of the key attribute. Its value is logged only if it is a message id: other keys contain numbers.
    """
    try:
        return parse(item)
    except Exception as error:
        # The type of the error alone: its text may contain a value of the item.
        message_id = item.get("message_id", {}).get("S") if key == "message_id" else None
        telemetry.error("item unreadable", table=table, message_id=message_id, error=type(error).__name__)
        telemetry.count("ItemUnreadable")
        return None
