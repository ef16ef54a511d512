"""What must hold: I1 to I3, I6 to I8 and I13 after every step; I4, I5 and E1 to E3 at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.contract.events import Event
from sampai.domain.message import Category, Message, OnUnknown, text_of_content
from sampai.domain.status import Source, Status
from sampai.providers.features import SupportsListing, SupportsLookup
from sampai.providers.registry import load
from sampai.services.follow_up.next_state import MAX_ATTEMPTS
from sampai.services.ports.correlations import Correlation, correlation_key
from tests.simulation.vendors import Row, Sent, Vendor

_NOT_TAKEN: Final = frozenset({Status.QUEUED, Status.FAILED, Status.CANCELED})
"""Statuses that say that no vendor has the message."""

_SAID_BY_VENDORS: Final = frozenset({Status.UNDELIVERED, Status.DELIVERED, Status.READ})


class BrokenPromiseError(BaseException):
    """Something happened that must not. No `except Exception` of the services hides it."""


class ProcessDiedError(BaseException):
    """A process ends here, between two of its steps. No service can catch it."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One invocation of one function."""

    name: str
    began_at: datetime
    dies_at: datetime
    """When its time is up. It is looked at before each of its steps."""
    skew: timedelta
    """How far its clock is ahead of the world's."""
    depth: int
    claims: dict[str, Message] = field(default_factory=dict)
    """What it claimed, by message id."""
    spent: set[str] = field(default_factory=set)
    """Ids of attempts with which it has called a vendor."""


@dataclass(slots=True, kw_only=True)
class Ending:
    """What a run has come to."""

    messages: Mapping[str, Message]
    correlations: Iterable[Correlation]
    rows: Sequence[Row]
    events: Iterable[Event]
    dead_letters: Mapping[str, str]
    """Reasons, by the message id that the record was about."""
    asked_for: Iterable[str]
    conflicts: Iterable[str]
    now: datetime


def demand(holds: bool, promise: str, what: str) -> None:
    if not holds:
        raise BrokenPromiseError(f"{promise}: {what}")


