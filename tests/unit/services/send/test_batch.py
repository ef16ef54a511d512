"""The carrier of a message through the pipeline."""

from sampai.contract.events import request_rejected
from sampai.domain.message import defer, queue
from sampai.services.ports.messages import Insert, Replace
from sampai.services.ports.queue import WakeUp
from sampai.services.send.admission import Decision
from sampai.services.send.batch import BatchItem
from tests.fakes import START
from tests.harness.sending import new_batch
from tests.unit.services.send.items import LATER, draft, provider, queued, sending_item

WAKE_UP = WakeUp(message_id="m-1", attempt=0, is_urgent=False, delay_seconds=60)


def test_a_new_message_is_inserted() -> None:
    item = BatchItem(record_ids=["r-1"], before=draft())
    item.decide(Decision(message=queue(draft(), now=START, due_at=LATER)))

    assert item.is_new
    assert item.write == Insert(message=queue(draft(), now=START, due_at=LATER))


def test_a_stored_message_is_replaced_over_the_revision_that_was_read() -> None:
    item = BatchItem(record_ids=["r-1"], before=queued())
    item.decide(Decision(message=defer(queued(), now=START, due_at=LATER)))

    assert not item.is_new
    assert item.write == Replace(before=queued(), message=defer(queued(), now=START, due_at=LATER))


def test_a_second_decision_replaces_the_first() -> None:
    item = sending_item()

    item.decide(Decision(message=queued(), wake_up=WAKE_UP))

    assert (item.message, item.provider, item.wake_up) == (queued(), None, WAKE_UP)
    item.decide(Decision(message=queued(), provider=provider()))
    assert item.wake_up is None


def test_a_message_is_as_before_until_it_is_decided() -> None:
    assert BatchItem(record_ids=[], before=queued()).message == queued()


def test_an_item_that_is_redelivered_leaves_the_batch_with_all_its_records() -> None:
    first, second = sending_item("m-1"), sending_item("m-2")
    first.record_ids.append("r-9")
    first.wake_up = second.wake_up = WAKE_UP
    batch = new_batch(items=[first, second])

    batch.redeliver(first)

    assert batch.items == [second]
    assert batch.unfinished == {"r-1", "r-9"}
    assert batch.wake_ups == [WAKE_UP]


def test_a_rejection_keeps_its_records() -> None:
    batch = new_batch()
    event = request_rejected("m-1", "id_conflict", "detail")

    batch.reject(["r-1", "r-2"], event)

    assert (batch.rejected, batch.rejected_records, batch.unfinished) == ([event], {"r-1", "r-2"}, set())
