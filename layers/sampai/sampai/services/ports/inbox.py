"""The store of inbound messages."""

from datetime import datetime
from typing import Protocol

from sampai.domain.inbound import Inbound


class Inbox(Protocol):
    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        """Store an inbound message; the table's stream publishes its event. Return False if the key was stored before.

        The message is durable when this returns. Raises UnavailableError.
        """
        ...
