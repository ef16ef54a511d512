"""A measured figure, beside what is possible and what is wanted."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

from rich.table import Table

from local.stack.config import LOCAL

FILE: Final = LOCAL / "bench.json"
"""Where a run leaves its figures, by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. Without a goal it informs; with one it is reached or missed."""

    key: str
    """Names the figure for other programs, such as `send.cpu.batch-10`."""
    what: str
    value: float
    unit: str = "×"
    floor: float | None = None
    goal: float | None = None
    at_least: bool = False
    """Whether the goal is a lower bound."""
    note: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def table_of(title: str, figures: Iterable[Figure]) -> Table:
    """Return the figures of a section as they are shown."""
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    table.add_column("what")
    for name in ("figure", "floor", "goal"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    table.add_column("note", style="dim")
    for figure in figures:
        bound = "≥" if figure.at_least else "≤"
        table.add_row(
            figure.what,
            f"{_number(figure.value)} {figure.unit}",
            "" if figure.floor is None else _number(figure.floor),
            "" if figure.goal is None else f"{bound} {_number(figure.goal)}",
            {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}[figure.is_reached],
            figure.note,
        )
    return table


def save(figures: Iterable[Figure]) -> None:
    """Leave figures for other programs; those of an earlier run that were not measured again stay."""
    known = load()
    known |= {figure.key: figure for figure in figures}
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    FILE.write_text(json.dumps([asdict(figure) for figure in known.values()], indent=1))


def load() -> dict[str, Figure]:
    """Return the figures of the last run by key; none if there was no run."""
    if not FILE.exists():
        return {}
    return {each["key"]: Figure(**each) for each in json.loads(FILE.read_text())}


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
