"""Logs and metrics, with Powertools: JSON lines and CloudWatch's embedded metric format, both on standard output."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from sampai.domain.phone import mask

SERVICE: Final = "sampai"
NAMESPACE: Final = "Sampai"
"""Of the metrics, unless POWERTOOLS_METRICS_NAMESPACE names the stack's own."""

_NUMBER: Final = re.compile(r"\+[0-9]{7,}")
_TAKEN: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""Names that a log record has of its own; logging refuses them as fields."""


class PowertoolsTelemetry:
    """Implements `ports.Telemetry`. Metrics are summed until the end of the invocation.

    The log level comes from POWERTOOLS_LOG_LEVEL.
    """

    def __init__(self, logger: Logger | None = None) -> None:
        self._logger = logger or Logger(service=SERVICE)
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._measures: list[tuple[dict[str, str], str, float]] = []

    def info(self, line: str, /, **fields: Any) -> None:
        self._logger.info(line, extra=_fit(fields))

    def warning(self, line: str, /, **fields: Any) -> None:
        self._logger.warning(line, extra=_fit(fields))

    def error(self, line: str, /, **fields: Any) -> None:
        self._logger.error(line, extra=_fit(fields))

    def count(self, metric: str, *, provider: str | None = None) -> None:
        """Add one to a metric. With a provider it counts for that provider and for all together."""
        self._counts[provider, metric] += 1

    def measure(self, metric: str, value: float, *, provider: str, account: str) -> None:
        """Record a value as it is, under the provider's account."""
        self._measures.append(({"provider": provider, "account": account}, metric, value))

    @contextmanager
    def invocation(self, context: Any) -> Iterator[None]:
        """Tie the log lines of one invocation together by its request id, and write out its metrics at the end."""
        self._logger.append_keys(function_request_id=context.aws_request_id)
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write out what was measured, and what was counted: a line for each provider and one for none."""
        counts, self._counts = self._counts, Counter()
        measures, self._measures = self._measures, []
        for dimensions, name, value in measures:
            metrics = _metrics()
            for dimension, named in dimensions.items():
                metrics.add_dimension(name=dimension, value=named)  # one set of both: a mean over vendors says nothing
            metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)
            metrics.flush_metrics()
        for provider in dict.fromkeys(provider for provider, _ in counts):
            metrics = _metrics()
            if provider is not None:
                metrics.add_dimensions(provider=provider)
            for (whose, name), times in counts.items():
                if whose == provider:
                    metrics.add_metric(name=name, unit=MetricUnit.Count, value=times)
            metrics.flush_metrics()


def _metrics() -> EphemeralMetrics:
    return EphemeralMetrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE), service="")


def _fit(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_" if name in _TAKEN else name: _masked(value) for name, value in fields.items()}


def _masked(value: Any) -> Any:
    """Return a value without whole phone numbers: a net below the rule that none is ever logged."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {_masked(key): _masked(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(entry) for entry in value]
    return _NUMBER.sub(lambda number: mask(number[0]), str(value))
