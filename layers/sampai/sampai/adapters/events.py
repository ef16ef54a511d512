"""The events for callers, on EventBridge."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.contract.events import SOURCE, Event
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_BATCH_SIZE: Final = 10
MAX_BATCH_BYTES: Final = 256 * 1024
"""The limits of PutEvents: entries, and the bytes of source, detail type and detail together."""

_PERMANENT: Final = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure", "ValidationException"})
"""Codes of an entry that is never accepted (PutEventsResultEntry in the API reference of EventBridge)."""

Entry = dict[str, str]


class EventBridgeBus:
    """Implements `ports.events.EventBus`."""

    def __init__(self, client: Any, *, bus_name: str, telemetry: Telemetry) -> None:
        self._client = client
        self._bus_name = bus_name
        self._telemetry = telemetry

    def put(self, events: Sequence[Event]) -> None:
        """Publish in order. Raise UnavailableError at the first batch that is not accepted completely.

        An event that EventBridge never accepts is reported and left out, so that it does not block those after it.
        """
        for batch in _batches(self._fit_entries(events)):
            # Everything from the first refused entry is sent again, so that no later event overtakes it.
            if (tail := self._send(batch)) and self._send(tail):
                raise UnavailableError("events: not accepted")

    def _fit_entries(self, events: Sequence[Event]) -> list[Entry]:
        """Return the entries of the events that are not too large, and report the others."""
        entries = []
        for event in events:
            entry = self._entry(event)
            if _size_of(entry) > MAX_BATCH_BYTES:
                self._report_refused(entry, "too large")
            else:
                entries.append(entry)
        return entries

    def _send(self, entries: Sequence[Entry]) -> list[Entry]:
        """Send entries, and return those from the first one that must be sent again."""
        with unavailable("events"):
            answer = self._client.put_events(Entries=entries)
        codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
        temporary = [index for index, code in enumerate(codes) if code and code not in _PERMANENT]
        end = temporary[0] if temporary else len(entries)
        for entry, code in zip(entries[:end], codes[:end], strict=True):
            if code:
                self._report_refused(entry, code)
        return list(entries[end:])

    def _report_refused(self, entry: Entry, why: str) -> None:
        detail = json.loads(entry["Detail"])
        self._telemetry.error(
            "event refused", message_id=detail.get("message_id"), sequence=detail.get("sequence"), why=why
        )
        self._telemetry.count("EventRefused")

    def _entry(self, event: Event) -> Entry:
        detail = json.dumps(event.detail, separators=(",", ":"))
        return {"EventBusName": self._bus_name, "Source": SOURCE, "DetailType": event.detail_type, "Detail": detail}


def _size_of(entry: Entry) -> int:
    return sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        more = _size_of(entry)
        if batch and (len(batch) == MAX_BATCH_SIZE or size + more > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
