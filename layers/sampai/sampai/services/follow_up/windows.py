"""Group messages by the time of their attempts, so that one window of a vendor's list covers each group."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.message import Message
from sampai.providers.features import Window

WINDOW_GAP: Final = timedelta(hours=1)
"""Messages whose attempts are further apart than this get windows of their own."""

MAX_EARLY: Final = timedelta(minutes=5)
"""The vendor's clock may date a message this long before our attempt."""

MAX_LATE: Final = timedelta(minutes=15)
"""The vendor's clock and a slow call may date a message this long after our attempt."""


def group_by_window(messages: Sequence[Message]) -> Iterator[tuple[Window, list[Message]]]:
    """Yield windows of a list in order of time, each with the messages that it covers."""
    group: list[Message] = []
    for message in sorted(messages, key=_attempted_at):
        if group and _attempted_at(message) - _attempted_at(group[-1]) > WINDOW_GAP:
            yield _window(group), group
            group = []
        group.append(message)
    if group:
        yield _window(group), group


def _window(group: Sequence[Message]) -> Window:
    return Window(since=_attempted_at(group[0]) - MAX_EARLY, until=_attempted_at(group[-1]) + MAX_LATE)


def _attempted_at(message: Message) -> datetime:
    return message.attempted_at or message.created_at
