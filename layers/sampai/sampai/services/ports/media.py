"""Files of messages (a claim check)."""

from typing import Protocol

from sampai.domain.message import Message


class MediaStore(Protocol):
    def keep(self, message: Message, data: bytes) -> str:
        """Keep a message's file and return the key to it; the same file of the same message has the same key.

        Raises UnavailableError.
        """
        ...

    def fetch(self, key: str) -> bytes:
        """Return a kept file. Raises UnavailableError, also if it is gone."""
        ...

    def discard(self, key: str) -> None:
        """Drop a file that is needed no more. Raises UnavailableError; in the end the file goes by itself."""
        ...
