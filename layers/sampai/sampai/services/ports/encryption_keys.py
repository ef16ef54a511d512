"""Encryption keys of messages."""

from typing import Protocol

from sampai.domain.message import Message


class EncryptionKeyStore(Protocol):
    """Encryption keys of messages, in a store of their own with its own permissions."""

    def get_or_create(self, message: Message, proposed: str) -> str:
        """Return the stored key of a message; if it has none, store the proposed one first.

        The key is durable when this returns. Raises UnavailableError.
        """
        ...

    def delete(self, message_id: str) -> None:
        """Delete the key of a message, if it has one. Raises UnavailableError: the key then expires."""
        ...

    def replace(self, message: Message, key: str) -> None:
        """Store the key that the vendor chose in place of ours. Raises UnavailableError."""
        ...
