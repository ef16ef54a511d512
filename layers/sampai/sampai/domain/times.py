"""Times as text: RFC 3339 in UTC with milliseconds. All have the same length, so text order is time order."""

from datetime import UTC, datetime, tzinfo
from typing import Final

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""The bounds of a stored instant. Any sum with a duration of ours remains a valid date."""


def to_text(instant: datetime) -> str:
    """Return an aware instant as `2026-11-21T10:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Parse a text of `to_text`. An instant beyond the bounds becomes the nearest bound.

    Raises ValueError or TypeError for any other text.
    """
    return min(max(datetime.fromisoformat(text), EARLIEST), LATEST)


def parse_vendor_time(text: object, zone: tzinfo = UTC) -> datetime | None:
    """Return a vendor's time in UTC, or None if it is invalid, because a report is valid without its time.

    A time without a zone is in `zone`.
    """
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=zone)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
