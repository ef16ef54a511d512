"""The ledger of the simulated vendors. The vendors themselves are those of the harness."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sampai.domain.status import Status
from tests.harness import vendors

JOURNEYS: Final[Mapping[str, tuple[tuple[float, Status], ...]]] = {
    "delivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.DELIVERED)),
    "undelivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.UNDELIVERED)),
    "late": ((0, Status.ACCEPTED), (70, Status.SENT), (500, Status.DELIVERED)),
    "never told": ((0, Status.ACCEPTED),),
}
"""The statuses of a taken message, each with the seconds after which it begins."""


@dataclass(slots=True, kw_only=True)
class Row(vendors.Row):
    journey: tuple[tuple[float, Status], ...]
    message_id: str
    """Our id, for the checkers only: a vendor knows no more than its request says."""
    reached: Status | None = None
    """The status of the last receipt; it may be ahead of the journey's times."""
    told: Status | None = None
    """The highest status that a receipt reported and that was answered with 200."""

    def status_at(self, now: datetime) -> Status:
        age = (now - self.created_at).total_seconds()
        status = [status for after, status in self.journey if after <= age or after == 0][-1]
        return max(status, self.reached or status, key=lambda known: known.rank)
