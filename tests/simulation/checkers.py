"""Check the promises: I1 to I3, I6 to I8 and I13 after every step; I4, I5 and E1 to E3 at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sampai.contract.events import Event
from sampai.domain.message import Category, Channel, Message, OnUnknown, text_of_content
from sampai.domain.status import Source, Status
from sampai.domain.times import from_text
from sampai.providers.base import Provider
from sampai.providers.features import SupportsListing, SupportsLookup, SupportsWebhooks
from sampai.providers.registry import load, on_channel
from sampai.services.follow_up.next_state import MAX_ATTEMPTS
from sampai.services.ports.correlations import Correlation, correlation_key
from sampai.services.ports.messages import ONLY_WORKER, Worker
from sampai.services.ports.queue import QueueMessage, WakeUp
from tests.fakes import START
from tests.harness.dynamo import Item
from tests.harness.vendors import Sent, Vendor
from tests.simulation.scenarios import PANELS
from tests.simulation.vendors import Row

_NOT_TAKEN: Final = frozenset({Status.QUEUED, Status.FAILED, Status.CANCELED})
"""Statuses that imply that no vendor accepted the message."""

MAX_SKEW: Final = timedelta(seconds=31)
"""The largest difference of a process's clock, with a second for the rounding of a TTL."""

SEND_LIFETIME: Final = timedelta(seconds=30)
"""The time-out of the send function, as in the template."""

_VENDOR_STATUSES: Final = frozenset({Status.UNDELIVERED, Status.DELIVERED, Status.READ})


class BrokenPromiseError(BaseException):
    """A promise was broken. It is a BaseException, so no `except Exception` of the services hides it."""


