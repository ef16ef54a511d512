"""The release stage: queue messages again whose claims the store did not answer. They were not sent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sampai.domain.message import Message
from sampai.services.attempt import is_current_attempt
from sampai.services.ports.messages import Messages
from sampai.services.ports.runtime import Sleep, UnavailableError
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.results import Results

MAX_READS: Final = 30
PAUSE_SECONDS: Final = 0.5


class Releases:
    def __init__(self, *, messages: Messages, results: Results, sleep: Sleep) -> None:
        self._messages = messages
        self._results = results
        self._sleep = sleep

    def store(self, batch: Batch) -> None:
        """Release the claims that stand after all. Have the records of the others delivered again.

        A claim that the store has not confirmed may still be stored later. Its outcome therefore also goes into the
        queue.
        """
        unconfirmed = [item for item in batch.items if not item.is_claim_confirmed]
        if not unconfirmed:
            return
        stored = self._read(batch, unconfirmed)
        for item in unconfirmed:
            current = stored.get(item.message.message_id)
            if current is not None and _is_open(item, current):
                item.message = replace(current, attachments=item.message.attachments)
                item.is_claim_confirmed = True
            else:
                batch.redeliver_after_outage(item.record_ids)
        self._results.store_items(batch, [item for item in unconfirmed if item.is_claim_confirmed])

    def _read(self, batch: Batch, items: Sequence[BatchItem]) -> dict[str, Message]:
        """Return the stored messages, or none if the store stays silent until the end of the invocation."""
        for _ in range(MAX_READS):
            if not batch.deadline.has_time_for_commit():
                break
            try:
                return self._messages.read([item.message.message_id for item in items])
            except UnavailableError:
                self._sleep(PAUSE_SECONDS)
        return {}


def _is_open(item: BatchItem, current: Message) -> bool:
    """Return whether a stored message is the claim of an item. A report of a former attempt may have moved it on."""
    attempt_id = item.message.attempt_id
    if item.outcome is None or attempt_id is None:
        return False
    return is_current_attempt(current, item.outcome, attempt_id=attempt_id)
