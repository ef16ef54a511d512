"""Whole lives of messages, counted: each kind of message from its request to its end, at the product's own times.

The real handlers run against a local AWS, on a clock that jumps to the next event: a receipt, or a run of follow_up.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from benchmarks.billing import ITEM_OVERHEAD, STORED, WRITES, Usage, records_of, size_of
from benchmarks.calls import BATCH, DUE, Kind, MeteredDeployment, batch_usage
from benchmarks.harness import TEXT, batch_of
from sampai import bootstrap
from sampai.domain.status import Status
from sampai.domain.times import from_text
from tests.emulator import Emulator
from tests.emulator import running as running_emulator
from tests.functional.sandbox import SETTINGS
from tests.harness.vendors import CREDENTIALS, FakeVendors, serving

HALF_A_MINUTE: Final = timedelta(seconds=30)
"""follow_up runs once per minute, so it finds a due message this late on average."""

DELIVERY_SECONDS: Final = 30.0
"""The time from the vendor's acceptance to the handset, for a phone that is on."""

MINUTE: Final = timedelta(minutes=1)
MAX_RUNS: Final = 200

LONG_TEXT: Final = (TEXT * 3)[:200]
"""A text of two segments."""

# --- the smallest number of write units, step by step -----------------------------------------------------------------

CLAIM: Final = 2
"""The item, before the vendor call, and its entry in the due index."""
RESPONSE: Final = 1
CORRELATION: Final = 1
"""The vendor's id, by which a receipt finds its message and a reused id is noticed."""
REPORT: Final = 1
END: Final = 1
"""The entry of the due index is deleted."""
MOVE: Final = 2
"""The entry of the due index moves: a deletion and an insertion."""

SENT: Final = CLAIM + RESPONSE + CORRELATION
REPORTED: Final = SENT + REPORT + END


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt of the vendor: a file in events/webhook with other query parameters."""

    sample: str
    after_seconds: float
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A kind of message, and the events that end its life."""

    label: str
    sample: str
    """A file in events/send."""
    writes: float
    """The smallest number of write units that the promises allow."""
    reads: float
    """The smallest number of read units."""
    events: int = 3
    """The smallest number of events: one for each status that callers must learn."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request that replace those of the sample."""
    delivered_after: float | None = None
    """Seconds after which the vendor's list and its look-up report the delivery; None: they never do."""
    receipts: tuple[Receipt, ...] = ()
    mood: str | None = None
    """The vendor's mood: see `tests.harness.vendors`."""
    looks: int = 1
    """The largest permitted number of looks."""


_SMSPOH_RECEIPT: Final = "smspoh-receipt-get"

