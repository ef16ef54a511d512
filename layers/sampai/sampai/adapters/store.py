"""The store on DynamoDB.

Writes go out as PartiQL batches: up to 25 statements in one call, each with a condition of its own. A batch answers
HTTP 200 also when statements in it were throttled or failed; those are repeated here, because the client library
does not look inside.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from sampai.adapters.dynamo import ROUNDS, Item, expiry, get_all, pause
from sampai.adapters.items import (
    BUFFERED_REPORT_RETENTION,
    DUE_SHARDS,
    RETENTION,
    from_item,
    to_correlation,
    to_item,
    to_report_attribute,
)
from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.domain.times import to_text
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import Insert, Replace, Write, WriteResult
from sampai.services.ports.runtime import Clock, UnavailableError

MAX_STATEMENTS: Final = 25

_PASSING: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)

P = ParamSpec("P")
R = TypeVar("R")


def _unavailable_if_failed(call: Callable[P, R]) -> Callable[P, R]:
    @wraps(call)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError(f"{call.__name__}: {_code_of(error)}") from None

    return guarded


class DynamoStore:
    def __init__(
        self,
        client: Any,
        *,
        messages_table: str,
        correlations_table: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._messages = messages_table
        self._correlations = correlations_table
        self._clock = clock
        self._sleep = sleep

    # --- writes -----------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        answers: dict[int, Item | None] = {}
        for chunk in _chunks(writes):
            answers |= self._execute(chunk)
        refused = [writes[i] for i, answer in answers.items() if answer is not None and _is_taken(answer)]
        stored_message = self._read_conflicting(refused)
        return [self._write_result(write, answers[i], stored_message) for i, write in enumerate(writes)]

    def _execute(self, chunk: Sequence[tuple[int, Write]]) -> dict[int, Item | None]:
        """Return by index: None for a write that was made, else its error."""
        answers: dict[int, Item | None] = {}
        waiting = list(chunk)
        for turn in range(ROUNDS):
            pause(turn, self._sleep)
            answers |= self._execute_once(waiting)
            waiting = [(i, write) for i, write in waiting if _is_passing(answers[i])]
            if not waiting:
                break
        return answers

    def _execute_once(self, chunk: Sequence[tuple[int, Write]]) -> dict[int, Item | None]:
        statements = [self._statement(write) for _, write in chunk]
        try:
            responses = self._client.batch_execute_statement(Statements=statements)["Responses"]
        except (BotoCoreError, ClientError) as error:
            return {i: {"Code": _code_of(error)} for i, _ in chunk}
        return {i: response.get("Error") for (i, _), response in zip(chunk, responses, strict=True)}

    def _statement(self, write: Write) -> Item:
        match write:
            case Insert():
                return _insert(self._messages, to_item(write.message))
            case LinkCorrelation():
                item = {
                    "correlation_key": {"S": write.key},
                    "message_id": {"S": write.message_id},
                    "ttl": expiry(self._clock(), RETENTION),
                }
                return _insert(self._correlations, item)
            case Replace():
                return _update(self._messages, to_item(write.before), to_item(write.message))

    def _read_conflicting(self, refused: Sequence[Write]) -> dict[str, Message | Correlation]:
        """Read what stands under the keys of refused inserts: their errors do not carry it."""
        try:
            messages = self.read([write.message.message_id for write in refused if isinstance(write, Insert)])
            correlations = self.find_correlations(
                [write.key for write in refused if isinstance(write, LinkCorrelation)]
            )
        except UnavailableError:
            return {}
        return {**messages, **correlations}

    @staticmethod
    def _write_result(
        write: Write, error: Item | None, stored_message: dict[str, Message | Correlation]
    ) -> WriteResult:
        if error is None:
            return WriteResult(done=True)
        current: Message | Correlation | None = None
        if isinstance(write, LinkCorrelation):
            current = stored_message.get(write.key)
            is_ours = isinstance(current, Correlation) and current.message_id == write.message_id
            return _answered(is_ours, current)
        if isinstance(write, Replace):
            current = from_item(error["Item"]) if "Item" in error else None
        else:
            current = stored_message.get(write.message.message_id)
        return _answered(isinstance(current, Message) and to_item(current) == to_item(write.message), current)

    @_unavailable_if_failed
    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        attribute, value = to_report_attribute(report)
        try:
            self._client.update_item(
                TableName=self._correlations,
                Key={"correlation_key": {"S": key}},
                UpdateExpression="SET #report = :report, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(message_id)",
                ExpressionAttributeNames={"#report": attribute, "#ttl": "ttl"},
                ExpressionAttributeValues={":report": value, ":ttl": expiry(now, BUFFERED_REPORT_RETENTION)},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            return to_correlation(refusal.response["Item"])
        return None

    @_unavailable_if_failed
    def claim(self, key: str, message_id: str) -> Correlation:
        try:
            answer = self._client.update_item(
                TableName=self._correlations,
                Key={"correlation_key": {"S": key}},
                UpdateExpression="SET message_id = :message_id, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(message_id) OR message_id = :message_id",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":message_id": {"S": message_id},
                    ":ttl": expiry(self._clock(), RETENTION),
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            return to_correlation(refusal.response["Item"])
        return to_correlation(answer["Attributes"])

    # --- reads ------------------------------------------------------------------------------------------------------

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        items = self._get_all(self._messages, "message_id", message_ids)
        return {item["message_id"]["S"]: from_item(item) for item in items}

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        items = self._get_all(self._correlations, "correlation_key", keys)
        return {item["correlation_key"]["S"]: to_correlation(item) for item in items}

    @_unavailable_if_failed
    def due(self, now: datetime, limit: int) -> list[str]:
        found: list[tuple[str, str]] = []
        for shard in range(DUE_SHARDS):
            answer = self._client.query(
                TableName=self._messages,
                IndexName="due",
                KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                ExpressionAttributeValues={":shard": {"S": str(shard)}, ":now": {"S": to_text(now)}},
                Limit=limit,
            )
            found += [(item["due_at"]["S"], item["message_id"]["S"]) for item in answer["Items"]]
        return [message_id for _, message_id in sorted(found)[:limit]]

    @_unavailable_if_failed
    def _get_all(self, table: str, key: str, values: Collection[str]) -> list[Item]:
        return get_all(self._client, table, key, values, sleep=self._sleep)


def _answered(is_ours: bool, current: Message | Correlation | None) -> WriteResult:
    return WriteResult(done=True) if is_ours else WriteResult(done=False, current=current)


def _chunks(writes: Sequence[Write]) -> Iterator[list[tuple[int, Write]]]:
    """Split into batches of which none is too long or names a key twice, which DynamoDB refuses as a whole."""
    waiting = list(enumerate(writes))
    while waiting:
        chunk: dict[str, tuple[int, Write]] = {}
        later = []
        for place in waiting:
            key = _key_of(place[1])
            if len(chunk) < MAX_STATEMENTS and key not in chunk:
                chunk[key] = place
            else:
                later.append(place)
        yield list(chunk.values())
        waiting = later


def _key_of(write: Write) -> str:
    return write.key if isinstance(write, LinkCorrelation) else write.message.message_id


def _insert(table: str, item: Item) -> Item:
    fields = ", ".join(f"'{name}': ?" for name in item)
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(item.values())}


def _update(table: str, before: Item, after: Item) -> Item:
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    gone = [name for name in before if name not in after]
    return {
        "Statement": f'UPDATE "{table}"'  # noqa: S608 - names are ours, values are parameters
        + "".join(f' SET "{name}" = ?' for name in changed)
        + "".join(f' REMOVE "{name}"' for name in gone)
        + ' WHERE "message_id" = ? AND "revision" = ?',
        "Parameters": [*changed.values(), before["message_id"], before["revision"]],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _is_passing(error: Item | None) -> bool:
    return error is not None and error.get("Code") in _PASSING


def _is_taken(error: Item) -> bool:
    return error.get("Code") == "DuplicateItem"


def _code_of(error: Exception) -> str:
    """The code alone: the text of a client error may repeat values."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "ClientError")
    return type(error).__name__
