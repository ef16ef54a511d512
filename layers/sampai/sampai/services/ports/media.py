"""Files of messages, stored apart from them (a claim check)."""

from typing import Protocol

from sampai.domain.message import Message


class MediaStore(Protocol):
    def store(self, message: Message, data: bytes) -> str:
        """Store a file and return its key. The same file of the same message has the same key.

        Raises UnavailableError.
        """
        ...

    def load(self, key: str) -> bytes:
        """Return a stored file. Raises UnavailableError, also if the file no longer exists."""
        ...

    def delete(self, key: str) -> None:
        """Delete a file, if it exists. Raises UnavailableError: the file then expires."""
        ...
