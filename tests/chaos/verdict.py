"""Check the result of a chaos test against the promises. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.demo.messages import Acceptance
from local.demo.watch import FINAL
from tests.chaos.load import LoadMessage
from tests.chaos.nemesis import STORE_STOPS, StoreStop, Target

MIN_KILLS: Final = 40

NOT_ACCEPTED: Final = frozenset({"failed", "canceled"})
"""Statuses that imply that no vendor accepted the message."""
ACCEPTED: Final = frozenset({"undelivered", "delivered", "read"})
"""Statuses that imply that a vendor accepted the message."""
AMBIGUOUS: Final = frozenset({"unknown", "unconfirmed"})
"""Statuses that imply a call to a vendor, unless a kill ended the worker before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosResult:
    """The state of the stack after a chaos test.

    - `outage_load`: the part of `load` that was sent after the last kill, around the stops of the store.
    - `kills`: number of kills by target; `interrupted_invocations`: number of invocations that a kill ended.
    - `sent_during_stops`: number of messages that were put on the queues during each stop of the store.
    - `stored`: statuses by message id; `event_statuses`: statuses of the events of each message, by sequence.
    - `acceptances`: number of acceptances in the ledgers of the vendors; `submissions`: the messages that reached a
      vendor, accepted or not. A restart of the simulators forgets submissions, so they cover only `outage_load`.
    - `dead_letters`: message ids of the dead letters; `queue_depths`: number of messages left in each queue.
    - `acknowledged_inbound`: texts of the inbound messages that the webhook answered with 200; `published_inbound`:
      texts of those that have an event.
    """

    load: Sequence[LoadMessage]
    outage_load: Sequence[LoadMessage]
    kills: Mapping[Target, int]
    interrupted_invocations: int
    sent_during_stops: Mapping[StoreStop, int]
    stored: Mapping[str, str]
    event_statuses: Mapping[str, Mapping[int, str]]
    acceptances: Mapping[Acceptance, int]
    submissions: Collection[Acceptance]
    dead_letters: Sequence[str]
    queue_depths: Mapping[str, int]
    acknowledged_inbound: frozenset[str]
    published_inbound: frozenset[str]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(self.stored.get(sent.message_id, "not stored") for sent in self.load)

    @property
    def forgotten(self) -> list[str]:
        """Messages that are neither final nor a dead letter."""
        ids = [sent.message_id for sent in self.load]
        return [i for i in ids if self.stored.get(i) not in FINAL and i not in self.dead_letters]

    @property
    def contradicted(self) -> list[str]:
        """Messages with a status that the ledgers of the vendors contradict."""
        return [
            sent.message_id for sent in self.load if _is_contradicted(self.stored, sent, self.acceptance_count(sent))
        ]

    @property
    def missing_events(self) -> list[str]:
        """Messages that lack an event between the first status and the stored one."""
        return [i for i, status in self.stored.items() if not _is_complete(self.event_statuses.get(i, {}), status)]

    @property
    def ambiguous_without_call(self) -> list[str]:
        """Messages that no kill could interrupt and that were `unknown` or `unconfirmed`, although no vendor saw them.

        The worker that claimed such a message is alive and knows that it made no call.
        """
        unseen = [sent.message_id for sent in self.outage_load if sent.acceptance not in self.submissions]
        return [i for i in unseen if not AMBIGUOUS.isdisjoint(self._all_statuses(i))]

    @property
    def max_acceptances(self) -> int:
        """The highest number of acceptances of one message with `on_unknown` set to `hold`."""
        return max(self.acceptance_count(sent) for sent in self.load if sent.must_not_repeat)

    @property
    def max_resend_acceptances(self) -> int:
        """The highest number of acceptances of one message with `on_unknown` set to `resend`."""
        return max((self.acceptance_count(sent) for sent in self.load if not sent.must_not_repeat), default=0)

    def acceptance_count(self, sent: LoadMessage) -> int:
        return self.acceptances.get(sent.acceptance, 0)

    def _all_statuses(self, message_id: str) -> set[str]:
        """Return every status that a message is known to have had."""
        return {*self.event_statuses.get(message_id, {}).values(), self.stored.get(message_id, "")}

    def violations(self) -> list[str]:
        """Return the broken promises, one line each; empty if all held."""
        own = {sent.message_id for sent in self.load}
        spared = {sent.message_id for sent in self.outage_load}
        kills = sum(self.kills.values())
        found = {
            "never killed": [target.value for target in Target if not self.kills.get(target)],
            "nothing was sent while the store was stopped": [
                str(stop) for stop in STORE_STOPS if not self.sent_during_stops.get(stop)
            ],
            "accepted more than once": [
                s.message_id for s in self.load if s.must_not_repeat and self.acceptance_count(s) > 1
            ],
            "forgotten": self.forgotten,
            "the ledgers contradict the status": self.contradicted,
            "accepted but never sent": [
                number for _, number in self.acceptances.keys() - {s.acceptance for s in self.load}
            ],
            "events are missing": self.missing_events,
            "unknown or unconfirmed, but no vendor was called": self.ambiguous_without_call,
            "dead letters of unknown messages": [i for i in self.dead_letters if i not in own],
            "dead letters without a kill": [i for i in self.dead_letters if i in spared],
            "inbound messages answered with 200 and lost": sorted(self.acknowledged_inbound - self.published_inbound),
            "queues not empty": [f"{name} ({count})" for name, count in self.queue_depths.items() if count],
        }
        too_few = [f"{kills} kills, not {MIN_KILLS}"] if kills < MIN_KILLS else []
        too_few += [] if self.interrupted_invocations else ["no invocation was interrupted"]
        too_few += [] if self.acknowledged_inbound else ["no inbound message was received"]
        return too_few + [f"{title}: {_shorten(names)}" for title, names in found.items() if names]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        yield from _table("kills", {target.value: self.kills.get(target, 0) for target in Target})
        yield f"interrupted invocations: {self.interrupted_invocations}"
        yield from _table("sent while the store was stopped", {str(s): n for s, n in self.sent_during_stops.items()})
        yield from _table("messages", dict(self.statuses.most_common()))
        unconfirmed = [s for s in self.load if self.stored.get(s.message_id) == "unconfirmed"]
        yield f"unconfirmed, and accepted by a vendor: {sum(self.acceptance_count(s) > 0 for s in unconfirmed)}"
        yield f"most acceptances of one message: {self.max_acceptances} (resend: {self.max_resend_acceptances})"
        yield f"forgotten: {len(self.forgotten)}   contradicted: {len(self.contradicted)}"
        yield f"unknown or unconfirmed without a call, in {len(self.outage_load)}: {len(self.ambiguous_without_call)}"
        acknowledged, published = len(self.acknowledged_inbound), len(self.published_inbound)
        yield f"inbound messages: {acknowledged} answered with 200, {published} published"
        yield f"dead letters: {len(self.dead_letters)}"


def _is_contradicted(stored: Mapping[str, str], sent: LoadMessage, acceptance_count: int) -> bool:
    status = stored.get(sent.message_id)
    return (status in ACCEPTED and not acceptance_count) or (
        bool(acceptance_count) and (status in NOT_ACCEPTED or status is None)
    )


def _is_complete(event_statuses: Mapping[int, str], status: str) -> bool:
    return (
        bool(event_statuses)
        and sorted(event_statuses) == list(range(1, len(event_statuses) + 1))
        and event_statuses[max(event_statuses)] == status
    )


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _table(title: str, rows: Mapping[str, int]) -> Iterator[str]:
    yield f"{title}: {sum(rows.values())}"
    yield from (f"  {count:4}  {name}" for name, count in rows.items())
