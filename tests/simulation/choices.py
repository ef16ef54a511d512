"""The choices of a run. Every nondeterministic point of a run asks here, so that any run can be repeated.

A point has options. Option 0 has no fault; every other option is a fault, or another process that runs in between. A
script contains only the faults, by the number of their point: `17:2,93:1` means that point 17 takes option 2, point 93
takes option 1, and all other points take option 0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

Script = Mapping[int, int]
"""Options other than 0, by the number of their point."""

MAX_FAULTS: Final = 4
FEWEST_FAULTS: Final = 2

NEARBY: Final = 12
"""Largest distance, in points, of faults that are close together. Such faults often affect one message."""


class Choices:
    """Chooses by a script and records the points, so that other scripts can be derived."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.counts: list[int] = []
        """The number of options of each point."""
        self.chosen: dict[int, int] = {}

    def choose(self, options: Sequence[str]) -> str:
        """Return one of the options. Raise IndexError if the script selects an option that does not exist."""
        point = len(self.counts)
        self.counts.append(len(options))
        pick = self._pick(point, len(options))
        if pick:
            self.chosen[point] = pick
        return options[pick]

    def _pick(self, point: int, count: int) -> int:
        return self._script.get(point, 0)


class RandomChoices(Choices):
    """Chooses two to four faults at random points. `length` is the number of points of a run without faults."""

    def __init__(self, random: Random, *, length: int) -> None:
        super().__init__({})
        self._random = random
        self._points = _points(random, length)

    def _pick(self, point: int, count: int) -> int:
        return self._random.randrange(1, count) if point in self._points and count > 1 else 0


def _points(random: Random, length: int) -> set[int]:
    """Draw points over the whole run, or close together."""
    faults = random.randint(FEWEST_FAULTS, MAX_FAULTS)
    reach = max(1, length + length // 4)
    if random.random() < 0.5:
        return {random.randrange(reach) for _ in range(faults)}
    first = random.randrange(reach)
    return {first, *(first := first + random.randint(1, NEARBY) for _ in range(faults - 1))}


def every_script(counts_of: Callable[[Script], Sequence[int]], *, budget: int, stride: int = 1) -> Iterator[Script]:
    """Yield every script with at most `budget` faults once, depth first.

    `counts_of` runs a script and returns the number of options of its points. With a `stride` of 3, only each third of
    the faults that can follow a script is tried.
    """
    waiting: list[dict[int, int]] = [{}]
    while waiting:
        script = waiting.pop()
        counts = counts_of(script)
        yield script
        if len(script) < budget:
            after = max(script, default=-1) + 1
            more = [{**script, point: pick} for point in range(after, len(counts)) for pick in range(1, counts[point])]
            waiting += more[::stride]


def to_text(script: Script) -> str:
    """Return a script as one word for a command line; `-` if it has no fault."""
    return ",".join(f"{point}:{pick}" for point, pick in sorted(script.items())) or "-"


def from_text(text: str) -> Script:
    """Parse the output of `to_text`. Raise ValueError."""
    pairs = [part.split(":") for part in text.split(",") if part not in ("", "-")]
    return {int(point): int(pick) for point, pick in pairs}
