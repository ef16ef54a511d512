"""Windows of a vendor's list."""

from datetime import timedelta

from benchmarks.growth import accepted_message
from sampai.domain.message import Message
from sampai.providers.features import ListQuery
from sampai.services.follow_up.windows import MAX_EARLY, MAX_LATE, group_by_window
from tests.fakes import START


def attempted(message_id: str, minutes: int) -> Message:
    return accepted_message(message_id, "nomsa", at=START + timedelta(minutes=minutes), due_at=START)


def around(message: Message) -> ListQuery:
    attempted_at = message.attempted_at or START
    return ListQuery(since=attempted_at - MAX_EARLY, until=attempted_at + MAX_LATE)


def test_no_message_has_no_window() -> None:
    assert list(group_by_window([])) == []


def test_a_gap_of_more_than_an_hour_begins_a_window() -> None:
    late, early, middle = attempted("m-3", 181), attempted("m-1", 0), attempted("m-2", 60)
    next_day = attempted("m-4", 1500)

    windows = list(group_by_window([late, early, next_day, middle]))

    assert windows == [
        (ListQuery(since=START - MAX_EARLY, until=START + timedelta(minutes=60) + MAX_LATE), [early, middle]),
        (around(late), [late]),
        (around(next_day), [next_day]),
    ]
