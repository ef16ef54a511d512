"""The queue of the callbacks, and their progress."""

from collections.abc import Sequence
from typing import Protocol

from sampai.domain.callback_progress import CallbackProgress
from sampai.services.ports.queue import Receipt


class CallbackProgressStore(Protocol):
    def load(self, message_id: str) -> CallbackProgress:
        """Return the progress of a message. Raises UnavailableError."""
        ...

    def replace(self, message_id: str, progress: CallbackProgress) -> bool:
        """Store a progress whose revision is one above the stored one. Return False if another worker was first.

        Raises UnavailableError.
        """
        ...


class CallbackQueue(Protocol):
    def postpone(self, delays: Sequence[tuple[Receipt, int]]) -> None:
        """Keep each received event from being delivered again for its seconds from now. Raises UnavailableError."""
        ...
