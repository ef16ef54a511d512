"""The arithmetic of `make cost`: the rules of DynamoDB's bill, durations, schedules, dollars."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.alternatives import ALTERNATIVES, LARGE
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
from benchmarks.calls import platform_bytes
from benchmarks.cost import SECTIONS, Cpu, choose_memory, dollars, duration_ms, floor_of, prices, scores
from benchmarks.lives import LIVES
from benchmarks.page import COST_PAGE, SCALE_PAGE, blocks_in, markdown_table, write_blocks

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


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("otp", (6, 1, 3)),
        ("smsnoc", (8, 1, 3)),
        ("smspoh", (6, 0, 3)),
        ("whatsapp", (7, 2, 4)),
        ("no-receipt", (8, 1, 3)),
        ("late-receipt", (15, 3, 3)),
        ("scheduled", (12, 3, 4)),
        ("failed", (4, 0, 2)),
        ("invalid", (1, 0, 1)),
    ],
)
def test_floor_writes_each_guarantee_once_and_logs_nothing(name: str, units: tuple[float, float, int]) -> None:
    floor = floor_of(LIVES[name], Usage({WRITE_UNITS: 99.0, LOG_BYTES: 99.0, STORED: 7.0, EVENTS: 99.0}))

    assert (floor[WRITE_UNITS], floor[READ_UNITS], floor[EVENTS]) == units
    assert (floor[LOG_BYTES], floor[STORED]) == (0, 7)


def test_lambda_logs_nothing_about_an_invocation_at_the_level_of_the_template() -> None:
    assert (platform_bytes("send"), platform_bytes("webhook"), platform_bytes("naive")) == (0, 0, 431)


@pytest.mark.parametrize(
    ("alternative", "messages", "dollars"),
    [
        (0, 0, 730 * (2 * 0.0264 + 0.112 + 0.0252 + 0.008 + 2 * 0.005) + 40 * 0.096 + 20 * 0.276),
        (1, 1_000_000, 730 * (0.0264 + 0.005) + (30 + 6) * 0.096),
        (1, LARGE, 730 * (0.2112 + 0.005) + (30 + 60) * 0.096),
    ],
)
def test_servers_cost_the_same_without_messages_and_more_for_many(
    alternative: int, messages: int, dollars: float
) -> None:
    assert ALTERNATIVES[alternative].monthly(prices(), messages) == pytest.approx(dollars)


# --- the pages --------------------------------------------------------------------------------------------------------


def test_a_block_of_a_page_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- sizes: written by `make cost` -->\nold\n<!-- end -->\nafter\n")

    table = markdown_table(("size", "$"), [["1", "2.00"]])
    write_blocks(page, {"sizes": table, "another": ""})

    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1], "old" in lines) == ("before", "after", False)
    assert blocks_in(page.read_text()) == {"sizes": "| size | $ |\n| --- | --: |\n| 1 | 2.00 |"}


def test_pages_have_the_blocks_that_the_commands_write() -> None:
    named = {"lives", "units", "memory", "batch", "month", "options", "comparison"}

    assert blocks_in(COST_PAGE.read_text()).keys() == named
    assert len(SECTIONS) == len(named) + 1  # the functions are on the terminal only
    assert blocks_in(SCALE_PAGE.read_text()).keys() == {
        *(f"scale-{rate}" for rate in (10, 1000, 10_000, 100_000)),
        "workers",
        "quotas",
    }


def test_a_score_weighs_cost_and_time_alike() -> None:
    assert scores({256: 10.0, 512: 11.0}, {256: 300.0, 512: 200.0}) == {256: 2.5, 512: 2.1}


@pytest.mark.parametrize(
    ("found", "memory"), [({256: 2.4, 512: 2.18, 1024: 2.10, 1769: 2.09}, 512), ({256: 2.0, 512: 2.5}, 256)]
)
def test_smallest_memory_among_the_best_is_chosen(found: dict[int, float], memory: int) -> None:
    assert choose_memory(found) == memory


def test_every_price_has_a_unit_and_a_source() -> None:
    assert len(prices()) == 34
    assert prices()["dynamodb.write-unit"] == pytest.approx(0.71 / 1_000_000)