class ProcessDiedError(BaseException):
    """A process dies between two of its steps. It is a BaseException, so no service catches it."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One invocation of one function."""

    name: str
    started_at: datetime
    dies_at: datetime
    """The end of its timeout, checked before each step."""
    skew: timedelta
    """The difference of its clock from the clock of the world."""
    depth: int
    claims: dict[str, Message] = field(default_factory=dict)
    """Its claims, by message id."""
    confirmed: set[str] = field(default_factory=set)
    """The messages with a write that the store has confirmed to it."""
    spent: set[str] = field(default_factory=set)
    """Attempt ids that it used in a call to a vendor."""
    asked: dict[tuple[str, Channel], bool] = field(default_factory=dict)
    """The APIs of vendors that it has asked about messages, and whether the last answer was a true one."""
    correlations: dict[str, Correlation] = field(default_factory=dict)
    """The correlations that it has read or claimed."""
    asked_about: set[tuple[str, Channel, str]] = field(default_factory=set)
    """Its questions to the APIs of vendors, each with the vendor's id or the number in it. Without both, the question
    was about every message of the API. So was one without an answer: the vendor is asked no other then.
    """
    worker: Worker = ONLY_WORKER
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Revisions of the messages that waited for a wake-up, or with a lost lease, when it began: those that were due in
    the shards of its worker.
    """
    handled: set[str] = field(default_factory=set)
    """Messages that it has tried to write, or that the index has kept from it."""
    stored: set[str] = field(default_factory=set)
    """Messages that it has written."""
    is_cut_off: bool = False
    """Whether the queue has refused a message of it."""


@dataclass(slots=True, kw_only=True)
class FinalState:
    """The final state of a run."""

    messages: Mapping[str, Message]
    """With those that were deleted at their TTL."""
    items: Mapping[str, Item]
    """By message id."""
    touched: Mapping[str, str]
    """What another version of the code did to messages, by message id."""
    excused: Set[str]
    """Messages that could not be read while another fault happened. Their last outcome may be lost: it is in no place
    but the queue, which may have refused it, or given it up after five deliveries.
    """
    consents: Mapping[str, bool]
    """Whether a number has opted out, by number."""
    expected_consents: Mapping[str, bool]
    is_consent_in_doubt: bool
    correlations: Iterable[Correlation]
    rows: Sequence[Row]
    events: Iterable[Event]
    dead_letters: Mapping[str, str]
    """Reasons, by the message id of the record."""
    requested: Iterable[str]
    conflicts: Iterable[str]
    now: datetime


def _is_stored(claim: Message, stored: Mapping[str, Message]) -> bool:
    """Return whether a claim is the stored one. Another version may have damaged its item after it was stored."""
    current = stored.get(claim.message_id)
    return current is None or current.attempt_id == claim.attempt_id


def require(holds: bool, promise: str, detail: str) -> None:
    if not holds:
        raise BrokenPromiseError(f"{promise}: {detail}")


class Checkers:
    def __init__(
        self, *, max_per_recipient: int | None, retention: timedelta, quiet_minutes: tuple[int, int] | None
    ) -> None:
        self._quiet = None if quiet_minutes is None else [START + timedelta(minutes=m) for m in quiet_minutes]
        self._max_per_recipient = max_per_recipient
        self._retention = retention
        self._sent_to: defaultdict[str, set[str]] = defaultdict(set)
        self.acceptances: Counter[str] = Counter()
        self.opted_out: dict[str, datetime] = {}
        """Times at which opt-outs became durable, by number."""
        self.may_be_unaskable = False
        """Whether the settings or the secret have changed, so that a vendor could not be asked for a time."""
        self.unanswered: set[str] = set()
        """Messages that were given up without an answer of their vendor."""
        self.uncalled: set[str] = set()
        """Attempts that ended without a call, of workers that lived to say so."""

    # --- after every step ---------------------------------------------------------------------------------------------

    def check_write(self, process: Process, before: Message | None, after: Message) -> None:
        """Check a stored revision: I1, I3, I6, I8."""
        message_id = after.message_id
        if before is not None:
            require(before.fingerprint == after.fingerprint, "I8", f"{message_id} belongs to another request")
            _check_order(before, after)
        is_claim = after.status is Status.SENDING and (before is None or before.attempt_id != after.attempt_id)
        claim = process.claims.get(message_id)
        if is_claim:
            process.claims[message_id] = after
        elif before is not None and claim is not None and claim.attempt_id != before.attempt_id:
            require(_is_report_change(before, after), "I6", f"a superseded attempt changed {message_id}")
        process.stored.add(message_id)
        if after.status is Status.UNCONFIRMED:
            self._check_given_up(process, after)
        if before is not None and after.lookups > before.lookups and not _may_await_receipt(before):
            self._check_asked(process, before, "took a polling step")
        if after.on_unknown is OnUnknown.HOLD and after.status in _NOT_TAKEN:
            require(not self.acceptances[message_id], "I1", f"{message_id} is {after.status}, and a vendor accepted it")

    def _check_given_up(self, process: Process, message: Message) -> None:
        """Check that a message is given up only after its vendor was asked: not because nobody had time."""
        self._check_asked(process, message, "was given up")
        if not process.asked.get((_vendor_of(message), message.channel)) and _can_be_asked(message):
            self.unanswered.add(message.message_id)

    def _check_asked(self, process: Process, message: Message, event: str) -> None:
        """Check that a process has asked the vendor about a message, if it could."""
        api = _vendor_of(message), message.channel
        subjects = ("", message.provider_message_id, (message.recipient or "").removeprefix("+"))
        is_asked = any((*api, subject) in process.asked_about for subject in subjects if subject is not None)
        is_asked = is_asked or self.may_be_unaskable or not _can_be_asked(message)
        correlation = process.correlations.get(_key_of(message))
        if correlation is not None and (
            correlation.is_reused or correlation.message_id not in (None, message.message_id)
        ):
            return  # The answer under its vendor's id would be about another message.
        require(is_asked, "asked", f"{message.message_id} {event}, and nobody had asked about it")

    def check_ask(
        self, process: Process, stored: Mapping[str, Message], vendor: Vendor, subject: str, *, is_answered: bool
    ) -> None:
        """Check that no wake-up or lost lease waits behind a question to a vendor. `subject` is as in `asked_about`."""
        for message_id in sorted(process.waiting.keys() - process.handled):
            message = stored.get(message_id)
            is_handled = message is None or message.revision != process.waiting[message_id]
            require(is_handled, "first", f"{message_id} is {message and message.status}, and a vendor was asked before")
        process.asked[vendor.name, vendor.channel] = is_answered
        process.asked_about.add((vendor.name, vendor.channel, subject))

    def check_wake_ups(self, process: Process, queued: Sequence[QueueMessage]) -> None:
        """Check that of several runs over one shard, only the one that has deferred a message queues its wake-up."""
        if process.name == "follow_up":
            others = {each.message_id for each in queued if isinstance(each, WakeUp)} - process.stored
            require(not others, "overlap", f"{sorted(others)} were woken by a run that has not stored it")

    def check_send(
        self, process: Process, sent: Sequence[Sent], stored: Mapping[str, Message], started_at: datetime
    ) -> list[Message]:
        """Check a call to a vendor and return its claims: I2, I7, I13."""
        require(len({entry.number for entry in sent}) == len(sent), "I13", "one call contains a number twice")
        claims = [self._claim_for(process, entry, stored) for entry in sent]
        for claim in claims:
            is_own = _is_stored(claim, stored)
            require(is_own, "I2", f"{claim.message_id} is sent under an attempt that is not the stored one")
            require(
                not claim.is_expired(started_at + process.skew), "I7", f"{claim.message_id} is sent after expires_at"
            )
            self._check_opt_out(process, claim)
            self._check_quiet_hours(process, claim, started_at)
        return claims

    def _claim_for(self, process: Process, sent: Sent, stored: Mapping[str, Message]) -> Message:
        number = sent.number if "@" in sent.number else f"+{sent.number}"

        # Of two equal messages, the first of the batch is sent first, whichever was claimed first. One that cannot be
        # read, and one whose claim got no answer, was probably given back.
        def order(claim: Message) -> tuple[bool, bool, str]:
            return claim.message_id not in stored, claim.message_id not in process.confirmed, claim.message_id

        for claim in sorted(process.claims.values(), key=order):
            if claim.recipient != number or claim.attempt_id in process.spent:
                continue
            if claim.content is not None and text_of_content(claim.content) == sent.text:
                process.spent.add(claim.attempt_id or "")
                return claim
        promise = "I2" if any(number == claim.recipient for claim in process.claims.values()) else "I13"
        raise BrokenPromiseError(f"{promise}: a process sent a message that it did not claim")

    def _check_opt_out(self, process: Process, claim: Message) -> None:
        opted_out_at = self.opted_out.get(claim.recipient or "")
        if claim.category is Category.PROMOTIONAL and opted_out_at is not None:
            require(
                process.started_at < opted_out_at, "opt-out", f"{claim.message_id} is sent to a number that opted out"
            )

    def _check_quiet_hours(self, process: Process, claim: Message, started_at: datetime) -> None:
        """Check a call by the clock of its process. One that outlives its time-out does not know the time."""
        if self._quiet is None or claim.category is not Category.PROMOTIONAL:
            return
        since, until = self._quiet
        at = min(started_at, process.started_at + SEND_LIFETIME) + process.skew
        require(not since <= at < until, "quiet", f"{claim.message_id} is sent in quiet hours")

    def ended(self, process: Process) -> None:
        """Record the attempts that a process has ended without a call."""
        if not process.is_cut_off:
            claimed = {claim.attempt_id for claim in process.claims.values() if claim.attempt_id is not None}
            self.uncalled |= claimed - process.spent

    def check_lifetime(self, item: Item) -> None:
        """Check the TTL of a message's item: I1, because a deleted message may be sent again."""
        times = [from_text(item[name]["S"]) for name in ("created_at", "send_at") if name in item]
        expires_at = datetime.fromtimestamp(int(item["ttl"]["N"]), UTC)
        is_kept = expires_at > max(times) + self._retention - timedelta(seconds=1)
        require(is_kept, "TTL", f"{item['message_id']['S']} expires at {expires_at}")

    def check_link_lifetime(self, item: Item, *, now: datetime) -> None:
        """Check that the link of a vendor's id, which is written now, is kept as long as its message."""
        expires_at = datetime.fromtimestamp(int(item["ttl"]["N"]), UTC)
        is_kept = expires_at > now + self._retention - MAX_SKEW
        require(is_kept, "TTL", f"{item['correlation_key']['S']} expires at {expires_at}")

    def check_deleted(self, message: Message, *, now: datetime) -> None:
        """Check that only what is final is deleted at its TTL."""
        require(message.status.is_final, "E1", f"{message.message_id} was deleted as {message.status}")
        kept_until = max(message.created_at, message.send_at or message.created_at) + self._retention
        require(now >= kept_until - MAX_SKEW, "TTL", f"{message.message_id} was deleted at {now}")

    def consent_changed(self, number: str, *, is_out: bool, now: datetime) -> None:
        """Record the durable consent of a number."""
        if is_out:
            self.opted_out.setdefault(number, now)
        else:
            self.opted_out.pop(number, None)

    def count_acceptance(self, claim: Message) -> None:
        """Count an acceptance and check the limits: I1, I13."""
        self.acceptances[claim.message_id] += 1
        limit = 1 if claim.on_unknown is OnUnknown.HOLD else MAX_ATTEMPTS
        count = self.acceptances[claim.message_id]
        require(count <= limit, "I1", f"{claim.message_id} was accepted {count} times")
        own = self._sent_to[claim.recipient or ""]
        own.add(claim.message_id)
        is_within = self._max_per_recipient is None or len(own) <= self._max_per_recipient
        require(is_within, "I13", f"{claim.message_id} exceeds the quota of its recipient")

    # --- at the end ---------------------------------------------------------------------------------------------------

    def check_final_state(self, final: FinalState) -> None:
        """Check the final state, after the faults and the horizon: E1 to E3, I4, I5, I8."""
        for message in final.messages.values():
            require(message.status.is_final, "E1", f"{message.message_id} is {message.status} for ever")
            require(message.due_at is None, "E3", f"{message.message_id} is final and still due")
            is_lost = message.status is Status.UNCONFIRMED and message.attempt_id in self.uncalled
            is_known = is_lost and message.message_id not in final.excused
            require(
                not is_known, "I4", f"{message.message_id} is unconfirmed, and its worker knew that it made no call"
            )
        for message_id in final.requested:
            is_accounted = message_id in final.messages or final.dead_letters.get(message_id)
            require(bool(is_accounted), "I5", f"{message_id} is neither stored nor a dead letter with a reason")
        reported = {event.detail["message_id"] for event in final.events if event.detail_type == "Request Rejected"}
        for message_id in final.conflicts:
            # Beside an item that cannot be read, the second request becomes a dead letter.
            is_reported = message_id in reported or message_id in final.dead_letters
            require(is_reported, "I8", f"{message_id} had two requests, and no event reported it")
        _check_events(final)
        _check_other_versions(final)
        for number, is_out in final.expected_consents.items():
            is_newest = final.consents[number] is is_out or (final.consents[number] and final.is_consent_in_doubt)
            require(is_newest, "consent", f"the newest wish of {number} does not count")
        for correlation in final.correlations:
            _check_correlation(correlation, final)
        self._check_known_statuses(final)
        _check_owners(final)

    def _check_known_statuses(self, final: FinalState) -> None:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for row in final.rows:
            if row.taken_at is not None:
                rows[row.message_id].append(row)
        owners = {correlation.key: correlation.message_id for correlation in final.correlations}
        for message in final.messages.values():
            if message.message_id in final.excused:
                continue
            own = rows[message.message_id]
            for row in own:
                is_answered = message.message_id not in self.unanswered
                known_status = _known_status(row, message, owners, final, is_answered=is_answered)
                if known_status is not None:
                    require(
                        message.status.rank >= known_status.rank,
                        "I4",
                        f"{message.message_id} ended as {message.status}, and {known_status} was reported by "
                        f"{row.vendor.name} of {row.provider_message_id}",
                    )
            if message.status in _VENDOR_STATUSES:
                vendor_statuses = {row.status_at(final.now) for row in [*own, *_ambiguous_rows(message, final)]}
                require(
                    message.status in vendor_statuses,
                    "I4",
                    f"{message.message_id} is {message.status}, and no vendor says so",
                )


