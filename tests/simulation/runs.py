"""Many runs: every schedule with one fault, and seeded random ones with two to four."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final

from tests.fakes import START
from tests.simulation.checkers import BrokenPromiseError
from tests.simulation.choices import Choices, RandomChoices, Script, every_script, to_text
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.world import World

MAX_FAILURES: Final = 20
"""Broken promises that are told in full; further ones are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A schedule that broke a promise, with all that it takes to see it again."""

    scenario: str
    script: str
    what: str
    seed: str | None = None

    def __str__(self) -> str:
        drawn = f"  (seed {self.seed})" if self.seed else ""
        return f"{self.what}\n  python -m tests.simulation --replay {self.scenario} {self.script}{drawn}"


@dataclass(slots=True)
class Tally:
    """What many runs came to. Tallies of parts add up to that of the whole, in any order."""

    schedules: Counter[str] = field(default_factory=Counter)
    """By kind: exhaustive or random."""
    faults: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    messages: int = 0
    acceptances: int = 0
    violations: int = 0
    digest: int = 0
    failures: list[Failure] = field(default_factory=list)

    def count(self, kind: str, run: "Run", *, seed: str | None = None) -> None:
        """Add one run."""
        world = run.world
        self.schedules[kind] += 1
        self.faults += world.faults
        self.steps += world.steps
        self.messages += len(world.store.messages)
        self.acceptances += world.checkers.acceptances.total()
        self.digest = (self.digest + world.digest()) % 2**64
        if run.broken is not None:
            self.violations += 1
            script = to_text(world.choices.made)
            self.failures.append(Failure(scenario=world.scenario.name, script=script, what=run.broken, seed=seed))
            del self.failures[MAX_FAILURES:]

    def add(self, other: "Tally") -> None:
        """Add the tally of another part."""
        self.schedules += other.schedules
        self.faults += other.faults
        self.steps += other.steps
        self.messages += other.messages
        self.acceptances += other.acceptances
        self.violations += other.violations
        self.digest = (self.digest + other.digest) % 2**64
        self.failures = [*self.failures, *other.failures][:MAX_FAILURES]


@dataclass(frozen=True, slots=True)
class Run:
    """A world at its end, and the promise that was broken in it, if any."""

    world: World
    broken: str | None


def run(scenario: Scenario, choices: Choices) -> Run:
    """Make one run of a scenario."""
    world = World(scenario, choices)
    try:
        world.run()
    except BrokenPromiseError as broken:
        return Run(world, str(broken))
    return Run(world, None)


def exhaustive(scenario: Scenario, *, budget: int = 1) -> Iterator[Run]:
    """Make every run of a scenario with at most so many faults."""
    runs: list[Run] = []

    def counts_of(script: Script) -> Sequence[int]:
        runs.append(run(scenario, Choices(script)))
        return runs[-1].world.choices.counts

    for _ in every_script(counts_of, budget=budget):
        yield runs.pop()


def at_random(seed: int, number: int) -> Run:
    """Make the random run with a number under a seed; the scenarios take turns."""
    names = list(SCENARIOS)
    scenario = SCENARIOS[names[number % len(names)]]
    random = Random(f"{seed}/{number}")  # noqa: S311 - nobody is to guess it, everybody is to repeat it
    return run(scenario, RandomChoices(random, length=_length(scenario.name)))


@cache
def _length(name: str) -> int:
    """Return how many choices the run of a scenario without faults has."""
    return len(run(SCENARIOS[name], Choices({})).world.choices.counts)


def tally_exhaustive(names: Iterable[str]) -> Tally:
    """Count every run with at most one fault of the scenarios."""
    tally = Tally()
    for name in names:
        for made in exhaustive(SCENARIOS[name]):
            tally.count("exhaustive", made)
    return tally


def tally_random(seed: int, numbers: Iterable[int]) -> Tally:
    """Count the random runs with these numbers."""
    tally = Tally()
    for number in numbers:
        tally.count("random", at_random(seed, number), seed=f"{seed}/{number}")
    return tally


def told(made: Run) -> str:
    """Return a run step by step, for people."""
    world = made.world
    lines = [
        f"{(when - START).total_seconds():9.2f}  {name:10} {what:24} {outcome}"
        for when, name, what, outcome in world.trace
    ]
    lines += [f"{m.message_id}: {' > '.join(e.status for e in m.history)}" for m in world.store.messages.values()]
    lines += [f"{r.vendor.name} {r.provider_message_id}: {r.message_id}, told {r.told}" for r in world.rows]
    lines += [f"digest {world.digest():016x}", made.broken or "every promise kept"]
    return "\n".join(lines)
