"""The simulation of scale: the laws of queueing, and its helper functions."""

from dataclasses import replace
from math import inf

import pytest

from benchmarks.cpu import COUNT, Reading
from benchmarks.limits import (
    LARGE,
    UNHURRIED,
    Measured,
    Setting,
    Work,
    batch_seconds,
    mean_rate,
    most_within,
    simulated_pace,
    work_of,
)
from benchmarks.model import (
    DELIVERIES,
    FOLLOW_UP,
    INDEX,
    TABLE,
    TURNS,
    WEBHOOKS,
    WORKERS,
    Meter,
    Plan,
    Queue,
    Simulation,
    TurnClock,
    pass_seconds,
)
from benchmarks.scale import MOVERS, QUOTAS, SCALES, capacities, deployed, look_at

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
def test_concurrency_is_the_invocation_rate_times_the_duration(changes: dict[str, float]) -> None:
    plan = replace(STEADY, **changes)  # type: ignore[arg-type]

    run = Simulation(plan).run()

    seconds = plan.seconds - plan.warm_up
    messages = run.accepted / run.invocations
    lasts = plan.fixed_seconds + plan.message_seconds * messages + 2 * plan.call_seconds + plan.vendor_seconds
    assert run.workers_busy == pytest.approx(run.invocations / seconds * lasts, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "per_second"),
    [
        ({}, 100),  # arrival rate
        ({"per_second": 1000.0, "concurrency": 10}, 10 * 10 / 0.286),  # workers
        ({"per_second": 1000.0, "max_per_second": 20.0}, 20),  # vendor
        (
            {"per_second": 1000.0, "table_units": 140.0, "reported": 0.0, "concurrency": 10},
            70,
        ),  # table: two writes of one unit
        (
            {"per_second": 1000.0, "index_units": 150.0, "reported": 0.0, "concurrency": 10},
            50,
        ),  # index: three units
        ({"per_second": 1000.0, "machine": 1.0}, 10 / 0.07),  # machine
        ({"per_second": 1000.0, "batch": 100, "threads": 10, "concurrency": 3}, 3 * 100 / 2.536),  # threads
    ],
)
def test_throughput_is_limited_by_the_bottleneck(changes: dict[str, float], per_second: float) -> None:
    run = Simulation(replace(STEADY, **changes)).run()  # type: ignore[arg-type]

    assert run.per_second == pytest.approx(per_second, rel=0.05)


def test_the_demand_for_each_resource_is_that_of_its_messages() -> None:
    run = Simulation(replace(STEADY, per_second=400.0, reported=1.0)).run()

    # Per message: claim, result and two receipts; index writes: one, two and one.
    assert {name: round(run.asked[name] / run.per_second, 1) for name in (TABLE, INDEX, WEBHOOKS, DELIVERIES)} == {
        TABLE: 4.0,
        INDEX: 4.0,
        WEBHOOKS: 2.0,
        DELIVERIES: 4.0,
    }
    assert run.asked[FOLLOW_UP] == 0
    assert run.left < 10


def test_no_message_is_lost() -> None:
    run = Simulation(Plan(backlog=5000, max_per_second=50.0, concurrency=80, pollers=80, seconds=600.0)).run()

    assert (run.accepted, run.left) == (5000, 0)
    assert run.held > 0


def test_a_queue_grows_if_the_arrival_rate_exceeds_the_capacity() -> None:
    run = Simulation(deployed(1000.0)).run()

    assert run.left == pytest.approx(180 * (1000 - run.per_second), rel=0.05)


@pytest.mark.parametrize(("lanes", "unpublished"), [(1, 12_000 - 60 * 100), (2, 0)])
def test_a_shard_publishes_a_hundred_records_at_a_time_in_each_lane(lanes: int, unpublished: int) -> None:
    plan = replace(STEADY, reported=0.0, first_look=1000.0, shards=1, lanes=lanes, publish_seconds=1.0, put_seconds=0.0)

    assert Simulation(plan).run().unpublished == pytest.approx(unpublished, abs=500)


@pytest.mark.parametrize("plan", [STEADY, replace(STEADY, max_per_second=20.0), deployed(200.0)])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(plan: Plan) -> None:
    plan = replace(plan, vendor_spread=0.2, seconds=40.0, warm_up=0.0)

    assert Simulation(plan, 7).run() == Simulation(plan, 7).run()
    assert Simulation(plan, 7).run() != Simulation(plan, 8).run()


def test_pollers_are_added_at_three_hundred_per_minute() -> None:
    plan = replace(STEADY, per_second=20_000.0, concurrency=1000, pollers=5, seconds=60.0, warm_up=59.0)

    assert Simulation(plan).run().workers_busy == pytest.approx(5 + 300, rel=0.05)


# --- the parts --------------------------------------------------------------------------------------------------------


def test_a_meter_delays_requests_above_its_rate() -> None:
    meter = Meter(10.0)

    assert [meter.take(now, 5) for now in (0.0, 0.0, 0.5, 9.0)] == [0.5, 1.0, 1.0, 0.5]
    assert meter.asked == 20
    assert Meter(inf).take(3.0, 1e9) == 0.0