def _vendor_of(message: Message) -> str:
    """Return the name of the vendor of a message. That of another panel is the name of its software."""
    name = message.provider or ""
    return PANELS[name]["type"] if name in PANELS else name


def _api_of(message: Message) -> type[Provider] | None:
    vendor = _vendor_of(message)
    return on_channel(vendor, message.channel) if vendor else None


def _may_await_receipt(message: Message) -> bool:
    """Return whether the first look at a message may be left to its receipt."""
    api = _api_of(message)
    return message.lookups == 0 and api is not None and issubclass(api, SupportsWebhooks)


def _can_be_asked(message: Message) -> bool:
    api = _api_of(message)
    can_look_up = api is not None and issubclass(api, SupportsLookup) and message.provider_message_id is not None
    return api is not None and (can_look_up or issubclass(api, SupportsListing))


def _check_owners(final: FinalState) -> None:
    """I4: a vendor id belongs to one message."""
    claimed: defaultdict[str, list[Message]] = defaultdict(list)
    for message in final.messages.values():
        if message.provider_message_id is not None:
            claimed[_key_of(message)].append(message)
    for key, owning in claimed.items():
        # Two equal sends without an answer cannot be distinguished in the vendor's list. Both may get the same id.
        is_known = all(_was_unknown(message) and _ambiguous_rows(message, final) for message in owning)
        require(len(owning) == 1 or is_known, "I4", f"{key} belongs to {len(owning)} messages")


