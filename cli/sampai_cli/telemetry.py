"""The adapters' log lines, for a person."""

from typing import Any

from sampai.services.ports.telemetry import Unit
from sampai_cli.run import Run


class Notes:
    """Implements `ports.telemetry.Telemetry`: prints warnings and errors as remarks, and counts nothing."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def info(self, line: str, /, **fields: Any) -> None: ...

    def warning(self, line: str, /, **fields: Any) -> None:
        self.error(line, **fields)

    def error(self, line: str, /, **fields: Any) -> None:
        facts = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
        self._run.note(f"{line}: {facts}")

    def count(self, metric: str, *, provider: str | None = None) -> None: ...

    def observe(
        self, metric: str, value: float, *, provider: str | None, category: str, unit: Unit = "Seconds"
    ) -> None: ...

    def measure(
        self, metric: str, value: float, *, provider: str | None = None, account: str | None = None
    ) -> None: ...
