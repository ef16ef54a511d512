"""Publishing: a batch of the stream becomes events, the same ones each time."""

from dataclasses import replace
from datetime import datetime, timedelta

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
    defer,
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


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


QUEUED = schedule(blank_message("m-1", now=START), now=START, due_at=START)
SENDING = claim(QUEUED, provider="nomsa", attempt_id="a-1", now=at(1), lease=timedelta(seconds=60))
TAKEN = accept(SENDING, provider_message_id="1", provider_status=None, now=at(2.5), due_at=at(60), source=Source.SEND)
REFUSED = Failure(reason=Reason.TOO_LONG)


def reported(message: Message, status: Status, seconds: float) -> Message:
    report = Report(provider_message_id="1", status=status, provider_status="word", reason=None)
    return apply_report(message, report, now=at(seconds), source=Source.WEBHOOK)


ARRIVED = reported(TAKEN, Status.DELIVERED, 9.5)
UNCONFIRMED = mark_unconfirmed(TAKEN, now=at(99))
NOMSA = ("nomsa", "transactional")

MEASURED: list[tuple[str, Message | None, Message, dict[str, float]]] = [
    ("requested", None, QUEUED, {}),
    ("claimed", QUEUED, SENDING, {}),
    ("accepted", SENDING, TAKEN, {"AcceptLatency": 2.5}),
    ("sent", TAKEN, reported(TAKEN, Status.SENT, 4), {}),
    ("delivered", TAKEN, ARRIVED, {"DeliveryLatency": 7.0, "Delivered": 1}),
    ("read", ARRIVED, reported(ARRIVED, Status.READ, 60), {}),
    (
        "delivered before the answer",
        SENDING,
        reported(SENDING, Status.DELIVERED, 3),
        {"AcceptLatency": 3.0, "DeliveryLatency": 2.0, "Delivered": 1},
    ),
    ("undelivered", TAKEN, reported(TAKEN, Status.UNDELIVERED, 9), {"MessageUndelivered": 1, "Delivered": 0}),
    ("failed", SENDING, fail(SENDING, REFUSED, now=at(2), source=Source.SEND), {"MessageFailed": 1, "Delivered": 0}),
    ("given up", TAKEN, UNCONFIRMED, {"MessageUnconfirmed": 1, "Delivered": 0}),
    (
        "given up and delivered",
        UNCONFIRMED,
        reported(UNCONFIRMED, Status.DELIVERED, 102.5),
        {"DeliveryLatency": 100.0, "Delivered": 1},
    ),
    ("canceled", QUEUED, cancel(QUEUED, now=at(1)), {}),
    ("looked at", TAKEN, defer(TAKEN, now=at(5), due_at=at(9)), {}),
]


@pytest.mark.parametrize(("before", "after", "values"), [m[1:] for m in MEASURED], ids=[m[0] for m in MEASURED])
def test_each_latency_and_outcome_is_measured_in_one_change(
    before: Message | None, after: Message, values: dict[str, float]
) -> None:
    telemetry = RecordingTelemetry()

    publisher(RecordingBus(), telemetry=telemetry).publish([(before, after)])

    group = after.provider, after.category
    assert telemetry.observed == {(metric, *group): [value] for metric, value in values.items()}


def test_a_message_that_failed_before_any_provider_has_none() -> None:
    telemetry = RecordingTelemetry()
    failed = fail(QUEUED, REFUSED, now=START, source=Source.SEND)

    publisher(RecordingBus(), telemetry=telemetry).publish([(None, failed)])

    group = None, "transactional"
    assert telemetry.observed == {("MessageFailed", *group): [1], ("Delivered", *group): [0]}


def test_a_batch_that_the_stream_repeats_is_measured_once() -> None:
    bus, telemetry = RecordingBus(), RecordingTelemetry()
    service = publisher(bus, telemetry=telemetry)

    bus.is_down = True
    with pytest.raises(UnavailableError):
        service.publish([(SENDING, TAKEN)])
    bus.is_down = False
    service.publish([(SENDING, TAKEN)])

    assert telemetry.observed == {("AcceptLatency", *NOMSA): [2.5]}


def test_a_message_that_cannot_be_measured_harms_no_other() -> None:
    broken = replace(TAKEN, message_id="m-2", created_at=None)  # type: ignore[arg-type]
    bus, telemetry = RecordingBus(), RecordingTelemetry()

    publisher(bus, telemetry=telemetry).publish([(None, broken), (SENDING, TAKEN)])

    assert [event.detail["message_id"] for event in bus.events] == ["m-2", "m-1"]
    assert telemetry.observed == {("AcceptLatency", *NOMSA): [2.5]}
    assert telemetry.lines == [("warning", "not measured", {"message_id": "m-2", "error": "TypeError"})]
