"""Logs and metrics."""

from typing import Any, Protocol


class Telemetry(Protocol):
    """Logs and metrics. Fields are ids and facts: never a text, a whole number, a token or a credential."""

    def info(self, what: str, **fields: Any) -> None: ...

    def warning(self, what: str, **fields: Any) -> None: ...

    def error(self, what: str, **fields: Any) -> None: ...

    def count(self, metric: str, *, provider: str | None = None) -> None: ...

    def measure(self, metric: str, value: float, *, provider: str, account: str) -> None:
        """Record what one account at a provider, such as a balance, stands at."""
        ...
