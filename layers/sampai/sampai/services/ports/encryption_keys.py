"""Encryption keys of messages."""

from typing import Protocol

from sampai.domain.message import Message


class EncryptionKeyStore(Protocol):
    """Encryption keys of messages, readable only by whoever was given that right."""

    def get_or_create(self, message: Message, proposed: str) -> str:
        """Return the key of a message, which is the proposed one if it had none. Durable. Raises UnavailableError."""
        ...

    def replace(self, message: Message, key: str) -> None:
        """Keep the key that the vendor has chosen instead. Raises UnavailableError."""
        ...

    def delete(self, message_id: str) -> None:
        """Delete the key of a message, if it has one. Raises UnavailableError."""
        ...
