"""Run many schedules: all with one fault, and seeded random ones with two to four."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.status import Status
from tests.fakes import START
from tests.simulation.checkers import BrokenPromiseError, require
from tests.simulation.choices import Choices, RandomChoices, Script, every_script, to_text
from tests.simulation.ports import (
    BROKEN_SECRET,
    BROKEN_SETTINGS,
    CREDENTIAL_MISSING,
    CREDENTIAL_UNFIT,
    FORMER_LAYOUT,
    INDEX_FAULTS,
    NO_TIME,
    NO_TIME_FOR_PASS,
    QUIET,
    SILENT,
    SILENT_AFTER,
    STOPPED,
    VERSIONS,
    WORKER_FAULTS,
)
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.world import KINDS, LIFETIMES, World

HARMLESS: Final = {
    *VERSIONS,
    FORMER_LAYOUT,
    *INDEX_FAULTS,
    *WORKER_FAULTS,
    NO_TIME_FOR_PASS,
    *(name for name, seconds in SILENT.items() if seconds < LIFETIMES["webhook"]),
    SILENT_AFTER,
    NO_TIME,
    STOPPED,
    QUIET,
    BROKEN_SETTINGS,
    BROKEN_SECRET,
    CREDENTIAL_MISSING,
    CREDENTIAL_UNFIT,
}
"""Faults that may delay a message, and keep none from being delivered, not even that of the fault."""

MAX_FAILURES: Final = 40
"""Number of broken promises to report in full; further ones are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A schedule that broke a promise, with the command that repeats it."""

    scenario: str
    script: str
    violation: str
    seed: str | None = None

    def __str__(self) -> str:
        drawn = f"  (seed {self.seed})" if self.seed else ""
        return f"{self.violation}\n  python -m tests.simulation --replay {self.scenario} {self.script}{drawn}"


@dataclass(slots=True)
class Tally:
    """Totals of many runs. Tallies of parts add up to the tally of the whole, in any order."""

    schedules: Counter[str] = field(default_factory=Counter)
    """Number of schedules by kind: exhaustive or random."""
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
        if run.violation is not None:
            self.violations += 1
            script = to_text(world.choices.chosen)
            self.failures.append(
                Failure(scenario=world.scenario.name, script=script, violation=run.violation, seed=seed)
            )
            del self.failures[MAX_FAILURES:]

    def faults_by_kind(self) -> dict[str, Counter[str]]:
        """Return the faults by their kind."""
        kinds = {fault: kind for kind, faults in reversed(list(KINDS.items())) for fault in faults}
        counted: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        for fault, count in self.faults.items():
            counted[kinds[fault]][fault] = count
        return counted

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
    """A world after its run, and the broken promise, if any."""

    world: World
    violation: str | None


def run(scenario: Scenario, choices: Choices) -> Run:
    """Run a scenario once."""
    world = World(scenario, choices)
    try:
        world.run()
        if world.faults and world.faults.keys() <= HARMLESS:
            _check_ends(world)
    except BrokenPromiseError as error:
        return Run(world, str(error))
    return Run(world, None)


def _check_ends(world: World) -> None:
    """Check that harmless faults have kept no message from being delivered, unless time ran out for it: it expired, or
    its vendor could not be asked before the report horizon. A message that is delivered again may be counted twice, and
    so exceed a quota.
    """
    for message_id in sorted(set(_delivered(world.scenario.name)) - world.excused()):
        message = world.message(message_id)
        is_blocked = message.failure is not None and message.failure.reason is Reason.BLOCKED
        is_over = is_blocked or message.expires_at is not None or message_id in world.checkers.unanswered
        ended = f"{message_id} ended as {message.status} instead of delivered"
        require(is_over or message.status is Status.DELIVERED, "harmless", ended)


@cache
def _delivered(name: str) -> tuple[str, ...]:
    """Return the ids of the messages that a run without faults delivers."""
    world = World(SCENARIOS[name], Choices({}))
    world.run()
    messages = world.vanished | world.store.messages
    return tuple(name for name, message in messages.items() if message.status is Status.DELIVERED)


def exhaustive(scenario: Scenario, *, budget: int = 1, stride: int = 1) -> Iterator[Run]:
    """Run every schedule of a scenario with at most `budget` faults, or a part of them: see `every_script`."""
    runs: list[Run] = []

    def counts_of(script: Script) -> Sequence[int]:
        runs.append(run(scenario, Choices(script)))
        return runs[-1].world.choices.counts

    for _ in every_script(counts_of, budget=budget, stride=stride):
        yield runs.pop()


def run_random(seed: int, number: int) -> Run:
    """Run the random schedule with a number under a seed. The numbers rotate through the scenarios."""
    names = list(SCENARIOS)
    scenario = SCENARIOS[names[number % len(names)]]
    random = Random(f"{seed}/{number}")  # noqa: S311 - repeatable, not secret
    return run(scenario, RandomChoices(random, length=_length(scenario.name)))


@cache
def _length(name: str) -> int:
    """Return the number of choices in a run without faults."""
    return len(run(SCENARIOS[name], Choices({})).world.choices.counts)


def tally_exhaustive(names: Iterable[str], *, stride: int = 1) -> Tally:
    """Run and count every schedule with at most one fault of the scenarios, or each third with a `stride` of 3."""
    tally = Tally()
    for name in names:
        for result in exhaustive(SCENARIOS[name], stride=stride):
            tally.count("exhaustive", result)
    return tally


def tally_random(seed: int, numbers: Iterable[int]) -> Tally:
    """Run and count the random schedules with these numbers."""
    tally = Tally()
    for number in numbers:
        tally.count("random", run_random(seed, number), seed=f"{seed}/{number}")
    return tally


def describe_run(result: Run) -> str:
    """Return the steps of a run as text."""
    world = result.world
    lines = [
        f"{(when - START).total_seconds():9.2f}  {name:10} {step:24} {outcome}"
        for when, name, step, outcome in world.trace
    ]
    lines += [f"{m.message_id}: {' > '.join(e.status for e in m.history)}" for m in world.store.messages.values()]
    lines += [
        f"{r.vendor.name} {r.provider_message_id}: {r.message_id}, acknowledged {r.acknowledged}" for r in world.rows
    ]
    lines += [f"digest {world.digest():016x}", result.violation or "every promise kept"]
    return "\n".join(lines)
