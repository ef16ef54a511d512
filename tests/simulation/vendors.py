"""The ledger of the simulated vendors. The vendors themselves are those of the harness."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sampai.domain.http import HttpResponse
from sampai.domain.status import Status
from tests.harness import vendors
from tests.harness.vendors import json_response

LIFECYCLES: Final[Mapping[str, tuple[tuple[float, Status], ...]]] = {
    "delivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.DELIVERED)),
    "undelivered": ((0, Status.ACCEPTED), (4, Status.SENT), (20, Status.UNDELIVERED)),
    "late": ((0, Status.ACCEPTED), (70, Status.SENT), (500, Status.DELIVERED)),
    "never reported": ((0, Status.ACCEPTED),),
}
"""The statuses of an accepted message, each with its time in seconds after the acceptance."""


LATE_REFUSALS: Final[Mapping[str, Mapping[str, HttpResponse]]] = {
    "nomsa": {"taken, 403 already_sent": json_response(403, {"code": "already_sent", "message": "…"})},
    "smsnoc": {
        "taken, 403 Failed": json_response(403, {"status": "error", "message": "Failed"}),
        "taken, 200 with an error": json_response(200, {"status": "error", "message": "SQLSTATE[HY000]: gone away"}),
    },
}
"""Errors with which a vendor answers after it took a message, by vendor and by a name for each."""


@dataclass(slots=True, kw_only=True)
class Row(vendors.Row):
    lifecycle: tuple[tuple[float, Status], ...]
    message_id: str
    """Our id, for the checkers only: a vendor knows no more than its request says."""
    reached: Status | None = None
    """The status of the last receipt; it may be ahead of the lifecycle."""
    acknowledged: Status | None = None
    """The highest status that a receipt reported and that was answered with 200."""

    def status_at(self, now: datetime) -> Status:
        age = (now - self.created_at).total_seconds()
        status = [status for after, status in self.lifecycle if after <= age or after == 0][-1]
        return max(status, self.reached or status, key=lambda known: known.rank)
