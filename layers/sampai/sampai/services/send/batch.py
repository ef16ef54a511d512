"""The batch that passes through the send pipeline. Every stage reads its items and writes to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sampai.contract.events import Event
from sampai.contract.request import Request
from sampai.domain.message import Message
from sampai.domain.outcome import Outcome
from sampai.providers.base import Provider
from sampai.services.deadline import Deadline
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.queue import Receipt, WakeUp
from sampai.services.send.admission import Decision
from sampai.services.send.configuration import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One SQS message."""

    record_id: str
    body: str = field(repr=False)
    sent_at: datetime | None = None
    """Time at which it was put on the queue."""
    group: str | None = None
    """Message group that the caller chose."""
    caller_id: str | None = None
    """Unique id of the IAM identity that put the record on the queue, if the queue named one."""
    receipt: Receipt | None = field(default=None, repr=False)
    """This delivery of the message."""
    receives: int = 1
    """Deliveries so far, this one included."""


@dataclass(slots=True, kw_only=True, eq=False)
class BatchItem:
    """One message on its way through the pipeline, from the records that asked for it to its stored result."""

    record_ids: list[str]
    """Records that asked for the message."""
    before: Message
    """A new message as a draft (revision 0), or the stored revision of a message that waited."""
    message: Message = field(init=False)
    """The message as decided. The claim stage stores it."""
    provider: Provider | None = None
    """The provider to call. None if the message is not sent in this batch."""
    wake_up: WakeUp | None = None
    """Queued once the message is stored."""
    starts_at: datetime | None = None
    """Reserved start of the call, if the provider has a rate limit."""
    outcome: Outcome | None = None
    """Set once the provider was to be called."""
    stored: Message | None = None
    """The message as stored after its outcome. None if the store did not confirm it."""
    is_claim_confirmed: bool = True
    """False: the store did not answer the claim. The message is not sent in this batch."""
    is_carried: bool = False
    """Whether the outcome is that of another worker, and came with a record."""

    def __post_init__(self) -> None:
        self.message = self.before

    @property
    def is_new(self) -> bool:
        """Whether the message was not stored before this batch."""
        return self.before.revision == 0

    @property
    def write(self) -> Insert | Replace:
        """The conditional write that stores the decision."""
        if self.is_new:
            return Insert(message=self.message)
        return Replace(before=self.before, message=self.message)

    def decide(self, decision: Decision) -> None:
        """Set the message to store, and the provider call or wake-up that follows."""
        self.message = decision.message
        self.provider = decision.provider
        self.wake_up = decision.wake_up


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Batch:
    """The records of one invocation of send, on their way through its pipeline."""

    requests: Sequence[tuple[Record, Request]]
    configuration: Configuration
    deadline: Deadline
    started_at: datetime
    items: list[BatchItem] = field(default_factory=list)
    """Messages still in the pipeline. A stage removes those that the later stages must not see."""
    unfinished: set[str] = field(default_factory=set)
    """Ids of records that the queue must deliver again."""
    affected_by_outage: set[str] = field(default_factory=set)
    """The unfinished records that an outage of AWS stopped. They come back later each time."""
    rejected: list[Event] = field(default_factory=list)
    """Events about requests that became no message of their own."""
    rejected_records: set[str] = field(default_factory=set)
    """Ids of the records that the rejected events are about."""

    @property
    def wake_ups(self) -> list[WakeUp]:
        """The wake-ups to queue."""
        return [item.wake_up for item in self.items if item.wake_up is not None]

    def redeliver(self, item: BatchItem) -> None:
        """Remove an item and have its records delivered again."""
        if item in self.items:
            self.items.remove(item)
        self.unfinished.update(item.record_ids)

    def redeliver_after_outage(self, record_ids: Iterable[str]) -> None:
        """Have records delivered again that an outage of AWS stopped."""
        record_ids = set(record_ids)
        self.unfinished |= record_ids
        self.affected_by_outage |= record_ids

    def remove_after_outage(self, item: BatchItem) -> None:
        """Remove an item that an outage of AWS stopped, and have its records delivered again."""
        self.items.remove(item)
        self.redeliver_after_outage(item.record_ids)

    def add(self, other: "Batch") -> None:
        """Add the items and results of another batch with the same configuration and deadline."""
        self.items += other.items
        self.unfinished |= other.unfinished
        self.affected_by_outage |= other.affected_by_outage
        self.rejected += other.rejected
        self.rejected_records |= other.rejected_records

    def reject(self, record_ids: Iterable[str], event: Event) -> None:
        """Publish an event about records at the end of the batch."""
        self.rejected.append(event)
        self.rejected_records.update(record_ids)
