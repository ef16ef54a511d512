"""The quota stage: new messages are counted before they are stored."""

from typing import Any

import pytest

from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import fail
from sampai.domain.quotas import QuotaCounter
from sampai.domain.status import Source, Status
from sampai.services.ports.runtime import UnavailableError
from sampai.services.send.batch import Batch
from sampai.services.send.quotas import Quotas
from tests.fakes import START, FixedClock, InMemoryDirectory, InMemoryStore
from tests.harness.sending import new_batch
from tests.unit.services.send.items import claimed, draft, item_of, queued, sending_item

TWO_A_DAY = {"limits": {"per_day": 2}}
BLOCKED = Failure(reason=Reason.BLOCKED, detail="limits.per_day: reached")


class Stage:
    """The stage on fakes."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.directory = InMemoryDirectory()
        self.quotas = Quotas(messages=self.store, counters=self.directory, clock=FixedClock())

    def enforce(self, *numbers: int, **given: Any) -> Batch:
        batch = new_batch(items=[sending_item(f"m-{n}") for n in numbers], **{"settings": TWO_A_DAY} | given)
        self.quotas.enforce(batch)
        return batch


def statuses(batch: Batch) -> list[Status]:
    return [item.message.status for item in batch.items]


def test_a_message_beyond_the_quota_fails_and_is_not_sent() -> None:
    batch = Stage().enforce(1, 2, 3)

    assert statuses(batch) == [Status.SENDING, Status.SENDING, Status.FAILED]
    assert (batch.items[2].message.failure, batch.items[2].provider) == (BLOCKED, None)
    assert batch.items[2].message == fail(draft("m-3"), BLOCKED, now=START, source=Source.SEND)
    assert batch.unfinished == set()


def test_without_a_limit_no_port_is_asked() -> None:
    stage = Stage()
    stage.store.is_down = stage.directory.is_down = True

    assert statuses(stage.enforce(1, 2, 3, settings=None)) == [Status.SENDING] * 3


def test_a_message_that_is_stored_already_is_not_counted_again() -> None:
    stage = Stage()
    stage.store.messages["m-1"] = claimed("m-1")

    assert statuses(stage.enforce(1, 2, 3)) == [Status.SENDING] * 3


def test_only_new_messages_that_may_be_sent_are_counted() -> None:
    stage = Stage()
    failed = fail(draft("m-1"), BLOCKED, now=START, source=Source.SEND)
    batch = new_batch(items=[item_of(draft("m-1"), failed), item_of(queued("m-2"))], settings=TWO_A_DAY)

    stage.quotas.enforce(batch)

    assert stage.directory.counts == {}
    assert [item.message for item in batch.items] == [failed, queued("m-2")]


def test_a_message_that_cannot_be_counted_comes_back_with_those_after_it() -> None:
    stage = Stage()

    def fail_second(counter: QuotaCounter) -> None:
        if stage.directory.counts:
            raise UnavailableError("down")

    stage.directory.before_count = fail_second

    batch = stage.enforce(1, 2, 3)

    assert statuses(batch) == [Status.SENDING]
    assert batch.unfinished == {"r-2", "r-3"}


@pytest.mark.parametrize(("seconds_left", "unfinished"), [(18.0, set()), (17.9, {"r-1"})])
def test_nothing_is_counted_when_it_is_too_late_for_a_call(seconds_left: float, unfinished: set[str]) -> None:
    stage = Stage()

    batch = stage.enforce(1, seconds_left=seconds_left)

    assert batch.unfinished == unfinished
    assert len(stage.directory.counts) == 1 - len(unfinished)


# --- callers ---------------------------------------------------------------------------------------------------------

SHOP = Caller(id="AROASHOP", name="shop")
ONE_A_DAY_FOR_SHOP = {"callers": {"AROASHOP": {"limits": {"per_day": 1}}}}
SHOP_BLOCKED = Failure(reason=Reason.BLOCKED, detail="callers.AROASHOP.limits.per_day: reached")


def test_limit_of_a_caller_stops_its_messages_alone() -> None:
    stage = Stage()
    callers = {"m-1": SHOP, "m-2": SHOP, "m-3": Caller(id="AROABANK", name="AROABANK"), "m-4": None}
    items = [sending_item(message_id, caller=caller) for message_id, caller in callers.items()]
    batch = new_batch(items=items, settings=ONE_A_DAY_FOR_SHOP)

    stage.quotas.enforce(batch)

    assert [item.message.failure for item in batch.items] == [None, SHOP_BLOCKED, None, None]
    assert stage.directory.counts == {"all#2026-11-21#AROASHOP": 1}


def test_limit_of_another_caller_costs_nothing() -> None:
    stage = Stage()
    stage.store.is_down = stage.directory.is_down = True

    assert statuses(stage.enforce(1, 2, settings=ONE_A_DAY_FOR_SHOP)) == [Status.SENDING] * 2


def test_outage_brings_back_only_messages_that_have_a_limit() -> None:
    stage = Stage()
    stage.directory.is_down = True
    items = [sending_item("m-1", caller=SHOP), sending_item("m-2")]
    batch = new_batch(items=items, settings=ONE_A_DAY_FOR_SHOP)

    stage.quotas.enforce(batch)

    assert [item.message.message_id for item in batch.items] == ["m-2"]
    assert (batch.unfinished, batch.affected_by_outage) == ({"r-1"}, {"r-1"})


def test_message_over_the_limit_of_its_caller_does_not_count_for_all() -> None:
    stage = Stage()
    items = [sending_item(f"m-{n}", caller=SHOP) for n in range(3)]
    batch = new_batch(items=items, settings=TWO_A_DAY | ONE_A_DAY_FOR_SHOP)

    stage.quotas.enforce(batch)

    assert [item.message.failure for item in batch.items] == [None, SHOP_BLOCKED, SHOP_BLOCKED]
    assert stage.directory.counts == {"all#2026-11-21#AROASHOP": 1, "all#2026-11-21": 1}
