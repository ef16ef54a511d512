"""The data of the simulated vendors: each accepted message, each listed row, each submission, each call."""

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

    `accepted_at` is None for a row that a vendor lists but did not accept. `number` counts the rows of a vendor from 0
    and selects the dialect; `serial` never repeats, not even after a restart. The lifecycle begins at `starts_at`. The
    recipient of a message to a list or group is the name of the list or group. A row with `is_listed` false can only
    be found by its id.
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
    """The rows and call counts of all vendors. Thread-safe.

    With a state file, each row is appended to the file as one JSON line and read back at the next start.
    """

    def __init__(self, state: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._state = state
        self._rows: list[Row] = []
        self._by_id: dict[tuple[str, str], Row] = {}
        self._calls: dict[str, Counter[str]] = defaultdict(Counter)
        self._visits: set[tuple[str, str, str]] = set()
        self._submissions: set[tuple[str, str, str]] = set()
        self._numbers: dict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._serial = 0
        if state is not None and state.exists():
            self._restore(state)

    def next_serial(self) -> int:
        """Return a new number, greater than all before: the microseconds since 1970, 16 digits."""
        with self.lock:
            self._serial = max(self._serial + 1, time.time_ns() // 1000)
            return self._serial

    def next_number(self, vendor: str) -> int:
        """Return the number of the vendor's next row, from 0."""
        with self.lock:
            return next(self._numbers[vendor])

    def add(self, row: Row) -> None:
        """Store a row. The vendor then lists it, and has accepted it if `accepted_at` is set."""
        with self.lock:
            self._store(row)
            if self._state is not None:
                with self._state.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(row)) + "\n")

    def rows(self, vendor: str = "") -> list[Row]:
        """Return the rows of one vendor, or of all, oldest first."""
        with self.lock:
            return [row for row in self._rows if vendor in ("", row.vendor)]

    def listed(self, vendor: str) -> list[Row]:
        """Return the rows in the list of a vendor, newest first."""
        rows = [row for row in reversed(self.rows(vendor)) if row.is_listed]
        return sorted(rows, key=lambda row: row.created_at, reverse=True)

    def find(self, vendor: str, provider_message_id: str) -> Row | None:
        """Return the row with a vendor's id, or None."""
        with self.lock:
            return self._by_id.get((vendor, provider_message_id))

    def record_visit(self, vendor: str, channel: str, recipient: str) -> bool:
        """Record a send to a recipient. Return whether it is the first one since the last reset."""
        with self.lock:
            before = len(self._visits)
            self._visits.add((vendor, channel, recipient))
            return len(self._visits) > before

    def record_submission(self, vendor: str, recipient: str, text: str) -> None:
        """Record a message that reached a vendor, accepted or not. A restart forgets it."""
        with self.lock:
            self._submissions.add((vendor, recipient, text_sha256(text)))

    def submissions(self) -> list[tuple[str, str, str]]:
        """Return each message that reached a vendor: vendor, recipient, digest of the text."""
        with self.lock:
            return sorted(self._submissions)

    def count(self, vendor: str, operation: str) -> None:
        """Count one call."""
        with self.lock:
            self._calls[vendor][operation] += 1

    def calls(self) -> dict[str, dict[str, int]]:
        """Return the number of calls by vendor and operation."""
        with self.lock:
            return {vendor: dict(counts) for vendor, counts in self._calls.items()}

    def reset(self) -> None:
        """Delete everything except the serial, so that no id is used twice."""
        with self.lock:
            self._rows.clear()
            self._by_id.clear()
            self._calls.clear()
            self._visits.clear()
            self._submissions.clear()
            self._numbers.clear()
            if self._state is not None:
                self._state.write_text("", encoding="utf-8")

    def _store(self, row: Row) -> None:
        self._rows.append(row)
        self._by_id[row.vendor, row.provider_message_id] = row

    def _restore(self, state: Path) -> None:
        for line in state.read_text(encoding="utf-8").splitlines():
            stored = json.loads(line)
            row = Row(**{**stored, "lifecycle": Lifecycle(stored["lifecycle"])})
            self._store(row)
            self._serial = max(self._serial, row.serial)
            next(self._numbers[row.vendor])


def text_sha256(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text in UTF-8. It identifies the text without revealing it."""
    return hashlib.sha256(text.encode()).hexdigest()


def iso_utc(seconds: float) -> str:
    """Format a time in seconds since 1970 as `2024-01-18T07:26:55.989Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
