"""Run a part of the simulation, and check that it detects planted defects.

`make simulate` runs all schedules with one fault, and any number of random ones.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.covers import covers
from tests.defects.catalogue import DEFECTS
from tests.defects.planting import planted
from tests.simulation.choices import Choices, Script, every_script, from_text, to_text
from tests.simulation.runs import Tally, describe_run, exhaustive, run, run_random, tally_exhaustive, tally_random
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import KINDS

ROOT = Path(__file__).parents[2]
SEED = 1
PART = 500
STRIDE = 3
"""Each third of the schedules with one fault runs here."""


# Crash points, deliveries, the store, the vendors, webhooks and polls: one fault at a time, at every step.
@covers("P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P16")
@covers("P17", "Q1", "Q2", "Q3", "Q5", "Q10", "D1", "D2", "D4", "D5", "D8", "V1", "V2", "V3", "V4", "V6", "V8", "V9")
@covers("W1", "W3", "W4", "W5", "W7", "L1", "L2", "L3", "L4")
@covers("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I13")
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_single_fault_breaks_a_promise(name: str) -> None:
    """I1 to I8, I13, E1 to E3: schedules with one fault of every scenario."""
    assert [str(failure) for failure in tally_exhaustive([name], stride=STRIDE).failures] == []


@covers("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I13")
@pytest.mark.parametrize("part", range(3))
def test_no_combination_of_faults_breaks_a_promise(part: int) -> None:
    """I1 to I8, I13, E1 to E3: random schedules with two to four faults."""
    tally = tally_random(SEED, range(part * PART, (part + 1) * PART))

    assert [str(failure) for failure in tally.failures] == []
    assert tally.schedules.total() == PART


@covers("W10")
def test_a_repeated_inbound_message_is_stored_once() -> None:
    """Every schedule with one fault: the vendor repeats a request without an answer of 200."""
    kept = [len(result.world.store.client.tables["inbox"]) for result in exhaustive(SCENARIOS["inbound-consent"])]

    assert set(kept) == {3}


@pytest.mark.parametrize("title", [title for title, defect in DEFECTS.items() if defect.scenario])
def test_a_planted_defect_breaks_its_promise(title: str) -> None:
    defect = DEFECTS[title]

    with planted(defect):
        violations = (result.violation or "" for result in exhaustive(SCENARIOS[defect.scenario or ""]))

        assert any(violation.partition(":")[0] == defect.promise for violation in violations)


class _Offered(Choices):
    """Chooses no fault, and collects those that it could choose."""

    def __init__(self) -> None:
        super().__init__({})
        self.faults: set[str] = set()

    def choose(self, options: Sequence[str]) -> str:
        self.faults.update(options[1:])
        return super().choose(options)


def test_schedules_with_one_fault_cover_every_fault() -> None:
    offered = _Offered()
    for scenario in SCENARIOS.values():
        run(scenario, offered)

    assert offered.faults == {fault for faults in KINDS.values() for fault in faults}


def test_the_choices_of_a_run_repeat_it() -> None:
    for number in range(100):
        result = run_random(SEED, number)
        script = to_text(result.world.choices.chosen)

        again = run(result.world.scenario, Choices(from_text(script)))

        assert describe_run(again) == describe_run(result)


def test_the_choices_of_a_failed_run_repeat_the_failure() -> None:
    defect = DEFECTS["a report with an unclaimed vendor id is dropped"]
    scenario = SCENARIOS[defect.scenario or ""]
    with planted(defect):
        failed = next(result for result in exhaustive(scenario) if result.violation)

        again = run(scenario, Choices(from_text(to_text(failed.world.choices.chosen))))

    assert (again.violation, again.world.digest()) == (failed.violation, failed.world.digest())


def test_the_same_seed_gives_the_same_runs_in_any_order() -> None:
    whole = tally_random(7, range(60))
    parts = Tally()
    for start in (40, 0, 20):
        parts.add(tally_random(7, range(start, start + 20)))

    assert (parts.digest, parts.faults, parts.steps) == (whole.digest, whole.faults, whole.steps)
    assert tally_random(8, range(60)).digest != whole.digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_run_does_not_depend_on_the_order_of_sets(hash_seed: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--replay", "mixed-batch", "3:4,20:2"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}

    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert printed.rstrip("\n") == describe_run(run(SCENARIOS["mixed-batch"], Choices(from_text("3:4,20:2"))))


def test_every_script_within_the_budget_occurs_once() -> None:
    """Three points; the last exists only if the first took option 0."""

    def counts_of(script: Script) -> list[int]:
        return [2, 3] if script.get(0) else [2, 3, 2]

    scripts = [to_text(script) for script in every_script(counts_of, budget=2)]

    assert sorted(scripts) == sorted(["-", "0:1", "1:1", "1:2", "2:1", "0:1,1:1", "0:1,1:2", "1:1,2:1", "1:2,2:1"])
    assert [to_text(script) for script in every_script(counts_of, budget=1, stride=3)] == ["-", "2:1", "0:1"]


def test_a_script_with_an_unknown_option_raises_index_error() -> None:
    with pytest.raises(IndexError):
        run(SCENARIOS["polling"], Choices({0: 99}))