class Checkers:
    def __init__(self, *, most_to_a_number: int | None) -> None:
        self._most_to_a_number = most_to_a_number
        self._sent_to: defaultdict[str, set[str]] = defaultdict(set)
        self.acceptances: Counter[str] = Counter()
        self.opted_out: dict[str, datetime] = {}
        """When a number's wish to be left alone was durable."""

    # --- after every step -------------------------------------------------------------------------------------------

    def wrote(self, process: Process, before: Message | None, after: Message) -> None:
        """Look at a revision that was stored: I1, I3, I6, I8."""
        message_id = after.message_id
        if before is not None:
            demand(before.fingerprint == after.fingerprint, "I8", f"{message_id} stands for another request")
            _check_order(before, after)
        is_claim = after.status is Status.SENDING and (before is None or before.attempt_id != after.attempt_id)
        claim = process.claims.get(message_id)
        if is_claim:
            process.claims[message_id] = after
        elif before is not None and claim is not None and claim.attempt_id != before.attempt_id:
            demand(_is_evidence(before, after), "I6", f"a superseded attempt changed {message_id}")
        if after.on_unknown is OnUnknown.HOLD and after.status in _NOT_TAKEN:
            demand(not self.acceptances[message_id], "I1", f"{message_id} is {after.status}, and a vendor took it")

    def on_the_wire(
        self, process: Process, sent: Sequence[Sent], stored: Mapping[str, Message], began_at: datetime
    ) -> list[Message]:
        """Look at a call that began then, and return the claims that it is made under: I2, I7, I13."""
        demand(len({entry.number for entry in sent}) == len(sent), "I13", "a number is twice in one call")
        claims = [self._claim_for(process, entry) for entry in sent]
        for claim in claims:
            current = stored.get(claim.message_id)
            is_own = current is not None and current.attempt_id == claim.attempt_id
            demand(is_own, "I2", f"{claim.message_id} is sent under an attempt that is not the stored one")
            demand(not claim.is_expired(began_at + process.skew), "I7", f"{claim.message_id} is sent after expires_at")
            self._check_wish(process, claim)
        return claims

    def _claim_for(self, process: Process, sent: Sent) -> Message:
        number = f"+{sent.number}"
        for claim in process.claims.values():
            if claim.recipient != number or claim.attempt_id in process.spent:
                continue
            if claim.content is not None and text_of_content(claim.content) == sent.text:
                process.spent.add(claim.attempt_id or "")
                return claim
        promise = "I2" if any(number == claim.recipient for claim in process.claims.values()) else "I13"
        raise BrokenPromiseError(f"{promise}: what is sent to one number was not claimed by who sends it")

    def _check_wish(self, process: Process, claim: Message) -> None:
        opted_out_at = self.opted_out.get(claim.recipient or "")
        if claim.category is Category.PROMOTIONAL and opted_out_at is not None:
            demand(process.began_at < opted_out_at, "opt-out", f"{claim.message_id} goes to who opted out")

    def taken(self, claim: Message) -> None:
        """Count an acceptance: I1, I13."""
        self.acceptances[claim.message_id] += 1
        most = 1 if claim.on_unknown is OnUnknown.HOLD else MAX_ATTEMPTS
        count = self.acceptances[claim.message_id]
        demand(count <= most, "I1", f"{claim.message_id} was taken {count} times")
        own = self._sent_to[claim.recipient or ""]
        own.add(claim.message_id)
        is_within = self._most_to_a_number is None or len(own) <= self._most_to_a_number
        demand(is_within, "I13", f"{claim.message_id} is one too many to its number")

    # --- at the end -------------------------------------------------------------------------------------------------

    def at_the_end(self, ending: Ending) -> None:
        """Look at everything once faults have stopped and the horizon has passed: E1 to E3, I4, I5, I8."""
        for message in ending.messages.values():
            demand(message.status.is_final, "E1", f"{message.message_id} is {message.status} for ever")
            demand(message.due_at is None, "E3", f"{message.message_id} is final and still due")
        for message_id in ending.asked_for:
            is_accounted = message_id in ending.messages or ending.dead_letters.get(message_id)
            demand(bool(is_accounted), "I5", f"{message_id} is neither stored nor a dead letter with a reason")
        reported = {event.detail["message_id"] for event in ending.events if event.detail_type == "Request Rejected"}
        for message_id in ending.conflicts:
            demand(message_id in reported, "I8", f"{message_id} stands for one of two requests, and nobody was told")
        _check_events(ending)
        for correlation in ending.correlations:
            _check_meeting(correlation, ending)
        self._check_evidence(ending)
        _check_owners(ending)

    def _check_evidence(self, ending: Ending) -> None:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for row in ending.rows:
            if row.taken_at is not None:
                rows[row.message_id].append(row)
        owners = {correlation.key: correlation.message_id for correlation in ending.correlations}
        for message in ending.messages.values():
            own = rows[message.message_id]
            for row in own:
                floor = _evidence(row, message, owners, ending)
                if floor is not None:
                    demand(
                        message.status.rank >= floor.rank,
                        "I4",
                        f"{message.message_id} ended as {message.status}, and {floor} was told by "
                        f"{row.vendor.name} of {row.provider_message_id}",
                    )
            if message.status in _SAID_BY_VENDORS:
                said = {row.status_at(ending.now) for row in [*own, *_mistakable(message, ending)]}
                demand(message.status in said, "I4", f"{message.message_id} is {message.status}, and no vendor says so")


def _check_owners(ending: Ending) -> None:
    """I4: a vendor's answer is that to one message."""
    claimed: defaultdict[str, list[Message]] = defaultdict(list)
    for message in ending.messages.values():
        if message.provider_message_id is not None:
            claimed[_key_of(message)].append(message)
    for key, owning in claimed.items():
        # A lost message may be found in the answer of another one just like it, which was lost as well and comes
        # back with it after its lease: nothing tells whose it is.
        is_known = all(_was_lost(message) and _mistakable(message, ending) for message in owning)
        demand(len(owning) == 1 or is_known, "I4", f"{key} is the answer to {len(owning)} messages")


def _check_order(before: Message, after: Message) -> None:
    """I3: a status never falls within an attempt, a final one least of all."""
    moved = f"{after.message_id} went from {before.status} ({before.attempt}) to {after.status} ({after.attempt})"
    is_move = after.status is not before.status
    demand(after.revision > before.revision, "I3", f"{after.message_id} has no revision of its own")
    demand(after.sequence == before.sequence + is_move, "E2", f"{moved}, sequence {after.sequence}")
    if before.attempt and after.attempt != before.attempt:
        is_return = after.status is Status.QUEUED and before.status in (Status.SENDING, Status.UNKNOWN)
        demand(is_return and after.attempt == before.attempt + 1, "I3", moved)
    elif is_move:
        demand(after.status.rank > before.status.rank, "I3", moved)


def _is_evidence(before: Message, after: Message) -> bool:
    """Whether a change is what a report does: it raises the status, or adds the vendor's own words."""
    same = ("attempt", "attempt_id", "route", "provider", "on_unknown", "expires_at", "recipient")
    is_report = after.history[-1].source in (Source.WEBHOOK, Source.POLL)
    is_raised = after.status is before.status or (after.status.rank > before.status.rank and is_report)
    keeps_name = before.provider_message_id in (None, after.provider_message_id)
    return is_raised and keeps_name and all(getattr(before, name) == getattr(after, name) for name in same)


