"""Files and encryption keys: stored before the claim, loaded for the call, deleted after the end."""

from dataclasses import replace

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Attachments, Media, Message, fail
from sampai.domain.outcome import Outcome, Taken, Unknown
from sampai.domain.status import Source, Status
from sampai.services.ports.runtime import UnavailableError
from sampai.services.send.attachments import AttachmentStore
from tests.fakes import START, InMemoryEncryptionKeys, InMemoryMedia, RecordingTelemetry
from tests.unit.services.send.items import claimed, draft, provider, queued

FILE = b"a picture"
WITH_FILE = draft(content=Media(size=9), attachments=Attachments(file=FILE))
WITH_KEY = draft(attachments=Attachments(encryption_key="ours"))


class Stage:
    """The store on fakes."""

    def __init__(self) -> None:
        self.media = InMemoryMedia()
        self.keys = InMemoryEncryptionKeys()
        self.telemetry = RecordingTelemetry()
        self.attachments = AttachmentStore(
            media=self.media, encryption_keys=self.keys, new_key=lambda: "new", telemetry=self.telemetry
        )

    def stored(self, message: Message) -> Message:
        """Return a message as it is read from the table after its attachments were stored."""
        return replace(self.attachments.store(message), attachments=Attachments())


def test_a_message_without_attachments_needs_no_store() -> None:
    stage = Stage()
    stage.media.is_down = stage.keys.is_down = True

    assert stage.attachments.store(draft()) is not None
    assert stage.attachments.load(draft(), provider()) == draft()


def test_a_file_is_stored_and_loaded_again() -> None:
    stage = Stage()

    loaded = stage.attachments.load(stage.stored(WITH_FILE), provider())

    assert list(stage.media.files.values()) == [FILE]
    assert loaded.attachments == Attachments(file=FILE)


def test_a_key_is_created_once() -> None:
    stage = Stage()

    first = stage.attachments.store(WITH_KEY)
    second = stage.attachments.store(replace(WITH_KEY, attachments=Attachments(encryption_key="another")))

    assert [m.attachments.encryption_key for m in (first, second)] == ["ours", "ours"]
    assert stage.keys.keys == {"m-1": "ours"}


def test_an_outage_leaves_the_message_unstored() -> None:
    stage = Stage()
    stage.media.is_down = True

    with pytest.raises(UnavailableError):
        stage.attachments.store(WITH_FILE)


VENDOR_KEYS: list[tuple[str, Outcome, str | None]] = [
    ("no key", Taken(provider_message_id="1"), None),
    ("our key", Taken(provider_message_id="1", encryption_key="ours"), None),
    ("a key of the vendor", Taken(provider_message_id="1", encryption_key="theirs"), "theirs"),
    ("no answer", Unknown(why="timed out"), None),
]


@pytest.mark.parametrize(("outcome", "key"), [k[1:] for k in VENDOR_KEYS], ids=[k[0] for k in VENDOR_KEYS])
def test_only_a_different_key_of_the_vendor_replaces_ours(outcome: Outcome, key: str | None) -> None:
    stage = Stage()

    stage.attachments.store_provider_key(WITH_KEY, outcome)

    assert stage.keys.keys.get("m-1") == key


def test_a_lost_key_is_logged_and_counted() -> None:
    stage = Stage()
    stage.keys.is_down = True

    message = replace(WITH_KEY, provider="nusasms")
    stage.attachments.store_provider_key(message, Taken(provider_message_id="1", encryption_key="theirs"))

    assert stage.telemetry.lines == [("error", "encryption key lost", {"message_id": "m-1", "provider": "nusasms"})]
    assert stage.telemetry.counts == {("EncryptionKeyLost", "nusasms"): 1}


def media(key: str) -> Media:
    return Media(media_key=key, size=9)


FAILED = fail(queued(), Failure(reason=Reason.EXPIRED), now=START, source=Source.SEND)

ENDS = [
    ("it is sent again later", queued(content=media("m-1/a")), True),
    ("it may have been sent", replace(claimed(content=media("m-1/a")), status=Status.UNKNOWN), True),
    ("another file is stored", queued(content=media("m-1/b")), False),
    ("it was accepted", replace(claimed(content=media("m-1/a")), status=Status.ACCEPTED), False),
    ("it failed", FAILED, False),
]


@pytest.mark.parametrize(("stored", "is_kept"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS])
def test_a_file_is_kept_while_the_stored_message_may_be_sent_with_it(stored: Message, is_kept: bool) -> None:
    stage = Stage()
    stage.media.files["m-1/a"] = FILE

    stage.attachments.discard_file(draft(content=media("m-1/a")), stored=stored)

    assert ("m-1/a" in stage.media.files) is is_kept


def test_a_file_that_cannot_be_deleted_is_logged() -> None:
    stage = Stage()
    stage.media.is_down = True

    stage.attachments.discard_file(draft(content=media("m-1/a")), stored=FAILED)

    assert stage.telemetry.lines == [("warning", "file not discarded", {"message_id": "m-1"})]
