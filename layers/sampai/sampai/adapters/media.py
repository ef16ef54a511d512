"""The files of messages. A file can be larger than an item, so it is stored in parts."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import get_all
from sampai.adapters.items import ttl_of
from sampai.domain.message import Message
from sampai.services.ports.runtime import UnavailableError

PART_BYTES: Final = 256 * 1024
"""An item of DynamoDB has at most 400 KB."""

RETENTION: Final = timedelta(days=31)
"""The lifetime of a file after the later of `created_at` and `send_at` of its message: the longest possible wait."""


class DynamoMedia:
    """Implements `ports.media.MediaStore`. A key is `{message_id}/{digest}/{number of parts}`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table

    def store(self, message: Message, data: bytes) -> str:
        parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
        key = f"{message.message_id}/{sha256(data).hexdigest()[:32]}/{len(parts)}"
        ttl = ttl_of(message, RETENTION)
        for part_key, part in zip(_part_keys(key), parts, strict=True):
            item = {"media_key": {"S": part_key}, "data": {"B": part}, "ttl": ttl}
            with unavailable("media"):
                self._client.put_item(TableName=self._table, Item=item)
        return key

    def load(self, key: str) -> bytes:
        part_keys = list(_part_keys(key))
        with unavailable("media"):
            items = get_all(self._client, self._table, "media_key", part_keys)
        parts = {item["media_key"]["S"]: item["data"]["B"] for item in items}
        if len(parts) < len(part_keys):
            raise UnavailableError("media: not found")
        return b"".join(parts[part_key] for part_key in part_keys)

    def delete(self, key: str) -> None:
        for part_key in _part_keys(key):
            with unavailable("media"):
                self._client.delete_item(TableName=self._table, Key={"media_key": {"S": part_key}})


def _part_keys(key: str) -> Iterator[str]:
    name, _, count = key.rpartition("/")
    return (f"{name}/{number}" for number in range(int(count)))
