"""The arithmetic of `make cost`: the rules of DynamoDB's bill, durations, schedules, dollars."""

from typing import Any

import pytest

from benchmarks.billing import (
    EVENTS,
    LOG_BYTES,
    READ_UNITS,
    STORED,
    WRITE_UNITS,
    Usage,
    index_units,
    invocations,
    polling_requests,
    query_units,
    read_units,
    records_of,
    size_of,
    waits,
    write_units,
)
from benchmarks.calls import KINDS, MessageUsage
from benchmarks.cost import Cpu, choose_memory, count_polls, dollars, duration_ms, floor_of, prices, scores

Item = dict[str, Any]


def item_of(size: int, **more: Any) -> Item:
    """Return an item of so many bytes or more."""
    return {"k": {"S": "x" * (size - 1)}, **more}


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"id": {"S": "ab"}}, 4),
        ({"id": {"S": "ကခ"}}, 8),
        ({"n": {"N": "0"}}, 3),
        ({"n": {"N": "7"}}, 3),
        ({"n": {"N": "1795255200"}}, 6),
        ({"n": {"N": "-123"}}, 5),
        ({"yes": {"BOOL": True}}, 4),
        ({"b": {"B": b"1234"}}, 5),
        ({"list": {"L": []}}, 7),
        ({"list": {"L": [{"S": "nomsa"}]}}, 13),
        ({"m": {"M": {"at": {"S": "now"}}}}, 10),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: Item, size: int) -> None:
    assert size_of(item) == size


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item_of(1), 1),
        (None, item_of(1024), 1),
        (None, item_of(1025), 2),
        (item_of(2049), item_of(10), 3),
        (item_of(10), None, 1),
        (None, None, 1),
    ],
)
def test_a_write_costs_a_unit_for_each_kilobyte_of_the_larger_image(
    before: Item | None, after: Item | None, units: int
) -> None:
    assert write_units(before, after) == units


DUE = {"shard": {"S": "1"}, "at": {"S": "10:00"}}
LATER = DUE | {"at": {"S": "10:01"}}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item_of(9, **DUE), 1),
        (item_of(9, **DUE), item_of(99, **DUE), 0),
        (item_of(9, **DUE), item_of(9, **LATER), 2),
        (item_of(9, **DUE), item_of(9), 1),
        (item_of(9), item_of(99), 0),
        (item_of(9, shard={"S": "1"}), item_of(9), 0),
    ],
)
def test_a_sparse_index_is_written_when_its_keys_change(before: Item | None, after: Item, units: int) -> None:
    assert index_units(before, after, ["shard", "at"]) == units


def test_read_by_key_costs_a_unit_for_each_four_kilobytes_and_one_for_a_missing_item() -> None:
    assert read_units([item_of(4096), item_of(4097)], asked=4) == 5


@pytest.mark.parametrize(("items", "units"), [([], 0.5), ([item_of(4000)], 0.5), ([item_of(2100)] * 4, 1.5)])
def test_query_is_billed_by_the_sum_of_its_items(items: list[Item], units: float) -> None:
    assert query_units(items) == units


@pytest.mark.parametrize(("size", "requests"), [(0, 2), (65_536, 2), (65_537, 3)])
def test_a_batch_is_received_in_chunks_and_deleted_at_once(size: int, requests: int) -> None:
    assert polling_requests(size) == requests


def test_usages_are_added_subtracted_and_multiplied() -> None:
    idle, run = Usage(a=1.0, b=2.0), Usage(a=1.0, b=5.0, c=1.0)

    assert run - idle == {"a": 0.0, "b": 3.0, "c": 1.0}
    assert idle + (run - idle) * 2 == {"a": 1.0, "b": 8.0, "c": 2.0}
    assert idle["missing"] == 0


@pytest.mark.parametrize(
    ("usage", "number", "life"),
    [
        (
            MessageUsage(send={10: Usage(s=1)}, receipts=(Usage(r=1), Usage(r=1)), stored=Usage(kept=1)),
            3,
            {"s": 1, "r": 2, "kept": 1},
        ),
        (
            MessageUsage(send={10: Usage(s=1)}, early_poll=Usage(v=1), final_poll=Usage(f=1)),
            1,
            {"s": 1, "v": 0, "f": 1},
        ),
        (
            MessageUsage(send={10: Usage(s=1)}, early_poll=Usage(v=1), final_poll=Usage(f=1)),
            4,
            {"s": 1, "v": 3, "f": 1},
        ),
    ],
    ids=["reported", "asked once", "asked four times"],
)
def test_life_of_a_message_is_a_send_and_its_receipts_or_polls(
    usage: MessageUsage, number: int, life: dict[str, float]
) -> None:
    assert usage.life(polls=number) == life


