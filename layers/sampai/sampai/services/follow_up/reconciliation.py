"""Match messages with vendor ids: complete open correlations, and reconcile unknown sends with the vendor's list."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.providers.base import Provider
from sampai.providers.features import SupportsReferences
from sampai.services.follow_up.results import PollResults
from sampai.services.ports.correlations import (
    Correlation,
    Correlations,
    correlation_key,
    former_correlation_key,
)
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import Reports, strongest


class Reconciliation:
    def __init__(self, *, correlations: Correlations, reports: Reports, telemetry: Telemetry) -> None:
        self._correlations = correlations
        self._reports = reports
        self._telemetry = telemetry

    def resolve_correlations(self, provider: str, group: Sequence[Message]) -> tuple[list[Message], set[str]]:
        """Complete the correlations that a sender left open.

        Return the messages that are not final afterwards, and the ids of those whose vendor id belongs to two messages.
        Raises UnavailableError.
        """
        keys = [(_key_of(provider, m, m.provider_message_id), m) for m in group if m.provider_message_id is not None]
        formers = {key: former_correlation_key(provider, m.provider_message_id or "") for key, m in keys}
        known = self._correlations.find_correlations({*formers, *formers.values()})
        current = {message.message_id: message for message in group}
        reused: set[str] = set()
        for key, message in keys:
            correlation = self._claim_if_open(key, message, known, former=known.get(formers[key]))
            is_own = correlation.message_id == message.message_id
            if correlation.is_reused or not is_own:
                reused.add(message.message_id)
            if correlation.reports or (not is_own and not correlation.is_reused):
                current[message.message_id] = self._reports.apply_buffered(message, correlation)
        return [message for message in current.values() if not message.status.is_final], reused

    def _claim_if_open(
        self, key: str, message: Message, known: Mapping[str, Correlation], *, former: Correlation | None
    ) -> Correlation:
        """Return the correlation of a key, claimed for the message if no message has claimed it.

        It has all buffered reports: the previous release may have buffered some under its own key.
        """
        correlation = known.get(key)
        if correlation is None or correlation.message_id is None:
            correlation = self._correlations.claim(key, message.message_id)
        if former is None or former.message_id not in (None, message.message_id):
            return correlation
        return replace(correlation, reports=(*correlation.reports, *former.reports))

    def reconcile(self, provider: Provider, group: Sequence[Message], results: PollResults) -> None:
        """Claim a candidate for each message without a vendor id, and add its report to the results.

        A candidate must be unclaimed. It needs our reference, or must be the only candidate and of this message alone:
        otherwise the message stays `unknown`. Raises UnavailableError.
        """
        unknown = [m for m in group if m.provider_message_id is None and results.candidates.get(m.message_id)]
        keys = {
            key
            for message in unknown
            for report in results.candidates[message.message_id]
            for key in _keys_of(provider.name, message, report)
        }
        known = self._correlations.find_correlations(keys) if keys else {}
        for message in unknown:
            free = [r for r in results.candidates[message.message_id] if _is_free(known, provider.name, r, message)]
            referenced = [r for r in free if r.reference is not None and isinstance(provider, SupportsReferences)]
            is_certain = len(free) == 1 and not any(_shares(results, m, free) for m in unknown if m is not message)
            if referenced or is_certain:
                self._claim(provider.name, message, _best(referenced or free), results)
            elif free:
                self._telemetry.warning(
                    "reconciliation ambiguous", message_id=message.message_id, provider=provider.name
                )

    def _claim(self, provider: str, message: Message, report: Report, results: PollResults) -> None:
        key = _key_of(provider, message, report.provider_message_id)
        correlation = self._correlations.claim(key, message.message_id)
        if correlation.message_id == message.message_id:
            results.reports[message.message_id] = report
            self._telemetry.info("unknown send reconciled", message_id=message.message_id, provider=provider)


def _is_free(known: Mapping[str, Correlation], provider: str, report: Report, message: Message) -> bool:
    owners = [known[key].message_id for key in _keys_of(provider, message, report) if key in known]
    return all(owner in (None, message.message_id) for owner in owners)


def _key_of(provider: str, message: Message, provider_message_id: str) -> str:
    return correlation_key(provider, message.channel, provider_message_id)


def _keys_of(provider: str, message: Message, report: Report) -> tuple[str, str]:
    """Return the keys under which another message may have claimed the vendor's id of a report."""
    provider_message_id = report.provider_message_id
    return _key_of(provider, message, provider_message_id), former_correlation_key(provider, provider_message_id)


def _best(reports: Sequence[Report]) -> Report:
    """Return the report that decides about a message: one that proves delivery, else the strongest that is no failure.

    Of several reports with our reference, all but one are about superseded attempts, which cannot fail the message.
    """
    hopeful = [report for report in reports if report.status is None or not report.status.is_failure]
    return strongest(hopeful or reports)


def _shares(results: PollResults, message: Message, reports: Sequence[Report]) -> bool:
    """Return whether one of the reports is also a candidate for another message."""
    ids = {report.provider_message_id for report in reports}
    return any(known.provider_message_id in ids for known in results.candidates[message.message_id])
