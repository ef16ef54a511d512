"""The callers' events, on EventBridge."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.contract.events import SOURCE, Event
from sampai.services.ports.runtime import UnavailableError

BATCH: Final = 10
BATCH_BYTES: Final = 256 * 1024
"""PutEvents takes ten entries, and so many bytes of source, detail type and detail together."""

Entry = dict[str, str]


class EventBridgeBus:
    """Implements `ports.EventBus`."""

    def __init__(self, client: Any, *, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def put(self, events: Sequence[Event]) -> None:
        """Publish in order and stop at the first batch that is not taken whole, with UnavailableError."""
        for batch in _batches([self._entry(event) for event in events]):
            # From the first refused entry on everything is sent again: nothing may overtake it for good.
            if (tail := self._send(batch)) and self._send(tail):
                raise UnavailableError("events: not taken")

    def _send(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries from the first one that the bus did not take."""
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
        if batch and (len(batch) == BATCH or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
