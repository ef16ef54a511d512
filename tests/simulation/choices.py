"""Where a run may go one way or another: every such point asks here, so that any run can be made again.

A point has options; option 0 is what happens on a good day, every other one is a fault (or another process that comes
in between). A script holds the faults alone, by the number of their point: `17:2,93:1` says that point 17 takes its
option 2, point 93 its option 1, and all others option 0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Final

Script = Mapping[int, int]
"""Options other than 0, by the number of their point."""

MAX_FAULTS: Final = 4
FEWEST_FAULTS: Final = 2

NEARBY: Final = 12
"""Points within which a fault may follow close upon another: that is where they meet in one message."""


class Choices:
    """Answers by a script and keeps what was asked, so that other scripts can be made from it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.counts: list[int] = []
        """How many options each point had."""
        self.made: dict[int, int] = {}

    def choose(self, options: Sequence[str]) -> str:
        """Return one of the options. Raises IndexError where the script knows of one that is not there."""
        point = len(self.counts)
        self.counts.append(len(options))
        pick = self._pick(point, len(options))
        if pick:
            self.made[point] = pick
        return options[pick]

    def _pick(self, point: int, count: int) -> int:
        return self._script.get(point, 0)


class RandomChoices(Choices):
    """Two to four faults, at points drawn from a run that is about as long as the one without faults."""

    def __init__(self, random: Random, *, length: int) -> None:
        super().__init__({})
        self._random = random
        self._points = _points(random, length)

    def _pick(self, point: int, count: int) -> int:
        return self._random.randrange(1, count) if point in self._points and count > 1 else 0


def _points(random: Random, length: int) -> set[int]:
    """Draw points over the whole run, or one after another in a small part of it."""
    faults = random.randint(FEWEST_FAULTS, MAX_FAULTS)
    reach = max(1, length + length // 4)
    if random.random() < 0.5:
        return {random.randrange(reach) for _ in range(faults)}
    first = random.randrange(reach)
    return {first, *(first := first + random.randint(1, NEARBY) for _ in range(faults - 1))}


def every_script(counts_of: Callable[[Script], Sequence[int]], *, budget: int) -> Iterator[Script]:
    """Yield every script with at most `budget` faults once, depth first.

    `counts_of` makes the run of a script and returns how many options its points had.
    """
    waiting: list[dict[int, int]] = [{}]
    while waiting:
        script = waiting.pop()
        counts = counts_of(script)
        yield script
        if len(script) < budget:
            after = max(script, default=-1) + 1
            waiting += [
                {**script, point: pick} for point in range(after, len(counts)) for pick in range(1, counts[point])
            ]


def to_text(script: Script) -> str:
    """Return a script as one word for a command line; `-` if it has no fault."""
    return ",".join(f"{point}:{pick}" for point, pick in sorted(script.items())) or "-"


def from_text(text: str) -> Script:
    """Read what `to_text` wrote. Raises ValueError."""
    pairs = [part.split(":") for part in text.split(",") if part not in ("", "-")]
    return {int(point): int(pick) for point, pick in pairs}
