"""A report: one piece of normalised evidence about the status of a message."""

from dataclasses import dataclass
from datetime import datetime

from sampai.domain.failure import Reason
from sampai.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A vendor's statement about a message, from a webhook, a lookup or a list.

    `status` is None for an unknown word: it is stored as evidence and does not change the status of the message.
    `reference` is our own reference, if the vendor returns it. `occurred_at` is the vendor's clock, in UTC.
    `cost` is in the vendor's own words.
    """

    provider_message_id: str
    status: Status | None
    provider_status: str
    reference: str | None = None
    is_provisional: bool = False
    """Whether the vendor also writes this failure when it hands the message over, and may replace it later."""
    reason: Reason | None = None
    provider_code: str | None = None
    occurred_at: datetime | None = None
    cost: str | None = None

    @property
    def proves_delivery(self) -> bool:
        return self.status is not None and self.status.rank >= Status.DELIVERED.rank
