"""A search for a recipient over whole tables."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.directory import CONVERSATION, COUNT
from sampai.adapters.dynamo import Item, read_pages
from sampai.domain.recipient import fold, mentions

SEGMENTS: Final = 8
"""Parts of a table that are read side by side."""


class DynamoPersonalData:
    """Implements `ports.PersonalData`. Needs `dynamodb:Scan` and `dynamodb:DeleteItem`, which no function has."""

    def __init__(
        self, client: Any, *, messages_table: str, inbox_table: str, directory_table: str, media_table: str
    ) -> None:
        self._client = client
        self._messages = messages_table
        self._inbox = inbox_table
        self._directory = directory_table
        self._media = media_table

    def conversations_of(self, number: str) -> list[str]:
        def is_theirs(item: Item) -> bool:
            return item["directory_key"]["S"].startswith(CONVERSATION) and _text(item, "number") == number

        found = self._find(self._directory, ("directory_key", "number"), is_theirs)
        return sorted(item["directory_key"]["S"].removeprefix(CONVERSATION) for item in found)

    def messages_of(self, number: str, conversations: Collection[str]) -> list[str]:
        def is_theirs(item: Item) -> bool:
            recipients = {fold(_text(item, "recipient") or ""), *map(fold, _addresses(item))}
            return fold(number) in recipients or _text(item, "room_id") in conversations

        found = self._find(self._messages, ("message_id", "recipient", "room_id", "content"), is_theirs)
        return sorted(item["message_id"]["S"] for item in found)

    def delete_files(self, message_ids: Collection[str]) -> int:
        wanted = frozenset(message_ids)
        return self._delete(
            self._media, ("media_key",), lambda item: item["media_key"]["S"].partition("/")[0] in wanted
        )

    def delete_inbound(self, number: str) -> int:
        texts = ("sender", "recipient", "text")
        return self._delete(
            self._inbox,
            ("inbound_key", *texts),
            lambda item: any(mentions(_text(item, name) or "", number) for name in texts),
        )

    def delete_quota_counters(self, number: str) -> int:
        prefix = f"{COUNT}recipient#{fold(number)}#"
        return self._delete(
            self._directory, ("directory_key",), lambda item: item["directory_key"]["S"].startswith(prefix)
        )

    def delete_conversations(self, conversations: Collection[str]) -> int:
        for conversation in conversations:
            self._delete_item(self._directory, {"directory_key": {"S": f"{CONVERSATION}{conversation}"}})
        return len(conversations)

    def _delete(self, table: str, attributes: tuple[str, ...], is_theirs: Callable[[Item], bool]) -> int:
        """Delete the items for which the test holds, and return their count. The first attribute is the key."""
        key = attributes[0]
        found = self._find(table, attributes, is_theirs)
        for item in found:
            self._delete_item(table, {key: item[key]})
        return len(found)

    def _delete_item(self, table: str, key: Item) -> None:
        with unavailable("personal data"):
            self._client.delete_item(TableName=table, Key=key)

    def _find(self, table: str, attributes: tuple[str, ...], is_theirs: Callable[[Item], bool]) -> list[Item]:
        """Read a whole table and return the given attributes of the items for which the test holds."""

        def find_in(segment: int) -> list[Item]:
            return self._find_in_segment(segment, table, attributes, is_theirs)

        with ThreadPoolExecutor(SEGMENTS) as pool:
            return [item for found in pool.map(find_in, range(SEGMENTS)) for item in found]

    def _find_in_segment(
        self, segment: int, table: str, attributes: tuple[str, ...], is_theirs: Callable[[Item], bool]
    ) -> list[Item]:
        # "text" is a reserved word in expressions, and others may become reserved.
        names = {f"#{index}": name for index, name in enumerate(attributes)}
        with unavailable("personal data"):
            items = read_pages(
                self._client.scan,
                TableName=table,
                ConsistentRead=True,
                Segment=segment,
                TotalSegments=SEGMENTS,
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames=names,
            )
            return list(filter(is_theirs, items))


def _addresses(item: Item) -> list[str]:
    """Return the further addresses of an e-mail: those of its copies, and the one for replies."""
    content = item.get("content", {}).get("M", {})
    copies = [copy for name in ("cc", "bcc") for copy in content.get(name, {}).get("L", [])]
    return [address["S"] for address in (*copies, content.get("reply_to", {})) if "S" in address]


def _text(item: Item, name: str) -> str | None:
    value: str | None = item.get(name, {}).get("S")
    return value
