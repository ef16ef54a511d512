"""Group messages by the time of their attempts, so that one query of a vendor's list covers each group."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.message import Message
from sampai.providers.features import ListQuery

WINDOW_GAP: Final = timedelta(hours=1)
"""Messages whose attempts are further apart than this get queries of their own."""

MAX_EARLY: Final = timedelta(minutes=5)
"""The vendor's clock may date a message this long before our attempt."""

MAX_LATE: Final = timedelta(minutes=15)
"""The vendor's clock and a slow call may date a message this long after our attempt."""


def group_by_window(
    messages: Sequence[Message], *, gap: timedelta = WINDOW_GAP
) -> Iterator[tuple[ListQuery, list[Message]]]:
    """Yield queries of a list in order of time, each with the messages that it covers."""
    group: list[Message] = []
    for message in sorted(messages, key=attempt_time):
        if group and attempt_time(message) - attempt_time(group[-1]) > gap:
            yield window_of(group), group
            group = []
        group.append(message)
    if group:
        yield window_of(group), group


def window_of(messages: Sequence[Message], *, recipient: str | None = None) -> ListQuery:
    """Return the query for the times at which the vendor can have dated these messages, and for one recipient."""
    times = [attempt_time(message) for message in messages]
    return ListQuery(since=min(times) - MAX_EARLY, until=max(times) + MAX_LATE, recipient=recipient)


def attempt_time(message: Message) -> datetime:
    """Return the time of the last attempt."""
    return message.attempted_at or message.created_at
