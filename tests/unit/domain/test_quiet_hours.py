"""The quiet hours of a country, by the local clock of each of its zones."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sampai.domain.phone import COUNTRIES
from sampai.domain.quiet_hours import ZONES, QuietHours


def quiet_hours(hours: str, *zones: str) -> QuietHours:
    """Return the quiet hours that are written as `21:00-08:00`."""
    begin, end = (time.fromisoformat(part) for part in hours.split("-"))
    return QuietHours(country="XX", begin=begin, end=end, zones=tuple(ZoneInfo(name) for name in zones))


INDONESIA = ZONES["ID"]
WEST_AND_EAST = ("Asia/Jakarta", "Asia/Jayapura")
NEW_YORK, LORD_HOWE, APIA = ("America/New_York",), ("Australia/Lord_Howe",), ("Pacific/Apia",)

CASES = [
    # title, hours, zones, instant, end of the quiet hours
    ("evening", "21:00-08:00", ZONES["KH"], "2026-11-21T13:59:59.999Z", None),
    ("begin", "21:00-08:00", ZONES["KH"], "2026-11-21T14:00Z", "2026-11-22T01:00Z"),
    ("before midnight", "21:00-08:00", ZONES["KH"], "2026-11-21T16:59Z", "2026-11-22T01:00Z"),
    ("midnight", "21:00-08:00", ZONES["KH"], "2026-11-21T17:00Z", "2026-11-22T01:00Z"),
    ("last instant", "21:00-08:00", ZONES["KH"], "2026-11-22T00:59:59.999Z", "2026-11-22T01:00Z"),
    ("end", "21:00-08:00", ZONES["KH"], "2026-11-22T01:00Z", None),
    ("last night of the year", "21:00-08:00", ZONES["KH"], "2026-12-31T15:00Z", "2027-01-01T01:00Z"),
    ("zone of half an hour", "21:00-08:00", ZONES["MM"], "2026-11-21T14:30Z", "2026-11-22T01:30Z"),
    ("just before, in a zone of half an hour", "21:00-08:00", ZONES["MM"], "2026-11-21T14:29Z", None),
    ("Bangladesh", "21:00-08:00", ZONES["BD"], "2026-11-21T15:00Z", "2026-11-22T02:00Z"),
    ("within a day", "12:00-13:30", ZONES["KH"], "2026-11-21T05:00Z", "2026-11-21T06:30Z"),
    ("after hours within a day", "12:00-13:30", ZONES["KH"], "2026-11-21T06:30Z", None),
    ("from midnight", "00:00-07:00", ZONES["KH"], "2026-11-21T17:00Z", "2026-11-22T00:00Z"),
    ("before midnight, from midnight", "00:00-07:00", ZONES["KH"], "2026-11-21T16:59Z", None),
    ("until midnight", "18:00-00:00", ZONES["KH"], "2026-11-21T16:59Z", "2026-11-21T17:00Z"),
    ("at midnight, until midnight", "18:00-00:00", ZONES["KH"], "2026-11-21T17:00Z", None),
    ("evening in the east of Indonesia", "21:00-07:00", INDONESIA, "2026-11-21T12:00Z", "2026-11-22T00:00Z"),
    ("just before it", "21:00-07:00", INDONESIA, "2026-11-21T11:59Z", None),
    ("morning in the east of Indonesia", "21:00-07:00", INDONESIA, "2026-11-21T22:00Z", "2026-11-22T00:00Z"),
    ("morning in the west of Indonesia", "21:00-07:00", INDONESIA, "2026-11-22T00:00Z", None),
    ("short, in three zones", "12:00-13:00", INDONESIA, "2026-11-21T03:00Z", "2026-11-21T06:00Z"),
    ("two zones with a gap", "12:00-13:00", WEST_AND_EAST, "2026-11-21T03:30Z", "2026-11-21T04:00Z"),
    ("in the gap", "12:00-13:00", WEST_AND_EAST, "2026-11-21T04:30Z", None),
    ("winter", "21:00-08:00", NEW_YORK, "2026-01-15T02:00Z", "2026-01-15T13:00Z"),
    ("summer", "21:00-08:00", NEW_YORK, "2026-07-15T01:00Z", "2026-07-15T12:00Z"),
    ("the night of the clock change in spring", "21:00-08:00", NEW_YORK, "2026-03-08T02:00Z", "2026-03-08T12:00Z"),
    ("the night of the clock change in autumn", "21:00-08:00", NEW_YORK, "2026-11-01T01:00Z", "2026-11-01T13:00Z"),
    ("an end that the clocks skip", "21:00-02:30", NEW_YORK, "2026-03-08T06:59Z", "2026-03-08T07:30Z"),
    ("an end that the clocks repeat", "21:00-01:30", NEW_YORK, "2026-11-01T05:45Z", "2026-11-01T06:30Z"),
    ("a begin that the clocks repeat", "01:30-08:00", NEW_YORK, "2026-11-01T05:30Z", "2026-11-01T13:00Z"),
    ("a clock change of half an hour", "21:00-08:00", LORD_HOWE, "2026-04-04T12:00Z", "2026-04-04T21:30Z"),
    ("the other side of the date line", "21:00-08:00", APIA, "2026-11-21T08:00Z", "2026-11-21T19:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("hours", "zones", "instant", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_quiet_hours_last_until_their_local_end(
    hours: str, zones: tuple[str, ...], instant: str, expected: str | None
) -> None:
    until = quiet_hours(hours, *zones).until(datetime.fromisoformat(instant))

    assert until == (None if expected is None else datetime.fromisoformat(expected))


def test_the_end_is_in_utc() -> None:
    until = quiet_hours("21:00-08:00", "Asia/Dhaka").until(datetime(2026, 11, 21, 16, tzinfo=UTC))

    assert until is not None
    assert until.tzinfo is UTC


def test_each_instant_of_a_year_is_quiet_exactly_while_a_clock_of_the_country_says_so() -> None:
    zones = ("America/New_York", "America/Chicago", "America/Phoenix")
    hours = quiet_hours("21:10-07:50", *zones)
    instant = datetime(2026, 1, 1, tzinfo=UTC)

    for _ in range(366 * 8):
        clocks = [instant.astimezone(ZoneInfo(name)).time() for name in zones]
        assert (hours.until(instant) is not None) == any(c >= hours.begin or c < hours.end for c in clocks)
        instant += timedelta(hours=3, minutes=7)


LONGEST = [
    ("over midnight", "21:00-08:00", ZONES["KH"], 11),
    ("within a day", "12:00-13:30", ZONES["KH"], 1.5),
    ("three zones", "21:00-07:00", INDONESIA, 12),
    ("summer time", "21:00-08:00", NEW_YORK, 12),
    ("two zones with summer time", "21:00-08:00", ("America/New_York", "America/Los_Angeles"), 15),
]


@pytest.mark.parametrize(("hours", "zones", "expected"), [c[1:] for c in LONGEST], ids=[c[0] for c in LONGEST])
def test_longest_quiet_time_counts_all_zones_and_seasons(hours: str, zones: tuple[str, ...], expected: float) -> None:
    assert quiet_hours(hours, *zones).longest() == timedelta(hours=expected)


def test_quiet_hours_without_an_end_are_bounded() -> None:
    around_the_world = quiet_hours("00:00-23:00", "Asia/Jakarta", "Asia/Jayapura")
    instant = datetime(2026, 11, 21, tzinfo=UTC)

    until = around_the_world.until(instant)

    assert until is not None
    assert timedelta(days=2) <= until - instant < timedelta(days=4)


def test_countries_with_known_zones_have_numbers() -> None:
    assert ZONES.keys() <= COUNTRIES
