"""Erase a person from the fakes of all ports; tests/ports does the same on the local AWS."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message, Text
from sampai.domain.status import Status
from sampai.services.erase import Erased, EraseService
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import START, FixedClock, InMemoryAttempts, InMemoryEncryptionKeys, InMemoryStore
from tests.harness.application import (
    RECIPIENTS,
    Application,
    lost,
    nomsa_list,
    nomsa_taken,
    request,
    smspoh_taken,
)

NUMBER = "+6281234567810"
OTHER = "+6281234567811"
ROOM = "room-1"

NOTHING = Erased(messages=0, files=0, inbound=0, conversations=0, quota_counters=0, ids_with_number=0, unreadable=0)


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


def attempt(message_id: str) -> AttemptRecord:
    return AttemptRecord(message_id=message_id, attempt=1, attempt_id="a-1", provider="nusasms", outcome="unknown")


class PersonalData:
    """The search over the tables, on an InMemoryStore. `files` are parts, by message id."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self.conversations = {ROOM: NUMBER, "room-2": OTHER}
        self.inbound = [NUMBER, OTHER, NUMBER]
        self.counters = [NUMBER]
        self.files: list[str] = []
        self.is_down = False

    def conversations_of(self, number: str) -> list[str]:
        return [room for room, theirs in self.conversations.items() if theirs == number]

    def messages_of(self, number: str, conversations: Collection[str]) -> list[str]:
        return [
            stored.message_id
            for stored in self._store.messages.values()
            if stored.recipient == number or stored.room_id in conversations
        ]

    def delete_files(self, message_ids: Collection[str]) -> int:
        kept = [message_id for message_id in self.files if message_id not in message_ids]
        deleted, self.files = len(self.files) - len(kept), kept
        return deleted

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


def eraser(
    store: InMemoryStore,
    keys: InMemoryEncryptionKeys,
    personal_data: PersonalData | None = None,
    attempts: InMemoryAttempts | None = None,
) -> EraseService:
    return EraseService(
        personal_data=personal_data or PersonalData(store),
        messages=store,
        encryption_keys=keys,
        attempts=attempts or InMemoryAttempts(),
        clock=FixedClock(),
    )


class Tables:
    def __init__(self, *messages: Message) -> None:
        self.store = InMemoryStore()
        self.store.messages = {stored.message_id: stored for stored in messages}
        self.keys = InMemoryEncryptionKeys()
        self.personal_data = PersonalData(self.store)
        self.attempts = InMemoryAttempts()
        self.service = eraser(self.store, self.keys, self.personal_data, self.attempts)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ({"status": Status.SCHEDULED, "due_at": START}, Status.CANCELED),
        ({"status": Status.QUEUED, "due_at": START}, Status.CANCELED),
        ({"status": Status.SENDING, "due_at": START}, Status.SENDING),
        ({"status": Status.UNKNOWN, "due_at": START}, Status.UNKNOWN),
        ({"status": Status.ACCEPTED, "due_at": START}, Status.ACCEPTED),
        ({"status": Status.DELIVERED, "content": None}, Status.DELIVERED),
        ({"recipient": None, "room_id": ROOM, "due_at": START}, Status.ACCEPTED),
    ],
)
def test_message_keeps_its_id_and_loses_everything_personal(before: dict[str, Any], status: Status) -> None:
    tables = Tables(message("m-1", **before))

    tables.service.erase(NUMBER)

    erased = tables.store.messages["m-1"]
    assert (erased.message_id, erased.status, erased.fingerprint) == ("m-1", status, "digest")
    personal = (erased.recipient, erased.room_id, erased.content, erased.group, erased.provider_status)
    assert personal == (None, None, None, None, None)
    assert (erased.metadata, erased.provider_options) == ({}, {})
    assert (erased.due_at is None) is status.is_final


