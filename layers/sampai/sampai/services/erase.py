"""Erase: remove a person from every table. The opt-out of the recipient stays, as a keyed digest."""

from dataclasses import dataclass
from typing import Final

from sampai.domain.message import Message, erase_person
from sampai.domain.recipient import mentions
from sampai.services.ports.attempts import AttemptLog
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.messages import Messages
from sampai.services.ports.personal_data import PersonalData
from sampai.services.ports.runtime import Clock
from sampai.services.reports import change

READ_SIZE: Final = 100
"""Messages that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The counts of items that one run removed."""

    messages: int
    files: int
    """Parts of files."""
    inbound: int
    conversations: int
    quota_counters: int
    ids_with_number: int
    """Messages with the number in their `message_id`. The id stays."""
    unreadable: int
    """Messages that this release cannot read. They stay: run a release that can read them."""


class EraseService:
    def __init__(
        self,
        *,
        personal_data: PersonalData,
        messages: Messages,
        encryption_keys: EncryptionKeyStore,
        attempts: AttemptLog,
        clock: Clock,
    ) -> None:
        self._personal_data = personal_data
        self._messages = messages
        self._encryption_keys = encryption_keys
        self._attempts = attempts
        self._clock = clock

    def erase(self, number: str) -> Erased:
        """Remove a number or an e-mail address, its texts and its metadata from every table, and return counts.

        A message keeps its id, its status and its fingerprint, so that its id is never sent again. A waiting message is
        canceled. Run it again after any error: each step finds the items that are left. Raises UnavailableError.
        """
        conversations = self._personal_data.conversations_of(number)
        message_ids = self._personal_data.messages_of(number, conversations)
        # Files and keys go first: after an interruption, the messages lead to them again.
        files = self._personal_data.delete_files(message_ids)
        erased = 0
        for start in range(0, len(message_ids), READ_SIZE):
            for message in self._messages.read(message_ids[start : start + READ_SIZE]).values():
                self._erase_message(message)
                erased += 1
        inbound = self._personal_data.delete_inbound(number)
        counters = self._personal_data.delete_quota_counters(number)
        # Conversations go last, because they lead to messages too.
        return Erased(
            messages=erased,
            files=files,
            inbound=inbound,
            conversations=self._personal_data.delete_conversations(conversations),
            quota_counters=counters,
            ids_with_number=sum(mentions(message_id, number) for message_id in message_ids),
            unreadable=len(message_ids) - erased,
        )

    def _erase_message(self, message: Message) -> None:
        self._encryption_keys.delete(message.message_id)
        self._attempts.delete(message.message_id)
        change(self._messages, message, lambda current: erase_person(current, now=self._clock()))
