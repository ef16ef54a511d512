"""Apply reports to messages, for every service that gets one."""

from collections.abc import Callable, Sequence
from typing import Final

from sampai.domain.message import Message, apply_report
from sampai.domain.report import Report
from sampai.domain.status import Source
from sampai.services.ports.correlations import Correlation, Correlations, correlation_key
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_ROUNDS: Final = 8
"""Attempts to store a change over concurrent changes before UnavailableError is raised."""


def change(messages: Messages, message: Message, make: Callable[[Message], Message]) -> Message:
    """Store `make(message)` and return the stored message. Raises UnavailableError.

    After a concurrent change, `make` is called with the newer revision. If it returns its argument, nothing is stored.
    """
    current = message
    for _ in range(MAX_ROUNDS):
        changed = make(current)
        if changed is current:
            return current
        written = messages.commit([Replace(before=current, message=changed)])[0]
        if written.done:
            return changed
        if not isinstance(written.current, Message):
            raise UnavailableError("the store did not take the change")
        current = written.current
    raise UnavailableError("the message keeps changing")


def strongest(reports: Sequence[Report]) -> Report:
    """Return the report with the highest rank. It alone decides the final status."""
    return max(reports, key=lambda report: -1 if report.status is None else report.status.rank)


class Reports:
    def __init__(self, *, messages: Messages, correlations: Correlations, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._correlations = correlations
        self._clock = clock
        self._telemetry = telemetry

    def apply(
        self, message: Message, reports: Sequence[Report], *, source: Source, attempt: int | None = None
    ) -> Message:
        """Apply reports to a message and return it as stored. Raises UnavailableError.

        The reports are about `attempt`, by default the present one. Another attempt may supersede it meanwhile.
        """
        if not reports:
            return message
        report = strongest(reports)
        about = message.attempt if attempt is None else attempt
        if report.status is None:
            self._telemetry.warning(
                "unknown provider status", message_id=message.message_id, provider=message.provider, source=source
            )
            self._telemetry.count("UnknownProviderStatus", provider=message.provider)
        return change(
            self._messages,
            message,
            lambda current: apply_report(
                current, report, now=self._clock(), source=source, is_superseded=current.attempt != about
            ),
        )

    def correlate(self, message: Message) -> Message:
        """Claim the vendor's id of a message, if any, and apply the buffered reports. Raises UnavailableError."""
        if message.provider is None or message.provider_message_id is None:
            return message
        return self.claim(message, correlation_key(message.provider, message.channel, message.provider_message_id))

    def claim(self, message: Message, key: str, *, attempt: int | None = None) -> Message:
        """Claim a correlation key for a message and apply the buffered reports. Raises UnavailableError.

        `attempt` is the attempt that got the vendor's id, if it is known.
        """
        return self.apply_buffered(message, self._correlations.claim(key, message.message_id, attempt))

    def apply_buffered(self, message: Message, correlation: Correlation) -> Message:
        """Apply the reports of a correlation, unless its id belongs to two messages. Raises UnavailableError."""
        if correlation.message_id != message.message_id:
            self.mark_reused(message, correlation)
        if correlation.message_id != message.message_id or correlation.is_reused:
            return message
        return self.apply(message, correlation.reports, source=Source.WEBHOOK, attempt=correlation.attempt)

    def mark_reused(self, message: Message, correlation: Correlation) -> None:
        """Record that a vendor gave a message the id of another message, and report it. Raises UnavailableError.

        From then on, no report under that id moves either message.
        """
        self._telemetry.error(
            "vendor id belongs to two messages",
            message_id=message.message_id,
            other_message_id=correlation.message_id,
            provider=message.provider,
        )
        self._telemetry.count("ProviderMessageIdReused", provider=message.provider)
        if not correlation.is_reused:
            self._correlations.mark_reused(correlation.key, message.message_id)
