"""Space the deliveries of records that an outage of AWS stops, so that they do not become dead letters."""

from collections.abc import Iterable
from typing import Final

from sampai.services.ports.queue import Queue, Receipt
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Record

PAUSES_SECONDS: Final = (30, 60, 300, 900, 1800)
"""Pause after the first, second … delivery. The queue makes five: together they span 51 minutes."""


class Redelivery:
    def __init__(self, *, queue: Queue, telemetry: Telemetry) -> None:
        self._queue = queue
        self._telemetry = telemetry

    def postpone(self, records: Iterable[Record]) -> None:
        """Have the queue deliver records again after a pause that grows with each delivery.

        Without an answer of the queue, its visibility timeout applies.
        """
        by_pause: dict[int, list[Receipt]] = {}
        for record in records:
            if record.receipt is not None:
                by_pause.setdefault(pause_after(record.receives), []).append(record.receipt)
        for seconds, receipts in by_pause.items():
            try:
                self._queue.postpone(receipts, seconds=seconds)
            except UnavailableError:
                self._telemetry.warning("records not postponed", count=len(receipts))


def pause_after(receives: int) -> int:
    """Return the pause in seconds after a number of deliveries."""
    return PAUSES_SECONDS[min(max(receives, 1), len(PAUSES_SECONDS)) - 1]
