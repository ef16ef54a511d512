"""One piece of normalised evidence about a message's status."""

from dataclasses import dataclass
from datetime import datetime

from sampai.domain.failure import Reason
from sampai.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a vendor says of a message, by webhook, look-up or list.

    `status` is None for a word that we have not met: evidence, but it moves nothing.
    `reference` is our own reference, where the vendor echoes it. `occurred_at` is the vendor's clock, in UTC.
    """

    provider_message_id: str
    status: Status | None
    provider_status: str
    reference: str | None = None
    reason: Reason | None = None
    provider_code: str | None = None
    occurred_at: datetime | None = None
