"""Publishing: a batch of the stream becomes events, the same ones each time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.inbound import Inbound
from sampai.domain.message import (
    Channel,
    Media,
    Message,
    Text,
    accept,
    apply_report,
    blank_message,
    cancel,
    claim,
    fail,
    mark_unconfirmed,
    mark_unknown,
    schedule,
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.ports.runtime import UnavailableError
from sampai.services.publish import PublishService
from tests.covers import covers
from tests.fakes import START, InMemoryEncryptionKeys, InMemoryMedia, RecordingBus, RecordingTelemetry
from tests.harness.application import Application, request, smspoh_taken

INBOUND = Inbound(
    provider="nusasms", channel=Channel.SMS, provider_message_id="0017", sender="+6281234567810", text="Hi"
)


@covers("P16", "D8", "E2")
def test_a_batch_that_is_published_again_has_the_same_events() -> None:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    accepted = app.message()
    app.receive(query="messageId=AA-1&clientReference=m-1&status=Success")
    revisions = [accepted, replace(accepted, revision=accepted.revision + 1), app.message()]
    changes = list(zip([None, *revisions], revisions, strict=False))
    bus = app.bus

    bus.is_down = True
    with pytest.raises(UnavailableError):
        app.publisher.publish(changes)
    bus.is_down = False
    app.publisher.publish(changes)
    app.publisher.publish(changes)

    published = [(event.detail["sequence"], event.detail["status"]) for event in bus.events]
    assert published == [(2, "accepted"), (3, "delivered")] * 2
    assert bus.events[:2] == bus.events[2:]


@covers("P16", "D8")
def test_a_bus_that_is_down_raises_so_that_the_stream_repeats_the_batch() -> None:
    bus = RecordingBus()
    bus.is_down = True

    with pytest.raises(UnavailableError):
        publisher(bus).publish_received([(INBOUND, START)])


def publisher(
    bus: RecordingBus,
    media: InMemoryMedia | None = None,
    telemetry: RecordingTelemetry | None = None,
    keys: InMemoryEncryptionKeys | None = None,
) -> PublishService:
    return PublishService(
        bus=bus,
        media=media or InMemoryMedia(),
        encryption_keys=keys or InMemoryEncryptionKeys(),
        telemetry=telemetry or RecordingTelemetry(),
    )


def test_event_that_cannot_be_built_does_not_block_the_others() -> None:
    app = Application()
    app.send(request("m-1"), request("m-2"), request("m-3"))
    messages = [app.message(f"m-{n}") for n in (1, 2, 3)]
    broken = replace(messages[1], occurred_at=None)  # type: ignore[arg-type]
    bus, telemetry = RecordingBus(), RecordingTelemetry()

    published = publisher(bus, InMemoryMedia(), telemetry).publish(
        [(None, message) for message in (messages[0], broken, messages[2])]
    )

    assert published == 2
    assert [event.detail["message_id"] for event in bus.events] == ["m-1", "m-3"]
    assert telemetry.counts == {("EventRefused", None): 1}


def test_message_without_a_history_is_published() -> None:
    app = Application()
    app.send(request())
    bus = RecordingBus()

    publisher(bus, InMemoryMedia(), RecordingTelemetry()).publish([(None, replace(app.message(), history=()))])

    assert [event.detail["source"] for event in bus.events] == ["send"]


FILE = Media(media_key="m-1/0123/1", file_name="f.pdf", size=1)
WAITING = schedule(replace(blank_message("m-1", now=START), content=FILE), now=START, due_at=START)
CLAIMED = claim(WAITING, provider="nusasms", attempt_id="a-1", now=START, lease=timedelta(seconds=60))
UNKNOWN = mark_unknown(CLAIMED, now=START, due_at=START, source=Source.SEND)
ACCEPTED = accept(CLAIMED, provider_message_id="1", provider_status=None, now=START, due_at=START, source=Source.SEND)
DELIVERED = Report(provider_message_id="1", status=Status.DELIVERED, provider_status="Success")
EXPIRED = Failure(reason=Reason.EXPIRED)

ENDS = [
    ("canceled", WAITING, cancel(WAITING, now=START), True),
    ("expired", WAITING, fail(WAITING, EXPIRED, now=START, source=Source.SWEEP), True),
    ("failed", CLAIMED, fail(CLAIMED, Failure(reason=Reason.TOO_LONG), now=START, source=Source.SEND), True),
    ("accepted", CLAIMED, ACCEPTED, True),
    ("given up", UNKNOWN, mark_unconfirmed(UNKNOWN, now=START), True),
    ("delivered by webhook", UNKNOWN, apply_report(UNKNOWN, DELIVERED, now=START, source=Source.WEBHOOK), True),
    ("claimed", WAITING, CLAIMED, False),
    ("unknown", CLAIMED, UNKNOWN, False),
    ("scheduled", None, WAITING, False),
]


@pytest.mark.parametrize(("before", "after", "is_dropped"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS])
def test_file_is_deleted_at_every_end_of_its_message(before: Message | None, after: Message, is_dropped: bool) -> None:
    media = InMemoryMedia()
    media.files = {"m-1/0123/1": b"x", "m-2/0123/1": b"y"}

    publisher(RecordingBus(), media, RecordingTelemetry()).publish([(before, after)])

    assert set(media.files) == {"m-2/0123/1"} | (set() if is_dropped else {"m-1/0123/1"})


def test_outage_of_the_file_store_does_not_block_the_events() -> None:
    media, bus = InMemoryMedia(), RecordingBus()
    media.is_down = True

    published = publisher(bus, media, RecordingTelemetry()).publish([(WAITING, cancel(WAITING, now=START))])

    assert published == len(bus.events) == 1


ENCRYPTED = replace(WAITING, content=Text(text="Hi"), provider_options={"smspoh": {"encrypt": True}})
ENCRYPTED_UNKNOWN = mark_unknown(ENCRYPTED, now=START, due_at=START, source=Source.SEND)

KEY_ENDS = [
    ("canceled", ENCRYPTED, cancel(ENCRYPTED, now=START), True),
    ("expired", ENCRYPTED, fail(ENCRYPTED, EXPIRED, now=START, source=Source.SWEEP), True),
    ("given up", ENCRYPTED_UNKNOWN, mark_unconfirmed(ENCRYPTED_UNKNOWN, now=START), False),
    (
        "delivered",
        ENCRYPTED_UNKNOWN,
        apply_report(ENCRYPTED_UNKNOWN, DELIVERED, now=START, source=Source.POLL),
        False,
    ),
]


@pytest.mark.parametrize(("before", "after", "is_dropped"), [e[1:] for e in KEY_ENDS], ids=[e[0] for e in KEY_ENDS])
def test_encryption_key_is_deleted_if_no_vendor_took_the_message(
    before: Message, after: Message, is_dropped: bool
) -> None:
    keys = InMemoryEncryptionKeys()
    keys.keys = {"m-1": "a-key", "m-2": "another"}

    publisher(RecordingBus(), keys=keys).publish([(before, after)])

    assert set(keys.keys) == {"m-2"} | (set() if is_dropped else {"m-1"})
