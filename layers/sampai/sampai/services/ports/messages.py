"""The store of messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sampai.domain.message import Message
from sampai.services.ports.correlations import Correlation, LinkCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Store a message under an id that is not taken."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Store a message over the revision that it was made from."""

    before: Message
    message: Message


Write = Insert | Replace | LinkCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What came of a write. Refused with `current`: the condition failed and that is what stands there.

    Not done and no `current`: the store did not say; the write may or may not have happened.
    """

    done: bool
    current: Message | Correlation | None = None


class Messages(Protocol):
    """The messages, under optimistic concurrency control."""

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        """Make independent conditional writes in as few calls as the store allows, and say what came of each.

        Never raises for an outage. A refused write whose `current` equals what was to be written counts as done: an
        answer was lost and the client library asked twice.
        """
        ...

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        """Return the messages that exist, strongly consistent. Raises UnavailableError."""
        ...

    def due(self, now: datetime, limit: int) -> list[str]:
        """Return ids of messages with `due_at` at or before now, the longest due first. May lag behind writes."""
        ...
