"""The event bus."""

from collections.abc import Sequence
from typing import Protocol

from sampai.contract.events import Event


class EventBus(Protocol):
    def put(self, events: Sequence[Event]) -> None:
        """Publish in order. Raises UnavailableError if any was not taken; those before may be published again."""
        ...
