"""Publish every change of a message's status, and every inbound message, as an event."""

from collections.abc import Iterable
from datetime import datetime

from sampai.contract.events import message_received, status_changed
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.services.ports.events import EventBus


def publish(changes: Iterable[tuple[Message | None, Message]], *, bus: EventBus) -> int:
    """Publish the status changes among pairs of revisions (previous or None, current), in order.

    Return the number of events. Raises UnavailableError if the bus did not accept all of them: the caller repeats the
    batch, and some events may be published twice.
    """
    events = [
        status_changed(after, previous=before.status if before else None)
        for before, after in changes
        if before is None or after.sequence != before.sequence
    ]
    bus.put(events)
    return len(events)


def publish_received(received: Iterable[tuple[Inbound, datetime]], *, bus: EventBus) -> int:
    """Publish inbound messages, each with the time at which we received it. Return and raise as `publish` does."""
    events = [message_received(inbound, now=received_at) for inbound, received_at in received]
    bus.put(events)
    return len(events)
