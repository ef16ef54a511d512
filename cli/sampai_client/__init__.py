"""The typed client: put requests on the queues of a stack, and read its events.

    from sampai_client import Client, SendRequest, TextContent

    client = Client.of_stack("sampai-prod")
    request = SendRequest(
        message_id="otp-4711", recipient="+85591234511", content=TextContent(type="text", text="Your code is 1234")
    )
    refused = client.send([request], urgent=True)

The models are those by which the functions validate a request. A consumer reads an event with `parse_event`.
"""

from sampai.contract.events import MessageReceived, MessageStatusChanged, RequestRejected
from sampai.contract.request import (
    AttachmentContent,
    Audience,
    CancelRequest,
    EmailContent,
    MediaContent,
    OptInRequest,
    OptOutRequest,
    SendRequest,
    TemplateContent,
    TextContent,
)
from sampai.domain.message import Category, Channel, OnUnknown
from sampai_client.client import Client, InvalidRequestsError, Refused, Request
from sampai_client.events import InvalidEventError, ParsedEvent, parse_event

__all__ = [
    "AttachmentContent",
    "Audience",
    "CancelRequest",
    "Category",
    "Channel",
    "Client",
    "EmailContent",
    "InvalidEventError",
    "InvalidRequestsError",
    "MediaContent",
    "MessageReceived",
    "MessageStatusChanged",
    "OnUnknown",
    "OptInRequest",
    "OptOutRequest",
    "ParsedEvent",
    "Refused",
    "Request",
    "RequestRejected",
    "SendRequest",
    "TemplateContent",
    "TextContent",
    "parse_event",
]
