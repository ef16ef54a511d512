"""Run the simulation: `python -m tests.simulation [-n N] [--seed S] [--jobs J]`, or repeat one run with `--replay`."""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "sampai"))

from tests.simulation.choices import Choices, from_text
from tests.simulation.runs import Tally, describe_run, run, tally_exhaustive, tally_random
from tests.simulation.scenarios import SCENARIOS

PART = 500
"""Number of random runs in one job."""


def main() -> int:
    """Run the schedules, print the totals, and return the exit status: 1 if a promise was broken."""
    options = _options()
    if options.replay:
        name, script = options.replay
        result = run(SCENARIOS[name], Choices(from_text(script)))
        print(describe_run(result))
        return int(result.violation is not None)
    started_at = time.monotonic()
    tally = Tally()
    with ProcessPoolExecutor(options.jobs) as pool:
        for part in _parts(pool, seed=options.seed, count=options.n):
            tally.add(part.result())
    print(_table(tally, seconds=time.monotonic() - started_at))
    return int(tally.violations > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="random schedules (default 10000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random schedules (default 1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes to share the work (default 1)")
    parser.add_argument("--replay", nargs=2, metavar=("SCENARIO", "CHOICES"), help="repeat one run and print its steps")
    return parser.parse_args()


def _parts(pool: ProcessPoolExecutor, *, seed: int, count: int) -> Iterator[Future[Tally]]:
    parts = [pool.submit(tally_exhaustive, [name]) for name in SCENARIOS]
    parts += [pool.submit(tally_random, seed, range(i, min(i + PART, count))) for i in range(0, count, PART)]
    return iter(parts)


def _table(tally: Tally, *, seconds: float) -> str:
    total = tally.schedules.total()
    rows = [
        ("schedules, exhaustive", tally.schedules["exhaustive"]),
        ("schedules, random", tally.schedules["random"]),
        ("steps", tally.steps),
        ("messages", tally.messages),
        ("acceptances", tally.acceptances),
        ("faults", tally.faults.total()),
        *_rows_of_faults(tally),
        ("violations", tally.violations),
    ]
    lines = [f"{title:46} {count:>10}" for title, count in rows]
    lines += [f"digest {tally.digest:016x}", f"{seconds:.0f} s, {total / seconds:.0f} schedules a second"]
    return "\n".join([*lines, *(f"\n{failure}" for failure in tally.failures)])


def _rows_of_faults(tally: Tally) -> Iterator[tuple[str, int]]:
    for kind, faults in tally.faults_by_kind().items():
        yield f"  {kind}", faults.total()
        yield from ((f"    {fault}", count) for fault, count in faults.most_common())


if __name__ == "__main__":
    sys.exit(main())