def _check_order(before: Message, after: Message) -> None:
    """I3: the rank of a status never falls within an attempt."""
    moved = f"{after.message_id} went from {before.status} ({before.attempt}) to {after.status} ({after.attempt})"
    is_move = after.status is not before.status
    require(after.revision > before.revision, "I3", f"{after.message_id} has no new revision")
    require(after.sequence == before.sequence + is_move, "E2", f"{moved}, sequence {after.sequence}")
    if before.attempt and after.attempt != before.attempt:
        is_return = after.status is Status.QUEUED and before.status in (Status.SENDING, Status.UNKNOWN)
        require(is_return and after.attempt == before.attempt + 1, "I3", moved)
    elif is_move:
        require(after.status.rank > before.status.rank, "I3", moved)


def _is_report_change(before: Message, after: Message) -> bool:
    """Whether a report can cause the change: it raises the status, or adds fields of the vendor."""
    same = ("attempt", "attempt_id", "route", "provider", "on_unknown", "expires_at", "recipient")
    is_report = after.history[-1].source in (Source.WEBHOOK, Source.POLL)
    is_raised = after.status is before.status or (after.status.rank > before.status.rank and is_report)
    keeps_name = before.provider_message_id in (None, after.provider_message_id)
    return is_raised and keeps_name and all(getattr(before, name) == getattr(after, name) for name in same)


