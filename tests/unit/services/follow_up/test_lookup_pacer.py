"""The pace of calls to one vendor: as fast as the rate, in reserved time only, and none during a pause."""

from datetime import timedelta

import pytest

from sampai.contract.settings import Pace
from sampai.services.follow_up.lookup_pacer import LookupPacer
from tests.fakes import START, FixedClock, InMemoryRateLimiter, RecordingTelemetry

SECOND = timedelta(seconds=1)


class Vendor:
    """The pacer of a vendor, and the seconds after START at which its calls start."""

    def __init__(self, per_second: float | None) -> None:
        self.clock = FixedClock()
        self.limiter = InMemoryRateLimiter()
        self.telemetry = RecordingTelemetry()
        self.pace = None if per_second is None else Pace(name="nomsa#lookups", per_second=per_second)
        self.pacer = LookupPacer(limiter=self.limiter, clock=self.clock, sleep=self._sleep, telemetry=self.telemetry)

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def wait(self, max_seconds: float = 60.0) -> float | None:
        """Wait for a reservation and return its time, or None if there is none."""
        if not self.pacer.wait(self.pace, max_seconds=max_seconds):
            return None
        return round((self.clock() - START) / SECOND, 3)


@pytest.mark.parametrize(
    ("per_second", "times", "reservations"),
    [
        pytest.param(None, [0, 0, 0, 0, 0], 0, id="no rate"),
        pytest.param(0.5, [0, 2, 4, 6, 8], 5, id="one in two seconds: each reserved by itself"),
        pytest.param(8, [0, 0.125, 0.25, 0.375, 0.5], 3, id="eight a second: two in a reservation"),
        pytest.param(100, [0, 0.01, 0.02, 0.03, 0.04], 1, id="a hundred a second: one reservation"),
    ],
)
def test_turns_follow_each_other_at_the_rate(per_second: float | None, times: list[float], reservations: int) -> None:
    vendor = Vendor(per_second)

    assert [vendor.wait() for _ in times] == times
    assert len(vendor.limiter.reservations) == reservations
    assert {name for name, _, _ in vendor.limiter.reservations} <= {"nomsa#lookups"}


def test_turn_that_comes_too_late_is_not_waited_for() -> None:
    vendor = Vendor(0.1)

    assert [vendor.wait(max_seconds=1) for _ in range(3)] == [0, None, None]
    assert vendor.clock() == START


def test_reserved_turn_that_comes_too_late_is_left_to_the_next_call() -> None:
    vendor = Vendor(0.5)

    assert [vendor.wait(max_seconds=1.5) for _ in range(2)] == [0, None]
    assert vendor.wait() == 2
    assert len(vendor.limiter.reservations) == 2


def test_time_that_other_workers_have_reserved_is_waited_for() -> None:
    vendor = Vendor(10)
    vendor.limiter.taken_until["nomsa#lookups"] = START + timedelta(seconds=5)

    assert [vendor.wait() for _ in range(3)] == [5, 5.1, 5.2]


def test_time_that_passed_unused_is_not_made_up_for() -> None:
    vendor = Vendor(10)
    vendor.wait()
    vendor.clock.advance(seconds=30)

    assert [vendor.wait() for _ in range(3)] == [30, 30.1, 30.2]


def test_no_turn_while_the_limiter_does_not_answer() -> None:
    vendor = Vendor(10)
    vendor.limiter.is_down = True

    assert vendor.wait() is None
    assert [(level, text) for level, text, _ in vendor.telemetry.lines] == [("warning", "no reservation")]


@pytest.mark.parametrize("per_second", [None, 10])
@pytest.mark.parametrize(
    ("told", "seconds"), [pytest.param(120.0, 120, id="Retry-After"), pytest.param(None, 60, id="no Retry-After")]
)
def test_no_turn_during_a_pause(per_second: float | None, told: float | None, seconds: int) -> None:
    vendor = Vendor(per_second)
    vendor.pacer.pause(told)
    vendor.pacer.pause(1.0)  # does not shorten it

    vendor.clock.advance(seconds=seconds - 1)
    assert vendor.wait() is None

    vendor.clock.advance(seconds=1)
    assert vendor.wait() == seconds


def test_pause_that_begins_during_a_wait_takes_the_turn_away() -> None:
    vendor = Vendor(0.5)
    vendor.wait()
    vendor.pacer = LookupPacer(
        limiter=vendor.limiter,
        clock=vendor.clock,
        sleep=lambda seconds: vendor.pacer.pause(60.0),
        telemetry=vendor.telemetry,
    )
    vendor.limiter.taken_until["nomsa#lookups"] = START + timedelta(seconds=0.5)

    assert vendor.wait() is None
