"""The store of inbound messages."""

from datetime import datetime
from typing import Protocol

from sampai.domain.inbound import Inbound


class Inbox(Protocol):
    def add(self, key: str, inbound: Inbound, now: datetime) -> bool:
        """Keep an inbound message, whose event then leaves by the table's stream. False if it was kept before.

        Durable when it returns. Raises UnavailableError.
        """
        ...
