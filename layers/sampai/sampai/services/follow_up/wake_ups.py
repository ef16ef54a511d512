"""Wake scheduled and queued messages when they are due."""

from collections.abc import Sequence
from datetime import datetime

from sampai.contract.settings import Settings
from sampai.domain.message import Message, defer, fail, urgency
from sampai.domain.status import Source, Status
from sampai.services.attempt import plan_wake_up
from sampai.services.follow_up.changes import store_changes
from sampai.services.follow_up.next_state import terminal_failure
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.queue import Queue, WakeUp
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry


class WakeUps:
    def __init__(self, *, messages: Messages, queue: Queue, clock: Clock, telemetry: Telemetry) -> None:
        self._messages = messages
        self._queue = queue
        self._clock = clock
        self._telemetry = telemetry

    def requeue_due(self, waiting: Sequence[Message], settings: Settings) -> None:
        """Queue a wake-up for each waiting message, the most urgent first, and fail those that have waited too long.

        A message is deferred before its wake-up is queued. If the queue is unavailable, the due index finds it again.
        """
        now = self._clock()
        changes: list[Replace] = []
        wake_ups: dict[str, WakeUp] = {}
        for message in sorted(waiting, key=urgency):
            failure = terminal_failure(message, now=now, settings=settings)
            if failure is not None:
                changes.append(Replace(before=message, message=fail(message, failure, now=now, source=Source.SWEEP)))
                continue
            due_at, wake_up = _next_wake_up(message, now=now)
            changes.append(Replace(before=message, message=defer(message, now=now, due_at=due_at)))
            if wake_up is not None:
                wake_ups[message.message_id] = wake_up
        stored = store_changes(self._messages, changes)
        try:
            self._queue.put([wake_up for message_id, wake_up in wake_ups.items() if message_id in stored])
        except UnavailableError:
            self._telemetry.warning("wake-ups not queued", count=len(wake_ups))


def _next_wake_up(message: Message, *, now: datetime) -> tuple[datetime, WakeUp | None]:
    at = max(now, message.send_at or now) if message.status is Status.SCHEDULED else now
    return plan_wake_up(message, at=at, now=now, from_schedule=True)
