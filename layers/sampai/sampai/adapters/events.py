"""The events for callers, on EventBridge."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from threading import Event as Flag
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.batches import batches_within
from sampai.contract.events import SOURCE, Event
from sampai.services.ports.runtime import NewPool, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_BATCH_BYTES: Final = 256 * 1024
"""The limit of PutEvents: the bytes of source, detail type and detail together."""

MAX_CALLS: Final = 8
"""Calls of PutEvents at a time. The client keeps ten connections."""

_PERMANENT: Final = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure", "ValidationException"})
"""Codes of an entry that is never accepted (PutEventsResultEntry in the API reference of EventBridge)."""

Entry = dict[str, str]
KeyedEntry = tuple[str | None, Entry]
"""An entry with the id of its message. An inbound message has none: its event has no place in an order."""


class EventBridgeBus:
    """Implements `ports.events.EventBus`."""

    def __init__(self, client: Any, *, bus_name: str, telemetry: Telemetry, new_pool: NewPool) -> None:
        self._client = client
        self._bus_name = bus_name
        self._telemetry = telemetry
        self._new_pool = new_pool

    def put(self, events: Sequence[Event]) -> None:
        """Publish the events of each message in order, and those of different messages side by side.

        Raise UnavailableError if a call is not accepted completely. No call begins after that, and none with a later
        event of the same message was made. An event that EventBridge never accepts is reported and left out, so that it
        does not block those after it.
        """
        entries = self._fit_entries(_interleaved(events))
        batches = list(batches_within(entries, MAX_BATCH_BYTES, lambda keyed: _size_of(keyed[1])))
        if not batches:
            return
        outage = Flag()
        calls: list[Future[None]] = []
        last_calls: dict[str, Future[None]] = {}
        with self._new_pool(min(MAX_CALLS, len(batches))) as pool:
            for batch in batches:
                message_ids = {message_id for message_id, _ in batch if message_id is not None}
                # A pool begins calls in order, so it has begun all that a call waits for.
                earlier = {last_calls[message_id] for message_id in message_ids if message_id in last_calls}
                call = pool.submit(self._put, [entry for _, entry in batch], earlier, outage)
                last_calls.update(dict.fromkeys(message_ids, call))
                calls.append(call)
        for call in calls:
            call.result()

    def _put(self, entries: Sequence[Entry], earlier: Collection[Future[None]], outage: Flag) -> None:
        """Send the entries of one call as soon as the earlier calls are accepted. Raises UnavailableError."""
        for call in earlier:
            call.result()
        if outage.is_set():
            raise UnavailableError("events: an earlier call was not accepted")
        try:
            # Everything from the first refused entry is sent again, so that no later event overtakes it.
            if (tail := self._send(entries)) and self._send(tail):
                raise UnavailableError("events: not accepted")
        except UnavailableError:
            outage.set()
            raise

    def _fit_entries(self, events: Sequence[Event]) -> list[KeyedEntry]:
        """Return the entries of the events that are not too large, and report the others."""
        entries = []
        for event in events:
            entry = self._entry(event)
            if _size_of(entry) > MAX_BATCH_BYTES:
                self._report_refused(entry, "too large")
            else:
                entries.append((event.detail.get("message_id"), entry))
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


def _interleaved(events: Sequence[Event]) -> list[Event]:
    """Return the first event of each message, then the second ones, and so on.

    So a full call seldom has to wait for another one, and no more calls are made than for events in any other order.
    """
    counts: Counter[str] = Counter()
    rounds: list[list[Event]] = []
    for event in events:
        round_ = 0
        if (message_id := event.detail.get("message_id")) is not None:
            round_ = counts[message_id]
            counts[message_id] += 1
        if round_ == len(rounds):
            rounds.append([])
        rounds[round_].append(event)
    return [event for round_ in rounds for event in round_]
