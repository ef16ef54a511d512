"""The clocks by which all workers together keep to what a vendor takes in a second: items of the directory."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import expiry
from sampai.services.ports.rate_limiter import Reservation
from sampai.services.ports.runtime import UnavailableError

RATE: Final = "rate#"

RETENTION: Final = timedelta(days=1)

ROUNDS: Final = 4
"""How often a turn is asked for while others take theirs."""

_MILLISECOND: Final = timedelta(milliseconds=1)


class DynamoRateLimiter:
    """Implements `ports.RateLimiter`: for each vendor the time until which it is taken, in Unix milliseconds.

    A turn is one conditional update. Its condition depends on whether that time is over; what it was last decides which
    is tried first, and a refusal tells what it is.
    """

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table
        self._taken_until: dict[str, int] = {}

    def reserve(self, name: str, duration: timedelta, *, earliest: datetime, latest: datetime) -> Reservation:
        first, last, length = _in_ms(earliest), _in_ms(latest), max(1, duration // _MILLISECOND)
        for _ in range(ROUNDS):
            known = self._taken_until.get(name, 0)
            if known > last:  # it never goes back, so what was seen before is enough
                return Reservation(is_granted=False, starts_at=_instant(known))
            if (until := self._move(name, length, first=first, last=last)) is not None:
                return Reservation(is_granted=True, starts_at=_instant(until - length))
        raise UnavailableError("rate: others were faster")

    def _move(self, name: str, length: int, *, first: int, last: int) -> int | None:
        """Take the next milliseconds and return when they end, or None if others have taken some meanwhile."""
        if self._taken_until.get(name, 0) < first:
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
                        ":ttl": expiry(_instant(last), RETENTION),
                        **{key: {"N": str(value)} for key, value in values.items()},
                    },
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refusal:
                self._taken_until[name] = int(refusal.response.get("Item", {}).get("taken_until", {}).get("N", 0))
                return None
        self._taken_until[name] = int(answer["Attributes"]["taken_until"]["N"])
        return self._taken_until[name]


def _in_ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
