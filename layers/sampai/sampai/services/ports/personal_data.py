"""Everything that the tables keep under a number or an e-mail address, except the messages themselves."""

from collections.abc import Collection
from typing import Protocol


class PersonalData(Protocol):
    """A search over whole tables, for an operator with the right to scan them. Each method raises UnavailableError."""

    def conversations_of(self, number: str) -> list[str]:
        """Return the room ids of the conversations with a number."""
        ...

    def messages_of(self, number: str, conversations: Collection[str]) -> list[str]:
        """Return the ids of the messages to a number or address, with copies to it, or in one of the conversations."""
        ...

    def delete_files(self, message_ids: Collection[str]) -> int:
        """Delete the files of messages, and return the count of their parts."""
        ...

    def delete_inbound(self, number: str) -> int:
        """Delete the inbound messages from a number, and those that mention it, and return their count."""
        ...

    def delete_quota_counters(self, number: str) -> int:
        """Delete the counters with the number in their key, and return their count."""
        ...

    def delete_conversations(self, conversations: Collection[str]) -> int:
        """Delete conversations by room id, and return their count."""
        ...
