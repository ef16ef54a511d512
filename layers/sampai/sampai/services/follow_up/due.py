"""The due messages of one run of follow_up, in passes."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import Final, TypeVar

from sampai.domain.message import Message
from sampai.services.ports.messages import DueFamily, Messages, Worker
from sampai.services.ports.runtime import Clock, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry

LIST_SIZE: Final = 2000
"""Due messages that are listed at a time: each list costs one query per shard of the index."""

PASS_SIZE: Final = 200
"""Messages that one pass reads and follows up."""

PASS_SECONDS: Final = 20.0
"""A pass begins only if at least this much time is left."""

MAX_KEPT: Final = 10_000
"""Messages that are kept in memory: about 25 MB, and more than the vendors can be asked about in one run."""

UNREADABLE_PAUSE: Final = timedelta(hours=1)
"""Time after which an item that cannot be read is tried again: a newer release may run by then."""


T = TypeVar("T")


class DueMessages:
    """The due messages of a worker's shards, each at most once."""

    def __init__(
        self,
        *,
        messages: Messages,
        clock: Clock,
        telemetry: Telemetry,
        worker: Worker,
        remaining: Remaining,
        max_kept: int = MAX_KEPT,
    ) -> None:
        self._messages = messages
        self._clock = clock
        self._telemetry = telemetry
        self._worker = worker
        self._remaining = remaining
        self.count = 0
        """Messages that were read so far."""
        self.oldest_age = 0.0
        """The age in seconds of the message that has been due for the longest time, among those read so far."""
        self._max_kept = max_kept
        self._kept: list[Message] = []
        self._kept_ids: list[str] = []

    def passes(self, family: DueFamily, *, reserve: float = PASS_SECONDS) -> Iterator[list[Message]]:
        """Yield the messages of a family, the longest due first, until none or only `reserve` seconds are left.

        Raises UnavailableError.
        """
        seen: set[str] = set()
        waiting: list[str] = []
        has_more = True
        while self._remaining() > reserve:
            if not waiting and has_more:
                limit = LIST_SIZE + 2 * len(seen)  # messages that a pass leaves unchanged stay in the list
                listed = self._messages.due(self._clock(), limit, family=family, worker=self._worker)
                has_more = len(listed) == limit
                waiting = [message_id for message_id in listed if message_id not in seen]
            if not waiting:
                return
            part, waiting = waiting[:PASS_SIZE], waiting[PASS_SIZE:]
            seen.update(part)
            self.count += len(part)
            yield self._read(part)

    def keep(self, messages: Sequence[Message]) -> None:
        """Keep messages of a pass for `kept`: up to `max_kept` of those without content, of the others the ids only."""
        for message in messages:
            if message.content is None and len(self._kept) < self._max_kept:
                self._kept.append(message)
            else:
                self._kept_ids.append(message.message_id)

    def kept(self) -> Iterator[list[Message]]:
        """Yield the kept messages, until none is left or time runs out. Raises UnavailableError."""
        yield from self.again(self._kept_ids)
        for messages in _parts(self._kept):
            if self._remaining() <= PASS_SECONDS:
                return
            yield messages

    def again(self, message_ids: Sequence[str]) -> Iterator[list[Message]]:
        """Yield messages that a pass has already listed, as they are now. Raises UnavailableError."""
        for ids in _parts(message_ids):
            if self._remaining() <= PASS_SECONDS:
                return
            yield self._read(ids)

    def postpone(self, message_ids: Sequence[str]) -> None:
        """Move items out of the way that cannot be read or followed up, or have been deleted."""
        now = self._clock()
        try:
            self._messages.postpone_unreadable(message_ids, now=now, due_at=now + UNREADABLE_PAUSE)
        except UnavailableError as error:
            self._telemetry.warning("unreadable items not postponed", error=str(error))

    def _read(self, message_ids: Sequence[str]) -> list[Message]:
        """Return the messages that are due, the longest due first: the index may lag behind them."""
        messages = self._messages.read(message_ids)
        if unread := [message_id for message_id in message_ids if message_id not in messages]:
            self.postpone(unread)
        now = self._clock()
        due = [(message, message.due_at) for message in messages.values() if message.due_at is not None]
        self.oldest_age = max([self.oldest_age, *((now - due_at).total_seconds() for _, due_at in due)])
        return [message for message, due_at in sorted(due, key=lambda entry: entry[1]) if due_at <= now]


def alternate(*passes: Iterator[list[Message]]) -> Iterator[list[Message]]:
    """Yield from several iterators in turn, until all are at their end."""
    for side_by_side in zip_longest(*passes):
        yield from (messages for messages in side_by_side if messages is not None)


def _parts(values: Sequence[T]) -> Iterator[list[T]]:
    return (list(values[start : start + PASS_SIZE]) for start in range(0, len(values), PASS_SIZE))
