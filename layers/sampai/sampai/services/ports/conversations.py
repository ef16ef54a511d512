"""Conversations with recipients."""

from typing import Protocol

from sampai.domain.inbound import Conversation


class Conversations(Protocol):
    """Conversations that a recipient opened."""

    def record_conversation(self, conversation: Conversation) -> None:
        """Store the time of a conversation's last inbound message; an earlier time than the stored one is ignored.

        Raises UnavailableError.
        """
        ...
