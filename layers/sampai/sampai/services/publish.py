"""Publish: every change of a message's status leaves as an event, in the order of the changes."""

from collections.abc import Iterable

from sampai.contract.events import status_changed
from sampai.domain.message import Message
from sampai.services.ports import EventBus


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
