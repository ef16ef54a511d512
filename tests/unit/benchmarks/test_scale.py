"""The simulation of scale obeys the laws of queueing theory, and its helpers read their input."""

from dataclasses import replace
from math import inf
from typing import Any

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
    LOOKUPS,
    RESERVATIONS,
    TABLE,
    WEBHOOKS,
    WORKERS,
    Meter,
    Plan,
    Queue,
    RateLimiter,
    Simulation,
    looks_per_second,
    pass_seconds,
)
from benchmarks.page import SCALE_PAGE, blocks_in
from benchmarks.scale import (
    QUOTAS,
    REMEDIES,
    SCALES,
    blocks_of,
    capacities,
    deployed_plan,
    growing_backlogs,
    simulate,
)

UNREPORTED: Any = {"reported": 0.0, "late": 0.0, "silent": 0.0, "first_look": 1000.0}

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
def test_busy_workers_are_the_invocations_per_second_times_their_duration(changes: dict[str, float]) -> None:
    plan = replace(STEADY, **changes)  # type: ignore[arg-type]

    run = Simulation(plan).run()

    seconds = plan.seconds - plan.warm_up
    messages = run.accepted / run.invocations
    lasts = plan.fixed_seconds + plan.message_seconds * messages + 2 * plan.call_seconds + plan.vendor_seconds
    assert run.busy_workers == pytest.approx(run.invocations / seconds * lasts, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "per_second"),
    [
        ({}, 100),  # the arrivals
        ({"per_second": 1000.0, "concurrency": 10}, 10 * 10 / 0.286),  # the workers
        ({"per_second": 1000.0, "max_per_second": 20.0}, 20),  # the vendor
        (
            {"per_second": 1000.0, "table_units": 140.0, **UNREPORTED, "concurrency": 10},
            70,
        ),  # the table: two writes of a unit
        (
            {"per_second": 1000.0, "index_units": 150.0, **UNREPORTED, "concurrency": 10},
            150,
        ),  # the index: the entry of the claim
        ({"per_second": 1000.0, "processors": 1.0}, 10 / 0.07),  # the machine
        ({"per_second": 1000.0, "batch": 100, "threads": 10, "concurrency": 3}, 3 * 100 / 2.536),  # the threads
    ],
)
def test_throughput_is_that_of_the_bottleneck(changes: dict[str, float], per_second: float) -> None:
    run = Simulation(replace(STEADY, **changes)).run()  # type: ignore[arg-type]

    assert run.per_second == pytest.approx(per_second, rel=0.05)


def test_demand_on_each_resource_follows_from_the_messages() -> None:
    run = Simulation(replace(STEADY, per_second=400.0, reported=1.0, late=0.0, silent=0.0)).run()

    # For each message: claim and result, two receipts; in the index the entry and its end.
    assert {name: round(run.needed[name] / run.per_second, 1) for name in (TABLE, INDEX, WEBHOOKS, DELIVERIES)} == {
        TABLE: 4.0,
        INDEX: 2.0,
        WEBHOOKS: 2.0,
        DELIVERIES: 4.0,
    }
    assert run.needed[FOLLOW_UP] == pytest.approx(0)
    assert run.waiting < 10


def test_no_message_is_lost() -> None:
    run = Simulation(Plan(backlog=5000, max_per_second=50.0, concurrency=80, pollers=80, seconds=600.0)).run()

    assert (run.accepted, run.waiting) == (5000, 0)
    assert run.deferred > 0


def test_queue_grows_if_the_workers_are_too_slow() -> None:
    run = Simulation(deployed_plan(1000.0)).run()

    assert run.waiting == pytest.approx(180 * (1000 - run.per_second), rel=0.05)


@pytest.mark.parametrize(("lanes", "unpublished"), [(1, 12_000 - 60 * 100), (2, 0)])
def test_a_shard_publishes_a_hundred_records_at_a_time_in_each_lane(lanes: int, unpublished: int) -> None:
    plan = replace(STEADY, **UNREPORTED, shards=1, parallelization=lanes, publish_seconds=1.0, put_seconds=0.0)

    assert Simulation(plan).run().unpublished == pytest.approx(unpublished, abs=500)


@pytest.mark.parametrize("plan", [STEADY, replace(STEADY, max_per_second=20.0), deployed_plan(200.0)])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(plan: Plan) -> None:
    plan = replace(plan, vendor_spread=0.2, seconds=40.0, warm_up=0.0)

    assert Simulation(plan, 7).run() == Simulation(plan, 7).run()
    assert Simulation(plan, 7).run() != Simulation(plan, 8).run()


def test_pollers_increase_by_three_hundred_a_minute() -> None:
    plan = replace(STEADY, per_second=20_000.0, concurrency=1000, pollers=5, seconds=60.0, warm_up=59.0)

    assert Simulation(plan).run().busy_workers == pytest.approx(5 + 300, rel=0.05)


# --- the parts --------------------------------------------------------------------------------------------------------


def test_meter_delays_requests_above_its_rate() -> None:
    meter = Meter(10.0)

    assert [meter.request(now, 5) for now in (0.0, 0.0, 0.5, 9.0)] == [0.5, 1.0, 1.0, 0.5]
    assert meter.requested == 20
    assert Meter(inf).request(3.0, 1e9) == 0.0


def test_schedule_of_a_vendor_grants_reservations_until_they_are_too_late() -> None:
    clock = RateLimiter(per_second=10.0, ahead=1.0)

    turns = [clock.reserve(now, 8) for now in (5.0, 5.0, 5.0, 6.0)]

    assert turns == [(True, 5.0), (True, 5.8), (False, 6.6), (True, 6.6)]


