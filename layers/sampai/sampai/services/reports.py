"""Bringing evidence to a message: shared by whoever sends, receives or polls."""

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
"""How often a change is made again over somebody else's before the caller is told to come back."""


def change(messages: Messages, message: Message, make: Callable[[Message], Message]) -> Message:
    """Store `make(message)`, making it again over whatever somebody else stored meanwhile.

    A `make` that returns its argument changes nothing. Returns what is stored in the end; raises UnavailableError.
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
    """Return the report that decides: the final status depends on the highest rank alone."""
    return max(reports, key=lambda report: -1 if report.status is None else report.status.rank)


class Reports:
    def __init__(self, *, messages: Messages, correlations: Correlations, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._correlations = correlations
        self._clock = clock
        self._telemetry = telemetry

    def apply(self, message: Message, reports: Sequence[Report], *, source: Source) -> Message:
        """Apply what was reported of a message and return it as stored. Raises UnavailableError."""
        if not reports:
            return message
        report = strongest(reports)
        if report.status is None:
            self._telemetry.warning(
                "unknown provider status", message_id=message.message_id, provider=message.provider, source=source
            )
            self._telemetry.count("UnknownProviderStatus", provider=message.provider)
        return change(
            self._messages, message, lambda current: apply_report(current, report, now=self._clock(), source=source)
        )

    def meet(self, message: Message) -> Message:
        """Claim the vendor's id for its message and apply what was reported before. Raises UnavailableError."""
        if message.provider is None or message.provider_message_id is None:
            return message
        key = correlation_key(message.provider, message.provider_message_id)
        return self.join(message, self._correlations.claim(key, message.message_id))

    def join(self, message: Message, correlation: Correlation) -> Message:
        """Apply the reports of a meeting point to the message that has claimed it."""
        if correlation.message_id != message.message_id:
            self._telemetry.error(
                "vendor id belongs to two messages",
                message_id=message.message_id,
                other_message_id=correlation.message_id,
                provider=message.provider,
            )
            self._telemetry.count("ProviderMessageIdReused", provider=message.provider)
            return message
        return self.apply(message, correlation.reports, source=Source.WEBHOOK)
