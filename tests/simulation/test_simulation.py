"""The simulation as far as it fits in a minute, and proof that it would see what it looks for.

`make simulate` runs as many random schedules as one likes.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.covers import covers
from tests.defects.catalogue import DEFECTS
from tests.defects.planting import planted
from tests.simulation.choices import Choices, Script, every_script, from_text, to_text
from tests.simulation.ports import (
    ASK_FAULTS,
    COMMIT_MANY,
    DIES,
    DUE_FAULTS,
    FREEZES,
    HALF_TAKEN,
    MEANWHILE,
    MEANWHILE_FOLLOW_UP,
    SEND_FAULTS,
)
from tests.simulation.runs import Tally, at_random, exhaustive, run, tally_exhaustive, tally_random, told
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import DELETE, DELIVER, RECEIPT, SKEWS

ROOT = Path(__file__).parents[2]
SEED = 1
PART = 500


@cache
def _with_one_fault(name: str) -> Tally:
    return tally_exhaustive([name])


# Crash points, deliveries, the store, the vendors, callbacks and polls: one fault at a time, everywhere.
@covers("P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P16")
@covers("P17", "Q1", "Q2", "Q3", "Q5", "Q10", "D1", "D2", "D4", "D5", "D8", "V1", "V2", "V3", "V4", "V6", "V8", "V9")
@covers("W1", "W3", "W4", "W5", "W7", "L1", "L2", "L3", "L4")
@covers("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I13")
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_single_fault_breaks_a_promise(name: str) -> None:
    """I1 to I8, I13, E1 to E3: every schedule with one fault of every scenario."""
    broken = [
        f"{made.broken} {to_text(made.world.choices.made)}" for made in exhaustive(SCENARIOS[name]) if made.broken
    ]

    assert broken == []


@covers("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I13")
@pytest.mark.parametrize("part", range(6))
def test_no_few_faults_together_break_a_promise(part: int) -> None:
    """I1 to I8, I13, E1 to E3: random schedules with two to four faults."""
    tally = tally_random(SEED, range(part * PART, (part + 1) * PART))

    assert [str(failure) for failure in tally.failures] == []
    assert tally.schedules.total() == PART


@covers("W10")
def test_an_inbound_message_that_comes_again_is_kept_once() -> None:
    """Every schedule with one fault: the vendor repeats what was not answered with 200."""
    kept = [len(made.world.inbox.kept) for made in exhaustive(SCENARIOS["stop"])]

    assert set(kept) == {1}


@pytest.mark.parametrize("title", [title for title, defect in DEFECTS.items() if defect.scenario])
def test_a_planted_defect_breaks_its_promise(title: str) -> None:
    defect = DEFECTS[title]

    with planted(defect):
        broken = [made.broken for made in exhaustive(SCENARIOS[defect.scenario or ""]) if made.broken]

    assert defect.promise in {promise.partition(":")[0] for promise in broken}


def test_every_fault_happens_in_the_schedules_with_one_fault() -> None:
    happened = {fault for name in SCENARIOS for fault in _with_one_fault(name).faults}

    faults = {*COMMIT_MANY, *SEND_FAULTS, HALF_TAKEN, *ASK_FAULTS, *DUE_FAULTS, DIES, FREEZES}
    chosen = {*DELIVER[1:], *DELETE[1:], *RECEIPT[1:], *SKEWS[1:], *MEANWHILE, MEANWHILE_FOLLOW_UP}
    assert faults | chosen <= happened


def test_a_run_is_made_again_by_its_choices() -> None:
    for number in range(100):
        made = at_random(SEED, number)
        script = to_text(made.world.choices.made)

        again = run(made.world.scenario, Choices(from_text(script)))

        assert told(again) == told(made)


def test_a_broken_promise_is_broken_again_by_its_choices() -> None:
    defect = DEFECTS["a report with an unclaimed vendor id is dropped"]
    scenario = SCENARIOS[defect.scenario or ""]
    with planted(defect):
        broken = next(made for made in exhaustive(scenario) if made.broken)

        again = run(scenario, Choices(from_text(to_text(broken.world.choices.made))))

    assert (again.broken, again.world.digest()) == (broken.broken, broken.world.digest())


def test_the_same_seed_makes_the_same_runs_in_any_parts() -> None:
    whole = tally_random(7, range(60))
    parts = Tally()
    for start in (40, 0, 20):
        parts.add(tally_random(7, range(start, start + 20)))

    assert (parts.digest, parts.faults, parts.steps) == (whole.digest, whole.faults, whole.steps)
    assert tally_random(8, range(60)).digest != whole.digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_run_does_not_hang_on_the_order_of_sets(hash_seed: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--replay", "mixed-batch", "3:4,20:2"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}

    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert printed.rstrip("\n") == told(run(SCENARIOS["mixed-batch"], Choices(from_text("3:4,20:2"))))


def test_every_script_within_the_budget_comes_once() -> None:
    """Three points of which the last is there only if the first took its option 0."""

    def counts_of(script: Script) -> list[int]:
        return [2, 3] if script.get(0) else [2, 3, 2]

    scripts = [to_text(script) for script in every_script(counts_of, budget=2)]

    assert sorted(scripts) == sorted(["-", "0:1", "1:1", "1:2", "2:1", "0:1,1:1", "0:1,1:2", "1:1,2:1", "1:2,2:1"])


def test_a_script_for_other_points_is_not_taken_for_this_run() -> None:
    with pytest.raises(IndexError):
        run(SCENARIOS["polling"], Choices({0: 99}))