LIVES: Final[Mapping[str, Life]] = {
    "otp": Life(
        label="one-time password, Nomsa, polled",
        sample="nomsa",
        fields={"category": "otp"},
        delivered_after=DELIVERY_SECONDS,
        writes=REPORTED,
        reads=1,  # a poll needs the vendor's id
    ),
    "smsnoc": Life(
        label="SMS, SMS NOC, polled",
        sample="smsnoc",
        delivered_after=DELIVERY_SECONDS,
        writes=REPORTED + MOVE,  # to the age from which `Delivered` counts
        reads=1,
    ),
    "smspoh": Life(
        label="SMS, SMSPoh, receipt with our reference",
        sample="smspoh",
        receipts=(Receipt(sample=_SMSPOH_RECEIPT, after_seconds=5),),
        writes=REPORTED,
        reads=0,
        looks=0,
    ),
    "nusasms": Life(
        label="SMS, NusaSMS, receipt with the vendor's id",
        sample="nusasms",
        receipts=(Receipt(sample="nusasms-receipt-get", after_seconds=5),),
        writes=REPORTED,
        reads=1,  # the correlation
        looks=0,
    ),
    "no-receipt": Life(
        label="SMS, NusaSMS, no receipt ever, and the vendor cannot be asked",
        sample="nusasms",
        writes=SENT + MOVE + REPORT + END,  # to the horizon, and `unconfirmed` there
        reads=1,
        looks=2,  # at the end of the lease, and at the horizon
    ),
    "late-receipt": Life(
        label="SMS, SMSPoh, receipt after ten minutes",
        sample="smspoh",
        receipts=(Receipt(sample=_SMSPOH_RECEIPT, after_seconds=600),),
        writes=REPORTED + (REPORT + MOVE) * 3,  # the looks of `poll_seconds` at a vendor whose receipt is overdue
        reads=3,
        looks=3,
    ),
    "shared-call": Life(
        label="promotional SMS, SMSPoh, ten in one call",
        sample="smspoh",
        fields={"category": "promotional"},
        receipts=(Receipt(sample=_SMSPOH_RECEIPT, after_seconds=5),),
        writes=REPORTED,
        reads=0,
        looks=0,
    ),
    "whatsapp": Life(
        label="WhatsApp, NusaSMS, delivered and read",
        sample="whatsapp-text",
        receipts=(
            Receipt(sample="nusasms-whatsapp-receipt", after_seconds=5, query={"status": "D"}),
            Receipt(sample="nusasms-whatsapp-receipt", after_seconds=20, query={"status": "R"}),
        ),
        writes=REPORTED + REPORT,
        events=4,
        reads=2,  # the correlation, once per receipt
        looks=0,
    ),
    "email": Life(
        label="e-mail, Nomsa, polled",
        sample="email",
        fields={"content": {"type": "email", "subject": "Your bill", "body": f"<p>{TEXT}</p>"}},
        delivered_after=DELIVERY_SECONDS,
        writes=REPORTED + 1 / BATCH,  # a reservation of the rate limiter for a batch
        reads=1,
    ),
    "scheduled": Life(
        label="SMS, Nomsa, `send_at` tomorrow, polled",
        sample="scheduled",
        delivered_after=DELIVERY_SECONDS,
        writes=CLAIM + (REPORT + MOVE) * 2 + RESPONSE + CORRELATION + REPORT + END,  # stored, woken up, claimed
        events=4,
        reads=3,  # at the wake-up, at the claim, at the poll
        looks=2,
    ),
    "failed": Life(
        label="SMS, Nomsa, refused by the vendor",
        sample="nomsa",
        mood="refuses",
        writes=CLAIM + RESPONSE + END,
        events=2,
        reads=0,
        looks=0,
    ),
    "invalid": Life(
        label="SMS to an invalid number, failed", sample="bad-number", writes=REPORT, events=1, reads=0, looks=0
    ),
    "long-text": Life(
        label="SMS of two segments, Nomsa, polled",
        sample="nomsa",
        fields={"content": {"type": "text", "text": LONG_TEXT}},
        delivered_after=DELIVERY_SECONDS,
        writes=REPORTED,
        reads=1,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeUsage:
    """The usage of one message from its request to its end, sent in a batch of `BATCH`."""

    usage: Usage
    looks: int
    """Runs of follow_up that changed the message: looks, and wake-ups."""
    largest: int
    """Size of the largest item in bytes."""
    metrics: frozenset[str] = frozenset()
    """The custom metrics, with their dimensions."""


def count_lives() -> dict[str, LifeUsage]:
    """Count every life."""
    with running_emulator() as emulator:
        return {name: count_life(life, emulator) for name, life in LIVES.items()}


def count_life(life: Life, emulator: Emulator) -> LifeUsage:
    """Count the life of `DUE` messages, and return that of one. Raises RuntimeError if they do not end."""
    with Walk.start(life, emulator) as walk:
        return walk.count()


class Walk:
    """The life of `DUE` messages on a clock that jumps."""

    def __init__(self, life: Life, metered: MeteredDeployment, vendors: FakeVendors, clock: "JumpingClock") -> None:
        self._life = life
        self._metered = metered
        self._deployment = metered.deployment
        self._vendors = vendors
        self._clock = clock
        self._looks = 0
        self._runs = 0

    @classmethod
    @contextmanager
    def start(cls, life: Life, emulator: Emulator) -> "Iterator[Walk]":
        clock = JumpingClock()
        key = CREDENTIALS["nusasms"]["api_key"]
        vendors = FakeVendors(clock=clock, nusasms_api_key=key)
        with ExitStack() as stack:
            address = stack.enter_context(serving(vendors))
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(bootstrap, "clock", clock)
            kind = Kind(sample=life.sample)
            metered = stack.enter_context(
                MeteredDeployment.create(kind, emulator, vendors, address, providers=SETTINGS)
            )
            yield cls(life, metered, vendors, clock)

    def count(self) -> LifeUsage:
        life, started_at = self._life, self._clock()
        if life.mood is not None:
            self._vendors.moods = dict.fromkeys(CREDENTIALS, life.mood)
        usage = Usage()
        for _ in range(DUE // BATCH):
            usage += self._send(batch_of(BATCH, life.sample, **life.fields))
        idle = self._follow_up(0)
        receipts = list(life.receipts)
        ran_at = started_at
        while due := self._next_due():
            run_at = max(due + HALF_A_MINUTE, ran_at + MINUTE)
            receipt_at = started_at + timedelta(seconds=receipts[0].after_seconds) if receipts else None
            if receipt_at is not None and receipt_at < run_at:
                self._clock.jump_to(receipt_at)
                usage += self._receive(receipts.pop(0))
                continue
            self._clock.jump_to(run_at)
            ran_at = run_at
            self._deliver()
            run = self._follow_up(DUE) - idle
            self._looks += run[WRITES] > 0
            self._runs += 1
            usage += run + self._send_woken()
            if self._runs > MAX_RUNS:
                raise RuntimeError(f"{life.label}: no end")
        for receipt in receipts:
            self._clock.jump_to(started_at + timedelta(seconds=receipt.after_seconds))
            usage += self._receive(receipt)
        return LifeUsage(
            usage=usage * (1 / DUE) + self._stored(),
            looks=self._looks,
            largest=self._metered.meter.largest,
            metrics=frozenset(self._metered.meter.metrics),
        )

    def _send(self, event: Mapping[str, Any]) -> Usage:
        sent = self._metered.invoke("send", event) + batch_usage("send", event)
        return sent + self._metered.publish(len(event["Records"]))

    def _follow_up(self, due: int) -> Usage:
        run = self._metered.invoke("follow_up", {}) + {records_of("follow_up"): due}
        return run + self._metered.publish(max(due, 1))

    def _send_woken(self) -> Usage:
        """Invoke send with the wake-ups in its queue."""
        sqs, usage = self._deployment.client("sqs"), Usage()
        url = self._deployment.value("SEND_QUEUE_URL")
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=BATCH).get("Messages", ()):
            (sample,) = batch_of(1)["Records"]
            records = [{**sample, "messageId": m["MessageId"], "body": m["Body"]} for m in messages]
            usage += self._send({"Records": records})
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return usage

    def _receive(self, receipt: Receipt) -> Usage:
        items = [item for item in self._items() if "provider_message_id" in item]
        received = (self._metered.receive(item, receipt.sample, receipt.query) for item in items)
        return sum(received, Usage())

    def _deliver(self) -> None:
        """Let the vendor report the messages as delivered for which the time has come."""
        after = self._life.delivered_after
        for row in self._vendors.ledger:
            if after is not None and row.created_at + timedelta(seconds=after) <= self._clock():
                row.status = Status.DELIVERED

    def _next_due(self) -> datetime | None:
        """Return the latest due time of the messages: they all become due within a second."""
        times = [from_text(item["due_at"]["S"]) for item in self._items() if "due_at" in item]
        return max(times, default=None)

    def _items(self) -> list[dict[str, Any]]:
        return self._deployment.items(self._deployment.messages)

    def _stored(self) -> Usage:
        """Return the stored bytes of a message at its end, and of its correlation."""
        tables = (self._deployment.messages, self._deployment.correlations)
        items = [item for table in tables for item in self._deployment.items(table)]
        return Usage({STORED: sum(size_of(item) + ITEM_OVERHEAD for item in items) / DUE})


class JumpingClock:
    """The real clock, and the time that it has jumped ahead."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        now = datetime.now(UTC) + self._ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def jump_to(self, at: datetime) -> None:
        """Jump to a time, unless it has passed."""
        self._ahead += max(timedelta(0), at - self())
