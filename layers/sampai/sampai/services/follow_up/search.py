"""Search a list that is too long to read for the rows of a few messages: halve it by time, nearest first. Pure.

A vendor stores a row within seconds of our attempt. So the search looks at the part of the list around an attempt, and
moves away from it only while the row is missing and the caller goes on.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sampai.domain.message import Message
from sampai.providers.features import ListQuery
from sampai.services.follow_up.windows import MAX_EARLY, MAX_LATE, attempt_time, group_by_window, window_of

USUAL_DELAY: Final = timedelta(seconds=1)
"""A vendor usually dates a message this long after our attempt."""


class TimeSearch:
    """The parts of a vendor's list that may contain some messages, and that were not read to their end."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._unread = [query for query, _ in group_by_window(messages, gap=MAX_EARLY + MAX_LATE)]

    def nearest(self, messages: Sequence[Message]) -> ListQuery | None:
        """Return the unread part that is nearest to the attempt of a message. None: all is read, or no message."""
        distances = ((_distance(part, message), part) for part in self._unread for message in messages)
        return min(distances, key=lambda entry: entry[0], default=(None, None))[1]

    def split(self, part: ListQuery) -> None:
        """Replace a part by its halves."""
        self._unread.remove(part)
        self._unread += halves_of(part)

    def remove(self, part: ListQuery) -> None:
        """Remove a part that was read to its end."""
        self._unread.remove(part)

    def has_covered(self, message: Message) -> bool:
        """Return whether every part that may contain the message was read to its end."""
        window = window_of([message])
        return not any(part.since < window.until and window.since < part.until for part in self._unread)


def halves_of(part: ListQuery) -> tuple[ListQuery, ListQuery]:
    """Return the two halves of a part. They share the instant between them, so no row is in neither."""
    middle = part.since + (part.until - part.since) / 2
    return ListQuery(since=part.since, until=middle), ListQuery(since=middle, until=part.until)


def _distance(part: ListQuery, message: Message) -> timedelta:
    """Return the time between a part and the instant at which the vendor usually dates the message: 0 inside it."""
    expected = attempt_time(message) + USUAL_DELAY
    return max(part.since - expected, expected - part.until, timedelta(0))
