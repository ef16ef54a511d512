"""The order of callbacks: all deliveries of a few events, in any order, with repeats, gaps and lost workers."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampai.domain.callback_progress import (
    GAP_WAIT,
    CallbackProgress,
    Step,
    arrive,
    claim,
    conclude,
    next_step,
    release,
)
from tests.fakes import START

LEASE = timedelta(seconds=90)
NEW = CallbackProgress()
AFTER_3 = CallbackProgress(revision=6, concluded=3, missing=frozenset({2}))
LONG_AGO = START - GAP_WAIT


def waiting(sequence: int, since: datetime = LONG_AGO, progress: CallbackProgress = AFTER_3) -> CallbackProgress:
    return replace(progress, arrived=sequence, arrived_at=since)


@pytest.mark.parametrize(
    ("progress", "sequence", "is_last", "step"),
    [
        (NEW, 1, False, Step.POST),
        (NEW, 2, False, Step.WAIT),
        (AFTER_3, 4, False, Step.POST),
        (AFTER_3, 3, False, Step.DROP),
        (AFTER_3, 3, True, Step.DROP),
        (AFTER_3, 1, False, Step.DROP),
        (AFTER_3, 2, False, Step.POST),
        (AFTER_3, 5, False, Step.WAIT),
        (AFTER_3, 5, True, Step.POST),
        (waiting(5), 5, False, Step.POST),
        (waiting(5, START - GAP_WAIT + timedelta(seconds=1)), 5, False, Step.WAIT),
        (waiting(5), 6, False, Step.WAIT),
        (waiting(4), 5, False, Step.WAIT),
        (waiting(4), 4, False, Step.POST),
        (replace(AFTER_3, leased_until=START + LEASE), 4, False, Step.WAIT),
        (replace(AFTER_3, leased_until=START + LEASE), 4, True, Step.WAIT),
        (replace(AFTER_3, leased_until=START + LEASE), 2, False, Step.WAIT),
        (replace(AFTER_3, leased_until=START + LEASE), 3, False, Step.DROP),
        (replace(AFTER_3, leased_until=START), 4, False, Step.POST),
    ],
    ids=[
        "the first event",
        "an event before the first",
        "the next event",
        "a duplicate",
        "a duplicate on its last receive",
        "an old duplicate",
        "a missing event that comes late",
        "an event after a gap",
        "an event after a gap on its last receive",
        "the first event after a gap when its wait is over",
        "the first event after a gap before that",
        "the second event after a gap",
        "an event after one that is tried again",
        "an event that is tried again",
        "while another worker posts",
        "while another worker posts, on the last receive",
        "a missing event while another worker posts",
        "a duplicate while another worker posts",
        "after the lease of a worker that died",
    ],
)
def test_a_received_event_is_posted_waits_or_is_dropped(
    progress: CallbackProgress, sequence: int, is_last: bool, step: Step
) -> None:
    assert next_step(progress, sequence, is_last=is_last, now=START) is step


@pytest.mark.parametrize(
    ("progress", "sequence", "arrived"),
    [
        (AFTER_3, 5, 5),
        (waiting(6), 5, 5),
        (waiting(5), 6, 5),
        (AFTER_3, 2, 0),
        (replace(AFTER_3, leased_until=START + LEASE), 5, 0),
    ],
    ids=["the first one", "an earlier one", "a later one", "a missing one", "while another worker posts"],
)
def test_the_earliest_event_that_has_arrived_is_known(progress: CallbackProgress, sequence: int, arrived: int) -> None:
    after = arrive(progress, sequence, now=START)

    assert after.arrived == arrived
    is_noted = after.arrived != progress.arrived
    assert after == (replace(progress, revision=7, arrived=arrived, arrived_at=START) if is_noted else progress)


def test_an_event_that_is_skipped_is_missing_until_it_is_posted_late() -> None:
    skipping = claim(waiting(6), 6, now=START, lease=LEASE)

    assert skipping == replace(
        waiting(6), revision=7, concluded=5, missing=frozenset({2, 4, 5}), leased_until=START + LEASE
    )
    posted = conclude(skipping, 6, is_posted=True)
    assert posted == CallbackProgress(revision=8, concluded=6, missing=frozenset({2, 4, 5}))
    late = conclude(claim(posted, 4, now=START, lease=LEASE), 4, is_posted=True)
    assert late == CallbackProgress(revision=10, concluded=6, missing=frozenset({2, 5}))


def test_an_event_that_waits_is_still_known_after_a_missing_one_was_posted_late() -> None:
    late = conclude(claim(waiting(5), 2, now=START, lease=LEASE), 2, is_posted=True)

    assert late == replace(waiting(5), revision=8, missing=frozenset())


def test_an_event_that_is_given_up_is_missing_and_the_next_one_follows() -> None:
    given_up = conclude(claim(AFTER_3, 4, now=START, lease=LEASE), 4, is_posted=False)

    assert given_up == CallbackProgress(revision=8, concluded=4, missing=frozenset({2, 4}))
    assert next_step(given_up, 5, is_last=False, now=START) is Step.POST


def test_an_attempt_that_failed_frees_the_message_and_holds_the_later_events() -> None:
    released = release(claim(waiting(5), 4, now=START, lease=LEASE))

    assert released == replace(AFTER_3, revision=8, arrived=4, arrived_at=START)
    assert next_step(released, 4, is_last=False, now=START) is Step.POST
    assert next_step(released, 5, is_last=False, now=START + 2 * GAP_WAIT) is Step.WAIT


@given(
    order=st.lists(st.integers(1, 5), min_size=5, max_size=40),
    failing=st.sets(st.integers(0, 39)),
)
def test_whatever_the_order_of_receives_every_event_is_posted_once_and_in_order(
    order: list[int], failing: set[int]
) -> None:
    progress, received = NEW, []
    for number, sequence in enumerate([*order, 1, 2, 3, 4, 5]):
        step = next_step(progress, sequence, is_last=False, now=START)
        if step is Step.POST:
            progress = claim(progress, sequence, now=START, lease=LEASE)
            if number in failing and number < len(order):
                progress = release(progress)
            else:
                received.append(sequence)
                progress = conclude(progress, sequence, is_posted=True)
        elif step is Step.WAIT:
            progress = arrive(progress, sequence, now=START)

    assert received == [1, 2, 3, 4, 5]
    assert replace(progress, revision=0) == CallbackProgress(concluded=5)
