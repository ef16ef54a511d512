"""Run generated callbacks and bodies: `python -m tests.fuzz [N] [SEED]`, 10,000 of each and seed 0 by default."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "sampai"))

from tests.fuzz import test_queue_bodies, test_webhook_surface
from tests.fuzz.explore import explore

BODIES_PER_BATCH = 5
"""Slightly below the average."""


def main(count: int = 10_000, seed: int = 0) -> int:
    """Print the results of the cases, and return the exit status: 1 if a guarantee was broken."""
    callbacks = explore(test_webhook_surface.some_callback, test_webhook_surface.check, count=count, seed=seed)
    print("Callbacks, by answer:", *callbacks.lines(), sep="\n")
    batches = -(-count // BODIES_PER_BATCH)
    bodies = explore(test_queue_bodies.some_batch, test_queue_bodies.check, count=batches, seed=seed)
    print("Bodies, in batches of 1 to 10, by what became of them:", *bodies.lines(), sep="\n")
    return int(bool(callbacks.violations or bodies.violations))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
