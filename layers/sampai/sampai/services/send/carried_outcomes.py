"""Carry outcomes that the store did not take through the queue, to the next worker."""

from typing import Final

from sampai.contract.request import OutcomeRequest
from sampai.domain.message import Category, Message
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.services.attempt import is_current_attempt
from sampai.services.ports.messages import Messages
from sampai.services.ports.queue import CarriedOutcome, Queue
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Batch, BatchItem, Record

DELAY_SECONDS: Final = 5


class CarriedOutcomes:
    def __init__(self, *, messages: Messages, queue: Queue, telemetry: Telemetry) -> None:
        self._messages = messages
        self._queue = queue
        self._telemetry = telemetry

    def load(self, batch: Batch) -> None:
        """Add an item for each outcome that came with a record and still counts for its message."""
        carried = [(record, request) for record, request in batch.requests if isinstance(request, OutcomeRequest)]
        if not carried:
            return
        try:
            messages = self._messages.read({request.outcome_of for _, request in carried})
        except UnavailableError:
            batch.redeliver_after_outage(record.record_id for record, _ in carried)
            return
        items: dict[str, BatchItem] = {}
        for record, request in carried:
            current = messages.get(request.outcome_of)
            outcome = request.outcome()
            if current is None:
                if _is_of_a_call(outcome):
                    batch.redeliver_after_outage([record.record_id])
                continue
            if not is_current_attempt(current, outcome, attempt_id=request.attempt_id):
                continue
            if current.message_id in items:
                items[current.message_id].record_ids.append(record.record_id)
            else:
                items[current.message_id] = _new_item(record, current, outcome)
        batch.items += items.values()

    def queue(self, batch: Batch) -> None:
        """Queue the outcomes that the store did not take. Records come back for those that cannot be queued."""
        carried: list[CarriedOutcome] = []
        items: list[BatchItem] = []
        for item in batch.items:
            if item.outcome is None or item.stored is not None:
                continue
            item.wake_up = None
            if item.is_carried:
                batch.redeliver_after_outage(item.record_ids)
            elif isinstance(item.outcome, Unknown):  # the expired lease says the same
                batch.unfinished.update(item.record_ids)
            else:
                carried.append(_carry(item, item.outcome))
                items.append(item)
        if not carried:
            return
        self._telemetry.warning("outcomes queued", message_ids=[outcome.message_id for outcome in carried])
        try:
            self._queue.put(carried)
        except UnavailableError:
            for item in items:
                batch.unfinished.update(item.record_ids)


def _is_of_a_call(outcome: Taken | NotTaken) -> bool:
    """Return whether a vendor was called. Then the message exists, and if it is not read, it cannot be read now.

    Without a call, the claim may never have been stored.
    """
    return isinstance(outcome, Taken) or outcome.scope is not FailureScope.INTERNAL


def _new_item(record: Record, current: Message, outcome: Outcome) -> BatchItem:
    item = BatchItem(record_ids=[record.record_id], before=current)
    item.outcome = outcome
    item.is_carried = True
    return item


def _carry(item: BatchItem, outcome: Taken | NotTaken) -> CarriedOutcome:
    message = item.message
    return CarriedOutcome(
        message_id=message.message_id,
        attempt_id=message.attempt_id or "",
        outcome=outcome,
        is_urgent=message.category is Category.OTP,
        delay_seconds=DELAY_SECONDS,
        group=message.group,
    )