def test_a_vendor_grants_reservations_up_to_its_longest_wait() -> None:
    clock = TurnClock(per_second=10.0, ahead=1.0)

    turns = [clock.reserve(now, 8) for now in (5.0, 5.0, 5.0, 6.0)]

    assert turns == [(True, 5.0), (True, 5.8), (False, 6.6), (True, 6.6)]


def test_a_queue_returns_the_oldest_message_and_its_age() -> None:
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
        (
            400.0,
            26 * 0.01 + 10 * 0.2 + 13 * 0.2,
        ),  # ten pages of 75,000 messages, and almost all of 200 polled, 16 at a time
    ],
)
def test_follow_up_reads_the_list_and_then_polls_the_remaining_messages(per_second: float, seconds: float) -> None:
    plan = Plan(per_second=per_second, call_seconds=0.01, due_shards=8)

    assert pass_seconds(plan, 200) == pytest.approx(seconds)


# --- the tables -------------------------------------------------------------------------------------------------------


def test_the_plan_of_the_stack_agrees_with_template_and_code() -> None:
    plan = deployed(10.0)

    assert (plan.batch, plan.concurrency, plan.lanes, plan.webhooks_per_second) == (10, 10, 1, 1000)
    assert (plan.due_shards, plan.index_units, plan.pass_size, plan.follow_up_seconds) == (8, 8000, 200, 30)


def test_a_small_rate_needs_no_change_and_every_resource_has_a_setting() -> None:
    finding = look_at(SCALES[0])

    assert [line.name for line in finding.lines if line.used > 0.8] == []
    assert {line.name for line in finding.lines} == MOVERS.keys() == capacities(deployed(1.0), {}).keys()
    assert {WORKERS, TURNS} <= MOVERS.keys()


def test_every_quota_has_a_source_page() -> None:
    assert [quota.name for quota in QUOTAS.values() if not quota.page or quota.value <= 0] == []


# --- the local stack --------------------------------------------------------------------------------------------------


def test_the_work_of_a_batch_is_calculated_from_three_kinds_of_runs() -> None:
    of_small, of_large, left, most = 0.064, 0.092, 1.6, 0.8
    lasts = of_large / most + 0.1 + UNHURRIED

    work = work_of(
        [Measured(pace=1.0, work=of_small, used=0.8, left=left)],
        [Measured(pace=1.0, work=of_large, used=most, left=left)],
        [Measured(pace=2 * LARGE / lasts, work=of_large, used=0.3, left=left)],
    )

    assert (work.fixed, work.each, work.waits, work.most) == pytest.approx((0.06, 0.004, 0.1, most))


@pytest.mark.parametrize(
    ("setting", "per_second"),
    [
        (Setting(messages=500, batch=10, concurrency=10, vendor_seconds=0.2), 10 / 0.1),
        (Setting(messages=500, batch=10, concurrency=2, vendor_seconds=1.0), 2 * 10 / 1.2),
    ],
)
def test_the_machine_or_the_vendor_limits_the_rate(setting: Setting, per_second: float) -> None:
    work = Work(fixed=0.06, each=0.004, waits=0.1, most=1.0)

    assert simulated_pace(setting, work, left=2.0) == pytest.approx(per_second, rel=0.1)


def test_available_cpu_is_that_not_used_by_others_or_the_servers() -> None:
    before = Reading(at=10.0, own=3.0, everybodys=100.0)
    after = Reading(at=14.0, own=5.0, everybodys=103.0)

    assert (before.used_until(after), before.left_until(after)) == (0.5, COUNT - 0.25)


@pytest.mark.parametrize(
    ("times", "most"),
    [([0.0], 1), ([0.0, 0.5, 0.999], 3), ([0.0, 0.5, 1.0], 2), ([0.0, 5.0, 5.1, 5.2, 6.15], 3)],
)
def test_the_highest_rate_is_over_any_window_of_one_second(times: list[float], most: int) -> None:
    assert most_within(times, 1.0) == most


@pytest.mark.parametrize(("times", "mean"), [([0.0, 1.0, 2.0], 1.0), ([n / 20 for n in range(1300)], 20.0)])
def test_the_mean_rate_is_over_a_minute_or_the_whole_run(times: list[float], mean: float) -> None:
    assert mean_rate(times, 60.0) == pytest.approx(mean)


def test_a_batch_lasts_from_its_claim_to_its_last_acceptance() -> None:
    histories = [
        {"sending": 10.0, "accepted": 10.4},
        {"sending": 10.0, "accepted": 10.5},
        {"sending": 11.0, "accepted": 11.2},
        {"sending": 12.0},  # still in flight
        {"sending": 5.0, "accepted": 9.0},  # before the window
        {"queued": 10.0},
    ]

    assert sorted(batch_seconds(histories, since=10.0, until=20.0)) == pytest.approx([0.2, 0.5])