def _check_events(final: FinalState) -> None:
    """E2: the events of each message have the sequences 1, 2, … and matching previous statuses."""
    vendor_statuses: defaultdict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for event in final.events:
        message_id = event.detail["message_id"]
        # An image that cannot be read has no event, and the next event has no previous status.
        if event.detail_type != "Message Status Changed" or message_id in final.touched:
            continue
        known = vendor_statuses[message_id]
        first = known.setdefault(event.detail["sequence"], event.detail)
        require(first == event.detail, "E2", f"{message_id}: two events with one sequence")
        is_in_order = event.detail["sequence"] <= 1 or event.detail["sequence"] - 1 in known
        require(is_in_order, "E2", f"{message_id}: an event came before its predecessor")
    for message in final.messages.values():
        if message.message_id in final.touched:
            continue
        events = vendor_statuses[message.message_id]
        require(list(events) == list(range(1, message.sequence + 1)), "E2", f"{message.message_id}: {list(events)}")
        statuses = [None, *(detail["status"] for detail in events.values())]
        previous = [detail["previous_status"] for detail in events.values()]
        require(previous == statuses[:-1], "E2", f"{message.message_id}: {previous} before {statuses[1:]}")
        require(statuses[-1] == message.status, "E2", f"{message.message_id}: the last event says {statuses[-1]}")


