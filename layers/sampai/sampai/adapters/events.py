"""The events for callers, on EventBridge."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.contract.events import SOURCE, Event
from sampai.services.ports.runtime import UnavailableError

MAX_BATCH_SIZE: Final = 10
MAX_BATCH_BYTES: Final = 256 * 1024
"""The limits of PutEvents: entries, and the bytes of source, detail type and detail together."""

Entry = dict[str, str]


class EventBridgeBus:
    """Implements `ports.events.EventBus`."""

    def __init__(self, client: Any, *, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def put(self, events: Sequence[Event]) -> None:
        """Publish in order. Raise UnavailableError at the first batch that is not accepted completely."""
        for batch in _batches([self._entry(event) for event in events]):
            # Everything from the first refused entry is sent again, so that no later event overtakes it.
            if (tail := self._send(batch)) and self._send(tail):
                raise UnavailableError("events: not accepted")

    def _send(self, entries: Sequence[Entry]) -> list[Entry]:
        """Send entries, and return those from the first refused one."""
        with unavailable("events"):
            answer = self._client.put_events(Entries=entries)
        refused = [index for index, entry in enumerate(answer["Entries"]) if entry.get("ErrorCode")]
        return list(entries[refused[0] :]) if refused else []

    def _entry(self, event: Event) -> Entry:
        detail = json.dumps(event.detail, separators=(",", ":"))
        return {"EventBusName": self._bus_name, "Source": SOURCE, "DetailType": event.detail_type, "Detail": detail}


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        more = sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))
        if batch and (len(batch) == MAX_BATCH_SIZE or size + more > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