@covers("I14")
def test_message_erased_during_its_vendor_call_is_not_sent_again() -> None:
    app = Application()
    service = eraser(app.store, app.encryption_keys)

    def throttled(_: HttpRequest) -> HttpResponse:
        service.erase(RECIPIENTS["nomsa"])
        return HttpResponse(status=429, headers={}, body=b"")

    app.transport.replies = [throttled]
    app.send(request())

    assert (app.message().status, app.message().recipient) == (Status.FAILED, None)
    app.clock.advance(days=1)
    app.resume()
    app.follow_up()
    assert len(app.transport.requests) == 1


@covers("I14")
def test_erased_unknown_message_is_not_sent_again_even_if_it_asked_for_that() -> None:
    app = Application(lost(), nomsa_list())
    app.send(request(on_unknown="resend"))
    eraser(app.store, app.encryption_keys).erase(RECIPIENTS["nomsa"])

    for _ in range(20):
        app.clock.advance(hours=4)
        app.follow_up()
        app.resume()

    assert app.message().status is Status.UNCONFIRMED
    assert [call.method for call in app.transport.requests].count("POST") == 1


def test_receipt_of_an_erased_message_still_ends_it() -> None:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    eraser(app.store, app.encryption_keys).erase(RECIPIENTS["smspoh"])

    app.receive(query="messageId=AA-1&status=Delivered&clientReference=m-1")

    assert (app.message().status, app.message().recipient) == (Status.DELIVERED, None)


def test_erased_id_is_not_sent_again() -> None:
    app = Application(nomsa_taken())
    app.send(request(send_at="2026-11-21T12:00:00Z"))
    eraser(app.store, app.encryption_keys).erase(RECIPIENTS["nomsa"])

    app.send(request(send_at="2026-11-21T12:00:00Z"), request())

    assert app.message().status is Status.CANCELED
    assert app.transport.requests == []


def test_report_counts_ids_that_mention_the_number() -> None:
    tables = Tables(message(f"otp-{NUMBER[1:]}"), message("m-2"))

    assert tables.service.erase(NUMBER).ids_with_number == 1


def test_every_table_is_erased_and_other_people_keep_everything() -> None:
    neighbour = message("m-2", recipient=OTHER)
    tables = Tables(message("m-1"), neighbour)
    tables.personal_data.files = ["m-1", "m-2", "m-1"]
    tables.keys.keys = {"m-1": "key", "m-2": "key"}
    tables.attempts.add([attempt("m-1"), attempt("m-2")], now=START)

    erased = tables.service.erase(NUMBER)

    assert erased == Erased(
        messages=1, files=2, inbound=2, conversations=1, quota_counters=1, ids_with_number=0, unreadable=0
    )
    assert tables.store.messages["m-2"] == neighbour
    assert (tables.personal_data.files, tables.keys.keys) == (["m-2"], {"m-2": "key"})
    assert (tables.attempts.read("m-1"), tables.attempts.read("m-2")) == ([], [attempt("m-2")])
    assert (tables.personal_data.inbound, tables.personal_data.conversations) == ([OTHER], {"room-2": OTHER})


def test_interrupted_run_is_completed_by_the_next_and_a_third_finds_nothing() -> None:
    tables = Tables(message("m-1"), message("m-2", recipient=None, room_id=ROOM))
    tables.personal_data.is_down = True
    with pytest.raises(UnavailableError):
        tables.service.erase(NUMBER)
    tables.personal_data.is_down = False

    second, third = tables.service.erase(NUMBER), tables.service.erase(NUMBER)

    assert second == replace(NOTHING, inbound=2, conversations=1, quota_counters=1)
    assert third == NOTHING


def test_change_of_a_message_in_between_is_erased_too() -> None:
    tables = Tables(message("m-1"))

    def receipt_arrives(_: object) -> None:
        tables.store.before_commit = None
        tables.store.messages["m-1"] = message("m-1", status=Status.DELIVERED, revision=4)

    tables.store.before_commit = receipt_arrives
    tables.service.erase(NUMBER)

    assert (tables.store.messages["m-1"].status, tables.store.messages["m-1"].recipient) == (Status.DELIVERED, None)
