"""A DynamoDB inside this process that counts: for tables so large that the local AWS cannot keep them.

The local AWS sorts and compares a whole partition of an index for each query; with a million items one query takes it
seconds. Here the index is kept in order, as DynamoDB keeps it, and every request and unit is counted by DynamoDB's
rules. It takes the requests that the store makes, and no others. The bench holds it to the local AWS at a thousand.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.calls import index_units, query_units, read_units, write_units
from local.emulator.partiql_proxy import classic_call
from tests.template import table as template_table

Item = dict[str, Any]


class RefusedError(ClientError):
    """The condition of a write did not hold."""


class _Exceptions:
    """As the client names it."""

    ConditionalCheckFailedException = RefusedError


class Table:
    """Items by key, without it, so that a million of them may share one; and the one index, in order."""

    def __init__(self, logical_id: str) -> None:
        """Make a table of the template."""
        described = template_table(logical_id)
        self.key: str = described["KeySchema"][0]["AttributeName"]
        indexes = described.get("GlobalSecondaryIndexes", ())
        self.index: tuple[str, ...] = tuple(key["AttributeName"] for index in indexes for key in index["KeySchema"])
        self._items: dict[str, Item] = {}
        self._order: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> list[Item]:
        """Return all items in the order of their keys."""
        return [{self.key: {"S": key}, **self._items[key]} for key in sorted(self._items)]

    def get(self, key: str) -> Item | None:
        rest = self._items.get(key)
        return None if rest is None else {self.key: {"S": key}, **rest}

    def put(self, item: Item) -> None:
        key = item[self.key]["S"]
        self._flush(key)
        rest = {name: value for name, value in item.items() if name != self.key}
        self._items[key] = rest
        if place := self._place(rest):
            insort(self._order[place[0]], (place[1], key))

    def load(self, key: str, rest: Item) -> None:
        """Put an item in whose other attributes may be those of many; `settle` comes after the last one."""
        self._items[key] = rest
        if place := self._place(rest):
            self._order[place[0]].append((place[1], key))

    def settle(self) -> None:
        for entries in self._order.values():
            entries.sort()

    def up_to(self, partition: str, most: str, limit: int) -> list[Item]:
        """Return the first entries of a partition of the index whose sort key is `most` at most."""
        entries = self._order[partition]
        end = bisect_right(entries, (most, "\U0010ffff"))
        return [
            {self.index[0]: {"S": partition}, self.index[1]: {"S": sort}, self.key: {"S": key}}
            for sort, key in entries[: min(end, limit)]
        ]

    def _place(self, rest: Item) -> tuple[str, str] | None:
        if not self.index or any(name not in rest for name in self.index):
            return None
        return rest[self.index[0]]["S"], rest[self.index[1]]["S"]

    def _flush(self, key: str) -> None:
        before = self._items.get(key)
        if before is not None and (place := self._place(before)):
            entries = self._order[place[0]]
            del entries[bisect_left(entries, (place[1], key))]


class CountingDynamo:
    """Stands where the store's client stands. `requests` counts by operation; units are those of on-demand tables."""

    exceptions = _Exceptions

    def __init__(self, **logical_ids: str) -> None:
        """Make tables of the template: name of the table to its logical id."""
        self.tables = {name: Table(logical_id) for name, logical_id in logical_ids.items()}
        self.forget()

    def forget(self) -> None:
        self.requests: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0
        self.writes = 0
        """Items that a write was tried on, whether or not its condition held."""
        self.refused = 0
        """Those of them whose condition did not hold."""

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
        items = table.up_to(values[":shard"]["S"], values[":now"]["S"], request["Limit"])
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
        except RefusedError as refusal:
            code = "DuplicateItem" if operation == "PutItem" else "ConditionalCheckFailed"
            return {"Error": {"Code": code, **refusal.response}}
        return {}

    def _insert(self, request: Item) -> None:
        table, item = self.tables[request["TableName"]], request["Item"]
        self._write(table, table.get(item[table.key]["S"]), item, is_allowed=lambda before: before is None, request={})

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

        def is_allowed(before: Item | None) -> bool:
            alternatives = request["ConditionExpression"].split(" OR ")
            return any(_holds(alternative, before or {}, names, values) for alternative in alternatives)

        self._write(table, before, after, is_allowed=is_allowed, request=request)
        return after

    def _write(self, table: Table, before: Item | None, after: Item, *, is_allowed: Any, request: Item) -> None:
        self.writes += 1
        if not is_allowed(before):
            self.refused += 1
            self.write_units += write_units(before, before)
            wants_item = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
            told = {"Item": before} if wants_item else {}
            error: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, **told}
            raise RefusedError(error, "UpdateItem")
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
