"""The rate limiter that all workers share: one item of the directory table for each vendor (algorithm: GCRA)."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import to_ttl
from sampai.services.ports.rate_limiter import Reservation
from sampai.services.ports.runtime import UnavailableError

RATE: Final = "rate#"

RETENTION: Final = timedelta(days=1)

MAX_ROUNDS: Final = 4
"""The most attempts for one reservation while other workers reserve time too."""

_MILLISECOND: Final = timedelta(milliseconds=1)


class DynamoRateLimiter:
    """Implements `ports.rate_limiter.RateLimiter`. The item of a vendor has the end of the reserved time, in Unix ms.

    A reservation is one conditional update. Its condition depends on whether the reserved time is in the past. The last
    known end decides which condition is tried first, and a refused update returns the present end.
    """

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table
        self._reserved_until: dict[str, int] = {}

    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        first, last, length = _in_ms(earliest), _in_ms(latest), max(1, duration // _MILLISECOND)
        for _ in range(MAX_ROUNDS):
            last_end = self._reserved_until.get(name, 0)
            if last_end > last:  # the end never moves back, so the last known one is sufficient
                return Reservation(is_granted=False, starts_at=_instant(last_end))
            if (until := self._reserve_next(name, length, first=first, last=last)) is not None:
                return Reservation(is_granted=True, starts_at=_instant(until - length))
        raise UnavailableError("rate: too much contention")

    def _reserve_next(self, name: str, length: int, *, first: int, last: int) -> int | None:
        """Reserve the next milliseconds and return their end, or None if another worker has reserved time meanwhile."""
        if self._reserved_until.get(name, 0) < first:
            change, condition = ":until", "attribute_not_exists(taken_until) OR taken_until < :first"
            values = {":until": first + length, ":first": first}
        else:
            change, condition = "taken_until + :length", "taken_until BETWEEN :first AND :last"
            values = {":length": length, ":first": first, ":last": last}
        with unavailable("rate"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"directory_key": {"S": f"{RATE}{name}"}},
                    UpdateExpression=f"SET taken_until = {change}, #ttl = :ttl",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues={
                        ":ttl": to_ttl(_instant(last), RETENTION),
                        **{key: {"N": str(value)} for key, value in values.items()},
                    },
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refusal:
                self._reserved_until[name] = int(refusal.response.get("Item", {}).get("taken_until", {}).get("N", 0))
                return None
        self._reserved_until[name] = int(answer["Attributes"]["taken_until"]["N"])
        return self._reserved_until[name]


def _in_ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
