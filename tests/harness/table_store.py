"""The real store on a DynamoDB in memory: every message is an item between two calls."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sampai.adapters.items import RETENTION, from_item, to_correlation
from sampai.adapters.store import DynamoStore
from sampai.contract.events import status_changed
from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.messages import ONLY_WORKER, DueFamily, Worker, Write, WriteResult
from sampai.services.ports.runtime import Clock
from sampai.services.ports.telemetry import Telemetry
from tests.fakes import InMemoryStore
from tests.harness.dynamo import TABLES, Item, MemoryDynamo


class TableStore(InMemoryStore):
    """Stores messages and correlations as `DynamoStore` does.

    `messages` and `buffered` show the items as this release reads them. Of the faults of `InMemoryStore` it has
    `is_down` alone.
    """

    def __init__(self, *, clock: Clock, telemetry: Telemetry, retention: timedelta = RETENTION) -> None:
        super().__init__()
        self.client = _WatchedDynamo(self)
        self.real = DynamoStore(
            self.client,
            messages_table="messages",
            correlations_table="correlations",
            clock=clock,
            telemetry=telemetry,
            retention=retention,
            sleep=lambda _: None,
        )

    def written(self, table: str, before: Item | None, after: Item) -> None:
        """Follow a write to a table."""
        if table == "correlations":
            self.buffered[after["correlation_key"]["S"]] = to_correlation(after)
        if table != "messages":
            return
        message_id = after["message_id"]["S"]
        former, message = self.messages.pop(message_id, None), read_item(after)
        if message is not None:
            self.messages[message_id] = message
            self.message_written(former, message)

    def message_written(self, former: Message | None, message: Message) -> None:
        """Record the event of a written message. `former` is None for a new one, and if it could not be read."""
        if former is None or former.sequence != message.sequence:
            self.events.append(status_changed(message, previous=former.status if former else None))

    def items(self) -> list[Item]:
        """Return the items of all messages."""
        return self.client.tables["messages"].items()

    def copy_from(self, other: "TableStore") -> None:
        """Take the items of another store, and forget the events."""
        self.client.tables = {name: table.copy() for name, table in other.client.tables.items()}
        self.messages, self.buffered, self.events = dict(other.messages), dict(other.buffered), []

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        return [WriteResult(done=False)] * len(writes) if self.is_down else self.real.commit(writes)

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self._require_up()
        return self.real.read(message_ids)

    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        self._require_up()
        return self.real.due(now, limit, family=family, worker=worker)

    def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
        self._require_up()
        self.real.postpone_unreadable(message_ids, now=now, due_at=due_at)

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        self._require_up()
        return self.real.find_correlations(keys)

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        self._require_up()
        return self.real.buffer_report(key, report, now)

    def add_report(self, key: str, report: Report) -> None:
        self._require_up()
        self.real.add_report(key, report)

    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        self._require_up()
        return self.real.claim(key, message_id, attempt)

    def mark_reused(self, key: str, message_id: str) -> None:
        self._require_up()
        self.real.mark_reused(key, message_id)


class _WatchedDynamo(MemoryDynamo):
    """Tells a store about each write."""

    def __init__(self, store: TableStore) -> None:
        super().__init__(**TABLES)
        self._store = store

    def _write(
        self, name: str, before: Item | None, after: Item, *, is_allowed: bool, returns_item: bool = False
    ) -> None:
        super()._write(name, before, after, is_allowed=is_allowed, returns_item=returns_item)
        self._store.written(name, before, after)


def read_item(item: Item) -> Message | None:
    """Return the message in an item, or None if this release cannot read it."""
    try:
        return from_item(item)
    except Exception:
        return None
