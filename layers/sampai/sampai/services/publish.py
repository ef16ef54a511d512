"""Publish every change of a message's status, and every inbound message, as an event."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sampai.contract.events import Event, message_received, status_changed
from sampai.domain.inbound import Inbound
from sampai.domain.message import Media, Message
from sampai.services.ports.events import EventBus
from sampai.services.ports.media import MediaStore
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry

Change = tuple[Message | None, Message]
"""Two revisions of a message: the previous one, or None, and the current one."""


class PublishService:
    """Follows the streams of the tables of messages and inbound messages."""

    def __init__(self, *, bus: EventBus, media: MediaStore, telemetry: Telemetry) -> None:
        self._bus = bus
        self._media = media
        self._telemetry = telemetry

    def publish(self, changes: Sequence[Change]) -> int:
        """Publish the status changes, in order, and delete the files that are no longer needed.

        Return the number of events. Raises UnavailableError if the bus is down: the caller repeats the batch, and some
        events may be published twice.
        """
        events = [
            self._build(partial(status_changed, after, previous=before.status if before else None), after.message_id)
            for before, after in changes
            if before is None or after.sequence != before.sequence
        ]
        published = self._put(events)
        self._discard_files(changes)
        return published

    def publish_received(self, received: Sequence[tuple[Inbound, datetime]]) -> int:
        """Publish inbound messages, each with the time at which we received it. Return and raise as `publish` does."""
        return self._put(
            [self._build(partial(message_received, inbound, now=received_at)) for inbound, received_at in received]
        )

    def _build(self, build: Callable[[], Event], message_id: str | None = None) -> Event | None:
        """Return an event. One that cannot be built is reported, and does not block the others."""
        try:
            return build()
        except Exception as error:
            self._telemetry.error("event not built", message_id=message_id, error=type(error).__name__)
            self._telemetry.count("EventRefused")
            return None

    def _put(self, events: Sequence[Event | None]) -> int:
        built = [event for event in events if event is not None]
        self._bus.put(built)
        return len(built)

    def _discard_files(self, changes: Sequence[Change]) -> None:
        """Delete the files of messages that will not be sent any more. Every end of a message passes here.

        In an outage the files remain until they expire: further calls could use up the invocation.
        """
        for before, after in changes:
            key = _unneeded_file(before, after)
            if key is None:
                continue
            try:
                self._media.delete(key)
            except UnavailableError:
                self._telemetry.warning("file not discarded", message_id=after.message_id)
                return


def _unneeded_file(before: Message | None, after: Message) -> str | None:
    """Return the key of the file that a message had while it could still be sent, if it cannot be sent any more."""
    if before is None or not before.status.may_be_sent or after.status.may_be_sent:
        return None
    return before.content.media_key if isinstance(before.content, Media) else None
