"""The encryption keys of messages, in a separate table. By default no role except that of send may read it."""

from datetime import timedelta
from typing import Any

from sampai.adapters.aws import unavailable
from sampai.adapters.items import RETENTION, ttl_of
from sampai.domain.message import Message


class DynamoEncryptionKeys:
    """Implements `ports.encryption_keys.EncryptionKeyStore`."""

    def __init__(self, client: Any, *, table: str, retention: timedelta = RETENTION) -> None:
        self._client = client
        self._retention = retention
        self._table = table

    def get_or_create(self, message: Message, proposed: str) -> str:
        return self._set(message, "if_not_exists(encryption_key, :key)", proposed)

    def replace(self, message: Message, key: str) -> None:
        self._set(message, ":key", key)

    def delete(self, message_id: str) -> None:
        with unavailable("encryption keys"):
            self._client.delete_item(TableName=self._table, Key={"message_id": {"S": message_id}})

    def _set(self, message: Message, value: str, key: str) -> str:
        with unavailable("encryption keys"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"message_id": {"S": message.message_id}},
                UpdateExpression=f"SET encryption_key = {value}, #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":key": {"S": key}, ":ttl": ttl_of(message, self._retention)},
                ReturnValues="UPDATED_NEW",
            )
        stored_key: str = answer["Attributes"]["encryption_key"]["S"]
        return stored_key
