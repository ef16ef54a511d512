"""Waiting for reserved time of a vendor."""

from datetime import timedelta

import pytest

from sampai.services.reservations import Reservations
from tests.fakes import START, FixedClock, InMemoryRateLimiter

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("taken", "max_seconds", "start", "slept"),
    [
        pytest.param(0, 0, 0.3, 0, id="free: after the lead"),
        pytest.param(0.8, 0, 0.8, 0, id="free soon: reserved ahead"),
        pytest.param(5, 10, 5, 4, id="free later: after a sleep"),
        pytest.param(5, 3, None, 0, id="free too late"),
    ],
)
def test_reservation_starts_as_soon_as_possible(
    taken: float, max_seconds: float, start: float | None, slept: float
) -> None:
    clock, limiter = FixedClock(), InMemoryRateLimiter()
    limiter.taken_until["nomsa"] = START + taken * SECOND
    reservations = Reservations(limiter=limiter, clock=clock, sleep=lambda seconds: clock.advance(seconds=seconds))

    starts_at = reservations.wait("nomsa", SECOND, lead=0.3 * SECOND, ahead=SECOND, max_seconds=max_seconds)

    assert starts_at == (None if start is None else START + start * SECOND)
    assert clock() == START + slept * SECOND
