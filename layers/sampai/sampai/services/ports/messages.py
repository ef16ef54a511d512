"""The store of messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports.correlations import Correlation, LinkCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Store a message if its id is not taken."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Store a message if the stored one still has the revision of `before`."""

    before: Message
    message: Message


Write = Insert | Replace | LinkCorrelation


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableItem:
    """A stored item that this release cannot read. A newer release wrote it, or something else damaged it."""

    key: str
    """The message id, or the correlation key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """The result of one conditional write.

    `done`: the write is stored. Not `done` with `current`: the condition failed, and `current` is the stored item.
    Not `done` without `current`: the store did not respond, and the write may or may not be stored.
    Not `done` and `is_unfit`: the write cannot be stored at all. A repetition has the same result.
    """

    done: bool
    current: Message | Correlation | UnreadableItem | None = None
    is_unfit: bool = False


class DueFamily(StrEnum):
    """The parts of the due index, in the order in which they are worked off."""

    WAITING = "waiting"
    """Messages that wait to be sent. The releases before the families have all messages here."""
    CLAIMED = "claimed"
    """Messages from their claim to the end of their first look, and those that no vendor has named."""
    POLLED = "polled"
    """Messages that a vendor has named, after their first look."""


def due_family_of(message: Message) -> DueFamily:
    """Return the part of the due index that a message belongs to.

    It stays the same when a vendor takes the message, so that this needs no write to the index.
    """
    if message.status in (Status.SCHEDULED, Status.QUEUED):
        return DueFamily.WAITING
    is_named = message.status is not Status.SENDING and message.provider_message_id is not None
    return DueFamily.POLLED if is_named and message.lookups else DueFamily.CLAIMED


@dataclass(frozen=True, slots=True)
class Worker:
    """One of several workers that follow up at the same time. Each has every `count`-th shard of the due index."""

    index: int = 0
    count: int = 1


ONLY_WORKER: Final = Worker()


class Messages(Protocol):
    """The messages, under optimistic concurrency control."""

    def commit(self, writes: Sequence[Write]) -> list[WriteResult]:
        """Make independent conditional writes in as few calls as the store allows. Return their results in order.

        Never raises for an outage. If the condition fails but the stored item equals the write, the write is `done`:
        a response was lost and the client library made the request twice.
        """
        ...

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        """Return the messages that exist, with strong consistency. Raises UnavailableError.

        An item that cannot be read is reported and left out.
        """
        ...

    def due(self, now: datetime, limit: int, *, family: DueFamily, worker: Worker = ONLY_WORKER) -> list[str]:
        """Return ids of messages of a family with `due_at` at or before now, the longest due first.

        Only those in the shards of the worker. The index may lag behind the writes. Raises UnavailableError.
        """
        ...

    def postpone_unreadable(self, message_ids: Collection[str], *, now: datetime, due_at: datetime) -> None:
        """Set only the `due_at` of the items that are due at `now`, so that they are not first in the index for ever.

        For items that cannot be read. Other attributes remain as they are. Raises UnavailableError.
        """
        ...
