"""Grouping and timing of calls. Shared calls and their outcomes are tested in `test_shared_calls.py`."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.domain.failure import Reason
from sampai.domain.message import Category
from sampai.domain.outcome import FailureScope, NotTaken, Taken, Unknown
from sampai.services.ports.runtime import NewPool
from sampai.services.send.attachments import AttachmentStore
from sampai.services.send.batch import BatchItem
from sampai.services.send.dispatch import Dispatcher, group_into_calls
from sampai.services.send.provider_calls import ProviderCalls
from tests.fakes import (
    START,
    FixedClock,
    InlinePool,
    InMemoryEncryptionKeys,
    InMemoryMedia,
    RecordingTelemetry,
    RecordingTransport,
    Reply,
)
from tests.harness.application import lost, nomsa_taken
from tests.harness.sending import new_batch
from tests.unit.services.send.items import draft, item_of, provider, queued, sending_item

SMSPOH = provider("smspoh")


def promotion(number: int, starts_in: float | None = None) -> BatchItem:
    """Return the item of a message that may share its call."""
    message_id, recipient = f"m-{number}", f"+95977777771{number}"
    item = sending_item(message_id, recipient=recipient, category=Category.PROMOTIONAL, route=("smspoh",))
    item.provider = SMSPOH
    item.starts_at = None if starts_in is None else START + timedelta(seconds=starts_in)
    return item


def grouped(*items: BatchItem) -> list[list[str]]:
    return [call.message_ids for call in group_into_calls(items)]


def test_promotions_share_a_call_and_other_messages_go_alone() -> None:
    assert grouped(promotion(1), sending_item("m-2"), promotion(3)) == [["m-1", "m-3"], ["m-2"]]


def test_a_number_is_only_once_in_a_call() -> None:
    again = promotion(1)
    again.message = draft("m-2", recipient=again.message.recipient, category=Category.PROMOTIONAL)

    assert grouped(promotion(1), again, promotion(3)) == [["m-1"], ["m-2", "m-3"]]


@pytest.mark.parametrize(("second", "calls"), [(0.1, [["m-1", "m-2"]]), (0.11, [["m-1"], ["m-2"]])])
def test_messages_with_distant_starts_do_not_share_a_call(second: float, calls: list[list[str]]) -> None:
    assert grouped(promotion(1, 0.0), promotion(2, second)) == calls


def test_calls_are_ordered_by_their_start() -> None:
    assert grouped(promotion(1, 5.0), promotion(2, 1.0), sending_item("m-3")) == [["m-3"], ["m-2"], ["m-1"]]


def test_a_message_does_not_wait_for_a_later_start_of_another_in_its_call() -> None:
    assert grouped(promotion(1, 0.3), promotion(2, 0.1), promotion(3, 0.2)) == [["m-2", "m-3"], ["m-1"]]


def test_an_item_without_a_provider_is_not_sent() -> None:
    assert grouped(item_of(draft(), queued())) == []


class Stage:
    """The stage on fakes."""

    def __init__(self, *replies: Reply, new_pool: NewPool = InlinePool) -> None:
        self.clock = FixedClock()
        self.transport = RecordingTransport(*replies)
        telemetry = RecordingTelemetry()
        attachments = AttachmentStore(
            media=InMemoryMedia(),
            encryption_keys=InMemoryEncryptionKeys(),
            new_key=lambda: "key",
            telemetry=telemetry,
        )
        calls = ProviderCalls(transport=self.transport, attachments=attachments, clock=self.clock, telemetry=telemetry)
        self.dispatcher = Dispatcher(
            calls=calls,
            clock=self.clock,
            sleep=lambda seconds: self.clock.advance(seconds=seconds),
            new_pool=new_pool,
        )


NO_TIME = NotTaken(
    reason=Reason.PROVIDER_ERROR,
    is_final=False,
    scope=FailureScope.INTERNAL,
    detail="no call was made: no time was left",
)
EXPIRED = NotTaken(reason=Reason.EXPIRED, is_final=True, scope=FailureScope.INTERNAL, detail="expires_at: has passed")

STARTS = [
    ("at once", None, None, Taken(provider_message_id="145", provider_status="UNSENT"), 0),
    ("at its start", 5.0, None, Taken(provider_message_id="145", provider_status="UNSENT"), 5),
    ("not after the deadline", 30.1, None, NO_TIME, 0),
    ("not once it has expired", 5.0, 5.0, EXPIRED, 5),
]


@pytest.mark.parametrize(
    ("starts_in", "expires_in", "outcome", "waited"), [s[1:] for s in STARTS], ids=[s[0] for s in STARTS]
)
def test_a_message_is_sent(
    starts_in: float | None, expires_in: float | None, outcome: Taken | NotTaken, waited: float
) -> None:
    stage = Stage(nomsa_taken("145"))
    expires_at = None if expires_in is None else START + timedelta(seconds=expires_in)
    item = sending_item(expires_at=expires_at)
    item.starts_at = None if starts_in is None else START + timedelta(seconds=starts_in)

    stage.dispatcher.dispatch(new_batch(items=[item]))

    assert item.outcome == outcome
    assert stage.clock.now == START + timedelta(seconds=waited)
    assert len(stage.transport.requests) == isinstance(outcome, Taken)


def test_each_item_gets_the_outcome_of_its_own_call() -> None:
    stage = Stage(nomsa_taken("1"), lost())
    items = [sending_item("m-1"), item_of(draft("m-2"), queued("m-2")), sending_item("m-3")]

    stage.dispatcher.dispatch(new_batch(items=items))

    assert [item.outcome for item in items] == [
        Taken(provider_message_id="1", provider_status="UNSENT"),
        None,
        Unknown(why="timed out"),
    ]


class ExhaustedPool(Executor):
    """Starts no thread, but first queues the work, as a `ThreadPoolExecutor` does. Another thread may begin it."""

    def __init__(self, *, begins_at_once: bool) -> None:
        self.begins_at_once = begins_at_once
        self.queued: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.queued.append(fn)
        if self.begins_at_once:
            self.run_queued()
        raise RuntimeError("can't start new thread")

    def run_queued(self) -> None:
        while self.queued:
            self.queued.pop()()


NO_THREAD = replace(NO_TIME, detail="no call was made: no thread could be started")


@pytest.mark.parametrize(
    ("begins_at_once", "outcome", "calls"), [(False, NO_THREAD, 0), (True, Unknown(why="RuntimeError"), 1)]
)
def test_a_message_that_counts_as_not_sent_is_not_sent_later_by_another_thread(
    begins_at_once: bool, outcome: NotTaken | Unknown, calls: int
) -> None:
    pool = ExhaustedPool(begins_at_once=begins_at_once)
    stage = Stage(nomsa_taken("145"), new_pool=lambda _: pool)
    item = sending_item()

    stage.dispatcher.dispatch(new_batch(items=[item]))
    pool.run_queued()

    assert item.outcome == outcome
    assert len(stage.transport.requests) == calls
