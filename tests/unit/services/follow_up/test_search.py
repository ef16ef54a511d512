"""The search through a list by time: the parts around an attempt first, and none left out."""

from datetime import timedelta

import pytest

from benchmarks.growth import accepted_message
from sampai.domain.message import Message
from sampai.providers.features import ListQuery
from sampai.services.follow_up.search import TimeSearch, halves_of
from tests.fakes import START


def attempted(minutes: float) -> Message:
    at = START + timedelta(minutes=minutes)
    return accepted_message(f"m-{minutes}", "nomsa", at=at, due_at=START)


def part(since: float, until: float) -> ListQuery:
    """Return the part of a list between two times in minutes after the first attempt."""
    return ListQuery(since=START + timedelta(minutes=since), until=START + timedelta(minutes=until))


def read_all(search: TimeSearch, *messages: Message, splits: int) -> list[ListQuery]:
    """Split the first parts and read the others to their end. Return the parts that were read, in order."""
    read = []
    while (nearest := search.nearest(messages)) is not None:
        if splits:
            search.split(nearest)
            splits -= 1
        else:
            search.remove(nearest)
            read.append(nearest)
    return read


@pytest.mark.parametrize(
    ("splits", "parts"),
    [
        (0, [part(-5, 15)]),
        (1, [part(-5, 5), part(5, 15)]),
        (2, [part(0, 5), part(-5, 0), part(5, 15)]),
        (3, [part(0, 2.5), part(-5, 0), part(2.5, 5), part(5, 15)]),
    ],
)
def test_parts_are_read_from_the_attempt_outwards(splits: int, parts: list[ListQuery]) -> None:
    message = attempted(0)

    assert read_all(TimeSearch([message]), message, splits=splits) == parts


def test_windows_that_overlap_are_one_part_and_others_are_not_joined() -> None:
    messages = [attempted(0), attempted(20), attempted(41)]

    assert read_all(TimeSearch(messages), *messages, splits=0) == [part(-5, 35), part(36, 56)]


def test_parts_around_other_attempts_come_before_the_surroundings_of_the_first() -> None:
    first, second = attempted(0), attempted(10)

    parts = read_all(TimeSearch([first, second]), first, second, splits=3)

    assert parts == [part(-5, 2.5), part(10, 17.5), part(2.5, 10), part(17.5, 25)]


def test_message_is_covered_by_the_parts_of_its_own_window() -> None:
    first, second = attempted(0), attempted(12)
    search = TimeSearch([first, second])
    search.split(part(-5, 27))  # into -5 to 11, and 11 to 27
    search.split(part(11, 27))  # into 11 to 19, and 19 to 27

    covered = []
    for each in (part(-5, 11), part(11, 19), part(19, 27)):
        search.remove(each)
        covered.append((search.has_covered(first), search.has_covered(second)))

    assert covered == [(False, False), (True, False), (True, True)]


def test_search_without_messages_has_no_part() -> None:
    assert TimeSearch([]).nearest([attempted(0)]) is None
    assert TimeSearch([attempted(0)]).nearest([]) is None


def test_halves_share_the_instant_between_them() -> None:
    assert halves_of(part(0, 3)) == (part(0, 1.5), part(1.5, 3))
