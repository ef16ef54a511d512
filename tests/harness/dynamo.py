"""A DynamoDB in memory, for the real adapters of the tables. `tests/ports` compares it with the local AWS.

It supports only the requests of the adapters and raises NotImplementedError for all others.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import copy
from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError

from local.emulator.partiql_proxy import classic_call
from tests.template import table as template_table

Item = dict[str, Any]

TABLES: Final = {
    "messages": "MessagesTable",
    "correlations": "CorrelationsTable",
    "inbox": "InboxTable",
    "directory": "DirectoryTable",
    "media": "MediaTable",
    "keys": "EncryptionKeysTable",
}
"""The tables of the template, by their names here."""


class ConditionError(ClientError):
    """The condition of a write was false."""


class _Exceptions:
    """The exceptions of the client, by their names there."""

    ConditionalCheckFailedException = ConditionError


@cache
def _keys_of(logical_id: str) -> tuple[str, tuple[str, ...]]:
    """Return the key of a table of the template, and the keys of its index."""
    properties = template_table(logical_id)
    indexes = properties.get("GlobalSecondaryIndexes", ())
    return properties["KeySchema"][0]["AttributeName"], tuple(
        key["AttributeName"] for index in indexes for key in index["KeySchema"]
    )


class Table:
    """Items and their one index. The items are stored without the key, so that many can share one value."""

    def __init__(self, logical_id: str) -> None:
        """Create a table of the template."""
        self.key, self.index = _keys_of(logical_id)
        self._items: dict[str, Item] = {}
        self._entries: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        """Pairs of sort key and item key, by partition of the index."""

    def __len__(self) -> int:
        return len(self._items)

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

    def delete(self, key: str) -> None:
        self._remove_entry(key)
        self._items.pop(key, None)

    def copy(self) -> "Table":
        """Return a table with the same items. Items are never changed in place."""
        other = copy(self)
        other._items = dict(self._items)
        other._entries = defaultdict(list, {name: list(entries) for name, entries in self._entries.items()})
        return other

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
        entries = self._entries.get(partition, [])
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


class MemoryDynamo:
    """A client of DynamoDB for the adapters of the tables."""

    exceptions = _Exceptions

    def __init__(self, **logical_ids: str) -> None:
        """Create tables of the template: logical ids by table name."""
        self.tables = {name: Table(logical_id) for name, logical_id in logical_ids.items()}

    # --- reads --------------------------------------------------------------------------------------------------------

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:  # noqa: N803 - the client's own name
        responses = {}
        for name, wanted in RequestItems.items():
            table = self.tables[name]
            items = [table.get(key[table.key]["S"]) for key in wanted["Keys"]]
            responses[name] = [item for item in items if item is not None]
        return {"Responses": responses}

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> Item:  # noqa: N803 - the client's own names
        table = self.tables[TableName]
        item = table.get(Key[table.key]["S"])
        return {} if item is None else {"Item": item}

    def query(self, **request: Any) -> Item:
        if request["KeyConditionExpression"] != "due_shard = :shard AND due_at <= :now":
            raise NotImplementedError(request["KeyConditionExpression"])
        values = request["ExpressionAttributeValues"]
        table = self.tables[request["TableName"]]
        return {"Items": table.query_index(values[":shard"]["S"], values[":now"]["S"], request["Limit"])}

    # --- writes -------------------------------------------------------------------------------------------------------

    def update_item(self, **request: Any) -> Item:
        after = self._update(request)
        return {"Attributes": after} if request.get("ReturnValues") in ("ALL_NEW", "UPDATED_NEW") else {}

    def put_item(self, *, TableName: str, Item: Item, ConditionExpression: str = "") -> None:  # noqa: N803 - the client's own names
        table = self.tables[TableName]
        before = table.get(Item[table.key]["S"])
        self._write(TableName, before, Item, is_allowed=_holds(ConditionExpression, before or {}, {}, {}))

    def delete_item(self, *, TableName: str, Key: Item) -> None:  # noqa: N803 - the client's own names
        table = self.tables[TableName]
        table.delete(Key[table.key]["S"])

    def batch_execute_statement(self, *, Statements: list[Item]) -> Item:  # noqa: N803 - the client's own name
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
        name, item = request["TableName"], request["Item"]
        table = self.tables[name]
        before = table.get(item[table.key]["S"])
        self._write(name, before, item, is_allowed=before is None)

    def _update(self, request: Item) -> Item:
        name = request["TableName"]
        table = self.tables[name]
        before = table.get(request["Key"][table.key]["S"])
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        after = _updated(before or request["Key"], request["UpdateExpression"], names, values)
        self._write(
            name,
            before,
            after,
            is_allowed=_holds(request.get("ConditionExpression", ""), before or {}, names, values),
            returns_item=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        )
        return after

    def _write(
        self, name: str, before: Item | None, after: Item, *, is_allowed: bool, returns_item: bool = False
    ) -> None:
        if not is_allowed:
            item = {"Item": before} if returns_item and before is not None else {}
            error: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, **item}
            raise ConditionError(error, "UpdateItem")
        self.tables[name].put(after)


def _updated(before: Item, expression: str, names: Mapping[str, str], values: Mapping[str, Any]) -> Item:
    """Return an item after an update of the forms `SET … REMOVE …` and `ADD … SET …`."""
    after = {**before}
    if expression.startswith("ADD "):
        added, _, expression = expression.removeprefix("ADD ").partition(" SET ")
        name, value = added.split(" ")
        sum_of_both = int(before.get(names[name], {"N": "0"})["N"]) + int(values[value]["N"])
        after[names[name]] = {"N": str(sum_of_both)}
    sets, _, removes = expression.removeprefix("SET ").partition(" REMOVE ")
    for assignment in _split_assignments(sets):
        name, _, value = assignment.partition(" = ")
        name = names.get(name, name)
        if value.startswith("if_not_exists("):
            value = value.removesuffix(")").partition(", ")[2]
            after.setdefault(name, values[value])
        else:
            after[name] = values[value]
    for name in removes.split(", ") if removes else ():
        after.pop(names.get(name, name), None)
    return after


def _split_assignments(sets: str) -> list[str]:
    """Split at the commas between assignments, not at those in a call."""
    return re.split(r", (?![^()]*\))", sets)


_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
}


def _holds(condition: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Return whether a condition holds: comparisons and `attribute_…exists`, joined by OR and AND. None: it holds."""
    if " OR " in condition:
        return any(_holds(part, item, names, values) for part in condition.split(" OR "))
    return all(_is_true(part, item, names, values) for part in condition.split(" AND ") if part)


def _is_true(condition: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    function, _, argument = condition.removesuffix(")").partition("(")
    if argument:
        exists = names.get(argument, argument) in item
        return exists is (function == "attribute_exists")
    name, operator, value = condition.split(" ")
    stored = item.get(names.get(name, name))
    if stored is None:
        return False
    kind, one = next(iter(stored.items()))
    other_kind, other = next(iter(values[value].items()))
    if kind == "N":
        one, other = int(one), int(other)
    return kind == other_kind and _COMPARE[operator](one, other)
