"""The queues of the send function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """A delayed queue message that makes the send function continue with a waiting message."""

    message_id: str
    attempt: int
    is_urgent: bool
    delay_seconds: int
    """0 to 900."""
    group: str | None = None
    """The caller's message group: the queue shares workers fairly among groups."""


class Queue(Protocol):
    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        """Queue the wake-ups. Raises UnavailableError: the due index finds the messages that were not queued."""
        ...
