"""The events of a message, built again from its item."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sampai.contract.events import Event, status_changed
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message
from sampai.domain.status import Status

NOT_STORED = "published again; the reason is not stored any more"


def events_of(message: Message) -> Iterator[tuple[datetime, Event]]:
    """Yield the events of a message with their times, in order, each with the sequence that it had.

    An item keeps the latest provider, vendor id and failure only: an event of an earlier attempt has none, and the
    failure of an earlier status has no reason of the vendor. An earlier status has our time of it in place of the
    vendor's. A long history lacks its middle.
    """
    history = message.history
    last_claim = max((i for i, entry in enumerate(history) if entry.status is Status.SENDING), default=len(history))
    for index, sequence in enumerate(_sequences(message)):
        entry, is_latest = history[index], index == len(history) - 1
        is_named = index >= last_claim and entry.status.rank >= Status.ACCEPTED.rank
        failure = Failure(reason=Reason.PROVIDER_ERROR, detail=NOT_STORED) if entry.status.is_failure else None
        then = replace(
            message,
            status=entry.status,
            sequence=sequence,
            history=history[: index + 1],
            provider=message.provider if index >= last_claim or is_latest else None,
            provider_message_id=message.provider_message_id if is_named or is_latest else None,
            cost=message.cost if is_named or is_latest else None,
            failure=message.failure if is_latest else failure,
            occurred_at=message.occurred_at if is_latest else entry.at,
        )
        yield entry.at, status_changed(then, previous=history[index - 1].status if index else None)


def _sequences(message: Message) -> list[int]:
    """Return the sequence of each entry of the history: the first half of a cut one counts from 1, the rest to now."""
    count, missing = len(message.history), message.sequence - len(message.history)
    return [n + 1 if n < count // 2 or not missing else n + 1 + missing for n in range(count)]
