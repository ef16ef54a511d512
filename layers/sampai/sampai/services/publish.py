"""Publish: every change of a message's status, and every inbound message, leaves as an event, in its order."""

from collections.abc import Iterable
from datetime import datetime

from sampai.contract.events import message_received, status_changed
from sampai.domain.inbound import Inbound
from sampai.domain.message import Message
from sampai.services.ports.events import EventBus


def publish(changes: Iterable[tuple[Message | None, Message]], *, bus: EventBus) -> int:
    """Publish the changes of status among stored revisions, each given with the one before it. Return how many.

    Raises UnavailableError if the bus did not take them all: then the caller repeats the whole batch.
    """
    events = [
        status_changed(after, previous=before.status if before else None)
        for before, after in changes
        if before is None or after.sequence != before.sequence
    ]
    bus.put(events)
    return len(events)


def publish_received(inbound_service: Iterable[tuple[Inbound, datetime]], *, bus: EventBus) -> int:
    """Publish inbound messages, each given with when it came to us. Return how many. Raises as `publish` does."""
    events = [message_received(inbound, now=came_at) for inbound, came_at in inbound_service]
    bus.put(events)
    return len(events)
