"""The time budget of an invocation."""

import pytest

from sampai.services.deadline import Deadline

BUDGETS = [
    (30.0, True, 12.0, 26.0),
    (18.0, True, 0.0, 14.0),
    (17.9, False, -0.1, 13.9),
    (2.0, False, -16.0, 0.0),
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


@pytest.mark.parametrize(("remaining", "has_time"), [(30.0, True), (7.0, True), (6.9, False)])
def test_a_further_commit_leaves_time_to_queue_the_outcomes(remaining: float, has_time: bool) -> None:
    assert Deadline(lambda: remaining).has_time_for_commit() is has_time


CLAIMS = [(30.0, True, True), (23.0, True, True), (22.9, False, True), (18.0, False, True), (17.9, False, False)]


@pytest.mark.parametrize(("remaining", "while_others_wait", "alone"), CLAIMS)
def test_a_further_claim_leaves_time_for_the_calls_of_the_stored_ones(
    remaining: float, while_others_wait: bool, alone: bool
) -> None:
    deadline = Deadline(lambda: remaining)

    assert deadline.has_time_for_claim(others_wait=True) is while_others_wait
    assert deadline.has_time_for_claim(others_wait=False) is alone


def test_a_deadline_comes_closer() -> None:
    seconds = iter([18.0, 17.0])
    deadline = Deadline(lambda: next(seconds))

    assert [deadline.has_time_for_call(), deadline.has_time_for_call()] == [True, False]