def _check_events(ending: Ending) -> None:
    """E2: each message's events are 1, 2, … without a gap, each from where the one before left off."""
    said: defaultdict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for event in ending.events:
        if event.detail_type == "Message Status Changed":
            known = said[event.detail["message_id"]]
            first = known.setdefault(event.detail["sequence"], event.detail)
            demand(first == event.detail, "E2", f"{event.detail['message_id']}: one sequence, two events")
            is_in_order = event.detail["sequence"] <= 1 or event.detail["sequence"] - 1 in known
            demand(is_in_order, "E2", f"{event.detail['message_id']}: an event came before the one before it")
    for message in ending.messages.values():
        events = said[message.message_id]
        demand(list(events) == list(range(1, message.sequence + 1)), "E2", f"{message.message_id}: {list(events)}")
        statuses = [None, *(detail["status"] for detail in events.values())]
        previous = [detail["previous_status"] for detail in events.values()]
        demand(previous == statuses[:-1], "E2", f"{message.message_id}: {previous} before {statuses[1:]}")
        demand(statuses[-1] == message.status, "E2", f"{message.message_id}: the last event says {statuses[-1]}")


def _check_meeting(correlation: Correlation, ending: Ending) -> None:
    """E3: no report waits whose message is known."""
    references = {report.reference for report in correlation.reports} if correlation.message_id is None else set()
    for message in ending.messages.values():
        is_own = message.message_id == correlation.message_id or _key_of(message) == correlation.key
        if not is_own and message.message_id not in references:
            continue
        # Of a former attempt only what reached the handset counts: the latest one may yet do better.
        least = Status.DELIVERED if not is_own and message.provider_message_id is not None else Status.ACCEPTED
        for report in correlation.reports:
            rank = report.status.rank if report.status is not None else 0
            is_applied = rank < least.rank or rank <= message.status.rank
            demand(is_applied, "E3", f"{report.status} of {correlation.key} never reached {message.message_id}")


def _key_of(message: Message) -> str:
    return correlation_key(message.provider or "", message.channel, message.provider_message_id or "")


def _key_of_row(row: Row) -> str:
    return correlation_key(row.vendor.name, row.vendor.channel, row.provider_message_id)


def _evidence(row: Row, message: Message, owners: Mapping[str, str | None], ending: Ending) -> Status | None:
    """Return what the house was told, or could have learned by asking, of a row that it knows to be the message's."""
    key = _key_of_row(row)
    is_named = key == _key_of(message) or owners.get(key) == message.message_id
    is_former = message.provider_message_id is not None and key != _key_of(message)
    is_told = is_named or row.sent.reference == message.message_id
    known = [row.told] if is_told and row.told is not None else []
    known = [status for status in known if not is_former or status.rank >= Status.DELIVERED.rank]
    if _can_be_asked(row.vendor, by_id=key == _key_of(message)) and (
        key == _key_of(message) or _is_unmistakable(row, message, ending)
    ):
        known.append(row.status_at(ending.now))
    return max(known, key=lambda status: status.rank, default=None)


def _can_be_asked(vendor: Vendor, *, by_id: bool) -> bool:
    own = [a for a in load(vendor.name) if vendor.webhook is None or vendor.webhook in a.capabilities.webhooks]
    return any(issubclass(api, SupportsListing) or (issubclass(api, SupportsLookup) and by_id) for api in own)


def _is_unmistakable(row: Row, message: Message, ending: Ending) -> bool:
    """Whether a list tells whose the row is: by our reference, or as the only one to its number with its text."""
    if message.provider_message_id is not None:
        return False
    alike = [other for other in ending.rows if _is_alike(other, row)]
    twins = [m for m in ending.messages.values() if m.recipient == message.recipient and m.attempt_id is not None]
    return row.sent.reference == message.message_id or (len(alike) == 1 and len(twins) == 1)


def _was_lost(message: Message) -> bool:
    return any(entry.status is Status.UNKNOWN for entry in message.history)


def _mistakable(message: Message, ending: Ending) -> list[Row]:
    """Return the row that a message has for its own, where nothing tells it from that of another one just like it."""
    named = [row for row in ending.rows if _key_of_row(row) == _key_of(message)]
    return [row for row in named if row.sent.reference is None and f"+{row.sent.number}" == message.recipient]


def _is_alike(one: Row, other: Row) -> bool:
    return one.vendor is other.vendor and one.sent == other.sent
