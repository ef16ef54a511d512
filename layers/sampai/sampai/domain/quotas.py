"""Quotas: the limits on new messages, against fraud and mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.recipient import fold, is_email

_SUBSCRIBER_DIGITS: Final = 4
"""Rented numbers are consecutive. Ten thousand consecutive numbers share all digits except the last four."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Limit(StrEnum):
    """The limits on new messages, the narrowest first: a message over one limit does not count for the wider ones."""

    PER_RECIPIENT_PER_HOUR = "per_recipient_per_hour"
    PER_RECIPIENT_PER_DAY = "per_recipient_per_day"
    PER_PREFIX_PER_HOUR = "per_prefix_per_hour"
    PER_DAY = "per_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCounter:
    """The counter of one limit: messages to a number, a prefix or everyone, in one hour or day of UTC.

    It counts the messages of all callers, or those of one.
    """

    limit: Limit
    maximum: int
    key: str = field(repr=False)
    """For example `recipient#+85591234511#2026-11-21T10`, or `all#2026-11-21#AROAEXAMPLE` for one caller.

    The number comes first, so that an erasure finds the counters of all callers.
    """
    ends_at: datetime
    caller: Caller | None = None
    """Whose messages it counts. None: those of all callers."""


def quota_counters_of(
    recipient: str | None, limits: Mapping[Limit, int], *, now: datetime, caller: Caller | None = None
) -> tuple[QuotaCounter, ...]:
    """Return the counters of a new message, the narrowest first. Without a recipient only `per_day` counts.

    With a `caller`, the limits are its own, and its counters are apart from those of all callers.
    An e-mail address has no prefix: addresses are not rented in blocks.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    this_hour = hour + _HOUR, f"{hour:%Y-%m-%dT%H}"
    today = day + _DAY, f"{day:%Y-%m-%d}"
    counted = [(Limit.PER_DAY, "all", *today)]
    if recipient is not None:
        counted += [
            (Limit.PER_RECIPIENT_PER_HOUR, f"recipient#{fold(recipient)}", *this_hour),
            (Limit.PER_RECIPIENT_PER_DAY, f"recipient#{fold(recipient)}", *today),
        ]
    if recipient is not None and not is_email(recipient):
        counted.append((Limit.PER_PREFIX_PER_HOUR, f"prefix#{recipient[:-_SUBSCRIBER_DIGITS]}", *this_hour))
    owner = "" if caller is None else f"#{caller.id}"
    counters = {
        limit: QuotaCounter(
            limit=limit,
            maximum=limits[limit],
            key=f"{subject}#{period}{owner}",
            ends_at=ends_at,
            caller=caller,
        )
        for limit, subject, ends_at, period in counted
        if limit in limits
    }
    return tuple(counters[limit] for limit in Limit if limit in counters)


def quota_exceeded(counter: QuotaCounter) -> Failure:
    """Return the failure of a message over a limit; its detail is the path of the limit in the settings."""
    owner = "" if counter.caller is None else f"{counter.caller.settings_path}."
    return Failure(reason=Reason.BLOCKED, detail=f"{owner}limits.{counter.limit}: reached")