@pytest.mark.parametrize(
    ("known_after", "number"), [(0, 1), (30, 1), (45, 1), (46, 2), (135, 2), (136, 3), (466, 4), (86_400, 9)]
)
def test_polls_follow_the_schedule_and_the_minute(known_after: float, number: int) -> None:
    assert count_polls((15, 60, 300, 1800, 7200, 21600), known_after) == number


@pytest.mark.parametrize(("memory", "milliseconds"), [(1769, 20 + 216), (3538, 20 + 216), (512, 20 * 1769 / 512 + 216)])
def test_less_memory_slows_work_but_not_waiting(memory: int, milliseconds: float) -> None:
    usage = Usage(
        {
            invocations("send"): 1.0,
            records_of("send"): 10.0,
            waits("send", "DynamoDB"): 2.0,
            waits("send", "vendor"): 1.0,
            waits("publish", "EventBridge"): 7.0,
        }
    )

    assert duration_ms("send", usage, Cpu(fixed_ms=5, record_ms=1.5), memory) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    ("few", "many", "cpu"),
    [
        ((1, 4.0), (10, 13.0), Cpu(fixed_ms=3, record_ms=1)),
        ((0, 2.0), (20, 2.0), Cpu(fixed_ms=2, record_ms=0)),
        ((1, 1.0), (10, 19.0), Cpu(fixed_ms=0, record_ms=2)),
    ],
)
def test_line_through_two_measurements_is_never_negative(
    few: tuple[int, float], many: tuple[int, float], cpu: Cpu
) -> None:
    assert Cpu.between(few, many) == cpu


def test_a_use_is_paid_for_by_service() -> None:
    million = 1_000_000
    usage = Usage(
        {
            WRITE_UNITS: 2 * million,
            READ_UNITS: million,
            EVENTS: 3 * million,
            invocations("send"): million,
            waits("send", "vendor"): million,
            LOG_BYTES: 10**9,
        }
    )
    bill = {service: round(cost, 3) for service, cost in dollars(usage, {"send": Cpu(fixed_ms=0, record_ms=0)}).items()}

    assert {service: cost for service, cost in bill.items() if cost} == {
        "DynamoDB: writes": 1.42,
        "DynamoDB: reads": 0.142,
        "EventBridge: events": 3.0,
        "Lambda: time": 1.667,
        "Lambda: requests": 0.2,
        "Logs": 0.704,
    }


def test_arm_costs_a_fifth_less_time_and_nothing_else() -> None:
    usage, cpus = Usage({waits("send", "vendor"): 1000.0, EVENTS: 1.0}), {"send": Cpu(fixed_ms=0, record_ms=0)}
    x86, arm = (dollars(usage, cpus, architecture=architecture) for architecture in ("x86_64", "arm64"))

    assert arm["Lambda: time"] / x86["Lambda: time"] == pytest.approx(0.8, abs=0.001)
    assert {**arm, "Lambda: time": 0} == {**x86, "Lambda: time": 0}


@pytest.mark.parametrize(("name", "units"), [("nomsa", (6, 1)), ("smspoh", (6, 0)), ("whatsapp", (7, 2))])
def test_minimum_writes_each_guarantee_once(name: str, units: tuple[int, int]) -> None:
    usage = MessageUsage(send={10: Usage()}, receipts=tuple(Usage() for _ in KINDS[name].receipts))
    floor = floor_of(name, usage, Usage({WRITE_UNITS: 99.0, LOG_BYTES: 99.0, STORED: 7.0, EVENTS: 3.0}))

    assert (floor[WRITE_UNITS], floor[READ_UNITS]) == units
    assert (floor[LOG_BYTES], floor[STORED], floor[EVENTS]) == (0, 7, 3)


def test_a_score_weighs_cost_and_time_alike() -> None:
    assert scores({256: 10.0, 512: 11.0}, {256: 300.0, 512: 200.0}) == {256: 2.5, 512: 2.1}


@pytest.mark.parametrize(
    ("found", "memory"), [({256: 2.4, 512: 2.18, 1024: 2.10, 1769: 2.09}, 512), ({256: 2.0, 512: 2.5}, 256)]
)
def test_smallest_memory_among_the_best_is_chosen(found: dict[int, float], memory: int) -> None:
    assert choose_memory(found) == memory


def test_every_price_has_a_unit_and_a_source() -> None:
    assert len(prices()) == 19
    assert prices()["dynamodb.write-unit"] == pytest.approx(0.71 / 1_000_000)
