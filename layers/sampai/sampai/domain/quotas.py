"""What an operator allows, against fraud and mistakes: which countries, which senders, how many messages."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sampai.domain.failure import Failure, Reason
from sampai.domain.phone import country_of

_LINE_DIGITS: Final = 4
"""Who rents numbers rents them in a row: what is before the last four digits is the same for ten thousand of them."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Limit(StrEnum):
    """Limits on new messages, the narrowest first: what one of them stops is not counted by a wider one."""

    PER_RECIPIENT_PER_HOUR = "per_recipient_per_hour"
    PER_RECIPIENT_PER_DAY = "per_recipient_per_day"
    PER_PREFIX_PER_HOUR = "per_prefix_per_hour"
    PER_DAY = "per_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCounter:
    """What is counted for one limit: messages to a number, to a prefix or to all, in one hour or day of UTC."""

    limit: Limit
    most: int
    key: str = field(repr=False)
    """Such as `recipient#+85591234511#2026-11-21T10`."""
    ends_at: datetime


def quota_counters_of(recipient: str | None, limits: Mapping[Limit, int], *, now: datetime) -> tuple[QuotaCounter, ...]:
    """Return what a new message counts for, the narrowest first. Without a recipient it counts for `per_day` alone."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    last = hour + _HOUR, f"{hour:%Y-%m-%dT%H}"
    today = day + _DAY, f"{day:%Y-%m-%d}"
    places = [(Limit.PER_DAY, "all", *today)]
    if recipient is not None:
        places += [
            (Limit.PER_RECIPIENT_PER_HOUR, f"recipient#{recipient}", *last),
            (Limit.PER_RECIPIENT_PER_DAY, f"recipient#{recipient}", *today),
            (Limit.PER_PREFIX_PER_HOUR, f"prefix#{recipient[:-_LINE_DIGITS]}", *last),
        ]
    counters = {
        limit: QuotaCounter(limit=limit, most=limits[limit], key=f"{subject}#{period}", ends_at=ends_at)
        for limit, subject, ends_at, period in places
        if limit in limits
    }
    return tuple(counters[limit] for limit in Limit if limit in counters)


def quota_exceeded(limit: Limit) -> Failure:
    return Failure(reason=Reason.BLOCKED, detail=f"limits.{limit}: reached")


def validate_country(recipient: str | None, allowed: Collection[str] | None) -> Failure | None:
    """Return why a number must not be written to, or None. `allowed` are ISO 3166-1 codes, None for no list."""
    if recipient is None or allowed is None or country_of(recipient) in allowed:
        return None
    return Failure(reason=Reason.BLOCKED, detail="recipient: its country is not allowed")


def validate_sender(sender: str | None, allowed: Collection[str] | None, *, default: str | None) -> Failure | None:
    """Return why a request must not name this sender, or None. The default one may be named too."""
    if sender is None or allowed is None or sender == default or sender in allowed:
        return None
    return Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")
