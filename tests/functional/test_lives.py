"""The lives that `make cost` counts: each reaches its end, and its usage is that of one message."""

import pytest

from benchmarks.billing import EVENTS, SQS, VENDOR_CALLS, WRITE_UNITS
from benchmarks.lives import LIVES, count_life
from tests.emulator import Emulator


@pytest.mark.parametrize(
    ("name", "looks", "calls", "events", "queue_requests"),
    [
        ("failed", 0, 1, 2, 0.2),
        ("shared-call", 0, 0.1, 3, 0.2),
        ("scheduled", 2, 1.05, 4, 0.5),  # a wake-up and a look; a list of the vendor for 20 messages
    ],
)
def test_life_is_counted_to_its_end(
    emulator: Emulator, name: str, looks: int, calls: float, events: float, queue_requests: float
) -> None:
    life = count_life(LIVES[name], emulator)

    usage = {resource: round(life.usage[resource], 2) for resource in (VENDOR_CALLS, EVENTS, SQS)}
    assert (life.looks, usage) == (looks, {VENDOR_CALLS: calls, EVENTS: events, SQS: queue_requests})
    assert life.usage[WRITE_UNITS] >= LIVES[name].writes
