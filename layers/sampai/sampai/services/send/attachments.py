"""Files and encryption keys of messages. They are stored apart from the message (a claim check)."""

from dataclasses import replace

from sampai.domain.message import Attachments, Email, Media, Message, file_key_of
from sampai.domain.outcome import Outcome, Taken
from sampai.providers.base import Provider
from sampai.providers.features import SupportsEncryption
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.media import MediaStore
from sampai.services.ports.runtime import NewId, UnavailableError
from sampai.services.ports.telemetry import Telemetry


class AttachmentStore:
    def __init__(
        self, *, media: MediaStore, encryption_keys: EncryptionKeyStore, new_key: NewId, telemetry: Telemetry
    ) -> None:
        self._media = media
        self._encryption_keys = encryption_keys
        self._new_key = new_key
        self._telemetry = telemetry

    def store(self, message: Message) -> Message:
        """Store the attachments of a new message and return it with their keys. Raises UnavailableError."""
        attachments, content = message.attachments, message.content
        if attachments == Attachments():
            return message
        if attachments.encryption_key is not None:
            key = self._encryption_keys.get_or_create(message, attachments.encryption_key)
            attachments = replace(attachments, encryption_key=key)
        if attachments.file is not None and isinstance(content, Media | Email):
            content = replace(content, media_key=self._media.store(message, attachments.file))
        return replace(message, content=content, attachments=attachments)

    def load(self, message: Message, provider: Provider) -> Message:
        """Return a message with the attachments that the provider needs. Raises UnavailableError."""
        attachments = message.attachments
        file_key = file_key_of(message.content)
        if file_key is not None and attachments.file is None:
            attachments = replace(attachments, file=self._media.load(file_key))
        is_encrypted = isinstance(provider, SupportsEncryption) and provider.encrypts(message)
        if is_encrypted and attachments.encryption_key is None:
            key = self._encryption_keys.get_or_create(message, self._new_key())
            attachments = replace(attachments, encryption_key=key)
        return message if attachments is message.attachments else replace(message, attachments=attachments)

    def store_provider_key(self, message: Message, outcome: Outcome) -> None:
        """Store the encryption key that the vendor used, if it is not ours. The vendor tells it only once."""
        key = outcome.encryption_key if isinstance(outcome, Taken) else None
        if key is None or key == message.attachments.encryption_key:
            return
        try:
            self._encryption_keys.replace(message, key)
        except UnavailableError:
            self._telemetry.error("encryption key lost", message_id=message.message_id, provider=message.provider)
            self._telemetry.count("EncryptionKeyLost", provider=message.provider)

    def discard_file(self, message: Message, *, stored: Message) -> None:
        """Delete the file of a message, unless the stored message may still be sent with it."""
        key = file_key_of(message.content)
        if key is None or (stored.status.may_be_sent and file_key_of(stored.content) == key):
            return
        try:
            self._media.delete(key)
        except UnavailableError:
            self._telemetry.warning("file not discarded", message_id=message.message_id)
