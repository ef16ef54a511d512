"""The progress of the callbacks, in a table of its own. It has message ids and numbers, and nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import to_ttl
from sampai.domain.callback_progress import CallbackProgress
from sampai.services.ports.runtime import Clock

RETENTION: Final = timedelta(days=430)
"""After the last change. The next event of a message comes at most 366 days (its `send_at`) and 60 days later."""


class DynamoCallbackProgress:
    """Implements `ports.callbacks.CallbackProgressStore`."""

    def __init__(self, client: Any, *, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def load(self, message_id: str) -> CallbackProgress:
        with unavailable("callback progress"):
            answer = self._client.get_item(
                TableName=self._table, Key={"message_id": {"S": message_id}}, ConsistentRead=True
            )
        return _from_item(answer.get("Item", {}))

    def replace(self, message_id: str, progress: CallbackProgress) -> bool:
        item = {"message_id": {"S": message_id}, **_to_item(progress), "ttl": to_ttl(self._clock(), RETENTION)}
        with unavailable("callback progress"):
            try:
                self._client.put_item(TableName=self._table, Item=item, **_condition(progress.revision - 1))
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True


def _condition(stored_revision: int) -> dict[str, Any]:
    if stored_revision == 0:
        return {"ConditionExpression": "attribute_not_exists(message_id)"}
    return {
        "ConditionExpression": "revision = :stored",
        "ExpressionAttributeValues": {":stored": {"N": str(stored_revision)}},
    }


def _to_item(progress: CallbackProgress) -> dict[str, Any]:
    times = {"arrived_at": progress.arrived_at, "leased_until": progress.leased_until}
    numbers = {
        "revision": progress.revision,
        "concluded": progress.concluded,
        "arrived": progress.arrived,
        **{name: round(time.timestamp() * 1000) for name, time in times.items() if time is not None},
    }
    missing = {"missing": {"NS": [str(each) for each in sorted(progress.missing)]}} if progress.missing else {}
    return {name: {"N": str(number)} for name, number in numbers.items()} | missing


def _from_item(item: Mapping[str, Any]) -> CallbackProgress:
    return CallbackProgress(
        revision=_number(item, "revision"),
        concluded=_number(item, "concluded"),
        missing=frozenset(int(each) for each in item.get("missing", {}).get("NS", ())),
        arrived=_number(item, "arrived"),
        arrived_at=_time(item, "arrived_at"),
        leased_until=_time(item, "leased_until"),
    )


def _number(item: Mapping[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", 0))


def _time(item: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromtimestamp(_number(item, name) / 1000, UTC) if name in item else None
