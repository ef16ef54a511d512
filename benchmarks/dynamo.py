"""A DynamoDB in memory that counts requests and units, for tables that are too large for the local AWS.

The local AWS sorts a whole partition of an index for each query: with a million items one query takes seconds. This
DynamoDB keeps the index sorted, as the real service does. It supports only the requests of `DynamoStore`.
`benchmarks.growth` compares it with the local AWS.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.billing import index_units, query_units, read_units, write_units
from local.emulator.partiql_proxy import classic_call
from tests.template import table as template_table

Item = dict[str, Any]


class ConditionError(ClientError):
    """The condition of a write was false."""


class _Exceptions:
    """The exceptions of the client, by their names there."""

    ConditionalCheckFailedException = ConditionError


class Table:
    """Items and their one index. The items are stored without the key, so that many can share one value."""

    def __init__(self, logical_id: str) -> None:
        """Create a table of the template."""
        properties = template_table(logical_id)
        self.key: str = properties["KeySchema"][0]["AttributeName"]
        indexes = properties.get("GlobalSecondaryIndexes", ())
        self.index: tuple[str, ...] = tuple(key["AttributeName"] for index in indexes for key in index["KeySchema"])
        self._items: dict[str, Item] = {}
        self._entries: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        """Pairs of sort key and item key, by partition of the index."""

    def items(self) -> list[Item]:
        """Return all items, sorted by key."""
        return [{self.key: {"S": key}, **self._items[key]} for key in sorted(self._items)]

    def get(self, key: str) -> Item | None:
        attributes = self._items.get(key)
        return None if attributes is None else {self.key: {"S": key}, **attributes}

    def put(self, item: Item) -> None:
        key = item[self.key]["S"]
        self._remove_entry(key)
        attributes = {name: value for name, value in item.items() if name != self.key}
        self._items[key] = attributes
        if entry := self._entry(attributes):
            insort(self._entries[entry[0]], (entry[1], key))

    def load(self, key: str, attributes: Item) -> None:
        """Put an item without copying its attributes or sorting the index. Call `sort_index` after the last one."""
        self._items[key] = attributes
        if entry := self._entry(attributes):
            self._entries[entry[0]].append((entry[1], key))

    def sort_index(self) -> None:
        for entries in self._entries.values():
            entries.sort()

    def query_index(self, partition: str, max_sort_key: str, limit: int) -> list[Item]:
        """Return the first entries of a partition, up to a sort key."""
        entries = self._entries[partition]
        end = bisect_right(entries, (max_sort_key, "\U0010ffff"))
        return [
            {self.index[0]: {"S": partition}, self.index[1]: {"S": sort_key}, self.key: {"S": key}}
            for sort_key, key in entries[: min(end, limit)]
        ]

    def _entry(self, attributes: Item) -> tuple[str, str] | None:
        """Return partition and sort key in the index, or None for an item that is not in it."""
        if not self.index or any(name not in attributes for name in self.index):
            return None
        return attributes[self.index[0]]["S"], attributes[self.index[1]]["S"]

    def _remove_entry(self, key: str) -> None:
        attributes = self._items.get(key)
        if attributes is not None and (entry := self._entry(attributes)):
            entries = self._entries[entry[0]]
            del entries[bisect_left(entries, (entry[1], key))]


class CountingDynamo:
    """A client for `DynamoStore`. `requests` counts by operation; units are those of on-demand tables."""

    exceptions = _Exceptions

    def __init__(self, **logical_ids: str) -> None:
        """Create tables of the template: logical ids by table name."""
        self.tables = {name: Table(logical_id) for name, logical_id in logical_ids.items()}
        self.reset_counts()

    def reset_counts(self) -> None:
        self.requests: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0
        self.writes = 0
        """Items, including those of refused writes."""
        self.refused = 0
        """Items with a false condition."""

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:  # noqa: N803 - the client's own name
        self.requests["BatchGetItem"] += 1
        responses = {}
        for name, wanted in RequestItems.items():
            table = self.tables[name]
            items = [table.get(key[table.key]["S"]) for key in wanted["Keys"]]
            responses[name] = [item for item in items if item is not None]
            units = read_units(responses[name], asked=len(items))
            self.read_units += units if wanted.get("ConsistentRead") else units / 2
        return {"Responses": responses}

    def query(self, **request: Any) -> Item:
        self.requests["Query"] += 1
        if request["KeyConditionExpression"] != "due_shard = :shard AND due_at <= :now":
            raise NotImplementedError(request["KeyConditionExpression"])
        values = request["ExpressionAttributeValues"]
        table = self.tables[request["TableName"]]
        items = table.query_index(values[":shard"]["S"], values[":now"]["S"], request["Limit"])
        self.read_units += query_units(items)
        return {"Items": items}

    def update_item(self, **request: Any) -> Item:
        self.requests["UpdateItem"] += 1
        after = self._update(request)
        return {"Attributes": after} if request.get("ReturnValues") == "ALL_NEW" else {}

    def batch_execute_statement(self, *, Statements: list[Item]) -> Item:  # noqa: N803 - the client's own name
        self.requests["BatchExecuteStatement"] += 1
        return {"Responses": [self._execute(statement) for statement in Statements]}

    def _execute(self, statement: Item) -> Item:
        call = classic_call(statement)
        if call is None:
            raise NotImplementedError(statement["Statement"])
        operation, request = call
        try:
            if operation == "UpdateItem":
                self._update(request)
            else:
                self._insert(request)
        except ConditionError as error:
            code = "DuplicateItem" if operation == "PutItem" else "ConditionalCheckFailed"
            return {"Error": {"Code": code, **error.response}}
        return {}

    def _insert(self, request: Item) -> None:
        table, item = self.tables[request["TableName"]], request["Item"]
        before = table.get(item[table.key]["S"])
        self._write(table, before, item, is_allowed=before is None)

    def _update(self, request: Item) -> Item:
        table = self.tables[request["TableName"]]
        before = table.get(request["Key"][table.key]["S"])
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        sets, _, removes = request["UpdateExpression"].partition(" REMOVE ")
        after = {**(before or request["Key"])}
        for assignment in sets.removeprefix("SET ").split(", "):
            name, _, value = assignment.partition(" = ")
            after[names.get(name, name)] = values[value]
        for name in removes.split(", ") if removes else ():
            after.pop(names.get(name, name), None)
        conditions = request["ConditionExpression"].split(" OR ")
        self._write(
            table,
            before,
            after,
            is_allowed=any(_holds(condition, before or {}, names, values) for condition in conditions),
            returns_item=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )
        return after

    def _write(
        self, table: Table, before: Item | None, after: Item, *, is_allowed: bool, returns_item: bool = False
    ) -> None:
        self.writes += 1
        if not is_allowed:
            self.refused += 1
            self.write_units += write_units(before, before)
            item = {"Item": before} if returns_item and before is not None else {}
            error: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, **item}
            raise ConditionError(error, "UpdateItem")
        self.write_units += write_units(before, after)
        if table.index:
            self.write_units += index_units(before, after, table.index)
        table.put(after)


def _holds(condition: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    if condition.startswith("attribute_not_exists("):
        name = condition.removeprefix("attribute_not_exists(").removesuffix(")")
        return names.get(name, name) not in item
    name, _, value = condition.partition(" = ")
    return bool(item.get(names.get(name, name)) == values[value])
