"""The table of failed attempts. Send may only insert, and no function may read it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import Item, insert_statement, read_pages, to_ttl
from sampai.domain.failure import Reason
from sampai.domain.times import from_text, to_text
from sampai.domain.words import word_of
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.runtime import UnavailableError

RETENTION: Final = timedelta(days=14)

_DUPLICATE: Final = "DuplicateItem"


class DynamoAttempts:
    """Implements `ports.attempts.AttemptLog`. Reads need `dynamodb:Query`, which no function has on this table."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, records: Sequence[AttemptRecord], *, now: datetime) -> None:
        statements = [insert_statement(self._table, to_attempt_item(record, now=now)) for record in records]
        with unavailable("attempts"):
            responses = self._client.batch_execute_statement(Statements=statements)["Responses"]
        codes = {response["Error"]["Code"] for response in responses if "Error" in response} - {_DUPLICATE}
        if codes:
            raise UnavailableError(f"attempts: {', '.join(sorted(codes))}")

    def read(self, message_id: str) -> list[AttemptRecord]:
        return [from_attempt_item(item) for item in self._query(message_id)]

    def delete(self, message_id: str) -> None:
        for item in self._query(message_id):
            with unavailable("attempts"):
                self._client.delete_item(
                    TableName=self._table, Key={"message_id": item["message_id"], "entry": item["entry"]}
                )

    def _query(self, message_id: str) -> list[Item]:
        with unavailable("attempts"):
            return list(
                read_pages(
                    self._client.query,
                    TableName=self._table,
                    ConsistentRead=True,
                    KeyConditionExpression="message_id = :id",
                    ExpressionAttributeValues={":id": {"S": message_id}},
                )
            )


def to_attempt_item(record: AttemptRecord, *, now: datetime) -> Item:
    """Return the item of a record. Its sort key is in the order of the attempts."""
    texts = {
        "message_id": record.message_id,
        "entry": f"{record.attempt:06d}#{record.attempt_id}",
        "attempt_id": record.attempt_id,
        "provider": record.provider,
        "outcome": record.outcome,
        "claimed_at": _to_optional_text(record.claimed_at),
        "began_at": _to_optional_text(record.began_at),
        "ended_at": _to_optional_text(record.ended_at),
        "reason": record.reason,
        "provider_code": record.provider_code,
        "detail": record.detail,
        "vendor_words": record.vendor_words,
    }
    item: Item = {name: {"S": str(value)} for name, value in texts.items() if value is not None}
    if record.http_status is not None:
        item["http_status"] = {"N": str(record.http_status)}
    return item | {"attempt": {"N": str(record.attempt)}, "ttl": to_ttl(now, RETENTION)}


def from_attempt_item(item: Item) -> AttemptRecord:
    """Return the record in an item of `to_attempt_item`."""

    def text(name: str) -> str | None:
        return str(item[name]["S"]) if name in item else None

    def time(name: str) -> datetime | None:
        return from_text(item[name]["S"]) if name in item else None

    reason = text("reason")
    return AttemptRecord(
        message_id=item["message_id"]["S"],
        attempt=int(item["attempt"]["N"]),
        attempt_id=item["attempt_id"]["S"],
        provider=item["provider"]["S"],
        outcome=item["outcome"]["S"],
        claimed_at=time("claimed_at"),
        began_at=time("began_at"),
        ended_at=time("ended_at"),
        http_status=int(item["http_status"]["N"]) if "http_status" in item else None,
        reason=None if reason is None else word_of(Reason, reason),
        provider_code=text("provider_code"),
        detail=text("detail"),
        vendor_words=text("vendor_words"),
    )


def _to_optional_text(instant: datetime | None) -> str | None:
    return None if instant is None else to_text(instant)
