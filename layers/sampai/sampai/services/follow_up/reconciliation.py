"""Match messages with vendor ids: complete open correlations, and reconcile unknown sends with the vendor's list."""

from collections.abc import Mapping, Sequence

from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.providers.base import Provider
from sampai.providers.features import SupportsReferences
from sampai.services.follow_up.results import PollResults
from sampai.services.ports.correlations import Correlation, Correlations, correlation_key
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import Reports, strongest


class Reconciliation:
    def __init__(self, *, correlations: Correlations, reports: Reports, telemetry: Telemetry) -> None:
        self._correlations = correlations
        self._reports = reports
        self._telemetry = telemetry

    def resolve_correlations(self, provider: str, group: Sequence[Message]) -> list[Message]:
        """Complete the correlations that a sender left open, and return the messages that are not final afterwards.

        Raises UnavailableError.
        """
        keys = {correlation_key(provider, m.provider_message_id): m for m in group if m.provider_message_id is not None}
        known = self._correlations.find_correlations(keys.keys())
        current = {message.message_id: message for message in group}
        for key, message in keys.items():
            correlation = known.get(key)
            if correlation is None or correlation.message_id is None:
                correlation = self._correlations.claim(key, message.message_id)
            if correlation.message_id == message.message_id and correlation.reports:
                current[message.message_id] = self._reports.apply_buffered(message, correlation)
        return [message for message in current.values() if not message.status.is_final]

    def reconcile(self, provider: Provider, group: Sequence[Message], results: PollResults) -> None:
        """Claim a candidate for each message without a vendor id, and add its report to the results.

        A candidate must be unclaimed. It needs our reference, or must be the only candidate and of this message alone:
        otherwise the message stays `unknown`. Raises UnavailableError.
        """
        unknown = [m for m in group if m.provider_message_id is None and results.candidates.get(m.message_id)]
        keys = [
            correlation_key(provider.name, report.provider_message_id)
            for message in unknown
            for report in results.candidates[message.message_id]
        ]
        known = self._correlations.find_correlations(keys) if keys else {}
        for message in unknown:
            free = [r for r in results.candidates[message.message_id] if _is_free(known, provider.name, r, message)]
            referenced = [r for r in free if r.reference is not None and isinstance(provider, SupportsReferences)]
            is_certain = len(free) == 1 and not any(_shares(results, m, free) for m in unknown if m is not message)
            if referenced or is_certain:
                self._claim(provider.name, message, strongest(referenced or free), results)
            elif free:
                self._telemetry.warning(
                    "reconciliation ambiguous", message_id=message.message_id, provider=provider.name
                )

    def _claim(self, provider: str, message: Message, report: Report, results: PollResults) -> None:
        key = correlation_key(provider, report.provider_message_id)
        correlation = self._correlations.claim(key, message.message_id)
        if correlation.message_id == message.message_id:
            results.reports[message.message_id] = report
            self._telemetry.info("unknown send reconciled", message_id=message.message_id, provider=provider)


def _is_free(known: Mapping[str, Correlation], provider: str, report: Report, message: Message) -> bool:
    correlation = known.get(correlation_key(provider, report.provider_message_id))
    return correlation is None or correlation.message_id in (None, message.message_id)


def _shares(results: PollResults, message: Message, reports: Sequence[Report]) -> bool:
    """Return whether one of the reports is also a candidate for another message."""
    ids = {report.provider_message_id for report in reports}
    return any(known.provider_message_id in ids for known in results.candidates[message.message_id])
