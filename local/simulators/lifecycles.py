"""The lifecycle of an accepted message: the stage that a poll sees at each age, and the times of the receipts. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stage of a message, independent of any vendor's words."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    READ = "read"


class Lifecycle(StrEnum):
    """The lifecycle of a message, selected by the magic number of its recipient."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    SILENT = "silent"
    SCRAMBLED = "scrambled"
    EARLY = "early"
    READ = "read"
    PREMATURE = "premature"
    """Undelivered. A vendor that says `Delivered` at the hand-over does so first."""
    WORDY = "wordy"
    """Delivered. A vendor with many words of progress uses them all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One receipt: the stage that it reports, and its delay in seconds after the start."""

    after_seconds: float
    stage: Stage


def receipts_of(lifecycle: Lifecycle, *, sent_seconds: float, final_seconds: float) -> tuple[Step, ...]:
    """Return the receipts of a lifecycle in the order of sending."""
    third = (final_seconds - sent_seconds) / 3
    match lifecycle:
        case Lifecycle.SILENT:
            return ()
        case Lifecycle.EARLY:
            return (Step(0, Stage.SENT), Step(0, Stage.DELIVERED))
        case Lifecycle.SCRAMBLED:
            return (
                Step(sent_seconds, Stage.DELIVERED),
                Step(sent_seconds + third, Stage.SENT),
                Step(sent_seconds + 2 * third, Stage.ACCEPTED),
                Step(final_seconds, Stage.DELIVERED),
            )
        case Lifecycle.READ:
            delivered = Step(_halfway(sent_seconds, final_seconds), Stage.DELIVERED)
            return (Step(sent_seconds, Stage.SENT), delivered, Step(final_seconds, Stage.READ))
        case Lifecycle.DELIVERED | Lifecycle.UNDELIVERED | Lifecycle.PREMATURE | Lifecycle.WORDY:
            return (Step(sent_seconds, Stage.SENT), Step(final_seconds, _final_stage(lifecycle)))


def stage_at(
    lifecycle: Lifecycle, age_seconds: float, *, reads: int, sent_seconds: float, final_seconds: float
) -> Stage:
    """Return the stage that a poll sees.

    `reads` is the number of polls that have already seen a scrambled message past its first stage. The second one sees
    SENT, and all others DELIVERED: so the status goes back once.
    """
    if lifecycle is Lifecycle.EARLY:
        return Stage.DELIVERED
    if lifecycle is Lifecycle.SILENT or age_seconds < sent_seconds:
        return Stage.ACCEPTED
    if lifecycle is Lifecycle.SCRAMBLED:
        return Stage.SENT if reads == 1 else Stage.DELIVERED
    if age_seconds >= final_seconds:
        return _final_stage(lifecycle)
    is_delivered = lifecycle is Lifecycle.READ and age_seconds >= _halfway(sent_seconds, final_seconds)
    return Stage.DELIVERED if is_delivered else Stage.SENT


def _final_stage(lifecycle: Lifecycle) -> Stage:
    if lifecycle is Lifecycle.PREMATURE:
        return Stage.UNDELIVERED
    return Stage.DELIVERED if lifecycle is Lifecycle.WORDY else Stage(lifecycle.value)


def _halfway(sent_seconds: float, final_seconds: float) -> float:
    return (sent_seconds + final_seconds) / 2
