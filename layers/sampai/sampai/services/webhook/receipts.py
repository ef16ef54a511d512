"""Apply the reports of receipts to their messages."""

from collections.abc import Sequence

from sampai.domain.message import MESSAGE_ID, Channel, Message
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import (
    Correlation,
    Correlations,
    correlation_key,
    former_correlation_key,
)
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

    def apply_report(self, provider: str, channel: Channel, report: Report) -> None:
        """Apply a report to its message, or buffer it until the sender stores the vendor's id.

        The report is durable when this returns. Raises UnavailableError.
        """
        message = self._find_by_reference(provider, channel, report)
        if message is not None:
            self._apply_by_reference(message, report)
            return
        correlation = self._find_or_buffer(provider, channel, report)
        if correlation is None or correlation.message_id is None:
            self._telemetry.info("receipt buffered", provider=provider, status=report.status)
        else:
            self._apply_by_correlation(correlation, correlation.message_id, provider, report)

    def _find_by_reference(self, provider: str, channel: Channel, report: Report) -> Message | None:
        """Find the message by our reference, unless the vendor id may belong to another attempt, or to none.

        A report that proves delivery also identifies a message that was sent again.
        """
        reference = report.reference
        if reference is None or MESSAGE_ID.fullmatch(reference) is None:
            return None
        message = self._messages.read([reference]).get(reference)
        if message is None or (message.provider, message.channel) != (provider, channel) or message.attempt_id is None:
            return None
        if message.provider_message_id == report.provider_message_id:
            return message
        if message.was_resent:
            return message if report.proves_delivery else None
        has_attempt = message.status not in (Status.SCHEDULED, Status.QUEUED)
        return message if message.provider_message_id is None and has_attempt else None

    def _apply_by_reference(self, message: Message, report: Report) -> None:
        """Apply a report, and those that were buffered under its vendor id if the message has no vendor id yet.

        This report may make the message final. No follow-up would then apply the buffered reports.
        """
        buffered: Sequence[Report] = ()
        if message.provider_message_id is None:
            key = correlation_key(message.provider or "", message.channel, report.provider_message_id)
            correlation = self._correlations.claim(key, message.message_id)
            if correlation.message_id != message.message_id:
                self._reports.mark_reused(message, correlation)
                return
            buffered = correlation.reports
        self._apply(message, [report, *buffered])

    def _find_or_buffer(self, provider: str, channel: Channel, report: Report) -> Correlation | None:
        """Return the correlation of the vendor's id, or buffer the report under it if no message has claimed it."""
        key = correlation_key(provider, channel, report.provider_message_id)
        former_key = former_correlation_key(provider, report.provider_message_id)
        known = self._correlations.find_correlations([key, former_key])
        correlation, former = known.get(key), known.get(former_key)
        if correlation is not None and correlation.message_id is not None:
            return correlation
        if former is not None and self._is_on_channel(former, channel):
            return former
        if correlation is not None and report in correlation.reports:
            return None
        return self._correlations.buffer_report(key, report, self._clock())

    def _is_on_channel(self, former: Correlation, channel: Channel) -> bool:
        """Return whether the message of a correlation that the previous release wrote is on a channel."""
        if former.message_id is None:
            return False
        message = self._messages.read([former.message_id]).get(former.message_id)
        return message is not None and message.channel is channel

    def _apply_by_correlation(self, correlation: Correlation, message_id: str, provider: str, report: Report) -> None:
        if correlation.is_reused:
            self._telemetry.error("report on a reused vendor id", message_id=message_id, provider=provider)
            self._telemetry.count("ProviderMessageIdReused", provider=provider)
            return
        message = self._messages.read([message_id]).get(message_id)
        if message is None:
            # It cannot be read, or has expired. The report must be durable before the vendor gets its answer.
            self._correlations.add_report(correlation.key, report)
            self._telemetry.warning("receipt kept", message_id=message_id, provider=provider)
            return
        # With another provider, the message went on to a further attempt.
        attempt = correlation.attempt if message.provider == provider else 0
        self._apply(message, [report], attempt=attempt)

    def _apply(self, message: Message, reports: Sequence[Report], *, attempt: int | None = None) -> None:
        self._reports.apply(message, reports, source=Source.WEBHOOK, attempt=attempt)
        self._telemetry.info(
            "report received",
            message_id=message.message_id,
            provider=message.provider,
            status=reports[0].status,
            caller=message.caller_name,
        )
