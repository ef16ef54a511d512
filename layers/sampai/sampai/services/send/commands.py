"""The first stage: cancel, opt-out and opt-in requests take effect before any message of the batch is sent."""

from datetime import datetime

from sampai.contract.request import CancelRequest, OptInRequest, OptOutRequest
from sampai.domain.message import Message, blank_message, cancel
from sampai.domain.status import Status
from sampai.services.ports.messages import Insert, Messages, WriteResult
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.suppression_list import SuppressionList
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import change
from sampai.services.send.batch import Batch, Record


class Commands:
    def __init__(
        self, *, messages: Messages, suppression_list: SuppressionList, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._messages = messages
        self._suppression_list = suppression_list
        self._clock = clock
        self._telemetry = telemetry

    def execute(self, batch: Batch) -> None:
        """Execute the commands of a batch."""
        self._cancel(batch)
        for record, request in batch.requests:
            if isinstance(request, OptOutRequest):
                self._set_opt_out(batch, record, request.opt_out, request.at, is_out=True)
            elif isinstance(request, OptInRequest):
                self._set_opt_out(batch, record, request.opt_in, request.at, is_out=False)

    def _cancel(self, batch: Batch) -> None:
        """Cancel messages that have not been sent.

        A cancel that arrives before its request stores a canceled message under the id, so the request is not sent.
        """
        canceled: dict[str, list[Record]] = {}
        for record, request in batch.requests:
            if isinstance(request, CancelRequest):
                canceled.setdefault(request.cancel, []).append(record)
        now, settings = self._clock(), batch.configuration.settings
        blanks = [
            blank_message(message_id, now=now, caller=settings.caller(first.caller_id))
            for message_id, (first, *_) in canceled.items()
        ]
        inserts = [Insert(message=cancel(blank, now=now)) for blank in blanks]
        for insert, written in zip(inserts, self._messages.commit(inserts), strict=True):
            message_id = insert.message.message_id
            try:
                self._cancel_stored(insert.message, written)
            except UnavailableError:
                batch.redeliver_after_outage(record.record_id for record in canceled[message_id])

    def _cancel_stored(self, inserted: Message, written: WriteResult) -> None:
        """Cancel the stored message if the insert found one. Raises UnavailableError."""
        if written.done:
            return
        if not isinstance(written.current, Message):
            raise UnavailableError("the cancel was not stored")

        def cancel_waiting(current: Message) -> Message:
            is_waiting = current.status in (Status.SCHEDULED, Status.QUEUED)
            return cancel(current, now=self._clock()) if is_waiting else current

        message = change(self._messages, written.current, cancel_waiting)
        self._telemetry.info(
            "cancel requested", message_id=message.message_id, status=message.status, caller=inserted.caller_name
        )

    def _set_opt_out(self, batch: Batch, record: Record, number: str, at: datetime | None, *, is_out: bool) -> None:
        """Store the consent of a number: at the time of the wish, or else at the time when the record was queued.

        A wish in the future would win over all wishes until then, so it counts as the present.
        """
        now = self._clock()
        wished_at = min(at, now) if at is not None else record.sent_at or now
        try:
            self._suppression_list.set_opt_out(number, is_out=is_out, at=wished_at)
        except UnavailableError:
            batch.redeliver_after_outage([record.record_id])
        else:
            self._telemetry.count("OptedOut" if is_out else "OptedIn")
