"""Logs and metrics."""

from typing import Any, Final, Literal, Protocol

NO_PROVIDER: Final = "none"
"""The provider in the metrics of a message that ended before any provider was called."""

Unit = Literal["Seconds", "Count"]


class Telemetry(Protocol):
    """Logs and metrics. Fields are ids and facts: never a text, a full number, a token or a credential."""

    def info(self, line: str, /, **fields: Any) -> None: ...

    def warning(self, line: str, /, **fields: Any) -> None: ...

    def error(self, line: str, /, **fields: Any) -> None: ...

    def count(self, metric: str, *, provider: str | None = None) -> None:
        """Add one to a metric, for the provider if there is one, and for all providers together."""
        ...

    def observe(
        self, metric: str, value: float, *, provider: str | None, category: str, unit: Unit = "Seconds"
    ) -> None:
        """Add a value to the distribution of a provider and category. None means `NO_PROVIDER`."""
        ...

    def measure(self, metric: str, value: float, *, provider: str | None = None, account: str | None = None) -> None:
        """Record a value: of one account at a provider, such as its balance, or of the whole service."""
        ...
