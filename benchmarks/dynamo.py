"""A DynamoDB in memory that counts requests and units, for tables that are too large for the local AWS.

The local AWS sorts a whole partition of an index for each query: with a million items one query takes seconds. This
DynamoDB keeps the index sorted, as the real service does. `benchmarks.growth` compares it with the local AWS.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.billing import index_units, query_units, read_units, write_units
from tests.harness.dynamo import Item, MemoryDynamo


class CountingDynamo(MemoryDynamo):
    """A client for `DynamoStore`. `requests` counts by operation; units are those of on-demand tables."""

    def __init__(self, **logical_ids: str) -> None:
        """Create tables of the template: logical ids by table name."""
        super().__init__(**logical_ids)
        self.reset_counts()

    def reset_counts(self) -> None:
        self.requests: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0
        self.writes = 0
        """Items, including those of refused writes."""
        self.refused = 0
        """Items with a false condition."""
        self.index_writes = 0
        """Entries that were put into an index or removed from it."""

    def count(self, operation: str) -> None:
        """Count a request. It is called before the request is made."""
        self.requests[operation] += 1

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:  # noqa: N803 - the client's own name
        self.count("BatchGetItem")
        answer = super().batch_get_item(RequestItems=RequestItems)
        for name, wanted in RequestItems.items():
            units = read_units(answer["Responses"][name], asked=len(wanted["Keys"]))
            self.read_units += units if wanted.get("ConsistentRead") else units / 2
        return answer

    def query(self, **request: Any) -> Item:
        self.count("Query")
        answer = super().query(**request)
        self.read_units += query_units(answer["Items"])
        return answer

    def update_item(self, **request: Any) -> Item:
        self.count("UpdateItem")
        return super().update_item(**request)

    def batch_execute_statement(self, *, Statements: list[Item]) -> Item:  # noqa: N803 - the client's own name
        self.count("BatchExecuteStatement")
        return super().batch_execute_statement(Statements=Statements)

    def _write(
        self, name: str, before: Item | None, after: Item, *, is_allowed: bool, returns_item: bool = False
    ) -> None:
        self.writes += 1
        if not is_allowed:
            self.refused += 1
            self.write_units += write_units(before, before)
        else:
            self.write_units += write_units(before, after)
            if index := self.tables[name].index:
                entries = index_units(before, after, index)
                self.index_writes += entries
                self.write_units += entries
        super()._write(name, before, after, is_allowed=is_allowed, returns_item=returns_item)
