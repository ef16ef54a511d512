"""Encryption keys of messages, in a table of their own: the right to read it is given to nobody by default."""

from typing import Any

from sampai.adapters.aws import unavailable
from sampai.adapters.items import expiry_of
from sampai.domain.message import Message


class DynamoEncryptionKeys:
    """Implements `ports.Vault`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client = client
        self._table = table

    def get_or_create(self, message: Message, proposed: str) -> str:
        return self._set(message, "if_not_exists(encryption_key, :key)", proposed)

    def replace(self, message: Message, key: str) -> None:
        self._set(message, ":key", key)

    def delete(self, message_id: str) -> None:
        with unavailable("encryption keys"):
            self._client.delete_item(TableName=self._table, Key={"message_id": {"S": message_id}})

    def _set(self, message: Message, value: str, key: str) -> str:
        with unavailable("vault"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"message_id": {"S": message.message_id}},
                UpdateExpression=f"SET encryption_key = {value}, #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":key": {"S": key}, ":ttl": expiry_of(message)},
                ReturnValues="UPDATED_NEW",
            )
        kept: str = answer["Attributes"]["encryption_key"]["S"]
        return kept
