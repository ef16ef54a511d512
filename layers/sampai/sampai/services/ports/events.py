"""The event bus."""

from collections.abc import Sequence
from typing import Protocol

from sampai.contract.events import Event


class EventBus(Protocol):
    def put(self, events: Sequence[Event]) -> None:
        """Publish events in order. Raises UnavailableError if one was not accepted: a repeat may publish some twice."""
        ...
