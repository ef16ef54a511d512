"""The console reads within limits: the table rarely, open messages often, and once for all tabs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

import pytest

from sampai.adapters.items import to_item
from sampai.domain.status import Source, Status
from sampai_cli.console import reader as module
from sampai_cli.console.reader import FIELDS, MAX_FOLLOWED, Cached, Messages, Reader
from sampai_cli.run import Run
from tests.fakes import START
from tests.harness.stories import DELIVERED, fill, message
from tests.unit.cli.conftest import World

OPEN = DELIVERED[:2]


@dataclass
class Watched:
    """The messages of a stack, with a clock of its own, and a count of the calls of DynamoDB."""

    world: World
    max_units: float = 10_000
    units: float = 0.5
    """The price of a page of a scan, in place of the one of moto."""
    now: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        dynamodb = self.world.client("dynamodb")
        dynamodb.meta.events.register("before-call.dynamodb", self._count)
        dynamodb.meta.events.register("after-call.dynamodb.Scan", self._price)
        self.messages = Messages(Run(find=lambda: self.world.stack), max_units=self.max_units, clock=lambda: self.now)

    def ids(self) -> list[str]:
        self.calls.clear()
        return [row["message_id"] for row in self.messages.read().rows]

    def _count(self, model: Any, params: Any, **_: Any) -> None:
        index = " due" if b'"due"' in params["body"] else ""
        self.calls[model.name + index] += 1

    def _price(self, parsed: Any, **_: Any) -> None:
        parsed["ConsumedCapacity"] = {"CapacityUnits": self.units}


def test_a_small_table_is_read_each_time(world: World) -> None:
    watched = Watched(world)
    world.put(message("a", DELIVERED, began=START))
    first = watched.ids()
    world.put(message("b", DELIVERED, began=START.replace(minute=1)))
    watched.now = 2.0

    assert (first, watched.ids()) == (["a"], ["b", "a"])
    assert watched.calls == {"Scan": 1}


def test_a_large_table_is_read_rarely_and_open_messages_are_followed(world: World) -> None:
    watched = Watched(world, units=5000)
    done, going = message("done", DELIVERED, began=START), message("going", OPEN, began=START)
    world.put(done, going)
    assert watched.ids() == ["done", "going"]
    watched.units = 1

    later = START.replace(minute=1)
    world.put(
        message("new", OPEN, began=later),
        message("going", DELIVERED, began=later),
        replace(done, updated_at=START.replace(minute=2)),
    )
    watched.now = 3.0
    watched.calls.clear()
    snapshot = watched.messages.read()

    assert [(row["message_id"], row["status"]) for row in snapshot.rows] == [
        ("going", "delivered"),
        ("new", "accepted"),
        ("done", "delivered"),
    ]
    assert (snapshot.every_seconds, watched.calls) == (50.0, {"Scan due": 1, "BatchGetItem": 1})
    watched.now = 50.0
    assert watched.ids() == ["done", "going", "new"]


def test_a_large_index_is_read_rarely_too(world: World) -> None:
    watched = Watched(world, units=5000)
    world.put(message("going", OPEN, began=START))
    for watched.now, calls in [(0.0, {"Scan": 1}), (2.0, {"Scan due": 1, "BatchGetItem": 1}), (4.0, {})]:
        assert (watched.ids(), watched.calls) == (["going"], calls)


def test_a_table_beyond_the_limit_is_not_complete_and_its_open_messages_are_there(world: World) -> None:
    watched = Watched(world, max_units=1, units=1)
    padding = {"S": "x" * 300_000}
    for number in range(8):
        item = to_item(message(f"m-{number}", DELIVERED, began=START)) | {"padding": padding}
        world.client("dynamodb").put_item(TableName="MessagesTable", Item=item)
    world.put(*(message(f"open-{number}", OPEN, began=START.replace(minute=1)) for number in range(3)))

    snapshot = watched.messages.read()

    assert not snapshot.is_complete
    assert [row["message_id"] for row in snapshot.rows[:3]] == ["open-0", "open-1", "open-2"]


def test_not_more_than_so_many_open_messages_are_read_again(world: World) -> None:
    watched = Watched(world, units=5000)
    world.put(*(message(f"m-{number:03}", OPEN, began=START) for number in range(MAX_FOLLOWED + 10)))
    watched.ids()
    watched.now = 2.0
    watched.ids()

    assert watched.calls["BatchGetItem"] == MAX_FOLLOWED / 100


def test_only_the_messages_with_the_latest_change_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGES", 3)
    world.put(*(message(f"m-{number}", DELIVERED, began=START.replace(minute=number)) for number in range(5)))

    assert Watched(world).ids() == ["m-4", "m-3", "m-2"]


def test_kept_items_have_no_text_and_no_number(world: World) -> None:
    watched = Watched(world, units=5000)
    steps = [(0.0, Status.QUEUED, Source.SEND)]
    world.put(message("waits", steps, began=START))
    watched.ids()
    watched.now = 2.0

    for item in [*watched.messages.read().items]:
        assert item.keys() <= set(FIELDS)
    assert not {"content", "recipient", "metadata", "sender", "room_id", "provider_options"} & set(FIELDS)


def test_a_value_is_read_once_for_all_tabs_and_again_when_it_is_old() -> None:
    reads: list[float] = []
    seconds = [0.0]
    cached = Cached(lambda: reads.append(seconds[0]), seconds=2.0, clock=lambda: seconds[0])

    for seconds[0] in (0.0, 1.0, 1.9, 2.0, 3.9, 10.0):
        tabs = [Thread(target=cached.get) for _ in range(3)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()

    assert reads == [0.0, 2.0, 10.0]


def test_a_failed_read_is_tried_again_and_nothing_old_is_shown() -> None:
    answers: list[Callable[[], int]] = [lambda: 1, lambda: 1 // 0, lambda: 2]
    seconds = [0.0]
    cached = Cached(lambda: answers.pop(0)(), seconds=2.0, clock=lambda: seconds[0])

    first = cached.get()
    seconds[0] = 2.0
    with pytest.raises(ZeroDivisionError):
        cached.get()

    assert (first, cached.get()) == (1, 2)


def test_several_tabs_read_the_dead_letters_once(world: World) -> None:
    fill(world.stack, now=START)
    calls: list[str] = []
    world.client("sqs").meta.events.register("before-call.sqs", lambda model, **_: calls.append(model.name))
    reader = Reader(lambda: world.stack)

    assert len(reader.letters()) == len(reader.letters()) == 4
    assert calls.count("ChangeMessageVisibility") + calls.count("ChangeMessageVisibilityBatch") == 1
