"""Publish every change of a message's status, and every inbound message, as an event."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sampai.contract.events import Event, message_received, status_changed
from sampai.domain.inbound import Inbound
from sampai.domain.latencies import accept_latency, delivery_latency
from sampai.domain.message import Message, file_key_of
from sampai.domain.status import Status
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.events import EventBus
from sampai.services.ports.media import MediaStore
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.telemetry import Telemetry

Change = tuple[Message | None, Message]
"""Two revisions of a message: the previous one, or None, and the current one."""

_NOT_DELIVERED: Final = {
    Status.UNDELIVERED: "MessageUndelivered",
    Status.FAILED: "MessageFailed",
    Status.UNCONFIRMED: "MessageUnconfirmed",
}
"""The metrics of the final statuses that count against the delivery ratio. A caller cancels by choice."""


class PublishService:
    """Follows the streams of the tables of messages and inbound messages."""

    def __init__(
        self, *, bus: EventBus, media: MediaStore, encryption_keys: EncryptionKeyStore, telemetry: Telemetry
    ) -> None:
        self._bus = bus
        self._media = media
        self._encryption_keys = encryption_keys
        self._telemetry = telemetry

    def publish(self, changes: Sequence[Change]) -> int:
        """Publish the status changes, in order, and delete the files and encryption keys that are no longer needed.

        Return the number of events. Raises UnavailableError if the bus is down: the caller repeats the batch, and some
        events may be published twice.
        """
        events = [
            self._build(partial(status_changed, after, previous=before.status if before else None), after.message_id)
            for before, after in changes
            if before is None or after.sequence != before.sequence
        ]
        published = self._put(events)
        # Last of all, because a batch that is repeated would be counted again.
        self._discard_attachments(changes)
        self._measure(changes)
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

    def _measure(self, changes: Sequence[Change]) -> None:
        """Measure the latencies and count the outcomes. A message that cannot be measured is reported and left out."""
        for before, after in changes:
            try:
                self._measure_one(before, after)
            except Exception as error:
                self._telemetry.warning("not measured", message_id=after.message_id, error=type(error).__name__)

    def _measure_one(self, before: Message | None, after: Message) -> None:
        """Measure each latency in the change that tells it first. The mean of `Delivered` is the delivery ratio."""
        observe = partial(self._telemetry.observe, provider=after.provider, category=after.category)
        accepted, delivered = accept_latency(after), delivery_latency(after)
        if accepted is not None and (before is None or accept_latency(before) is None):
            observe("AcceptLatency", accepted.total_seconds())
        if delivered is not None and (before is None or delivery_latency(before) is None):
            observe("DeliveryLatency", delivered.total_seconds())
            observe("Delivered", 1, unit="Count")
        if after.status in _NOT_DELIVERED and (before is None or before.status is not after.status):
            observe(_NOT_DELIVERED[after.status], 1, unit="Count")
            observe("Delivered", 0, unit="Count")

    def _discard_attachments(self, changes: Sequence[Change]) -> None:
        """Delete the attachments of messages that will not be sent any more. Every end of a message passes here.

        In an outage they remain until they expire: further calls could use up the invocation.
        """
        for before, after in changes:
            if before is None or not before.status.may_be_sent or after.status.may_be_sent:
                continue
            try:
                self._discard(before, after)
            except UnavailableError:
                self._telemetry.warning("attachments not discarded", message_id=after.message_id)
                return

    def _discard(self, before: Message, after: Message) -> None:
        """Delete the file of a message, and its encryption key if no vendor took it. Raises UnavailableError."""
        if (file_key := file_key_of(before.content)) is not None:
            self._media.delete(file_key)
        # A vendor that took the message keeps its encrypted text, so the key remains readable. Only a message with
        # options can be encrypted.
        if before.provider_options and after.status in (Status.CANCELED, Status.FAILED):
            self._encryption_keys.delete(after.message_id)
