"""The pacing stage: starts are reserved before the claim, and again if the claim was slow."""

from datetime import datetime, timedelta

import pytest

from sampai.domain.message import Category
from sampai.domain.status import Status
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.pacer import Pacer, deferral_of
from tests.fakes import START, FixedClock, InMemoryRateLimiter, RecordingTelemetry
from tests.harness.sending import new_batch
from tests.unit.services.send.items import draft, item_of, provider, queued, sending_item

TEN_A_SECOND = {"providers": {"nomsa": {"max_per_second": 10}, "smspoh": {"sender": "Sampai"}}}


class Stage:
    """The stage on fakes."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.limiter = InMemoryRateLimiter()
        self.telemetry = RecordingTelemetry()
        self.pacer = Pacer(limiter=self.limiter, clock=self.clock, sleep=self.sleep, telemetry=self.telemetry)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def reserve(self, *items: BatchItem, seconds_left: float = 30.0) -> Batch:
        batch = new_batch(items=items, settings=TEN_A_SECOND, seconds_left=seconds_left)
        self.pacer.reserve(batch)
        return batch


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def starts(batch: Batch) -> dict[str, datetime | None]:
    return {item.message.message_id: item.starts_at for item in batch.items}


def test_messages_start_one_after_the_other() -> None:
    stage = Stage()

    batch = stage.reserve(*(sending_item(f"m-{n}") for n in (1, 2, 3)))

    first = START + timedelta(seconds=0.2)  # the claim is expected to end before the last start
    assert starts(batch) == {f"m-{n}": first + timedelta(seconds=(n - 1) / 10) for n in (1, 2, 3)}
    assert stage.limiter.reservations == [("nomsa", first, 0.3)]


def test_one_time_passwords_start_first() -> None:
    batch = Stage().reserve(sending_item("m-1"), sending_item("m-2", category=Category.OTP))

    assert sorted(starts(batch), key=lambda name: starts(batch)[name] or START) == ["m-2", "m-1"]


def test_messages_to_a_provider_without_a_limit_and_those_that_are_not_sent_get_no_start() -> None:
    stage = Stage()
    unlimited = sending_item("m-1", recipient="+959777777710", route=("smspoh",))
    unlimited.provider = provider("smspoh")
    unlimited.message = queued("m-1")

    batch = stage.reserve(unlimited, item_of(draft("m-2"), queued("m-2")))

    assert (starts(batch), stage.limiter.asked) == ({"m-1": None, "m-2": None}, 0)


DEFERRED = [
    ("too far ahead", 60.0, False, 30.0),
    ("outage", 0.0, True, 30.0),
    ("too late for a call", 0.0, False, 15.5),
]


@pytest.mark.parametrize(("taken", "is_down", "seconds_left"), [d[1:] for d in DEFERRED], ids=[d[0] for d in DEFERRED])
def test_a_message_without_a_reservation_is_deferred_from_its_draft(
    taken: float, is_down: bool, seconds_left: float
) -> None:
    stage = Stage()
    stage.limiter.taken_until["nomsa"] = at(taken)
    stage.limiter.is_down = is_down

    (item,) = stage.reserve(sending_item(), seconds_left=seconds_left).items

    assert (item.message.status, item.message.attempt_id, item.provider) == (Status.QUEUED, None, None)
    assert item.wake_up is not None
    assert item.wake_up.delay_seconds == 15
    assert [line[1] for line in stage.telemetry.lines] == (["no reservation"] if is_down else [])


RENEWED = [
    ("in time", 0.0, None, [0.2, 0.3, 0.4]),
    ("two are late", 0.31, None, [0.2, 0.3, 0.4]),
    ("three are late", 0.5, None, [0.5, 0.6, 0.7]),
    ("three are late and get no reservation", 0.5, 100.0, [None, None, None]),
]


@pytest.mark.parametrize(("claim", "taken", "expected"), [r[1:] for r in RENEWED], ids=[r[0] for r in RENEWED])
def test_a_slow_claim_makes_a_new_reservation(claim: float, taken: float | None, expected: list[float | None]) -> None:
    stage = Stage()
    batch = stage.reserve(*(sending_item(f"m-{n}") for n in (1, 2, 3)))
    stage.clock.advance(seconds=claim)
    if taken is not None:
        stage.limiter.taken_until["nomsa"] = at(taken)

    stage.pacer.renew(batch)

    never = datetime.max.replace(tzinfo=START.tzinfo)
    assert list(starts(batch).values()) == [never if e is None else at(e) for e in expected]


def test_a_single_message_need_not_wait_for_its_claim() -> None:
    assert starts(Stage().reserve(sending_item())) == {"m-1": START}


@pytest.mark.parametrize(("waited", "pause"), [(0, 15), (60, 15), (120, 30), (3600, 300)])
def test_a_deferral_is_a_quarter_of_the_time_that_a_message_has_waited(waited: int, pause: int) -> None:
    assert deferral_of(draft(), now=at(waited)) == timedelta(seconds=pause)
    assert deferral_of(draft(send_at=at(30)), now=at(30 + waited)) == timedelta(seconds=pause)
