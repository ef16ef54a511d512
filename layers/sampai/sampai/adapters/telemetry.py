"""Logs and metrics with Powertools: JSON lines and CloudWatch's embedded metric format, both on standard output."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from sampai.domain.recipient import mask

_RECIPIENT: Final = re.compile(r"(?<![^\s@<>\"',;:])[^\s@<>\"',;:]+@[^\s@<>\"',;:]+|\+[0-9]{7,}")
"""Anything that looks like an e-mail address, or a phone number.

An address is only looked for at the start of a word: from each character of a long word, the time would be quadratic.
"""
_RESERVED: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""The attributes of a log record. The logging module refuses fields with these names."""


class PowertoolsTelemetry:
    """Implements `ports.telemetry.Telemetry`. Counts are added up until the end of the invocation."""

    def __init__(self, *, service: str, level: str, namespace: str, stream: IO[str] | None = None) -> None:
        """Create the logger; it writes to standard output unless a stream is given."""
        # Without the location, which would always be a line of this file.
        self._logger = Logger(service=service, level=level, stream=stream, location=None)
        self._namespace = namespace
        self._lock = Lock()
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._measures: list[tuple[dict[str, str], str, float]] = []

    def info(self, line: str, /, **fields: Any) -> None:
        self._logger.info(line, extra=_log_fields(fields))

    def warning(self, line: str, /, **fields: Any) -> None:
        self._logger.warning(line, extra=_log_fields(fields))

    def error(self, line: str, /, **fields: Any) -> None:
        self._logger.error(line, extra=_log_fields(fields))

    def count(self, metric: str, *, provider: str | None = None) -> None:
        """Add one to a metric: of one provider and of all together, or without a provider."""
        with self._lock:  # vendors are polled in threads
            self._counts[provider, metric] += 1

    def measure(self, metric: str, value: float, *, provider: str | None = None, account: str | None = None) -> None:
        """Record a value, of an account if one is given, without adding it to other values."""
        dimensions = {"provider": provider, "account": account}
        self._measures.append(({name: of for name, of in dimensions.items() if of is not None}, metric, value))

    @contextmanager
    def invocation(self, context: Any) -> Iterator[None]:
        """Add the request id to the log lines of an invocation, and write its metrics when it ends."""
        self._logger.append_keys(function_request_id=context.aws_request_id)
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the metrics: one line for each value, one for the counts of each provider, one for other counts."""
        counts, self._counts = self._counts, Counter()
        measures, self._measures = self._measures, []
        for dimensions, name, value in measures:
            metrics = self._new_metrics()
            for dimension, dimension_value in dimensions.items():
                # One set of both dimensions, because a mean over different accounts has no meaning.
                metrics.add_dimension(name=dimension, value=dimension_value)
            metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)
            metrics.flush_metrics()
        for provider in dict.fromkeys(provider for provider, _ in counts):
            metrics = self._new_metrics()
            if provider is not None:
                metrics.add_dimensions(provider=provider)
            for (owner, name), times in counts.items():
                if owner == provider:
                    metrics.add_metric(name=name, unit=MetricUnit.Count, value=times)
            metrics.flush_metrics()

    def _new_metrics(self) -> EphemeralMetrics:
        return EphemeralMetrics(namespace=self._namespace, service="")


def _log_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_" if name in _RESERVED else name: _mask_recipients(value) for name, value in fields.items()}


def _mask_recipients(value: Any) -> Any:
    """Return a value without complete numbers and addresses: a safeguard, because no code may log one."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {_mask_recipients(key): _mask_recipients(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_recipients(entry) for entry in value]
    return _RECIPIENT.sub(lambda recipient: mask(recipient[0]), str(value))
