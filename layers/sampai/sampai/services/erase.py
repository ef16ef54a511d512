"""Erase: remove a person from every table. The opt-out of the number stays, as a keyed digest."""

from dataclasses import dataclass

from sampai.domain.message import Media, Message, erase_person
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.media import MediaStore
from sampai.services.ports.messages import Messages
from sampai.services.ports.personal_data import PersonalData
from sampai.services.ports.runtime import Clock
from sampai.services.reports import change


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What one run removed, as counts of items."""

    messages: int
    inbound: int
    conversations: int
    quota_counters: int


class EraseService:
    def __init__(
        self,
        *,
        personal_data: PersonalData,
        messages: Messages,
        media: MediaStore,
        encryption_keys: EncryptionKeyStore,
        clock: Clock,
    ) -> None:
        self._personal_data = personal_data
        self._messages = messages
        self._media = media
        self._encryption_keys = encryption_keys
        self._clock = clock

    def erase(self, number: str) -> Erased:
        """Remove an E.164 number, its texts and its metadata from every table, and return counts.

        A message keeps its id, its status and its fingerprint, so that its id is never sent again. A waiting message is
        canceled. Run it again after any error: each step finds the items that are left. Raises UnavailableError.
        """
        conversations = self._personal_data.conversations_of(number)
        messages = sum(self._erase_messages(page) for page in self._personal_data.messages_of(number, conversations))
        inbound = self._personal_data.delete_inbound(number)
        counters = self._personal_data.delete_quota_counters(number)
        # Conversations go last: until then they find the messages of an interrupted run.
        deleted = self._personal_data.delete_conversations(conversations)
        return Erased(messages=messages, inbound=inbound, conversations=deleted, quota_counters=counters)

    def _erase_messages(self, message_ids: list[str]) -> int:
        stored = self._messages.read(message_ids)
        for message in stored.values():
            self._erase_message(message)
        return len(stored)

    def _erase_message(self, message: Message) -> None:
        # The file and the key go first: the message finds them again if this run ends in between.
        if isinstance(message.content, Media) and message.content.media_key is not None:
            self._media.discard(message.content.media_key)
        self._encryption_keys.delete(message.message_id)
        change(self._messages, message, lambda current: erase_person(current, now=self._clock()))
