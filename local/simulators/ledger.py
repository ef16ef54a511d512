"""What the vendors hold: every message they took, every row they list, every call they saw."""

import hashlib
import itertools
import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.simulators.lifecycles import Lifecycle


@dataclass(slots=True, kw_only=True)
class Row:
    """One message at one vendor. Times are seconds since 1970.

    `accepted_at` is None for a row that a vendor lists but never took. `number` counts a vendor's rows from 0 and
    picks between dialects; `serial` never repeats, not even after a restart. `starts_at` is when the lifecycle begins.
    A message to a list or group has its name as the recipient. What is not listed is told of by its id alone.
    """

    vendor: str
    serial: int
    number: int
    provider_message_id: str
    recipient: str
    sender: str
    text: str
    lifecycle: Lifecycle
    created_at: float
    starts_at: float
    accepted_at: float | None
    channel: str = "sms"
    operation: str = "send"
    reference: str = ""
    is_listed: bool = True
    details: dict[str, Any] = field(default_factory=dict)
    reads: int = 0


class Ledger:
    """Rows and counts of all vendors; safe to use from many threads.

    With a state file every row is appended to it as one JSON line and read back at the next start.
    """

    def __init__(self, state: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._state = state
        self._rows: list[Row] = []
        self._by_id: dict[tuple[str, str], Row] = {}
        self._calls: dict[str, Counter[str]] = defaultdict(Counter)
        self._visits: set[tuple[str, str, str]] = set()
        self._numbers: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._serial = 0
        if state is not None and state.exists():
            self._restore(state)

    def next_serial(self) -> int:
        """Return a number that grows and never repeats: the microseconds since 1970, 16 digits."""
        with self.lock:
            self._serial = max(self._serial + 1, time.time_ns() // 1000)
            return self._serial

    def next_number(self, vendor: str) -> int:
        """Return the number of the vendor's next row, from 0."""
        with self.lock:
            return next(self._numbers[vendor])

    def add(self, row: Row) -> None:
        """Keep a row; from here on the vendor lists it, and has taken it if `accepted_at` is set."""
        with self.lock:
            self._keep(row)
            if self._state is not None:
                with self._state.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(row)) + "\n")

    def rows(self, vendor: str = "") -> list[Row]:
        """Return the rows of one vendor, or of all, oldest first."""
        with self.lock:
            return [row for row in self._rows if vendor in ("", row.vendor)]

    def find(self, vendor: str, provider_message_id: str) -> Row | None:
        """Return the row that a vendor knows by its id."""
        with self.lock:
            return self._by_id.get((vendor, provider_message_id))

    def is_first_visit(self, vendor: str, channel: str, recipient: str) -> bool:
        """Say whether this recipient is asked about for the first time since the last reset."""
        with self.lock:
            before = len(self._visits)
            self._visits.add((vendor, channel, recipient))
            return len(self._visits) > before

    def count(self, vendor: str, operation: str) -> None:
        """Count one call."""
        with self.lock:
            self._calls[vendor][operation] += 1

    def calls(self) -> dict[str, dict[str, int]]:
        """Return the number of calls by vendor and operation."""
        with self.lock:
            return {vendor: dict(counts) for vendor, counts in self._calls.items()}

    def reset(self) -> None:
        """Forget everything but the serial, so that no id is ever given twice."""
        with self.lock:
            self._rows.clear()
            self._by_id.clear()
            self._calls.clear()
            self._visits.clear()
            self._numbers.clear()
            if self._state is not None:
                self._state.write_text("", encoding="utf-8")

    def _keep(self, row: Row) -> None:
        self._rows.append(row)
        self._by_id[row.vendor, row.provider_message_id] = row

    def _restore(self, state: Path) -> None:
        for line in state.read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            row = Row(**{**kept, "lifecycle": Lifecycle(kept["lifecycle"])})
            self._keep(row)
            self._serial = max(self._serial, row.serial)
            next(self._numbers[row.vendor])


def text_sha256(text: str) -> str:
    """Return the hex SHA-256 of a text as UTF-8: enough to compare by, without showing it."""
    return hashlib.sha256(text.encode()).hexdigest()


def iso_utc(seconds: float) -> str:
    """Write a time as `2024-01-18T07:26:55.989Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
