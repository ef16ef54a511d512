"""The queues of the send function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    """A note to the send function to look at a waiting message after some seconds (0 to 900)."""

    message_id: str
    attempt: int
    is_urgent: bool
    delay_seconds: int
    group: str | None = None
    """The caller's message group, among which the queue shares fairly."""


class Queue(Protocol):
    def put(self, wake_ups: Sequence[WakeUp]) -> None:
        """Queue the notes. Raises UnavailableError; the due index finds what was not queued."""
        ...
