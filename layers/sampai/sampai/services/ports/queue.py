"""The queues of the send function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sampai.domain.outcome import NotTaken, Taken


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOutcome:
    """A queue message with the outcome of an attempt that the store did not take. Its worker makes no further call.

    It has no text and no number. Only the worker and the store know the `attempt_id`, so no caller can forge it.
    """

    message_id: str
    attempt_id: str
    outcome: Taken | NotTaken
    is_urgent: bool
    delay_seconds: int
    group: str | None = None


QueueMessage = WakeUp | CarriedOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One delivery of a queue message to this worker."""

    queue_name: str
    handle: str


class Queue(Protocol):
    def put(self, messages: Sequence[QueueMessage]) -> None:
        """Queue some messages. Raises UnavailableError: the due index finds the messages that were not queued."""
        ...

    def postpone(self, receipts: Sequence[Receipt], *, seconds: int) -> None:
        """Keep received messages from being delivered again for some seconds from now. Raises UnavailableError."""
        ...
