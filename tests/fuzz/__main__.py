"""Generate webhook requests and queue bodies: `python -m tests.fuzz [N] [SEED]`, by default 10,000 of each, seed 0."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "sampai"))

from tests.fuzz import test_queue_bodies, test_webhook_surface
from tests.fuzz.explore import explore

BODIES_PER_BATCH = 5
"""Slightly below the average."""


def main(count: int = 10_000, seed: int = 0) -> int:
    """Check the cases, print the outcomes, and return the exit status: 1 if a promise was broken."""
    callbacks = explore(test_webhook_surface.random_callback, test_webhook_surface.check, count=count, seed=seed)
    print("Webhook requests, by response:", *callbacks.lines(), sep="\n")
    batches = -(-count // BODIES_PER_BATCH)
    bodies = explore(test_queue_bodies.random_batch, test_queue_bodies.check, count=batches, seed=seed)
    print("Queue bodies, in batches of 1 to 10, by outcome:", *bodies.lines(), sep="\n")
    return int(bool(callbacks.violations or bodies.violations))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
