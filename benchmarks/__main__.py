"""`python -m benchmarks [SECTION ...]`: measure, print a table per section, save the results in `results.FILE`."""

import importlib
import sys
import time
from typing import Final

from benchmarks.results import Result, new_console, results_table, save

SECTIONS: Final = {
    "send": "Send: CPU and wall time of a batch",
    "calls": "Calls and units: send, receipt, event, poll",
    "plain_json": "DynamoDB's client with items as plain JSON",
    "flow": "Send, receipt and event of a message together",
    "receive": "Receipts and polls",
    "follow_up": "Follow-up: rate, starvation, and the writes of a message",
    "growth": "Growth with the messages in flight",
    "start": "Cold start and memory",
    "limits": "Limits, one-time passwords and throughput on the local stack",
}
"""Titles, by module of this package. Each module has a function `measure()` that returns its results."""


def main(arguments: list[str]) -> int:
    """Measure the named sections, or all. Return the exit status: 1 if a goal was missed, 2 for an unknown section."""
    if unknown := [name for name in arguments if name not in SECTIONS]:
        print(f"Unknown: {' '.join(unknown)}. The sections are: {' '.join(SECTIONS)}.", file=sys.stderr)
        return 2
    console = new_console(150)
    measured: list[Result] = []
    for name in arguments or SECTIONS:
        started_at = time.monotonic()
        results = importlib.import_module(f"benchmarks.{name}").measure()
        save(results)
        measured += results
        console.print(results_table(f"{SECTIONS[name]} ({time.monotonic() - started_at:.0f} s)", results))
    verdicts = [result.is_reached for result in measured if result.goal is not None]
    console.print(f"{verdicts.count(True)} of {len(verdicts)} goals reached.")
    return 1 if False in verdicts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
