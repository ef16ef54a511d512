"""What the tables' adapters share."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sampai.services.ports.runtime import Sleep, UnavailableError

Item = dict[str, Any]
"""An item in DynamoDB's own JSON: `{"status": {"S": "sent"}}`."""

MAX_KEYS: Final = 100
ROUNDS: Final = 4
"""How often what was throttled inside a batch is asked for in all."""


def get_all(client: Any, table: str, key: str, values: Iterable[str], *, sleep: Sleep = time.sleep) -> list[Item]:
    """Return the items that exist, strongly consistent. Raises UnavailableError, and whatever the client raises."""
    items: list[Item] = []
    remaining = iter(dict.fromkeys(values))
    while chunk := list(islice(remaining, MAX_KEYS)):
        items += _get(client, table, [{key: {"S": value}} for value in chunk], sleep)
    return items


def _get(client: Any, table: str, keys: list[Item], sleep: Sleep) -> list[Item]:
    items: list[Item] = []
    for turn in range(ROUNDS):
        pause(turn, sleep)
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        items += answer["Responses"].get(table, [])
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not keys:
            return items
    raise UnavailableError("read: throttled")


def pause(turn: int, sleep: Sleep) -> None:
    """Wait before a further turn, each time twice as long."""
    if turn:
        sleep(0.05 * 2**turn)


def expiry(now: datetime, retention: timedelta) -> Item:
    """Return the value of a `ttl` attribute: Unix seconds."""
    return {"N": str(int((now + retention).timestamp()))}
