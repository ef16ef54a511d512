"""`python -m benchmarks [SECTION …]`: measure, print a table for each section, leave them in .local/bench.json."""

import importlib
import sys
import time
from typing import Final

from rich.console import Console

from benchmarks.results import Figure, save, table_of

SECTIONS: Final = {
    "send": "Send: CPU and wall of a batch",
    "calls": "Calls and units: send, receipt, event, poll",
    "flow": "Send, receipt and event of a message together",
    "receive": "Receipts and polling",
    "growth": "Growth with the messages in flight",
    "start": "Cold start and memory",
    "limits": "Limits, one-time passwords and throughput on the local stack",
}
"""Each is a module of this package with `measure()`, which returns its figures."""


def main(arguments: list[str]) -> int:
    """Measure the named sections, or all. Returns the exit status: 1 if a goal was missed."""
    if unknown := [name for name in arguments if name not in SECTIONS]:
        print(f"unknown: {' '.join(unknown)}; there are: {' '.join(SECTIONS)}", file=sys.stderr)
        return 2
    console = Console(width=150) if not sys.stdout.isatty() else Console()
    found: list[Figure] = []
    for name in arguments or SECTIONS:
        began = time.monotonic()
        figures = importlib.import_module(f"benchmarks.{name}").measure()
        save(figures)
        found += figures
        console.print(table_of(f"{SECTIONS[name]} ({time.monotonic() - began:.0f} s)", figures))
    missed = [figure for figure in found if figure.is_reached is False]
    goals = [figure for figure in found if figure.goal is not None]
    console.print(f"{len(goals) - len(missed)} of {len(goals)} goals reached.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
