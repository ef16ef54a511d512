"""The results of the chaos, and the check of the guarantees. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from local.demo.messages import Acceptance
from local.demo.watch import FINAL
from tests.chaos.load import Sent
from tests.chaos.nemesis import Victim

LEAST_KILLS: Final = 40

TAKEN_NOWHERE: Final = frozenset({"failed", "canceled"})
"""Statuses that mean that no vendor accepted the message."""
TAKEN: Final = frozenset({"undelivered", "delivered", "read"})
"""Statuses that mean that a vendor accepted the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The results when all queues are quiet.

    `stored` has statuses by message id; `heard` the statuses of the events about a message, by sequence; `acceptances`
    the entries of the vendors' ledgers; `dead_letters` the message ids of the dead letters; `waiting` the number
    of messages in each queue that should be empty; `arrivals` and `heard_arrivals` the texts of the inbound
    messages with a callback that was answered with 200, and of those with an event; `cut_short` counts the
    invocations that a kill ended.
    """

    load: Sequence[Sent]
    kills: Mapping[Victim, int]
    cut_short: int
    stored: Mapping[str, str]
    heard: Mapping[str, Mapping[int, str]]
    acceptances: Mapping[Acceptance, int]
    dead_letters: Sequence[str]
    waiting: Mapping[str, int]
    arrivals: frozenset[str]
    heard_arrivals: frozenset[str]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(self.stored.get(sent.message_id, "not stored") for sent in self.load)

    @property
    def forgotten(self) -> list[str]:
        """Messages that are neither final nor dead letters."""
        ids = [sent.message_id for sent in self.load]
        return [i for i in ids if self.stored.get(i) not in FINAL and i not in self.dead_letters]

    @property
    def unexplained(self) -> list[str]:
        """Messages with an end that contradicts the vendors' ledgers."""
        return [sent.message_id for sent in self.load if _is_contradicted(self.stored, sent, self.taken(sent))]

    @property
    def unheard(self) -> list[str]:
        """Messages without a complete series of events up to the stored status."""
        return [i for i, status in self.stored.items() if not _is_whole(self.heard.get(i, {}), status)]

    @property
    def most(self) -> int:
        """The largest number of acceptances of a message with `on_unknown: hold`."""
        return max(self.taken(sent) for sent in self.load if sent.is_held)

    @property
    def most_resent(self) -> int:
        """The same for messages with `on_unknown: resend`."""
        return max((self.taken(sent) for sent in self.load if not sent.is_held), default=0)

    def taken(self, sent: Sent) -> int:
        return self.acceptances.get(sent.acceptance, 0)

    def objections(self) -> list[str]:
        """Return the broken guarantees, a line each."""
        own = {sent.message_id for sent in self.load}
        kills = sum(self.kills.values())
        found = {
            "never killed": [victim.value for victim in Victim if not self.kills.get(victim)],
            "accepted more than once": [s.message_id for s in self.load if s.is_held and self.taken(s) > 1],
            "forgotten": self.forgotten,
            "the ledgers contradict the status": self.unexplained,
            "a vendor took what nobody sent": [
                number for _, number in self.acceptances.keys() - {s.acceptance for s in self.load}
            ],
            "events are missing": self.unheard,
            "a dead letter of nobody's": [i for i in self.dead_letters if i not in own],
            "inbound, answered with 200 and lost": sorted(self.arrivals - self.heard_arrivals),
            "not empty": [f"{name} ({count})" for name, count in self.waiting.items() if count],
        }
        too_few = [f"{kills} kills, not {LEAST_KILLS}"] if kills < LEAST_KILLS else []
        too_few += [] if self.cut_short else ["no invocation was cut short"]
        too_few += [] if self.arrivals else ["no inbound message came in"]
        return too_few + [f"{what}: {_some(names)}" for what, names in found.items() if names]

    def lines(self) -> Iterator[str]:
        """Yield the report, a line each."""
        yield from _table("kills", {victim.value: self.kills.get(victim, 0) for victim in Victim})
        yield f"invocations cut short: {self.cut_short}"
        yield from _table("messages", dict(self.statuses.most_common()))
        unconfirmed = [s for s in self.load if self.stored.get(s.message_id) == "unconfirmed"]
        yield f"unconfirmed, and taken by a vendor: {sum(self.taken(s) > 0 for s in unconfirmed)}"
        yield f"acceptances of one message, at most: {self.most} (resend: {self.most_resent})"
        yield f"forgotten: {len(self.forgotten)}   unexplained: {len(self.unexplained)}"
        yield f"inbound messages: {len(self.arrivals)} answered with 200, {len(self.heard_arrivals)} heard of"
        yield f"dead letters: {len(self.dead_letters)}"


def _is_contradicted(stored: Mapping[str, str], sent: Sent, taken: int) -> bool:
    status = stored.get(sent.message_id)
    return (status in TAKEN and not taken) or (bool(taken) and (status in TAKEN_NOWHERE or status is None))


def _is_whole(heard: Mapping[int, str], status: str) -> bool:
    return bool(heard) and sorted(heard) == list(range(1, len(heard) + 1)) and heard[max(heard)] == status


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _table(title: str, rows: Mapping[str, int]) -> Iterator[str]:
    yield f"{title}: {sum(rows.values())}"
    yield from (f"  {count:4}  {name}" for name, count in rows.items())
