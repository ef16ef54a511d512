"""The last stage: wake-ups and rejections leave the batch."""

from sampai.contract.events import request_rejected
from sampai.services.ports.queue import WakeUp
from sampai.services.send.batch import Batch
from sampai.services.send.outbox import Outbox
from tests.fakes import RecordingBus, RecordingQueue, RecordingTelemetry
from tests.harness.sending import new_batch
from tests.unit.services.send.items import sending_item

WAKE_UP = WakeUp(message_id="m-1", attempt=1, is_urgent=False, delay_seconds=5)
EVENT = request_rejected("m-2", "id_conflict", "detail")


def full_batch() -> Batch:
    item = sending_item()
    item.wake_up = WAKE_UP
    batch = new_batch(items=[item])
    batch.reject(["r-2", "r-3"], EVENT)
    return batch


def test_wake_ups_are_queued_and_rejections_published() -> None:
    queue, bus, batch = RecordingQueue(), RecordingBus(), full_batch()

    Outbox(queue=queue, bus=bus, telemetry=RecordingTelemetry()).flush(batch)

    assert (queue.wake_ups, bus.events, batch.unfinished) == ([WAKE_UP], [EVENT], set())


def test_a_wake_up_that_is_not_queued_is_logged_and_left_to_the_due_index() -> None:
    queue, bus, telemetry, batch = RecordingQueue(), RecordingBus(), RecordingTelemetry(), full_batch()
    queue.is_down = True

    Outbox(queue=queue, bus=bus, telemetry=telemetry).flush(batch)

    assert (bus.events, batch.unfinished) == ([EVENT], set())
    assert telemetry.lines == [("warning", "wake-ups not queued", {"count": 1})]


def test_a_rejection_that_is_not_published_comes_back() -> None:
    queue, bus, batch = RecordingQueue(), RecordingBus(), full_batch()
    bus.is_down = True

    Outbox(queue=queue, bus=bus, telemetry=RecordingTelemetry()).flush(batch)

    assert (queue.wake_ups, batch.unfinished) == ([WAKE_UP], {"r-2", "r-3"})
