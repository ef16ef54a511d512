"""Apply the reports of receipts to their messages."""

from collections.abc import Sequence

from sampai.domain.message import MESSAGE_ID, Message, OnUnknown
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import Correlations, correlation_key
from sampai.services.ports.messages import Messages
from sampai.services.ports.runtime import Clock
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import Reports


class Receipts:
    def __init__(self, *, messages: Messages, correlations: Correlations, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._correlations = correlations
        self._clock = clock
        self._telemetry = telemetry
        self._reports = Reports(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)

    def apply_report(self, provider: str, report: Report) -> None:
        """Apply a report to its message, or buffer it until the sender stores the vendor's id.

        The report is durable when this returns. Raises UnavailableError.
        """
        message = self._find_by_reference(provider, report) or self._find_or_buffer(provider, report)
        if message is not None:
            reports = [report, *self._claim_buffered(provider, report, message)]
            self._reports.apply(message, reports, source=Source.WEBHOOK)
            self._telemetry.info(
                "report received", message_id=message.message_id, provider=provider, status=report.status
            )

    def _find_by_reference(self, provider: str, report: Report) -> Message | None:
        """Find the message by our reference, unless the vendor id belongs to a superseded attempt."""
        reference = report.reference
        if reference is None or MESSAGE_ID.fullmatch(reference) is None:
            return None
        message = self._messages.read([reference]).get(reference)
        if message is None or message.provider != provider or message.attempt_id is None:
            return None
        is_latest = message.provider_message_id in (None, report.provider_message_id)
        return message if is_latest or _is_delivery_of_earlier_attempt(message, report) else None

    def _find_or_buffer(self, provider: str, report: Report) -> Message | None:
        """Find the message by the vendor's id, or buffer the report under that id and return None."""
        key = correlation_key(provider, report.provider_message_id)
        correlation = self._correlations.find_correlations([key]).get(key)
        if correlation is None or (correlation.message_id is None and report not in correlation.reports):
            correlation = self._correlations.buffer_report(key, report, self._clock())
        if correlation is None or correlation.message_id is None:
            self._telemetry.info("receipt buffered", provider=provider, status=report.status)
            return None
        message = self._messages.read([correlation.message_id]).get(correlation.message_id)
        if message is None:
            # It cannot be read, or has expired. The report must be durable before the vendor gets its answer.
            self._correlations.add_report(key, report)
            self._telemetry.warning("receipt kept", message_id=correlation.message_id, provider=provider)
        return message

    def _claim_buffered(self, provider: str, report: Report, message: Message) -> Sequence[Report]:
        """Claim the vendor's id for a message without one, and return the reports that were buffered under it.

        This report may make the message final. No follow-up would then apply the buffered reports.
        """
        if message.provider_message_id is not None:
            return ()
        key = correlation_key(provider, report.provider_message_id)
        correlation = self._correlations.claim(key, message.message_id)
        return correlation.reports if correlation.message_id == message.message_id else ()


def _is_delivery_of_earlier_attempt(message: Message, report: Report) -> bool:
    """Return whether an earlier attempt was delivered after all: its outcome was unknown, so the message was resent."""
    was_resent = message.on_unknown is OnUnknown.RESEND and message.attempt > 1
    return was_resent and report.status is not None and report.status.rank >= Status.DELIVERED.rank
