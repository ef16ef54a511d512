"""The events on the stack's bus, as types only. `docs/reference/schemas` has the JSON Schemas generated from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypedDict

from sampai.domain.caller import Caller
from sampai.domain.failure import Reason
from sampai.domain.inbound import Inbound
from sampai.domain.message import MESSAGE_ID, Channel, Message
from sampai.domain.recipient import mask
from sampai.domain.segments import Encoding
from sampai.domain.status import Source, Status
from sampai.domain.times import to_text

SOURCE: Final = "sampai"

RejectionReason = Literal["id_conflict", "invalid_request"]

_CALLER: Final = "Who sent the request: the name in the settings, or the unique id of the IAM user or role"
_MESSAGE_ID_RULE: Final = f"^{MESSAGE_ID.pattern}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: its detail type on the bus, and its detail as the event reference describes it."""

    detail_type: str
    detail: Mapping[str, Any] = field(repr=False)


# A dict beside a type holds the keywords of its JSON Schema. pydantic would say the same and slow the start of publish.


class FailureDetail(TypedDict):
    """The reason why a message failed, did not arrive, or waits for a further attempt."""

    reason: Reason
    provider_code: Annotated[str | None, {"description": "The vendor's own code, if it gave one."}]
    detail: Annotated[str | None, {"description": "Our text: the field and the rule, or the event. Never a value."}]


class MessageStatusChanged(TypedDict):
    """A message has a new status."""

    message_id: Annotated[
        str,
        {"pattern": _MESSAGE_ID_RULE, "description": "The caller's id; the SQS message id if it could not be read."},
    ]
    sequence: Annotated[int, {"minimum": 1, "description": "1, 2, … without gaps for each message."}]
    status: Annotated[Status, {"description": "The new status."}]
    previous_status: Annotated[Status | None, {"description": "Null in the first event."}]
    channel: Annotated[Channel, {"description": "The medium."}]
    recipient: Annotated[
        str | None,
        {"description": "Masked: country code and last three digits, or first character and domain. Null if unknown."},
    ]
    provider: Annotated[str | None, {"description": "The provider that has the message, or had it last."}]
    provider_message_id: Annotated[str | None, {"description": "The vendor's id, once it is known."}]
    occurred_at: Annotated[
        str,
        {
            "format": "date-time",
            "description": "The vendor's time of the change, or else ours, in UTC. Order events by sequence instead.",
        },
    ]
    source: Annotated[Source, {"description": "The origin of the change."}]
    failure: Annotated[
        FailureDetail | None, {"description": "Set for failed and undelivered, and for queued after a refusal."}
    ]
    metadata: Annotated[Mapping[str, str], {"maxProperties": 10, "description": "As in the request."}]
    segments: Annotated[
        int | None, {"minimum": 1, "description": "Billed segments of the text of an SMS. Null for any other message."}
    ]
    encoding: Annotated[Encoding | None, {"description": "Of the text of an SMS. Null for any other message."}]
    cost: Annotated[str | None, {"description": "The vendor's own text. Null if it told none."}]
    caller: Annotated[str | None, {"description": f"{_CALLER}, or null if it is not known."}]


class MessageReceived(TypedDict):
    """A person sent us a message."""

    provider: Annotated[str, {"description": "The provider that received it."}]
    channel: Annotated[Channel, {"description": "The medium."}]
    provider_message_id: Annotated[str | None, {"description": "The vendor's id, if it gave one."}]
    sender: Annotated[
        str, {"description": "The full number in E.164, so that it can be answered; else as the vendor gave it."}
    ]
    recipient: Annotated[str | None, {"description": "The number that received it, as the vendor gives it."}]
    text: Annotated[str, {"description": "The full text. Empty for a picture."}]
    room_id: Annotated[str | None, {"description": "The conversation, on whatsapp_official."}]
    received_at: Annotated[str, {"format": "date-time", "description": "The vendor's time, or else ours, in UTC."}]


class RequestRejected(TypedDict):
    """A request changed nothing: its id belongs to a different request, or the body could not be read."""

    message_id: Annotated[str, {"description": "The caller's id, or the SQS message id if it could not be read."}]
    reason: RejectionReason
    detail: Annotated[str, {"description": "The field and the rule, never the value."}]
    caller: Annotated[str | None, {"description": f"{_CALLER}, or null if it is not known."}]


DETAIL_TYPES: Final[Mapping[str, Any]] = {
    "Message Status Changed": MessageStatusChanged,
    "Message Received": MessageReceived,
    "Request Rejected": RequestRejected,
}
"""The shape of each kind of event, by its `detail-type`."""


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
        caller=message.caller_name,
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


def request_rejected(message_id: str, reason: RejectionReason, detail: str, *, caller: Caller | None = None) -> Event:
    """Return the event of a request that changed nothing; `detail` names the field, never the value.

    `caller` sent this request. The message of the same id may belong to another one.
    """
    name = None if caller is None else caller.name
    rejected = RequestRejected(message_id=message_id, reason=reason, detail=detail, caller=name)
    return Event(detail_type="Request Rejected", detail=rejected)
