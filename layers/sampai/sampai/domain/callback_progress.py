"""The order of callbacks: which event of a message may be posted now. Pure.

The events of a message are numbered without gaps, and a queue delivers them in any order. The progress of a message has
the number up to which all are concluded, and the earliest arrived event after it. While a worker posts an event it has
a lease, and no other worker changes the progress.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

MAX_DELAY: Final = timedelta(minutes=15)
"""The longest time between two receives of an event that was not attempted yet."""

GAP_WAIT: Final = timedelta(minutes=20)
"""How long an event waits for an earlier one that does not arrive. An event in the queue is received in less time."""


class Step(Enum):
    POST = "post"
    WAIT = "wait"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackProgress:
    """The progress of the events of one message. A message without a stored progress has this one."""

    revision: int = 0
    """Of the stored item. Each change is one higher."""
    concluded: int = 0
    """The highest sequence that no later event waits for."""
    missing: frozenset[int] = frozenset()
    """The sequences up to `concluded` that were skipped or given up. They are posted if they arrive after all."""
    arrived: int = 0
    """The lowest sequence above `concluded` that is known to be in the queue; 0: none."""
    arrived_at: datetime | None = None
    leased_until: datetime | None = None


def next_step(progress: CallbackProgress, sequence: int, *, is_last: bool, now: datetime) -> Step:
    """Return the step for an event that was received.

    An event waits for all earlier ones, with two exceptions. One that does not arrive is skipped after `GAP_WAIT`:
    callbacks were turned on after it, or EventBridge lost it. And the last receive of an event waits for nothing.
    """
    if sequence <= progress.concluded and sequence not in progress.missing:
        return Step.DROP
    if _is_leased(progress, now):
        return Step.WAIT
    if sequence <= progress.concluded + 1 or is_last:
        return Step.POST
    has_waited = progress.arrived_at is not None and now - progress.arrived_at >= GAP_WAIT
    return Step.POST if has_waited and sequence == progress.arrived else Step.WAIT


def arrive(progress: CallbackProgress, sequence: int, *, now: datetime) -> CallbackProgress:
    """Return the progress after an event was received that cannot be posted yet. It is the same if nothing changes."""
    is_later = progress.arrived and sequence >= progress.arrived
    if sequence <= progress.concluded or is_later or _is_leased(progress, now):
        return progress
    return replace(progress, revision=progress.revision + 1, arrived=sequence, arrived_at=now)


def claim(progress: CallbackProgress, sequence: int, *, now: datetime, lease: timedelta) -> CallbackProgress:
    """Return the progress while a worker posts an event. All earlier events that were not posted become missing."""
    skipped = replace(
        progress,
        concluded=max(progress.concluded, sequence - 1),
        missing=progress.missing | frozenset(range(progress.concluded + 1, sequence)),
    )
    return replace(arrive(skipped, sequence, now=now), revision=progress.revision + 1, leased_until=now + lease)


def conclude(progress: CallbackProgress, sequence: int, *, is_posted: bool) -> CallbackProgress:
    """Return the progress after the receiver took an event, or after the last attempt for it failed."""
    concluded = max(progress.concluded, sequence)
    is_arrived_later = progress.arrived > concluded
    return replace(
        release(progress),
        concluded=concluded,
        missing=progress.missing - {sequence} if is_posted else progress.missing | {sequence},
        arrived=progress.arrived if is_arrived_later else 0,
        arrived_at=progress.arrived_at if is_arrived_later else None,
    )


def release(progress: CallbackProgress) -> CallbackProgress:
    """Return the progress after an attempt that will be repeated."""
    return replace(progress, revision=progress.revision + 1, leased_until=None)


def _is_leased(progress: CallbackProgress, now: datetime) -> bool:
    return progress.leased_until is not None and now < progress.leased_until
