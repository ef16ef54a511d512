"""A search for a phone number over whole tables."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from sampai.adapters.aws import unavailable
from sampai.adapters.directory import CONVERSATION, COUNT
from sampai.adapters.dynamo import Item


class DynamoPersonalData:
    """Implements `ports.PersonalData`. Needs `dynamodb:Scan` and `dynamodb:DeleteItem`, which no function has."""

    def __init__(self, client: Any, *, messages_table: str, inbox_table: str, directory_table: str) -> None:
        self._client = client
        self._messages = messages_table
        self._inbox = inbox_table
        self._directory = directory_table

    def conversations_of(self, number: str) -> list[str]:
        found = [
            item["directory_key"]["S"].removeprefix(CONVERSATION)
            for page in self._scan(self._directory, ("directory_key", "number"))
            for item in page
            if item["directory_key"]["S"].startswith(CONVERSATION) and _text(item, "number") == number
        ]
        return sorted(found)

    def messages_of(self, number: str, conversations: Collection[str]) -> Iterator[list[str]]:
        for page in self._scan(self._messages, ("message_id", "recipient", "room_id")):
            yield [
                item["message_id"]["S"]
                for item in page
                if _text(item, "recipient") == number or _text(item, "room_id") in conversations
            ]

    def delete_inbound(self, number: str) -> int:
        return self._delete(self._inbox, "inbound_key", lambda item: _text(item, "sender") == number, ("sender",))

    def delete_quota_counters(self, number: str) -> int:
        prefix = f"{COUNT}recipient#{number}#"
        return self._delete(self._directory, "directory_key", lambda i: i["directory_key"]["S"].startswith(prefix))

    def delete_conversations(self, conversations: Collection[str]) -> int:
        for conversation in conversations:
            self._delete_item(self._directory, {"directory_key": {"S": f"{CONVERSATION}{conversation}"}})
        return len(conversations)

    def _delete(self, table: str, key: str, is_theirs: Callable[[Item], bool], attributes: tuple[str, ...] = ()) -> int:
        """Delete the items of a table that a test selects by its key and some attributes, and return their count."""
        deleted = 0
        for page in self._scan(table, (key, *attributes)):
            for item in filter(is_theirs, page):
                self._delete_item(table, {key: item[key]})
                deleted += 1
        return deleted

    def _delete_item(self, table: str, key: Item) -> None:
        with unavailable("personal data"):
            self._client.delete_item(TableName=table, Key=key)

    def _scan(self, table: str, attributes: tuple[str, ...]) -> Iterator[list[Item]]:
        """Yield the pages of a table, strongly consistent, with the given attributes alone."""
        names = {f"#{index}": name for index, name in enumerate(attributes)}
        start: dict[str, Any] = {}
        while True:
            with unavailable("personal data"):
                answer = self._client.scan(
                    TableName=table,
                    ConsistentRead=True,
                    ProjectionExpression=", ".join(names),
                    ExpressionAttributeNames=names,
                    **start,
                )
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _text(item: Item, name: str) -> str | None:
    value: str | None = item.get(name, {}).get("S")
    return value
