"""Conversations with recipients."""

from typing import Protocol

from sampai.domain.inbound import Conversation


class Conversations(Protocol):
    """Conversations that a recipient opened."""

    def record_conversation(self, conversation: Conversation) -> None:
        """Note a conversation's last inbound message; an older one than is known changes nothing.

        Raises UnavailableError.
        """
        ...
