"""Erase a person from the fakes of all ports; tests/ports does the same on the local AWS."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sampai.domain.message import Media, Message, Text
from sampai.domain.status import Status
from sampai.services.erase import Erased, EraseService
from sampai.services.ports.runtime import UnavailableError
from tests.fakes import START, FixedClock, InMemoryEncryptionKeys, InMemoryMedia, InMemoryStore

NUMBER = "+6281234567810"
OTHER = "+6281234567811"
ROOM = "room-1"


def message(message_id: str, **changes: Any) -> Message:
    plain = Message(
        message_id=message_id,
        status=Status.ACCEPTED,
        revision=3,
        recipient=NUMBER,
        content=Text(text="Your code is 1234"),
        metadata={"order": "4711"},
        fingerprint="digest",
        created_at=START,
        updated_at=START,
        occurred_at=START,
    )
    return replace(plain, **changes)


class PersonalData:
    """The search over the tables, on an InMemoryStore."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self.conversations = {ROOM: NUMBER, "room-2": OTHER}
        self.inbound = [NUMBER, OTHER, NUMBER]
        self.counters = [NUMBER]
        self.is_down = False

    def conversations_of(self, number: str) -> list[str]:
        return [room for room, theirs in self.conversations.items() if theirs == number]

    def messages_of(self, number: str, conversations: Collection[str]) -> Iterator[list[str]]:
        for stored in list(self._store.messages.values()):
            if stored.recipient == number or stored.room_id in conversations:
                yield [stored.message_id]

    def delete_inbound(self, number: str) -> int:
        if self.is_down:
            raise UnavailableError("down")
        kept = [sender for sender in self.inbound if sender != number]
        deleted, self.inbound = len(self.inbound) - len(kept), kept
        return deleted

    def delete_quota_counters(self, number: str) -> int:
        deleted = self.counters.count(number)
        self.counters = [counted for counted in self.counters if counted != number]
        return deleted

    def delete_conversations(self, conversations: Collection[str]) -> int:
        return len([self.conversations.pop(room) for room in conversations])


class Tables:
    def __init__(self, *messages: Message) -> None:
        self.store = InMemoryStore()
        self.store.messages = {stored.message_id: stored for stored in messages}
        self.media = InMemoryMedia()
        self.keys = InMemoryEncryptionKeys()
        self.personal_data = PersonalData(self.store)
        self.service = EraseService(
            personal_data=self.personal_data,
            messages=self.store,
            media=self.media,
            encryption_keys=self.keys,
            clock=FixedClock(),
        )


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ({"status": Status.SCHEDULED, "due_at": START}, Status.CANCELED),
        ({"status": Status.QUEUED, "due_at": START}, Status.CANCELED),
        ({"status": Status.SENDING, "due_at": START}, Status.SENDING),
        ({"status": Status.UNKNOWN, "due_at": START}, Status.UNKNOWN),
        ({"status": Status.ACCEPTED, "due_at": START}, Status.ACCEPTED),
        ({"status": Status.DELIVERED, "content": None}, Status.DELIVERED),
        ({"recipient": None, "room_id": ROOM}, Status.ACCEPTED),
    ],
)
def test_message_keeps_its_id_and_loses_everything_personal(before: dict[str, Any], status: Status) -> None:
    tables = Tables(message("m-1", **before))

    tables.service.erase(NUMBER)

    erased = tables.store.messages["m-1"]
    assert (erased.status, erased.recipient, erased.room_id, erased.content, erased.metadata, erased.fingerprint) == (
        status,
        None,
        None,
        None,
        {},
        "digest",
    )


def test_every_table_is_erased_and_other_people_keep_everything() -> None:
    neighbour = message("m-2", recipient=OTHER)
    tables = Tables(message("m-1", content=Media(media_key="m-1/file")), neighbour)
    tables.media.files = {"m-1/file": b"file", "m-2/file": b"file"}
    tables.keys.keys = {"m-1": "key", "m-2": "key"}

    erased = tables.service.erase(NUMBER)

    assert erased == Erased(messages=1, inbound=2, conversations=1, quota_counters=1)
    assert tables.store.messages["m-2"] == neighbour
    assert (tables.media.files, tables.keys.keys) == ({"m-2/file": b"file"}, {"m-2": "key"})
    assert (tables.personal_data.inbound, tables.personal_data.conversations) == ([OTHER], {"room-2": OTHER})


def test_interrupted_run_is_completed_by_the_next_and_a_third_finds_nothing() -> None:
    tables = Tables(message("m-1"), message("m-2", recipient=None, room_id=ROOM))
    tables.personal_data.is_down = True
    with pytest.raises(UnavailableError):
        tables.service.erase(NUMBER)
    tables.personal_data.is_down = False

    second, third = tables.service.erase(NUMBER), tables.service.erase(NUMBER)

    assert second == Erased(messages=0, inbound=2, conversations=1, quota_counters=1)
    assert third == Erased(messages=0, inbound=0, conversations=0, quota_counters=0)


def test_change_of_a_message_in_between_is_erased_too() -> None:
    tables = Tables(message("m-1"))

    def receipt_arrives(_: object) -> None:
        tables.store.before_commit = None
        tables.store.messages["m-1"] = message("m-1", status=Status.DELIVERED, revision=4)

    tables.store.before_commit = receipt_arrives
    tables.service.erase(NUMBER)

    assert (tables.store.messages["m-1"].status, tables.store.messages["m-1"].recipient) == (Status.DELIVERED, None)
