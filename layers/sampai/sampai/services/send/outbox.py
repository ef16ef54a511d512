"""The last stage: queue the wake-ups and publish the rejections of a batch."""

from sampai.services.ports.events import EventBus
from sampai.services.ports.queue import Queue
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Batch


class Outbox:
    def __init__(self, *, queue: Queue, bus: EventBus, telemetry: Telemetry) -> None:
        self._queue = queue
        self._bus = bus
        self._telemetry = telemetry

    def flush(self, batch: Batch) -> None:
        """Put the wake-ups and events of a batch. The due index replaces a lost wake-up; a lost event comes back."""
        try:
            self._queue.put(batch.wake_ups)
        except UnavailableError:
            self._telemetry.warning("wake-ups not queued", count=len(batch.wake_ups))
        try:
            self._bus.put(batch.rejected)
        except UnavailableError:
            batch.redeliver_after_outage(batch.rejected_records)
