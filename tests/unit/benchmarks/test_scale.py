"""The simulation of scale: it obeys the laws of queues, and its helpers read what they are given."""

from dataclasses import replace
from math import inf

import pytest

from benchmarks.cpu import PROCESSORS, Reading
from benchmarks.limits import (
    IDLE_VENDOR_SECONDS,
    LARGE,
    BatchWork,
    Run,
    Setting,
    batch_seconds,
    max_within,
    mean_rate,
    simulate_rate,
    work_of,
)
from benchmarks.model import (
    DELIVERIES,
    FOLLOW_UP,
    INDEX,
    RESERVATIONS,
    TABLE,
    WEBHOOKS,
    WORKERS,
    Meter,
    Plan,
    Queue,
    RateLimiter,
    Simulation,
    pass_seconds,
)
from benchmarks.scale import QUOTAS, REMEDIES, SCALES, capacities, deployed_plan, simulate

STEADY = Plan(
    per_second=100.0,
    seconds=60.0,
    warm_up=20.0,
    concurrency=100,
    pollers=100,
    vendor_spread=0.0,
    receipt_seconds=0.0,
)


# --- the laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, {"per_second": 700.0}, {"vendor_seconds": 1.0}, {"concurrency": 8}, {"batch": 3, "per_second": 50.0}],
)
def test_workers_at_work_are_invocations_a_second_times_their_time(changes: dict[str, float]) -> None:
    plan = replace(STEADY, **changes)  # type: ignore[arg-type]

    run = Simulation(plan).run()

    seconds = plan.seconds - plan.warm_up
    messages = run.accepted / run.invocations
    lasts = plan.fixed_seconds + plan.message_seconds * messages + 2 * plan.call_seconds + plan.vendor_seconds
    assert run.busy_workers == pytest.approx(run.invocations / seconds * lasts, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "per_second"),
    [
        ({}, 100),  # what comes
        ({"per_second": 1000.0, "concurrency": 10}, 10 * 10 / 0.286),  # the workers
        ({"per_second": 1000.0, "max_per_second": 20.0}, 20),  # the vendor
        (
            {"per_second": 1000.0, "table_units": 140.0, "reported": 0.0, "concurrency": 10},
            70,
        ),  # the table: two writes of a unit
        (
            {"per_second": 1000.0, "index_units": 150.0, "reported": 0.0, "concurrency": 10},
            50,
        ),  # the index: three units
        ({"per_second": 1000.0, "processors": 1.0}, 10 / 0.07),  # the machine
        ({"per_second": 1000.0, "batch": 100, "threads": 10, "concurrency": 3}, 3 * 100 / 2.536),  # the threads
    ],
)
def test_as_many_go_out_as_the_narrowest_place_lets_through(changes: dict[str, float], per_second: float) -> None:
    run = Simulation(replace(STEADY, **changes)).run()  # type: ignore[arg-type]

    assert run.per_second == pytest.approx(per_second, rel=0.05)


def test_what_is_wanted_of_each_resource_is_what_the_messages_need() -> None:
    run = Simulation(replace(STEADY, per_second=400.0, reported=1.0)).run()

    # For each message: claim and result, two receipts; in the index one, two and one.
    assert {name: round(run.needed[name] / run.per_second, 1) for name in (TABLE, INDEX, WEBHOOKS, DELIVERIES)} == {
        TABLE: 4.0,
        INDEX: 4.0,
        WEBHOOKS: 2.0,
        DELIVERIES: 4.0,
    }
    assert run.needed[FOLLOW_UP] == 0
    assert run.waiting < 10


def test_nothing_is_lost_on_the_way() -> None:
    run = Simulation(Plan(backlog=5000, max_per_second=50.0, concurrency=80, pollers=80, seconds=600.0)).run()

    assert (run.accepted, run.waiting) == (5000, 0)
    assert run.deferred > 0


def test_a_queue_that_is_longer_than_the_workers_can_do_grows() -> None:
    run = Simulation(deployed_plan(1000.0)).run()

    assert run.waiting == pytest.approx(180 * (1000 - run.per_second), rel=0.05)


@pytest.mark.parametrize(("lanes", "unpublished"), [(1, 12_000 - 60 * 100), (2, 0)])
def test_a_shard_publishes_a_hundred_records_at_a_time_in_each_lane(lanes: int, unpublished: int) -> None:
    plan = replace(
        STEADY, reported=0.0, first_poll=1000.0, shards=1, parallelization=lanes, publish_seconds=1.0, put_seconds=0.0
    )

    assert Simulation(plan).run().unpublished == pytest.approx(unpublished, abs=500)


@pytest.mark.parametrize("plan", [STEADY, replace(STEADY, max_per_second=20.0), deployed_plan(200.0)])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(plan: Plan) -> None:
    plan = replace(plan, vendor_spread=0.2, seconds=40.0, warm_up=0.0)

    assert Simulation(plan, 7).run() == Simulation(plan, 7).run()
    assert Simulation(plan, 7).run() != Simulation(plan, 8).run()


def test_pollers_come_three_hundred_a_minute() -> None:
    plan = replace(STEADY, per_second=20_000.0, concurrency=1000, pollers=5, seconds=60.0, warm_up=59.0)

    assert Simulation(plan).run().busy_workers == pytest.approx(5 + 300, rel=0.05)


# --- the parts --------------------------------------------------------------------------------------------------------


def test_a_meter_makes_whoever_asks_too_fast_wait() -> None:
    meter = Meter(10.0)

    assert [meter.request(now, 5) for now in (0.0, 0.0, 0.5, 9.0)] == [0.5, 1.0, 1.0, 0.5]
    assert meter.requested == 20
    assert Meter(inf).request(3.0, 1e9) == 0.0


