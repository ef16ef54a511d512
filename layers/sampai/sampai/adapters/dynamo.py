"""The common parts of the adapters of the tables."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sampai.services.ports.runtime import Sleep, UnavailableError

Item = dict[str, Any]
"""An item in DynamoDB's own JSON: `{"status": {"S": "sent"}}`."""

MAX_KEYS: Final = 100
MAX_ROUNDS: Final = 4
"""The most requests for one batch. DynamoDB may throttle a part of it, which is requested again."""


def get_all(client: Any, table: str, key: str, values: Iterable[str], *, sleep: Sleep = time.sleep) -> list[Item]:
    """Return the existing items, strongly consistent. Raise UnavailableError, or any error of the client."""
    items: list[Item] = []
    remaining = iter(dict.fromkeys(values))
    while chunk := list(islice(remaining, MAX_KEYS)):
        items += _get(client, table, [{key: {"S": value}} for value in chunk], sleep)
    return items


def _get(client: Any, table: str, keys: list[Item], sleep: Sleep) -> list[Item]:
    items: list[Item] = []
    for attempt in range(MAX_ROUNDS):
        back_off(attempt, sleep)
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        items += answer["Responses"].get(table, [])
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not keys:
            return items
    raise UnavailableError("read: throttled")


def back_off(attempt: int, sleep: Sleep) -> None:
    """Wait before a repeated attempt, twice as long each time. The first attempt is 0 and does not wait."""
    if attempt:
        sleep(0.05 * 2**attempt)


def read_pages(read: Callable[..., Item], **request: Any) -> Iterator[Item]:
    """Yield the items of all pages of a query or a scan. `read` is called once for each page."""
    while True:
        answer = read(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def insert_statement(table: str, item: Item) -> Item:
    """Return the PartiQL statement that stores an item unless its key is stored already."""
    fields = ", ".join(f"'{name}': ?" for name in item)
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(item.values())}


def to_ttl(now: datetime, retention: timedelta) -> Item:
    """Return the value of a `ttl` attribute: Unix seconds."""
    return {"N": str(int((now + retention).timestamp()))}