def _check_other_versions(final: FinalState) -> None:
    """The attributes of a newer version stay in its items."""
    for message_id, kind in final.touched.items():
        item = final.items.get(message_id)
        if item is not None and kind == "another version adds attributes":
            kept = (item.get("priority"), item.get("schema_version"))
            require(kept == ({"N": "7"}, {"N": "2"}), "versions", f"{message_id} lost attributes of a newer version")


def _check_correlation(correlation: Correlation, final: FinalState) -> None:
    """E3: no buffered report belongs to a known message."""
    references = {report.reference for report in correlation.reports} if correlation.message_id is None else set()
    for message in final.messages.values():
        if message.message_id in final.excused:
            continue
        is_own = message.message_id == correlation.message_id or _key_of(message) == correlation.key
        if not is_own and message.message_id not in references:
            continue
        # For an earlier attempt, only delivery counts: the latest attempt can still succeed.
        least = Status.DELIVERED if not is_own and message.provider_message_id is not None else Status.ACCEPTED
        for report in correlation.reports:
            rank = report.status.rank if report.status is not None else 0
            is_applied = rank < least.rank or rank <= message.status.rank
            require(is_applied, "E3", f"{report.status} of {correlation.key} never reached {message.message_id}")


def _key_of(message: Message) -> str:
    return correlation_key(message.provider or "", message.channel, message.provider_message_id or "")


def _key_of_row(row: Row) -> str:
    return correlation_key(row.vendor.name, row.vendor.channel, row.provider_message_id)


def _known_status(
    row: Row, message: Message, owners: Mapping[str, str | None], final: FinalState, *, is_answered: bool
) -> Status | None:
    """Return the highest status that the product received or could poll for a row of the message."""
    key = _key_of_row(row)
    is_named = key == _key_of(message) or owners.get(key) == message.message_id
    is_former = message.provider_message_id is not None and key != _key_of(message)
    is_linked = is_named or row.sent.reference == message.message_id
    known = [row.acknowledged] if is_linked and row.acknowledged is not None else []
    known = [status for status in known if not is_former or status.rank >= Status.DELIVERED.rank]
    if (is_answered and _is_pollable(row.vendor, by_id=key == _key_of(message))) and (
        key == _key_of(message) or _is_unambiguous(row, message, final)
    ):
        known.append(row.status_at(final.now))
    return max(known, key=lambda status: status.rank, default=None)


def _is_pollable(vendor: Vendor, *, by_id: bool) -> bool:
    own = [a for a in load(vendor.name) if vendor.webhook is None or vendor.webhook in a.capabilities.webhooks]
    return any(issubclass(api, SupportsListing) or (issubclass(api, SupportsLookup) and by_id) for api in own)


def _is_unambiguous(row: Row, message: Message, final: FinalState) -> bool:
    """Whether a list identifies the row: by our reference, or as the only row with its number and text."""
    if message.provider_message_id is not None:
        return False
    identical = [other for other in final.rows if _is_identical(other, row)]
    twins = [m for m in final.messages.values() if m.recipient == message.recipient and m.attempt_id is not None]
    return row.sent.reference == message.message_id or (len(identical) == 1 and len(twins) == 1)


def _was_unknown(message: Message) -> bool:
    return any(entry.status is Status.UNKNOWN for entry in message.history)


def _ambiguous_rows(message: Message, final: FinalState) -> list[Row]:
    """Return the row of a message if it cannot be distinguished from the row of an equal message."""
    named = [row for row in final.rows if _key_of_row(row) == _key_of(message)]
    return [row for row in named if row.sent.reference is None and f"+{row.sent.number}" == message.recipient]


def _is_identical(one: Row, other: Row) -> bool:
    return one.vendor is other.vendor and one.sent == other.sent
