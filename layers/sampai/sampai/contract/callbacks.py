"""The callbacks to callers outside AWS: an event of the bus as the body of an HTTP request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sampai.contract.events import SOURCE
from sampai.domain.message import MESSAGE_ID

TYPES: Final[Mapping[str, str]] = {
    "Message Status Changed": "message.status_changed",
    "Message Received": "message.received",
    "Request Rejected": "request.rejected",
}
"""The `type` of a callback by the `detail-type` of its event."""

MAX_SEQUENCE: Final = 10_000
"""No message has nearly so many events."""


class UnreadableEventError(ValueError):
    """A queue message is not an event of ours. The text contains no value of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """An event to be posted. `message_id` and `sequence` are None for an event without a place in an order."""

    callback_id: str
    """The header `webhook-id`: the same in each attempt."""
    body: bytes = field(repr=False)
    message_id: str | None = None
    sequence: int | None = None


def parse_callback(document: str) -> Callback:
    """Return the callback for an event as EventBridge puts it on a queue. Raises UnreadableEventError."""
    try:
        envelope = json.loads(document)
        kind, detail = envelope["detail-type"], envelope["detail"]
        body = {"type": TYPES[kind], "timestamp": _time_of(detail, envelope), "data": dict(detail)}
        event_id, source = envelope["id"], envelope["source"]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableEventError(type(error).__name__) from None
    if source != SOURCE:
        raise UnreadableEventError("source")
    if not isinstance(event_id, str) or MESSAGE_ID.fullmatch(event_id) is None:
        raise UnreadableEventError("id")
    encoded = json.dumps(body, separators=(",", ":")).encode()
    if kind != "Message Status Changed":
        return Callback(callback_id=_without_full_stops(event_id), body=encoded)
    message_id, sequence = _place_of(detail)
    callback_id = f"{_without_full_stops(message_id)}/{sequence}"
    return Callback(callback_id=callback_id, body=encoded, message_id=message_id, sequence=sequence)


def _time_of(detail: Mapping[str, Any], envelope: Mapping[str, Any]) -> str:
    """Return the time of an event: its own, or that of its publication."""
    return str(detail.get("occurred_at") or detail.get("received_at") or envelope["time"])


def _place_of(detail: Mapping[str, Any]) -> tuple[str, int]:
    message_id, sequence = detail.get("message_id"), detail.get("sequence")
    if not isinstance(message_id, str) or MESSAGE_ID.fullmatch(message_id) is None:
        raise UnreadableEventError("message_id")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 < sequence <= MAX_SEQUENCE:
        raise UnreadableEventError("sequence")
    return message_id, sequence


def _without_full_stops(text: str) -> str:
    """Return an id that can be signed: a full stop separates the signed parts. No message id has a tilde."""
    return text.replace(".", "~")
