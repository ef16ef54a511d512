"""The claim stage: store every decision in one commit. Only messages claimed by this batch go on to a provider."""

from dataclasses import replace

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, blank_message, mark_unknown
from sampai.domain.status import Source, Status
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.admission import fail_admission
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.rejections import reject_conflict


class Claims:
    def __init__(self, *, messages: Messages, attachments: AttachmentStore, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._attachments = attachments
        self._clock = clock
        self._telemetry = telemetry

    def store(self, batch: Batch) -> None:
        """Store the decisions of a batch and remove the items that another worker has stored or claimed before."""
        self._store_attachments(batch)
        items = list(batch.items)
        for item, written in zip(items, self._messages.commit([item.write for item in items]), strict=True):
            if written.done:
                self._report_failure(item.message)
            elif isinstance(written.current, Message):
                batch.items.remove(item)
                self._resolve_existing(batch, item, written.current)
            elif written.is_unfit and item.is_new:
                self._fail_unfit(batch, item)
            else:
                batch.redeliver(item)

    def _fail_unfit(self, batch: Batch, item: BatchItem) -> None:
        """Fail a new message that the store cannot hold. Its own values are left out, because one of them is unfit."""
        draft = replace(
            blank_message(item.before.message_id, now=batch.started_at), fingerprint=item.before.fingerprint
        )
        failure = Failure(reason=Reason.INVALID_REQUEST, detail="request: cannot be stored")
        item.decide(fail_admission(draft, failure, now=batch.started_at))
        if self._messages.commit([item.write])[0].done:
            self._report_failure(item.message)
        else:
            batch.redeliver(item)

    def _store_attachments(self, batch: Batch) -> None:
        """Store the attachments first, so that a stored message never lacks them."""
        for item in list(batch.items):
            try:
                item.message = self._attachments.store(item.message)
            except Exception as error:
                # A bug of ours must not stop the other items.
                if not isinstance(error, UnavailableError):
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
            reject_conflict(batch, current.message_id, item.record_ids, self._telemetry)
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
