"""Read the events of a stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sampai.contract.events import SOURCE, MessageReceived, MessageStatusChanged, RequestRejected

KINDS: Final = {
    "Message Status Changed": MessageStatusChanged,
    "Message Received": MessageReceived,
    "Request Rejected": RequestRejected,
}


class InvalidEventError(ValueError):
    """A document is no event of Sampai. The text has no value of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEvent:
    """One event. Exactly one field is set."""

    status_changed: MessageStatusChanged | None = field(default=None, repr=False)
    received: MessageReceived | None = field(default=None, repr=False)
    rejected: RequestRejected | None = field(default=None, repr=False)


def parse_event(document: str | Mapping[str, Any]) -> ParsedEvent:
    """Return an event as EventBridge delivers it: the body of an SQS message, or the event of a function.

    Drop a `status_changed` with a `message_id` and `sequence` that you have seen: events arrive at least once. Fields
    of a later release are kept. Raises InvalidEventError.
    """
    try:
        event = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        raise InvalidEventError("not JSON") from None
    if not isinstance(event, Mapping) or event.get("source") != SOURCE:
        raise InvalidEventError("not an event of Sampai")
    kind, detail = event.get("detail-type"), event.get("detail")
    if kind not in KINDS:
        raise InvalidEventError("a kind of event that this release does not know")
    if not isinstance(detail, Mapping):
        raise InvalidEventError(f"{kind}: without a detail")
    shape = KINDS[kind]
    detail = {**dict.fromkeys(shape.__annotations__), **detail}  # an older release leaves later fields out
    if shape is MessageStatusChanged:
        return ParsedEvent(status_changed=cast(MessageStatusChanged, detail))
    if shape is MessageReceived:
        return ParsedEvent(received=cast(MessageReceived, detail))
    return ParsedEvent(rejected=cast(RequestRejected, detail))
