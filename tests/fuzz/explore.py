"""Run a check on generated cases and count the outcomes."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

C = TypeVar("C")

POISON: Final = {
    "not a number": "NaN",
    "infinity": "-Infinity",
    "a number beyond floats": "1e999",
    "5,000 digits": "9" * 5_000,
    "half of a surrogate pair": '"\\ud800"',
    "NUL": '"\\u0000"',
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep closed lists": "[" * 150 + "]" * 150,
    "a large text": '"' + "x" * 300_000 + '"',
    "an unterminated text": '"\\',
}
"""Texts that replace a JSON value. `RecursionError` is no `ValueError`, and half a surrogate pair is not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check: the outcomes of the parts of the case, and the broken promises."""

    outcomes: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """The number of cases, outcomes and violations, and the first case of each violation."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    first: dict[str, object] = field(default_factory=dict)

    def add(self, case: object, result: CheckResult) -> None:
        self.cases += 1
        self.outcomes.update(result.outcomes)
        self.violations.update(result.violations)
        for violation in result.violations:
            self.first.setdefault(violation, case)

    def lines(self) -> Iterable[str]:
        yield f"{self.cases} cases, {sum(self.outcomes.values())} outcomes"
        yield from (f"  {count:>7}  {outcome}" for outcome, count in sorted(self.outcomes.items()))
        for violation, count in self.violations.most_common():
            yield f"  {count:>7}  VIOLATION: {violation}"
            yield f"           first in {str(self.first[violation])[:2_000]}"


def explore(make: Callable[[Random], C], check: Callable[[C], CheckResult], *, count: int, seed: int = 0) -> Tally:
    """Check `count` generated cases. The same seed generates the same cases for every count."""
    tally = Tally()
    for number in range(count):
        case = make(Random(f"{seed}/{number}"))  # noqa: S311 - not for secrets
        tally.add(case, check(case))
    return tally


def places_in(node: Any) -> list[tuple[Any, Any]]:
    """Return every pair of a container and a key in a JSON value."""
    found: list[tuple[Any, Any]] = []
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        found += [(node, key), *places_in(node[key])]
    return found
