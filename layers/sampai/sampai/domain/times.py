"""Instants as text: RFC 3339, UTC, milliseconds, always the same width, so that text order is time order."""

from datetime import UTC, datetime, timedelta, timezone


def to_text(instant: datetime) -> str:
    """Return an aware instant as `2026-11-21T10:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.fromisoformat(text)


def parse_vendor_time(text: object, offset_minutes: int = 0) -> datetime | None:
    """Read a vendor's time, or return None: a time that cannot be read never spoils a report.

    A time without a zone is taken at `offset_minutes` east of UTC.
    """
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
