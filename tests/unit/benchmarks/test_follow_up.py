"""The instruments of the benchmark of follow_up: its virtual time, and the measurements that must be exact."""

from datetime import timedelta

import pytest

from benchmarks.follow_up import DYNAMODB_SECONDS, Lanes, RemoteDynamo, World, count_handled_first, walk_life
from sampai.domain.status import Status
from tests.fakes import START, FixedClock
from tests.harness.application import nusasms_taken


@pytest.mark.parametrize(("workers", "seconds"), [(1, 15), (2, 9), (5, 5), (9, 5)])
def test_calls_side_by_side_take_as_long_as_the_longest_lane(workers: int, seconds: int) -> None:
    clock = FixedClock()

    with Lanes(workers, clock) as pool:
        for duration in (1, 2, 3, 4, 5):
            pool.submit(clock.advance, seconds=duration)

    assert clock.now - START == timedelta(seconds=seconds)


def test_lanes_within_a_lane_begin_at_its_time() -> None:
    clock = FixedClock()

    def call_twice(seconds: float) -> None:
        clock.advance(seconds=1)
        with Lanes(2, clock) as pool:
            pool.submit(clock.advance, seconds=seconds)
            pool.submit(clock.advance, seconds=seconds)

    with Lanes(1, clock) as pool:
        pool.submit(call_twice, 10)
        pool.submit(call_twice, 20)

    assert clock.now - START == timedelta(seconds=1 + 10 + 1 + 20)


def test_every_request_to_dynamodb_takes_its_time() -> None:
    clock = FixedClock()
    client = RemoteDynamo(clock)

    client.batch_execute_statement(Statements=[])
    client.batch_get_item(RequestItems={})

    assert (clock.now - START).total_seconds() == 2 * DYNAMODB_SECONDS


def test_workers_at_the_same_time_follow_up_every_message_once() -> None:
    world = World()
    world.add_accepted("nomsa", 100, until=START - timedelta(hours=1))

    assert world.run(workers=2) == 100
    assert list(world.statuses().values()).count(Status.DELIVERED) == 50


def test_a_wake_up_and_a_lease_are_counted_only_before_the_first_look() -> None:
    assert count_handled_first() == 2


def test_a_life_with_another_end_is_no_measurement() -> None:
    with pytest.raises(AssertionError, match="the message ended unconfirmed"):
        walk_life("nusasms", nusasms_taken(), end=Status.DELIVERED)
