"""Logs and metrics with Powertools: JSON lines and CloudWatch's embedded metric format, both on standard output."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import IO, Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from sampai.domain.recipient import mask
from sampai.services.ports.telemetry import NO_PROVIDER, Unit

_RECIPIENT: Final = re.compile(r"(?<![^\s@<>\"',;:])[^\s@<>\"',;:]+@[^\s@<>\"',;:]+|\+[0-9]{7,}")
"""Anything that looks like an e-mail address, or a phone number.

An address is only looked for at the start of a word: from each character of a long word, the time would be quadratic.
"""
_RESERVED: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""The attributes of a log record. The logging module refuses fields with these names."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The dimensions of a metric: one set of all of them. A mean over different accounts has no meaning."""

    dimensions: tuple[tuple[str, str], ...] = ()
    is_in_total: bool = False
    """Whether the metric is also written without dimensions."""


class PowertoolsTelemetry:
    """Implements `ports.telemetry.Telemetry`. Counts are added up until the end of the invocation."""

    def __init__(self, *, service: str, level: str, namespace: str, stream: IO[str] | None = None) -> None:
        """Create the logger; it writes to standard output unless a stream is given."""
        # Without the location, which would always be a line of this file.
        self._logger = Logger(service=service, level=level, stream=stream, location=None)
        self._namespace = namespace
        self._lock = Lock()
        self._counts: Counter[tuple[_Scope, str]] = Counter()
        self._values: list[tuple[_Scope, str, MetricUnit, float]] = []

    def info(self, line: str, /, **fields: Any) -> None:
        self._logger.info(line, extra=_log_fields(fields))

    def warning(self, line: str, /, **fields: Any) -> None:
        self._logger.warning(line, extra=_log_fields(fields))

    def error(self, line: str, /, **fields: Any) -> None:
        self._logger.error(line, extra=_log_fields(fields))

    def count(self, metric: str, *, provider: str | None = None) -> None:
        """Add one to a metric: of one provider and of all together, or without a provider."""
        scope = _Scope((("provider", provider),), is_in_total=True) if provider else _Scope()
        with self._lock:  # vendors are polled in threads
            self._counts[scope, metric] += 1

    def observe(
        self, metric: str, value: float, *, provider: str | None, category: str, unit: Unit = "Seconds"
    ) -> None:
        """Record one value of a distribution, with three decimals."""
        scope = _scope_of(provider=provider or NO_PROVIDER, category=category)
        with self._lock:  # vendors are called in threads
            self._values.append((scope, metric, MetricUnit(unit), round(value, 3)))

    def measure(self, metric: str, value: float, *, provider: str | None = None, account: str | None = None) -> None:
        """Record a value, of an account if one is given, without adding it to other values."""
        with self._lock:
            self._values.append((_scope_of(provider=provider, account=account), metric, MetricUnit.NoUnit, value))

    @contextmanager
    def invocation(self, context: Any) -> Iterator[None]:
        """Add the request id to the log lines of an invocation, and write its metrics when it ends."""
        self._logger.append_keys(function_request_id=context.aws_request_id)
        try:
            yield
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the metrics: one line for those with the same dimensions."""
        counts, self._counts = self._counts, Counter()
        values, self._values = self._values, []
        sums = [(scope, name, MetricUnit.Count, float(times)) for (scope, name), times in counts.items()]
        lines: dict[_Scope, EphemeralMetrics] = {}
        for scope, name, unit, value in [*values, *sums]:
            if scope not in lines:
                lines[scope] = self._new_line(scope)
            lines[scope].add_metric(name=name, unit=unit, value=value)
        for line in lines.values():
            if line.metric_set:  # Powertools writes a metric of 100 values, the limit of a line, at once
                line.flush_metrics()

    def _new_line(self, scope: _Scope) -> EphemeralMetrics:
        line = EphemeralMetrics(namespace=self._namespace, service="")
        if scope.is_in_total:
            line.add_dimensions(**dict(scope.dimensions))
            return line
        for name, value in scope.dimensions:
            line.add_dimension(name=name, value=value)
        return line


def _scope_of(**dimensions: str | None) -> _Scope:
    """Return the scope of the dimensions that have a value."""
    return _Scope(tuple((name, value) for name, value in dimensions.items() if value is not None))


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
