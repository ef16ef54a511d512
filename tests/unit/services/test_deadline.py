"""The time budget of an invocation."""

import pytest

from sampai.services.deadline import Deadline

BUDGETS = [
    (30.0, True, 15.0, 27.5),
    (15.0, True, 0.0, 12.5),
    (14.9, False, -0.1, 12.4),
    (2.0, False, -13.0, 0.0),
]


@pytest.mark.parametrize(("remaining", "has_time", "before_last_call", "for_calls"), BUDGETS)
def test_a_call_may_begin_while_its_result_can_still_be_stored(
    remaining: float, has_time: bool, before_last_call: float, for_calls: float
) -> None:
    deadline = Deadline(lambda: remaining)

    assert deadline.has_time_for_call() is has_time
    assert deadline.seconds_before_last_call() == pytest.approx(before_last_call)
    assert deadline.seconds_for_calls() == pytest.approx(for_calls)


@pytest.mark.parametrize(("seconds", "allowed"), [(-1.0, True), (5.0, True), (5.1, False)])
def test_a_wait_must_end_before_the_invocation(seconds: float, allowed: bool) -> None:
    assert Deadline(lambda: 5.0).allows_wait(seconds) is allowed


def test_a_deadline_comes_closer() -> None:
    seconds = iter([15.0, 14.0])
    deadline = Deadline(lambda: next(seconds))

    assert [deadline.has_time_for_call(), deadline.has_time_for_call()] == [True, False]