def test_queue_is_first_in_first_out_and_tells_its_age() -> None:
    queue = Queue()
    queue.add(1.0, 3)
    queue.add(2.0, 9)

    assert (queue.take(5), queue.take(5), queue.take(5), queue.length) == (
        [(1.0, 3), (2.0, 2)],
        [(2.0, 5)],
        [(2.0, 2)],
        0,
    )


PASS = Plan(call_seconds=0.01, look_seconds=0.001, vendor_seconds=0.2, due_shards=8)


@pytest.mark.parametrize(
    ("plan", "asked", "ended", "seconds"),
    [
        # The index, reads and writes; 64 look-ups at a time at each of two vendors, after a page of its list.
        (PASS, 200, 0, 14.8 * 0.01 + 0.2 + 3 * 0.2),
        (replace(PASS, polled_vendors=1), 200, 0, 14.8 * 0.01 + 0.2 + 5 * 0.2),
        (PASS, 0, 200, 14.8 * 0.01 + 0.2),
        (replace(PASS, max_lookups_per_second=50.0), 200, 0, 14.8 * 0.01 + 0.2 + 2.0),
        (replace(PASS, max_lookups_per_second=50.0, follow_up_workers=2), 200, 0, 14.4 * 0.01 + 0.2 + 4.0),
    ],
    ids=["two vendors", "one vendor", "at the horizon", "limited", "limited, two workers"],
)
def test_a_pass_waits_for_the_tables_and_for_the_slowest_vendor(
    plan: Plan, asked: float, ended: float, seconds: float
) -> None:
    assert pass_seconds(plan, asked, ended) == pytest.approx(seconds)


def test_a_worker_with_a_full_processor_makes_as_many_looks_as_the_page_says() -> None:
    plan = replace(deployed_plan(1.0), polled_vendors=1, look_seconds=0.0006)

    # At work; a run works for half of each minute.
    assert looks_per_second(plan) * 2 == pytest.approx(160, rel=0.02)


POLLED = replace(
    STEADY, per_second=100.0, seconds=775.0, warm_up=240.0, reported=0.0, late=0.0, silent=0.0, polled_vendors=1
)


@pytest.mark.parametrize(
    ("workers", "per_second", "growing"),
    [(1, inf, ["due messages"]), (4, inf, []), (4, 250.0, ["due messages"]), (4, 400.0, [])],
    ids=["too few workers", "enough workers", "too low a rate", "a rate for three times the looks"],
)
def test_due_messages_pile_up_if_workers_or_vendor_are_too_slow(
    workers: int, per_second: float, growing: list[str]
) -> None:
    plan = replace(POLLED, follow_up_workers=workers, max_lookups_per_second=per_second)

    assert list(growing_backlogs(plan, Simulation(plan).run())) == growing


def test_messages_at_their_horizon_cost_a_look_without_a_call() -> None:
    plan = replace(POLLED, silent=1.0, per_second=100.0)

    run = Simulation(plan).run()

    assert (run.needed[LOOKUPS], list(growing_backlogs(plan, run))) == (0, [])


# --- the tables -------------------------------------------------------------------------------------------------------


def test_plan_of_the_stack_has_the_values_of_template_and_code() -> None:
    plan = deployed_plan(10.0)

    assert (plan.batch, plan.concurrency, plan.parallelization, plan.webhooks_per_second) == (10, 10, 1, 1000)
    assert (plan.due_shards, plan.index_units, plan.pass_size, plan.follow_up_seconds) == (8, 8000, 200, 30)
    assert plan.follow_up_workers == 1


def test_small_rate_leaves_every_resource_with_room() -> None:
    finding = simulate(SCALES[0])

    assert [line.name for line in finding.lines if line.used > 0.8] == []
    assert {line.name for line in finding.lines} == REMEDIES.keys() == capacities(deployed_plan(1.0), {}).keys()
    assert {WORKERS, RESERVATIONS} <= REMEDIES.keys()


def test_no_backlog_grows_with_the_parameters_of_the_page_and_its_tables_are_those_of_the_command() -> None:
    findings = [simulate(scale) for scale in SCALES[:2]]

    assert [finding.growing for finding in findings] == [(), ()]
    written = blocks_in(SCALE_PAGE.read_text())
    computed = blocks_of(findings)
    assert {name: written[name] for name in computed} == computed


def test_every_quota_names_its_page() -> None:
    assert [quota.name for quota in QUOTAS.values() if not quota.page or quota.value <= 0] == []


# --- comparison with the local stack ----------------------------------------------------------------------------------


def test_work_of_a_batch_is_computed_from_three_kinds_of_runs() -> None:
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


def test_time_left_by_others_excludes_the_servers() -> None:
    before = Reading(at=10.0, servers=3.0, machine=100.0)
    after = Reading(at=14.0, servers=5.0, machine=103.0)

    assert (before.used_until(after), before.available_until(after)) == (0.5, PROCESSORS - 0.25)


@pytest.mark.parametrize(
    ("times", "most"),
    [([0.0], 1), ([0.0, 0.5, 0.999], 3), ([0.0, 0.5, 1.0], 2), ([0.0, 5.0, 5.1, 5.2, 6.15], 3)],
)
def test_maximum_per_second_does_not_depend_on_the_start_of_seconds(times: list[float], most: int) -> None:
    assert max_within(times, 1.0) == most


@pytest.mark.parametrize(("times", "mean"), [([0.0, 1.0, 2.0], 1.0), ([n / 20 for n in range(1300)], 20.0)])
def test_mean_rate_is_over_a_minute_or_over_the_whole_run(times: list[float], mean: float) -> None:
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
