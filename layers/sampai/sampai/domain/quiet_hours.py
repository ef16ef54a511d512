"""Quiet hours: the time of the day in which the numbers of a country get no promotional messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONES: Final[Mapping[str, tuple[str, ...]]] = {
    "BD": ("Asia/Dhaka",),
    "ID": ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"),
    "KH": ("Asia/Phnom_Penh",),
    "MM": ("Asia/Yangon",),
}
"""The time zones of the countries with a vendor, by ISO 3166-1 code: one for each time. Source: zone.tab of IANA."""

MIN_OPEN: Final = timedelta(hours=4)
"""The least time of a day outside the quiet hours."""

_DAY: Final = timedelta(days=1)
_SEASONS: Final = (datetime(2100, 1, 1, tzinfo=UTC), datetime(2100, 7, 1, tzinfo=UTC))
"""Winter and summer under the rules that hold until further notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The quiet hours of a country, from `begin` to `end` by the local clock, perhaps over midnight.

    A number does not tell the zone of its owner, so the country is quiet while it is quiet in any of its zones.
    """

    country: str
    """ISO 3166-1 code."""
    begin: time
    end: time
    zones: tuple[ZoneInfo, ...]

    def until(self, instant: datetime) -> datetime | None:
        """Return the end in UTC of the quiet hours that an instant is in, or None if it is outside of them.

        The end itself is outside.
        """
        until = instant
        while until < instant + 2 * _DAY:  # a bound for hours that leave no time; the settings refuse them
            ends = [end for zone in self.zones if (end := self._end_in(zone, until)) is not None]
            if not ends:
                break
            until = max(ends)
        return until if until > instant else None

    def longest(self) -> timedelta:
        """Return the most quiet time of a day, over all zones and over summer and winter."""
        length = (_since_midnight(self.end) - _since_midnight(self.begin)) % _DAY
        offsets = [season.astimezone(zone).utcoffset() or timedelta(0) for zone in self.zones for season in _SEASONS]
        return length + max(offsets) - min(offsets)

    def _end_in(self, zone: ZoneInfo, instant: datetime) -> datetime | None:
        """Return the end of the quiet hours of one zone at an instant, or None outside of them."""
        today = instant.astimezone(zone).date()
        for day in (today - _DAY, today):
            last_day = day if self.end > self.begin else day + _DAY
            end = max(_instants(last_day, self.end, zone))
            if min(_instants(day, self.begin, zone)) <= instant < end:
                return end
        return None


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute)


def _instants(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    """Return a local time in UTC: two instants if the clocks skip or repeat it. The quiet hours cover both."""
    local = datetime.combine(day, clock, tzinfo=zone)
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
