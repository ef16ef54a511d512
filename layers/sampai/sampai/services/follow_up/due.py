"""The due messages of one run of follow_up, in passes."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

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

UNREADABLE_PAUSE: Final = timedelta(hours=1)
"""Time after which an item that cannot be read is tried again: a newer release may run by then."""


class DueMessages:
    """The due messages of a worker's shards, each at most once."""

    def __init__(
        self, *, messages: Messages, clock: Clock, telemetry: Telemetry, worker: Worker, remaining: Remaining
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

    def passes(self, family: DueFamily) -> Iterator[list[Message]]:
        """Yield the messages of a family, the longest due first, until none is left or time runs out.

        Raises UnavailableError.
        """
        seen: set[str] = set()
        waiting: list[str] = []
        has_more = True
        while self._remaining() > PASS_SECONDS:
            if not waiting and has_more:
                limit = LIST_SIZE + len(seen)
                listed = self._messages.due(self._clock(), limit, family=family, worker=self._worker)
                has_more = len(listed) == limit
                waiting = [message_id for message_id in listed if message_id not in seen]
            if not waiting:
                return
            part, waiting = waiting[:PASS_SIZE], waiting[PASS_SIZE:]
            seen.update(part)
            self.count += len(part)
            yield self._read(part)

    def again(self, message_ids: Sequence[str]) -> Iterator[list[Message]]:
        """Yield messages that a pass has already listed, as they are now. Raises UnavailableError."""
        for start in range(0, len(message_ids), PASS_SIZE):
            if self._remaining() <= PASS_SECONDS:
                return
            yield self._read(message_ids[start : start + PASS_SIZE])

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
