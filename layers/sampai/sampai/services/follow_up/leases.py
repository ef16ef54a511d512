"""Expire the leases of workers that have not stored an outcome."""

from collections.abc import Sequence

from sampai.domain.message import Message, mark_unknown
from sampai.domain.status import Source
from sampai.services.follow_up.changes import store_changes
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.runtime import Clock
from sampai.services.ports.telemetry import Telemetry


class Leases:
    def __init__(self, *, messages: Messages, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._clock = clock
        self._telemetry = telemetry

    def expire(self, messages: Sequence[Message]) -> None:
        """Store messages with an expired lease as `unknown`: the worker is gone, and may have sent them."""
        store_changes(self._messages, [Replace(before=message, message=self._expire(message)) for message in messages])

    def _expire(self, message: Message) -> Message:
        self._telemetry.warning("lease expired", message_id=message.message_id, provider=message.provider)
        self._telemetry.count("LeaseExpired", provider=message.provider)
        now = self._clock()
        return mark_unknown(message, now=now, due_at=now, source=Source.SWEEP)
