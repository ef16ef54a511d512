"""Runs a check on generated cases and counts the results."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

C = TypeVar("C")

POISON: Final = {
    "a number that is none": "NaN",
    "infinity": "-Infinity",
    "a number beyond floats": "1e999",
    "5,000 digits": "9" * 5_000,
    "half of a surrogate pair": '"\\ud800"',
    "NUL": '"\\u0000"',
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "lists as deep as they may be closed": "[" * 150 + "]" * 150,
    "a large text": '"' + "x" * 300_000 + '"',
    "an unfinished text": '"\\',
}
"""Replacements for a JSON value. `RecursionError` is not a `ValueError`, and half a surrogate pair is not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The result of one case: the endings of its parts, and the broken guarantees as texts."""

    endings: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts cases, endings and violations, and keeps the first case of each violation."""

    cases: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    first: dict[str, object] = field(default_factory=dict)

    def add(self, case: object, seen: Seen) -> None:
        self.cases += 1
        self.endings.update(seen.endings)
        self.violations.update(seen.violations)
        for violation in seen.violations:
            self.first.setdefault(violation, case)

    def lines(self) -> Iterable[str]:
        yield f"{self.cases} cases, {sum(self.endings.values())} endings"
        yield from (f"  {count:>7}  {ending}" for ending, count in sorted(self.endings.items()))
        for violation, count in self.violations.most_common():
            yield f"  {count:>7}  VIOLATION: {violation}"
            yield f"           first in {str(self.first[violation])[:2_000]}"


def explore(make: Callable[[Random], C], check: Callable[[C], Seen], *, count: int, seed: int = 0) -> Tally:
    """Run a check on so many cases. The same seed gives the same cases for any count."""
    tally = Tally()
    for number in range(count):
        case = make(Random(f"{seed}/{number}"))  # noqa: S311 - no secret is made of it
        tally.add(case, check(case))
    return tally


def places_in(node: Any) -> list[tuple[Any, Any]]:
    """Return every object and list in a JSON value, once with each of its keys."""
    found: list[tuple[Any, Any]] = []
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        found += [(node, key), *places_in(node[key])]
    return found
