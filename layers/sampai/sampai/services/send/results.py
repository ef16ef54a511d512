"""The result stage: store the outcome of every call in one commit, and correlate the vendor ids."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from sampai.contract.settings import Settings
from sampai.domain.message import Message
from sampai.domain.outcome import NotTaken, Outcome, Taken, Unknown
from sampai.domain.status import Status
from sampai.services.attempt import apply_outcome, is_current_attempt, plan_wake_up
from sampai.services.ports.correlations import Correlation, LinkCorrelation, correlation_key
from sampai.services.ports.messages import Messages, Replace, Write, WriteResult
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import Reports, change
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.commits import Commits

_METRICS: Final[Mapping[type[Outcome], str]] = {
    Taken: "SendAccepted",
    NotTaken: "SendRejected",
    Unknown: "SendUnknown",
}


class Results:
    def __init__(
        self,
        *,
        messages: Messages,
        commits: Commits,
        reports: Reports,
        attachments: AttachmentStore,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._messages = messages
        self._commits = commits
        self._reports = reports
        self._attachments = attachments
        self._clock = clock
        self._telemetry = telemetry

    def store(self, batch: Batch) -> None:
        """Store the outcomes. Apply an outcome again if another worker changed its message in the meantime."""
        self.store_items(batch, [item for item in batch.items if item.outcome is not None and item.is_claim_confirmed])

    def store_items(self, batch: Batch, items: Sequence[BatchItem]) -> None:
        """Store the outcomes of some items, and repeat this while there is time and the store does not answer.

        An item whose outcome could not be stored keeps `stored` at None.
        """
        results: list[tuple[BatchItem, Outcome, Write]] = []
        links: list[tuple[BatchItem, Outcome, Write]] = []
        for item in items:
            if item.outcome is None:
                continue
            try:
                message = self._apply_outcome(item, item.outcome, item.message, batch.configuration.settings)
            except Exception as error:
                self._report_bug(item, error)
                continue
            results.append((item, item.outcome, Replace(before=item.message, message=message)))
            if isinstance(item.outcome, Taken):
                links.append((item, item.outcome, _link(message)))
        writes = [*results, *links]
        for (item, outcome, write), written in zip(
            writes,
            self._commits.commit(
                [write for _, _, write in writes], may_repeat=lambda _: batch.deadline.has_time_for_commit()
            ),
            strict=True,
        ):
            try:
                if isinstance(write, LinkCorrelation):
                    self._correlate(item, write, written)
                else:
                    self._finish(batch, item, outcome, write.message, written)
            except Exception as error:
                self._report_bug(item, error)

    def _report_bug(self, item: BatchItem, error: Exception) -> None:
        """Log an error of ours. It must not keep the outcomes of the other messages from being stored."""
        self._telemetry.error("outcome not stored", message_id=item.message.message_id, error=type(error).__name__)

    def _apply_outcome(self, item: BatchItem, outcome: Outcome, message: Message, settings: Settings) -> Message:
        """Return the message after its outcome, and plan its wake-up if it is queued for another attempt."""
        now = self._clock()
        message = apply_outcome(message, outcome, now=now, settings=settings)
        if message.status is not Status.QUEUED or message.due_at is None:
            return message
        due_at, item.wake_up = plan_wake_up(message, at=message.due_at, now=now)
        return replace(message, due_at=due_at)

    def _finish(
        self, batch: Batch, item: BatchItem, outcome: Outcome, message: Message, written: WriteResult | None
    ) -> None:
        """Log the outcome of an item and make sure that it is stored."""
        if not item.is_carried:  # its worker has logged it
            self._telemetry.info("message attempted", **_log_fields(item.message, outcome))
            self._telemetry.count(_METRICS[type(outcome)], provider=item.message.provider)
        with suppress(UnavailableError):
            item.stored = self._confirm_stored(batch, item, outcome, message, written)
            self._attachments.discard_file(item.message, stored=item.stored)

    def _confirm_stored(
        self, batch: Batch, item: BatchItem, outcome: Outcome, message: Message, written: WriteResult | None
    ) -> Message:
        """Return the message as stored. Apply the outcome to a newer revision if it still counts there.

        Raises UnavailableError.
        """
        if written is not None and written.done:
            return message
        if written is None or not isinstance(written.current, Message) or message.attempt_id is None:
            raise UnavailableError("the outcome was not stored")
        attempt_id = message.attempt_id

        def apply_again(current: Message) -> Message:
            if not is_current_attempt(current, outcome, attempt_id=attempt_id):
                return current
            return self._apply_outcome(item, outcome, current, batch.configuration.settings)

        return change(self._messages, written.current, apply_again)

    def _correlate(self, item: BatchItem, link: LinkCorrelation, written: WriteResult | None) -> None:
        """Apply the reports that arrived before the vendor id was linked. The follow-up repeats it if it fails."""
        if written is None or written.done or item.stored is None or not isinstance(written.current, Correlation):
            return
        try:
            self._reports.claim(item.stored, link.key, attempt=link.attempt)
        except UnavailableError:
            self._telemetry.warning("correlation incomplete", message_id=link.message_id)


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Return the log fields of an outcome."""
    match outcome:
        case Taken():
            return {"provider_message_id": outcome.provider_message_id}
        case NotTaken():
            return {"reason": outcome.reason, "provider_code": outcome.provider_code}
    return {"why": outcome.why}


def _link(message: Message) -> LinkCorrelation:
    key = correlation_key(message.provider or "", message.channel, message.provider_message_id or "")
    return LinkCorrelation(key=key, message_id=message.message_id, attempt=message.attempt)


def _log_fields(message: Message, outcome: Outcome) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "message_id": message.message_id,
        "caller": message.caller_name,
        "provider": message.provider,
        "attempt": message.attempt,
        "segments": message.segments or 0,
        "outcome": type(outcome).__name__,
    }
    return fields | outcome_fields(outcome)