def test_a_vendors_clock_gives_turns_until_it_is_too_far_ahead() -> None:
    clock = RateLimiter(per_second=10.0, ahead=1.0)

    turns = [clock.reserve(now, 8) for now in (5.0, 5.0, 5.0, 6.0)]

    assert turns == [(True, 5.0), (True, 5.8), (False, 6.6), (True, 6.6)]


def test_a_queue_gives_what_came_first_and_tells_since_when_it_waits() -> None:
    queue = Queue()
    queue.add(1.0, 3)
    queue.add(2.0, 9)

    assert (queue.take(5), queue.take(5), queue.take(5), queue.length) == (
        [(1.0, 3), (2.0, 2)],
        [(2.0, 5)],
        [(2.0, 2)],
        0,
    )


@pytest.mark.parametrize(
    ("per_second", "seconds"),
    [
        (0.0, 26 * 0.01 + 0.2),  # one page
        (4.0, 26 * 0.01 + 8 * 0.2),  # 750 messages in eight pages
        (400.0, 26 * 0.01 + 10 * 0.2 + 13 * 0.2),  # ten pages of 75,000, and almost all of 200 asked for, 16 at a time
    ],
)
def test_follow_up_lists_what_it_can_and_asks_for_the_rest(per_second: float, seconds: float) -> None:
    plan = Plan(per_second=per_second, call_seconds=0.01, due_shards=8)

    assert pass_seconds(plan, 200) == pytest.approx(seconds)


# --- the tables -------------------------------------------------------------------------------------------------------


def test_the_plan_of_the_stack_is_what_template_and_code_say() -> None:
    plan = deployed_plan(10.0)

    assert (plan.batch, plan.concurrency, plan.parallelization, plan.webhooks_per_second) == (10, 10, 1, 1000)
    assert (plan.due_shards, plan.index_units, plan.pass_size, plan.follow_up_seconds) == (8, 8000, 200, 30)


def test_a_small_rate_needs_nothing_to_be_moved_and_every_resource_has_its_mover() -> None:
    finding = simulate(SCALES[0])

    assert [line.name for line in finding.lines if line.used > 0.8] == []
    assert {line.name for line in finding.lines} == REMEDIES.keys() == capacities(deployed_plan(1.0), {}).keys()
    assert {WORKERS, RESERVATIONS} <= REMEDIES.keys()


def test_every_quota_names_its_page() -> None:
    assert [quota.name for quota in QUOTAS.values() if not quota.page or quota.value <= 0] == []


# --- what the local stack is held to ----------------------------------------------------------------------------------


def test_the_work_of_a_batch_is_found_from_three_kinds_of_runs() -> None:
    of_small, of_large, left, most = 0.064, 0.092, 1.6, 0.8
    lasts = of_large / most + 0.1 + IDLE_VENDOR_SECONDS

    work = work_of(
        [Run(per_second=1.0, batch_cpu_seconds=of_small, used=0.8, available=left)],
        [Run(per_second=1.0, batch_cpu_seconds=of_large, used=most, available=left)],
        [Run(per_second=2 * LARGE / lasts, batch_cpu_seconds=of_large, used=0.3, available=left)],
    )

    assert (work.fixed_seconds, work.message_seconds, work.wait_seconds, work.max_processors) == pytest.approx(
        (0.06, 0.004, 0.1, most)
    )


@pytest.mark.parametrize(
    ("setting", "per_second"),
    [
        (Setting(messages=500, batch=10, concurrency=10, vendor_seconds=0.2), 10 / 0.1),
        (Setting(messages=500, batch=10, concurrency=2, vendor_seconds=1.0), 2 * 10 / 1.2),
    ],
)
def test_the_machine_or_the_vendor_decides_the_pace(setting: Setting, per_second: float) -> None:
    work = BatchWork(fixed_seconds=0.06, message_seconds=0.004, wait_seconds=0.1, max_processors=1.0)

    assert simulate_rate(setting, work, available=2.0) == pytest.approx(per_second, rel=0.1)


def test_what_others_leave_is_what_neither_they_nor_the_servers_used() -> None:
    before = Reading(at=10.0, servers=3.0, machine=100.0)
    after = Reading(at=14.0, servers=5.0, machine=103.0)

    assert (before.used_until(after), before.available_until(after)) == (0.5, PROCESSORS - 0.25)


@pytest.mark.parametrize(
    ("times", "most"),
    [([0.0], 1), ([0.0, 0.5, 0.999], 3), ([0.0, 0.5, 1.0], 2), ([0.0, 5.0, 5.1, 5.2, 6.15], 3)],
)
def test_the_most_in_any_second_does_not_depend_on_where_seconds_begin(times: list[float], most: int) -> None:
    assert max_within(times, 1.0) == most


@pytest.mark.parametrize(("times", "mean"), [([0.0, 1.0, 2.0], 1.0), ([n / 20 for n in range(1300)], 20.0)])
def test_the_mean_rate_is_over_a_minute_or_over_all_there_is(times: list[float], mean: float) -> None:
    assert mean_rate(times, 60.0) == pytest.approx(mean)


def test_a_batch_lasts_from_its_claim_to_its_last_acceptance() -> None:
    histories = [
        {"sending": 10.0, "accepted": 10.4},
        {"sending": 10.0, "accepted": 10.5},
        {"sending": 11.0, "accepted": 11.2},
        {"sending": 12.0},  # still out
        {"sending": 5.0, "accepted": 9.0},  # before
        {"queued": 10.0},
    ]

    assert sorted(batch_seconds(histories, since=10.0, until=20.0)) == pytest.approx([0.2, 0.5])
