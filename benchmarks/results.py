"""Measured results, each with the smallest possible value and the goal, and the tables that show them."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from local.stack.config import LOCAL

FILE: Final = LOCAL / "benchmarks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of a table."""

    key: str
    """A stable name for programs, for example `send.cpu.batch-10`."""
    label: str
    value: float
    unit: str = "×"
    floor: float | None = None
    """The smallest possible value."""
    goal: float | None = None
    """An upper bound, or a lower one with `at_least`."""
    at_least: bool = False
    note: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Return whether the goal is reached, or None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def new_console(width: int) -> Console:
    """Return a console as wide as the terminal, or `width` columns wide for a file or pipe."""
    return Console() if sys.stdout.isatty() else Console(width=width)


def new_table(title: str, *columns: str, left: Collection[str] = ()) -> Table:
    """Return an empty table. The first column and those in `left` contain text, the others right-aligned numbers."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column in left else "right")
    return table


def results_table(title: str, results: Iterable[Result]) -> Table:
    table = new_table(title, "measurement", "result", "floor", "goal", "verdict", "note", left=("verdict", "note"))
    table.columns[-1].style = "dim"
    for result in results:
        bound = "≥" if result.at_least else "≤"
        table.add_row(
            result.label,
            f"{_number(result.value)} {result.unit}",
            "" if result.floor is None else _number(result.floor),
            "" if result.goal is None else f"{bound} {_number(result.goal)}",
            {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}[result.is_reached],
            result.note,
        )
    return table


def save(results: Iterable[Result]) -> None:
    """Write results to `FILE` by key. Results of earlier runs with other keys stay."""
    saved = json.loads(FILE.read_text()) if FILE.exists() else {}
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    FILE.write_text(json.dumps(saved | {result.key: asdict(result) for result in results}, indent=1))


def milliseconds(seconds: Mapping[str, float]) -> str:
    """Return durations in seconds as text: `send 1.20 · bare 0.61 ms`."""
    return " · ".join(f"{name} {value * 1000:.2f}" for name, value in seconds.items()) + " ms"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
