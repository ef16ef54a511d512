"""Three thousand polled messages, a wake-up and a lost lease in the table of the local AWS, and a slow vendor."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sampai.adapters.store import DynamoStore
from sampai.domain.http import HttpRequest
from sampai.domain.message import Channel, Message, Text, accept, claim
from sampai.domain.status import Source, Status
from sampai.services.ports.correlations import LinkCorrelation, correlation_key
from sampai.services.ports.messages import Insert
from tests.emulator import Emulator
from tests.fakes import START, RecordingTelemetry
from tests.harness.application import Application
from tests.harness.vendors import FakeVendors, Row, Sent, vendor_of

POLLED: Final = [f"polled-{n}" for n in range(3000)]
NUMBER: Final = "6281234567810"
TEXT: Final = "Your parcel is on its way"
LEASE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)

LATE: Final = START - timedelta(hours=1)
"""The time since which the polled messages have been due: longer than the others."""

RUN_SECONDS: Final = 50.0
SECONDS_PER_CALL: Final = 0.07
"""Time of a run that each call to the vendor takes. So a run ends in the middle of its third pass."""


def draft(message_id: str, status: Status, created_at: datetime, send_at: datetime | None = None) -> Message:
    return Message(
        message_id=message_id,
        status=status,
        channel=Channel.WHATSAPP,
        recipient=f"+{NUMBER}",
        content=Text(text=TEXT),
        route=("nusasms",),
        fingerprint="f" * 64,
        send_at=send_at,
        due_at=send_at,
        created_at=created_at,
        updated_at=created_at,
        occurred_at=created_at,
    )


def sending(message_id: str, claimed_at: datetime) -> Message:
    waiting = draft(message_id, Status.QUEUED, claimed_at)
    return claim(waiting, provider="nusasms", attempt_id=f"a-{message_id}", now=claimed_at, lease=LEASE)


def accepted(message_id: str, lookups: int) -> Message:
    """Return a message that the vendor has named like the message itself."""
    taken = accept(
        sending(message_id, LATE),
        provider_message_id=message_id,
        provider_status=None,
        now=LATE,
        due_at=LATE,
        source=Source.SEND,
    )
    return replace(taken, lookups=lookups)


def link(message_id: str) -> LinkCorrelation:
    key = correlation_key("nusasms", Channel.WHATSAPP, message_id)
    return LinkCorrelation(key=key, message_id=message_id, attempt=1)


def delivered_row(message_id: str) -> Row:
    return Row(
        vendor=vendor_of(HttpRequest(method="GET", url="https://nusasms.example/whatsapp/status")),
        provider_message_id=message_id,
        sent=Sent(NUMBER, TEXT),
        created_at=LATE,
        taken_at=LATE,
        status=Status.DELIVERED,
    )


def time_left(vendors: FakeVendors) -> Callable[[], float]:
    """Return the remaining time of a run that begins now. It passes with the calls to the vendor alone."""
    calls_before = len(vendors.calls)
    return lambda: RUN_SECONDS - SECONDS_PER_CALL * (len(vendors.calls) - calls_before)


def test_wake_up_and_lost_lease_do_not_wait_behind_three_thousand_polls(emulator: Emulator) -> None:
    messages_table, correlations_table = emulator.new_tables()
    store: Any = DynamoStore(
        emulator.client("dynamodb"),
        messages_table=messages_table,
        correlations_table=correlations_table,
        clock=lambda: START,
        telemetry=RecordingTelemetry(),
    )
    polled = {name: accepted(name, n % 2) for n, name in enumerate(POLLED)}
    scheduled = draft("scheduled", Status.SCHEDULED, START - LEASE, send_at=START - SECOND)
    leased = sending("leased", START - LEASE - SECOND)
    store.commit([Insert(message=message) for message in (*polled.values(), scheduled, leased)])
    store.commit([link(name) for name in POLLED])
    vendors = FakeVendors(ledger=[delivered_row(name) for name in POLLED])
    app = Application(vendors, store=store)

    app.follower.run(remaining=time_left(vendors))

    after = store.read([*POLLED, "scheduled", "leased"])
    asked = {call.rpartition("/")[2] for call in vendors.calls}
    assert [wake_up.message_id for wake_up in app.queue.wake_ups] == ["scheduled"]
    assert after["leased"].status is Status.UNKNOWN
    assert 0 < len(asked) < len(POLLED)
    assert {after[name].status for name in asked} == {Status.DELIVERED}
    assert {name: after[name] for name in POLLED if name not in asked} == {
        name: message for name, message in polled.items() if name not in asked
    }

    for _ in range(len(POLLED) // len(asked)):
        app.follower.run(remaining=time_left(vendors))

    assert len(vendors.calls) == len(POLLED)
    assert app.follower.run(remaining=time_left(vendors)) == 0
