"""The store of messages and correlations on DynamoDB.

Writes are PartiQL batches: up to 25 statements in one call, each with its own condition. The response has HTTP 200
even if some statements were throttled or failed. This module repeats those, because the client library does not.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from sampai.adapters.dynamo import MAX_ROUNDS, Item, back_off, get_all, insert_statement, to_ttl
from sampai.adapters.items import (
    BUFFERED_REPORT_RETENTION,
    DUE_SHARDS,
    RETENTION,
    due_shard_name,
    from_report,
    from_usable_item,
    to_correlation,
    to_item,
    to_report_attribute,
)
from sampai.adapters.reading import read_item
from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.domain.times import to_text
from sampai.services.ports.correlations import Correlation, LinkCorrelation
from sampai.services.ports.messages import (
    ONLY_WORKER,
    DueFamily,
    Insert,
    Replace,
    UnreadableItem,
    Worker,
    Write,
    WriteResult,
)
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_STATEMENTS: Final = 25

_TRANSIENT: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)

_UNFIT: Final = "SampaiUnfit"
"""Our own code for a write that cannot be made a statement."""

_REFUSED: Final = frozenset({_UNFIT, "SerializationException", "ValidationError", "ValidationException"})
"""DynamoDB cannot store the write, however often it is repeated. In a batch it may refuse the others with it."""

Stored = Message | Correlation | UnreadableItem

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
    """Implements the ports Messages and Correlations."""

    def __init__(
        self,
        client: Any,
        *,
        messages_table: str,
        correlations_table: str,
        clock: Clock,
        telemetry: Telemetry,
        retention: timedelta = RETENTION,
        due_shards: int = DUE_SHARDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`due_shards` may grow, but never shrink: items in the removed shards would be forgotten."""
        self._client = client
        self._messages = messages_table
        self._correlations = correlations_table
        self._clock = clock
        self._telemetry = telemetry
        self._retention = retention
        self._due_shards = due_shards
        self._sleep = sleep

    # --- writes -----------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        answers: dict[int, Item | None] = {}
        for chunk in _chunks(writes):
            answers |= self._execute(chunk)
        refused = [writes[i] for i, answer in answers.items() if answer is not None and _is_duplicate(answer)]
        stored = self._read_conflicting(refused)
        return [self._to_result(write, answers[i], stored) for i, write in enumerate(writes)]

    def _execute(self, chunk: Sequence[tuple[int, Write]]) -> dict[int, Item | None]:
        """Execute the writes, and return the error of each by its index, or None for a write that succeeded."""
        answers: dict[int, Item | None] = {}
        waiting = list(chunk)
        for attempt in range(MAX_ROUNDS):
            back_off(attempt, self._sleep)
            answers |= self._execute_once(waiting)
            waiting = [(i, write) for i, write in waiting if _is_transient(answers[i])]
            if not waiting:
                break
        return answers

    def _execute_once(self, chunk: Sequence[tuple[int, Write]]) -> dict[int, Item | None]:
        answers: dict[int, Item | None] = {}
        statements: dict[int, Item] = {}
        for i, write in chunk:
            try:
                statements[i] = self._to_statement(write)
            except Exception as error:
                # One write that cannot be serialised must not prevent the others.
                self._telemetry.error("write not serialised", key=_key_of(write), error=type(error).__name__)
                answers[i] = {"Code": _UNFIT}
        return answers | self._execute_statements(statements)

    def _execute_statements(self, statements: Mapping[int, Item]) -> dict[int, Item | None]:
        """Execute the statements in one call; if DynamoDB refuses the call because of one of them, each alone."""
        if not statements:
            return {}
        try:
            responses = self._client.batch_execute_statement(Statements=list(statements.values()))["Responses"]
        except (BotoCoreError, ClientError) as error:
            code = _code_of(error)
            if code not in _REFUSED or len(statements) == 1:
                return {i: {"Code": code} for i in statements}
            answers = [self._execute_statements({i: statement}) for i, statement in statements.items()]
            return {i: answer for each in answers for i, answer in each.items()}
        return {i: response.get("Error") for i, response in zip(statements, responses, strict=True)}

    def _to_statement(self, write: Write) -> Item:
        match write:
            case Insert():
                return insert_statement(self._messages, self._to_item(write.message))
            case LinkCorrelation():
                item = {
                    "correlation_key": {"S": write.key},
                    "message_id": {"S": write.message_id},
                    "attempt": {"N": str(write.attempt)},
                    "ttl": to_ttl(self._clock(), self._retention),
                }
                return insert_statement(self._correlations, item)
            case Replace():
                return _to_update(self._messages, self._to_item(write.before), self._to_item(write.message))

    def _to_item(self, message: Message) -> Item:
        return to_item(message, retention=self._retention, due_shards=self._due_shards)

    def _read_conflicting(self, refused: Sequence[Write]) -> dict[str, Stored]:
        """Return the stored items of refused inserts by their keys, because the errors do not contain them."""
        try:
            messages = self._read_all([write.message.message_id for write in refused if isinstance(write, Insert)])
            correlations = self.find_correlations(
                [write.key for write in refused if isinstance(write, LinkCorrelation)]
            )
        except UnavailableError:
            return {}
        return {**messages, **correlations}

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
                ExpressionAttributeValues={":report": value, ":ttl": to_ttl(now, BUFFERED_REPORT_RETENTION)},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            return self._read_correlation(refusal.response["Item"])
        return None

    @_unavailable_if_failed
    def add_report(self, key: str, report: Report) -> None:
        attribute, value = to_report_attribute(report)
        try:
            self._client.update_item(
                TableName=self._correlations,
                Key={"correlation_key": {"S": key}},
                UpdateExpression="SET #report = :report",
                ConditionExpression="attribute_exists(message_id)",
                ExpressionAttributeNames={"#report": attribute},
                ExpressionAttributeValues={":report": value},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # the correlation has expired, and with it the message

    @_unavailable_if_failed
    def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
        found = [
            (item["message_id"], item["due_at"])
            for item in self._get_all(self._messages, "message_id", message_ids)
            if item.get("due_at", {}).get("S", "") <= to_text(now) and "due_at" in item
        ]
        for start in range(0, len(found), MAX_STATEMENTS):
            statements = [
                {
                    "Statement": f'UPDATE "{self._messages}" SET "due_at" = ? WHERE "message_id" = ? AND "due_at" = ?',  # noqa: S608 - names are ours, values are parameters
                    "Parameters": [{"S": to_text(due_at)}, message_id, stored],
                }
                for message_id, stored in found[start : start + MAX_STATEMENTS]
            ]
            self._client.batch_execute_statement(Statements=statements)

    @_unavailable_if_failed
    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        given = {":attempt": {"N": str(attempt)}} if attempt is not None else {}
        try:
            answer = self._client.update_item(
                TableName=self._correlations,
                Key={"correlation_key": {"S": key}},
                UpdateExpression="SET message_id = :message_id, #ttl = :ttl" + ", attempt = :attempt" * len(given),
                ConditionExpression="attribute_not_exists(message_id) OR message_id = :message_id",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":message_id": {"S": message_id},
                    ":ttl": to_ttl(self._clock(), self._retention),
                    **given,
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refusal:
            return self._read_correlation(refusal.response["Item"])
        return self._read_correlation(answer["Attributes"])

    @_unavailable_if_failed
    def mark_reused(self, key: str, message_id: str) -> None:
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._correlations,
                Key={"correlation_key": {"S": key}},
                UpdateExpression="SET reused_by = :message_id",
                ConditionExpression="attribute_exists(message_id) AND message_id <> :message_id",
                ExpressionAttributeValues={":message_id": {"S": message_id}},
            )

    # --- reads ------------------------------------------------------------------------------------------------------

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        found = self._read_all(message_ids)
        return {message_id: message for message_id, message in found.items() if isinstance(message, Message)}

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        items = self._get_all(self._correlations, "correlation_key", keys)
        return {item["correlation_key"]["S"]: self._read_correlation(item) for item in items}

    @_unavailable_if_failed
    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        found: list[tuple[str, str]] = []
        for shard in range(worker.index, self._due_shards, worker.count):
            answer = self._client.query(
                TableName=self._messages,
                IndexName="due",
                KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                ExpressionAttributeValues={":shard": {"S": due_shard_name(family, shard)}, ":now": {"S": to_text(now)}},
                Limit=limit,
            )
            found += [(item["due_at"]["S"], item["message_id"]["S"]) for item in answer["Items"]]
        return [message_id for _, message_id in sorted(found)[:limit]]

    @_unavailable_if_failed
    def _get_all(self, table: str, key: str, values: Collection[str]) -> list[Item]:
        return get_all(self._client, table, key, values, sleep=self._sleep)

    def _read_all(self, message_ids: Collection[str]) -> dict[str, Message | UnreadableItem]:
        items = self._get_all(self._messages, "message_id", message_ids)
        return {item["message_id"]["S"]: self._read_message(item) for item in items}

    def _read_message(self, item: Item) -> Message | UnreadableItem:
        message = read_item(item, from_usable_item, table=self._messages, key="message_id", telemetry=self._telemetry)
        return UnreadableItem(key=item["message_id"]["S"]) if message is None else message

    def _read_correlation(self, item: Item) -> Correlation:
        def read_report(fields: Mapping[str, Any]) -> Report | None:
            return read_item(
                fields, from_report, table=self._correlations, key="correlation_key", telemetry=self._telemetry
            )

        return to_correlation(item, read_report)

    def _to_result(self, write: Write, error: Item | None, stored: Mapping[str, Stored]) -> WriteResult:
        """Return the result of a write. A refused write with the same content as the stored item counts as done.

        In that case the first response was lost, and the client library repeated the call.
        """
        if error is None:
            return WriteResult(done=True)
        if error.get("Code") in _REFUSED:
            return WriteResult(done=False, is_unfit=True)
        current: Stored | None = None
        if isinstance(write, LinkCorrelation):
            current = stored.get(write.key)
            is_ours = isinstance(current, Correlation) and current.message_id == write.message_id
            return _done_or_refused(is_ours, current)
        if isinstance(write, Replace):
            current = self._read_message(error["Item"]) if "Item" in error else None
        else:
            current = stored.get(write.message.message_id)
        is_ours = isinstance(current, Message) and self._to_item(current) == self._to_item(write.message)
        return _done_or_refused(is_ours, current)


def _done_or_refused(is_ours: bool, current: Stored | None) -> WriteResult:
    return WriteResult(done=True) if is_ours else WriteResult(done=False, current=current)


def _chunks(writes: Sequence[Write]) -> Iterator[list[tuple[int, Write]]]:
    """Split writes into batches. DynamoDB refuses a batch that is too long or contains a key twice."""
    waiting = list(enumerate(writes))
    while waiting:
        chunk: dict[str, tuple[int, Write]] = {}
        later = []
        for numbered_write in waiting:
            key = _key_of(numbered_write[1])
            if len(chunk) < MAX_STATEMENTS and key not in chunk:
                chunk[key] = numbered_write
            else:
                later.append(numbered_write)
        yield list(chunk.values())
        waiting = later


def _key_of(write: Write) -> str:
    return write.key if isinstance(write, LinkCorrelation) else write.message.message_id


def _to_update(table: str, before: Item, after: Item) -> Item:
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


def _is_transient(error: Item | None) -> bool:
    return error is not None and error.get("Code") in _TRANSIENT


def _is_duplicate(error: Item) -> bool:
    return error.get("Code") == "DuplicateItem"


def _code_of(error: Exception) -> str:
    """Return only the code of an error, because its text may contain values."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "ClientError")
    return type(error).__name__
