"""The story of a message as a timeline: statuses with the numbers of their events, and attempts that failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sampai.domain.status import Status
from sampai.domain.times import from_text
from sampai.services.ports.attempts import AttemptRecord
from sampai_cli.messages import history_of, message_of
from sampai_cli.past_events import events_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of status."""

    at: datetime
    status: str
    source: str
    sequence: int | None
    """The number of its event. None if this release cannot read the message."""
    missing: int = 0
    """How many changes before this one are not stored: a long history lacks its middle."""
    seconds: float
    """The time since the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that a vendor did not plainly accept."""

    record: AttemptRecord

    @property
    def took_seconds(self) -> float | None:
        """The duration of the call. None if no call was made, or if it has not ended."""
        began, ended = self.record.began_at, self.record.ended_at
        return None if began is None or ended is None else (ended - began).total_seconds()


def timeline(item: Mapping[str, Any], records: Sequence[AttemptRecord]) -> list[Change | Attempt]:
    """Return the entries of a story, the oldest first. An attempt stands below its claim."""
    changes = _changes(item)
    entries: list[Change | Attempt] = []
    waiting = list(records)
    for index, change in enumerate(changes):
        entries.append(change)
        if change.status == Status.SENDING:
            until = next((later.at for later in changes[index + 1 :] if later.status == Status.SENDING), None)
            mine = [record for record in waiting if until is None or _began(record, change.at) < until]
            entries += (Attempt(record=record) for record in mine)
            waiting = [record for record in waiting if record not in mine]
    return entries + [Attempt(record=record) for record in waiting]


def _began(record: AttemptRecord, otherwise: datetime) -> datetime:
    return record.claimed_at or record.began_at or record.ended_at or otherwise


def _changes(item: Mapping[str, Any]) -> list[Change]:
    history = history_of(item)
    sequences: list[int | None] = [*_sequences(item)] or [None] * len(history)
    found: list[Change] = []
    for entry, sequence in zip(history, sequences, strict=True):
        at = from_text(entry["at"])
        before = found[-1].sequence if found else None
        found.append(
            Change(
                at=at,
                status=entry["status"],
                source=entry["source"],
                sequence=sequence,
                missing=0 if sequence is None or before is None else sequence - before - 1,
                seconds=(at - found[0].at).total_seconds() if found else 0.0,
            )
        )
    return found


def _sequences(item: Mapping[str, Any]) -> list[int]:
    """Return the number of the event of each entry of the history, or nothing if this release cannot read the item."""
    message = message_of(item)
    return [] if message is None else [event.detail["sequence"] for _, event in events_of(message)]
