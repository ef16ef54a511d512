"""The contract of the progress of callbacks, checked on the fake and on DynamoDB of the local AWS."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sampai.adapters.callback_progress import RETENTION, DynamoCallbackProgress
from sampai.domain.callback_progress import CallbackProgress
from sampai.services.ports.callbacks import CallbackProgressStore
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryCallbackProgress
from tests.template import ROOT

FIRST = CallbackProgress(revision=1, arrived=3, arrived_at=START)
WHOLE = CallbackProgress(
    revision=2,
    concluded=12,
    missing=frozenset({1, 2, 11}),
    arrived=14,
    arrived_at=START + timedelta(milliseconds=7),
    leased_until=START + timedelta(seconds=90),
)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> CallbackProgressStore:
    if request.param == "memory":
        return InMemoryCallbackProgress()
    emulator: Emulator = request.getfixturevalue("emulator")
    client, table = emulator.client("dynamodb"), emulator.new_table("CallbacksTable")
    return DynamoCallbackProgress(client, table=table, clock=lambda: START)


def test_a_message_without_a_progress_has_an_empty_one(store: CallbackProgressStore) -> None:
    assert store.load("m-1") == CallbackProgress()


def test_a_progress_is_read_as_it_was_stored(store: CallbackProgressStore) -> None:
    assert store.replace("m-1", FIRST)
    assert store.load("m-1") == FIRST
    assert store.replace("m-1", WHOLE)
    assert store.load("m-1") == WHOLE
    assert store.load("m-2") == CallbackProgress()


@pytest.mark.parametrize("revision", [1, 2, 4])
def test_only_the_next_revision_is_stored(store: CallbackProgressStore, revision: int) -> None:
    store.replace("m-1", FIRST)
    store.replace("m-1", WHOLE)

    assert not store.replace("m-1", replace(FIRST, revision=revision))
    assert store.load("m-1") == WHOLE


def test_a_first_revision_needs_no_item_and_a_later_one_does(store: CallbackProgressStore) -> None:
    assert not store.replace("m-1", WHOLE)
    assert store.load("m-1") == CallbackProgress()


CALLS: list[Callable[[CallbackProgressStore], object]] = [
    lambda store: store.load("m-1"),
    lambda store: store.replace("m-1", FIRST),
]


@pytest.mark.parametrize("call", CALLS, ids=["load", "replace"])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_outage_raises(
    request: pytest.FixtureRequest, where: str, call: Callable[[CallbackProgressStore], object]
) -> None:
    store: CallbackProgressStore
    if where == "memory":
        store = fake = InMemoryCallbackProgress()
        fake.is_down = True
    elif where == "dynamodb":
        store = DynamoCallbackProgress(unreachable("dynamodb"), table="callbacks", clock=lambda: START)
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        store = DynamoCallbackProgress(emulator.client("dynamodb"), table="nowhere", clock=lambda: START)

    with pytest.raises(UnavailableError):
        call(store)


def test_an_item_has_numbers_only_and_outlives_the_last_event_of_its_message(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("CallbacksTable")
    DynamoCallbackProgress(client, table=table, clock=lambda: START).replace("m-1", replace(WHOLE, revision=1))

    (item,) = client.scan(TableName=table, ConsistentRead=True)["Items"]

    item["missing"]["NS"] = sorted(item["missing"]["NS"], key=int)
    ttl = int(item.pop("ttl")["N"])
    assert item == {
        "message_id": {"S": "m-1"},
        "revision": {"N": "1"},
        "concluded": {"N": "12"},
        "missing": {"NS": ["1", "2", "11"]},
        "arrived": {"N": "14"},
        "arrived_at": {"N": "1795255200007"},
        "leased_until": {"N": "1795255290000"},
    }
    assert datetime.fromtimestamp(ttl, UTC) == START + RETENTION
    horizon = json.loads((ROOT / "docs/reference/schemas/settings.json").read_text())["properties"]
    longest_days = horizon["report_horizon_hours"]["maximum"] / 24
    assert timedelta(days=366 + 2 * longest_days) < RETENTION


def test_an_item_of_another_release_is_read_by_the_attributes_that_are_known(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("CallbacksTable")
    item = {"message_id": {"S": "m-1"}, "revision": {"N": "4"}, "concluded": {"N": "2"}, "new": {"S": "later"}}
    client.put_item(TableName=table, Item=item)

    store = DynamoCallbackProgress(client, table=table, clock=lambda: START)

    assert store.load("m-1") == CallbackProgress(revision=4, concluded=2)
