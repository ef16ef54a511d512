"""The claim stage: store every decision in one commit. Only messages claimed by this batch go on to a provider."""

from collections.abc import Sequence
from dataclasses import replace

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, blank_message, mark_unknown
from sampai.domain.status import Source, Status
from sampai.services.ports.messages import Messages, Replace, WriteResult
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.admission import fail_admission
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.commits import Commits
from sampai.services.send.provider_calls import NO_TIME
from sampai.services.send.rejections import reject_conflict


class Claims:
    def __init__(
        self,
        *,
        messages: Messages,
        commits: Commits,
        attachments: AttachmentStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._messages = messages
        self._commits = commits
        self._attachments = attachments
        self._clock = clock
        self._telemetry = telemetry

    def store(self, batch: Batch) -> None:
        """Store the decisions of a batch and remove the items that another worker has stored or claimed before.

        A claim without an answer is repeated while there is time for its call. After that, its item stays in the batch
        with the outcome of a call that was not made.
        """
        self._store_attachments(batch)
        items = [item for item in batch.items if item.outcome is None]

        def has_time(results: Sequence[WriteResult | None]) -> bool:
            claimed = (item for item, result in zip(items, results, strict=True) if result is not None and result.done)
            return batch.deadline.has_time_for_claim(others_wait=any(item.provider is not None for item in claimed))

        results = self._commits.commit([item.write for item in items], may_repeat=has_time)
        for item, written in zip(items, results, strict=True):
            try:
                self._apply_result(batch, item, written)
            except Exception as error:
                self._telemetry.error(
                    "claim not resolved", message_id=item.message.message_id, error=type(error).__name__
                )
                batch.redeliver(item)

    def _apply_result(self, batch: Batch, item: BatchItem, written: WriteResult | None) -> None:
        """Keep an item in the batch only if its write is stored, or if it may be stored as a claim."""
        if written is None:
            batch.redeliver(item)
        elif written.done:
            self._report_failure(item.message)
        elif isinstance(written.current, Message) and _is_own_claim(item, written.current):
            self._take_over(item, written.current)
        elif isinstance(written.current, Message):
            batch.items.remove(item)
            self._resolve_existing(batch, item, written.current)
        elif written.is_unfit and item.is_new:
            self._fail_unfit(batch, item)
        elif item.provider is None:
            batch.remove_after_outage(item)
        else:
            item.is_claim_confirmed = False
            _release(item)

    def _take_over(self, item: BatchItem, current: Message) -> None:
        """Continue with our own claim, whose answer was lost. It is not sent if its lease has been ended."""
        item.message = replace(current, attachments=item.message.attachments)
        if current.status is not Status.SENDING:
            _release(item)

    def _fail_unfit(self, batch: Batch, item: BatchItem) -> None:
        """Fail a new message that the store cannot hold. Its own values are left out, because one of them is unfit."""
        before, now = item.before, batch.started_at
        draft = blank_message(before.message_id, now=now, fingerprint=before.fingerprint, caller=before.caller)
        failure = Failure(reason=Reason.INVALID_REQUEST, detail="request: cannot be stored")
        item.decide(fail_admission(draft, failure, now=now))
        if self._messages.commit([item.write])[0].done:
            self._report_failure(item.message)
        else:
            batch.redeliver(item)

    def _store_attachments(self, batch: Batch) -> None:
        """Store the attachments first, so that a stored message never lacks them."""
        for item in list(batch.items):
            if item.outcome is not None:
                continue
            try:
                item.message = self._attachments.store(item.message)
            except UnavailableError:
                batch.remove_after_outage(item)
            except Exception as error:
                self._telemetry.error(
                    "attachments not stored", message_id=item.message.message_id, error=type(error).__name__
                )
                batch.redeliver(item)

    def _report_failure(self, message: Message) -> None:
        if message.failure is None:
            return
        self._telemetry.info(
            "message rejected",
            message_id=message.message_id,
            reason=message.failure.reason,
            detail=message.failure.detail,
            caller=message.caller_name,
        )
        self._telemetry.count("MessageRejected")
        if message.failure.reason is Reason.BLOCKED:
            self._telemetry.count("MessageBlocked")

    def _resolve_existing(self, batch: Batch, item: BatchItem, current: Message) -> None:
        """Decide about the records of a message that exists already, by its stored revision.

        A waiting message that changed in the meantime has been claimed or ended, so its wake-up has no effect.
        """
        if not item.is_new:
            return
        self._attachments.discard_file(item.message, stored=current)
        if current.fingerprint not in (None, item.message.fingerprint):
            reject_conflict(batch, current.message_id, item.record_ids, item.message.caller, self._telemetry)
        elif current.status is not Status.SENDING:
            return
        elif current.due_at is not None and self._clock() < current.due_at:
            batch.unfinished.update(item.record_ids)
        else:
            self._expire_lease(batch, item, current)

    def _expire_lease(self, batch: Batch, item: BatchItem, current: Message) -> None:
        """Mark a message as unknown if its worker stopped during the attempt: it may have been sent."""
        now = self._clock()
        lost = mark_unknown(current, now=now, due_at=now, source=Source.SEND)
        if not self._messages.commit([Replace(before=current, message=lost)])[0].done:
            batch.unfinished.update(item.record_ids)


def _is_own_claim(item: BatchItem, current: Message) -> bool:
    """Return whether the stored message is the claim of this item, perhaps with an expired lease."""
    is_claim = item.provider is not None and current.status in (Status.SENDING, Status.UNKNOWN)
    return is_claim and current.attempt_id == item.message.attempt_id


def _release(item: BatchItem) -> None:
    """End an attempt without a call. The result stage queues the message again."""
    item.provider = None
    item.starts_at = None
    item.outcome = NO_TIME
