"""Shows generated cases to a check and counts what came of them."""

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
"""Written in the place of a JSON value. `RecursionError` is no `ValueError`, and half a pair cannot be UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a check saw of one case: how its parts ended, and in words which promises were broken."""

    endings: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Cases and endings, counted; of each violation the number and the first case."""

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
    """Show so many cases to a check. The same seed makes the same cases, however many are shown."""
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
