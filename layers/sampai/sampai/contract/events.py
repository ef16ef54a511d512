"""The events on the stack's bus, as types only. `docs/reference/schemas` has the JSON Schemas generated from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypedDict

from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.domain.recipient import mask
from sampai.domain.status import Source, Status
from sampai.domain.times import to_text

SOURCE: Final = "sampai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    detail_type: str
    detail: Mapping[str, Any] = field(repr=False)


class FailureDetail(TypedDict):
    reason: str
    provider_code: str | None
    detail: str | None


class MessageStatusChanged(TypedDict):
    """A message has a new status. `sequence` counts 1, 2, … without gaps for each message.

    `segments` and `encoding` (`gsm7` or `ucs2`) are of the text of an SMS. `cost` is the vendor's own text.
    """

    message_id: str
    sequence: int
    status: str
    previous_status: str | None
    channel: str
    recipient: str | None
    provider: str | None
    provider_message_id: str | None
    occurred_at: str
    source: str
    failure: FailureDetail | None
    metadata: Mapping[str, str]
    segments: int | None
    encoding: str | None
    cost: str | None


class MessageReceived(TypedDict):
    """A person sent us a message. `sender` is the full number, so that it can be answered."""

    provider: str
    channel: str
    provider_message_id: str | None
    sender: str
    recipient: str | None
    text: str
    room_id: str | None
    received_at: str


class RequestRejected(TypedDict):
    """A request changed nothing: its id belongs to a different request, or the body could not be read."""

    message_id: str
    reason: str
    detail: str


def status_changed(message: Message, *, previous: Status | None) -> Event:
    """Return the event of a message's latest change of status. The recipient is masked and the text left out."""
    failure = message.failure
    detail = MessageStatusChanged(
        message_id=message.message_id,
        sequence=message.sequence,
        status=message.status,
        previous_status=previous,
        channel=message.channel,
        recipient=mask(message.recipient) if message.recipient else None,
        provider=message.provider,
        provider_message_id=message.provider_message_id,
        occurred_at=to_text(message.occurred_at),
        source=message.history[-1].source if message.history else Source.SEND,
        failure=None
        if failure is None
        else FailureDetail(reason=failure.reason, provider_code=failure.provider_code, detail=failure.detail),
        metadata=message.metadata,
        segments=message.segments,
        encoding=message.encoding,
        cost=message.cost,
    )
    return Event(detail_type="Message Status Changed", detail=detail)


def message_received(inbound: Inbound, *, now: datetime) -> Event:
    """Return the event of an inbound message; `now` is its time if the vendor gave none."""
    detail = MessageReceived(
        provider=inbound.provider,
        channel=inbound.channel,
        provider_message_id=inbound.provider_message_id,
        sender=inbound.sender,
        recipient=inbound.recipient,
        text=inbound.text,
        room_id=inbound.room_id,
        received_at=to_text(inbound.received_at or now),
    )
    return Event(detail_type="Message Received", detail=detail)


def request_rejected(message_id: str, reason: str, detail: str) -> Event:
    """Return the event of a request that changed nothing; `detail` names the field, never the value."""
    rejected = RequestRejected(message_id=message_id, reason=reason, detail=detail)
    return Event(detail_type="Request Rejected", detail=rejected)
