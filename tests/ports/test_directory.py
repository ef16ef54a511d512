"""The contract of the directory, checked on the fake and on DynamoDB of the local AWS."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from sampai.adapters.directory import DynamoDirectory
from sampai.domain.inbound import Conversation
from sampai.domain.quotas import Limit, QuotaCounter
from sampai.domain.recipient import keyed_digest
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryDirectory, RecordingTelemetry
from tests.harness.dynamo import TABLES, MemoryDynamo

NUMBER = "+85591234511"


def digest(number: str) -> str:
    return keyed_digest(number, b"key of the tests")


def dynamo_directory(client: Any, table: str) -> DynamoDirectory:
    return DynamoDirectory(client, table=table, digest=digest, telemetry=RecordingTelemetry())


@pytest.fixture(params=["memory", "tables in memory", "dynamodb"])
def directory(request: pytest.FixtureRequest) -> DynamoDirectory | InMemoryDirectory:
    if request.param == "memory":
        return InMemoryDirectory()
    if request.param == "tables in memory":
        return dynamo_directory(MemoryDynamo(**TABLES), "directory")
    emulator: Emulator = request.getfixturevalue("emulator")
    return dynamo_directory(emulator.client("dynamodb"), emulator.new_table("DirectoryTable"))


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def conversation(minutes: int, number: str | None = NUMBER, room_id: str = "room-1") -> Conversation:
    return Conversation(room_id=room_id, number=number, last_inbound_at=at(minutes))


CATALOGUE = Catalogue(
    refreshed_at=START,
    templates={
        "otp": TemplateInfo(is_approved=True, header_format="IMAGE", body_parameters=2, buttons=0),
        "promotion “៥០%” 😀": TemplateInfo(is_approved=False),
    },
    senders=frozenset({"channel-1", "channel-2"}),
)

CATALOGUES = [
    ("all of it", CATALOGUE),
    ("no templates at all", replace(CATALOGUE, templates={})),
    ("no senders at all", replace(CATALOGUE, senders=frozenset())),
    ("templates that could not be read", replace(CATALOGUE, templates=None)),
    ("senders that could not be read", replace(CATALOGUE, senders=None)),
    ("nothing but its time", Catalogue(refreshed_at=START)),
]


def test_empty_directory_knows_nothing(directory: DynamoDirectory | InMemoryDirectory) -> None:
    assert directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=["nusasms"]) == EligibilityData()


def test_directory_knows_exactly_the_facts_that_were_stored(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))
    directory.set_opt_out("+85591234512", is_out=True, at=at(0))
    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(0, room_id="room-2"))
    directory.store_catalogue("nusasms", CATALOGUE)

    known = directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=["nusasms", "smspoh"])

    assert known == EligibilityData(
        opted_out=frozenset({NUMBER}), conversations={"room-1": conversation(0)}, catalogues={"nusasms": CATALOGUE}
    )


def test_number_conversation_and_provider_of_one_name_do_not_collide(
    directory: DynamoDirectory | InMemoryDirectory,
) -> None:
    directory.set_opt_out("1234567", is_out=True, at=at(0))
    directory.record_conversation(conversation(0, room_id="1234567"))

    known = directory.look_up(numbers=["1234567"], conversations=["1234567"], catalogues=["1234567"])

    assert known == EligibilityData(
        opted_out=frozenset({"1234567"}), conversations={"1234567": conversation(0, room_id="1234567")}
    )


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_look_up_takes_any_number_of_names(directory: DynamoDirectory | InMemoryDirectory, count: int) -> None:
    numbers = [f"+8559{n:07}" for n in range(count)]
    for number in numbers[::2]:
        directory.set_opt_out(number, is_out=True, at=at(0))
    directory.record_conversation(conversation(0))

    known = directory.look_up(numbers=numbers, conversations=["room-1"], catalogues=["nusasms"])

    assert known == EligibilityData(opted_out=frozenset(numbers[::2]), conversations={"room-1": conversation(0)})


# --- opt-outs ---------------------------------------------------------------------------------------------------------

WISHES = [
    ("out, in, out, in", [(0, True), (1, False), (2, True), (3, False)], False),
    ("in, out, in, out", [(0, False), (1, True), (2, False), (3, True)], True),
    ("out twice, then in", [(0, True), (1, True), (2, False)], False),
    ("in twice, then out", [(0, False), (1, False), (2, True)], True),
    ("both at the last instant", [(0, False), (1, True), (1, False)], True),
    ("both at the last instant, twice", [(1, True), (1, False), (1, True), (1, False)], True),
    ("both at an instant, then in", [(0, True), (0, False), (1, False)], False),
    ("a millisecond apart", [(0, True), (0.001 / 60, False)], False),
]


@pytest.mark.parametrize(("consents", "is_out"), [w[1:] for w in WISHES], ids=[w[0] for w in WISHES])
def test_opt_outs_have_the_same_result_in_any_order(
    directory: DynamoDirectory | InMemoryDirectory, consents: list[tuple[float, bool]], is_out: bool
) -> None:
    orders = {f"+8559{n:07}": order for n, order in enumerate(permutations(consents))}

    for number, order in orders.items():
        for minutes, consent in order:
            directory.set_opt_out(number, is_out=consent, at=START + timedelta(minutes=minutes))

    opted_out = directory.look_up(numbers=orders, conversations=[], catalogues=[]).opted_out
    assert opted_out == (orders.keys() if is_out else set())


# --- conversations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
def test_older_inbound_message_does_not_change_a_conversation(
    directory: DynamoDirectory | InMemoryDirectory, order: tuple[int, ...]
) -> None:
    for minutes in order:
        directory.record_conversation(conversation(minutes))

    assert directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations == {
        "room-1": conversation(2)
    }


def test_conversation_keeps_its_number_without_a_later_one(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(1, number=None))

    assert directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations == {
        "room-1": conversation(1)
    }


def test_later_number_replaces_the_earlier_one(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.record_conversation(conversation(0, number=None))
    directory.record_conversation(conversation(1))
    directory.record_conversation(conversation(2, number="+85591234512"))

    conversations = directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations
    assert conversations == {"room-1": conversation(2, number="+85591234512")}


# --- catalogues -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalogue", [c[1] for c in CATALOGUES], ids=[c[0] for c in CATALOGUES])
def test_catalogue_is_read_as_it_was_stored(
    directory: DynamoDirectory | InMemoryDirectory, catalogue: Catalogue
) -> None:
    directory.store_catalogue("nusasms", catalogue)

    known = directory.look_up(numbers=[], conversations=[], catalogues=["nusasms"])

    assert known == EligibilityData(catalogues={"nusasms": catalogue})


def test_new_catalogue_replaces_the_old_one_completely(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.store_catalogue("nusasms", CATALOGUE)
    directory.store_catalogue("nusasms", Catalogue(refreshed_at=at(60)))

    known = directory.look_up(numbers=[], conversations=[], catalogues=["nusasms"])
    assert known == EligibilityData(catalogues={"nusasms": Catalogue(refreshed_at=at(60))})


# --- counts -----------------------------------------------------------------------------------------------------------


def counter(most: int, key: str = f"recipient#{NUMBER}#2026-11-21T10") -> QuotaCounter:
    return QuotaCounter(limit=Limit.PER_RECIPIENT_PER_HOUR, maximum=most, key=key, ends_at=at(60))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_counter_stops_at_its_limit(directory: DynamoDirectory | InMemoryDirectory, most: int) -> None:
    assert [directory.increment(counter(most)) for _ in range(7)] == [True] * most + [False] * (7 - most)


def test_refused_message_is_not_counted_so_a_raised_limit_applies_at_once(
    directory: DynamoDirectory | InMemoryDirectory,
) -> None:
    counted = [directory.increment(counter(most)) for most in (1, 1, 1, 3, 3, 3, 2, 4)]

    assert counted == [True, False, False, True, True, False, False, True]


def test_keys_are_counted_separately(directory: DynamoDirectory | InMemoryDirectory) -> None:
    keys = ["recipient#+1234567#2026-11-21T10", "recipient#+1234567#2026-11-21", "prefix#+123#2026-11-21T10", "all"]

    assert [directory.increment(counter(1, key)) for key in [*keys, *keys]] == [True] * 4 + [False] * 4


def test_counter_of_a_number_does_not_touch_its_other_facts(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))
    directory.increment(counter(1, NUMBER))
    directory.increment(counter(1, "room-1"))

    known = directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=[])
    assert known == EligibilityData(opted_out=frozenset({NUMBER}))


def test_concurrent_increments_do_not_exceed_the_limit(directory: DynamoDirectory | InMemoryDirectory) -> None:
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda _: directory.increment(counter(5)), range(40)))

    assert counted.count(True) == 5


# --- outages ----------------------------------------------------------------------------------------------------------

CALLS: list[tuple[str, Callable[[DynamoDirectory | InMemoryDirectory], object]]] = [
    ("look up", lambda directory: directory.look_up(numbers=[NUMBER], conversations=[], catalogues=[])),
    ("set_opt_out", lambda directory: directory.set_opt_out(NUMBER, is_out=True, at=START)),
    ("open room", lambda directory: directory.record_conversation(conversation(0))),
    ("keep catalogue", lambda directory: directory.store_catalogue("nusasms", CATALOGUE)),
    ("count", lambda directory: directory.increment(counter(1))),
]


@pytest.mark.parametrize("call", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_outage_raises(
    request: pytest.FixtureRequest, where: str, call: Callable[[DynamoDirectory | InMemoryDirectory], object]
) -> None:
    directory: DynamoDirectory | InMemoryDirectory
    if where == "memory":
        directory = fake = InMemoryDirectory()
        fake.is_down = True
    elif where == "dynamodb":
        directory = dynamo_directory(unreachable("dynamodb"), "directory")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        directory = dynamo_directory(emulator.client("dynamodb"), "nowhere")

    with pytest.raises(UnavailableError) as caught:
        call(directory)

    assert NUMBER not in str(caught.value)


def test_unknown_fields_of_a_catalogue_are_ignored(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    item = {
        "directory_key": {"S": "catalogue#nusasms"},
        "refreshed_at": {"S": "2026-11-21T10:00:00.000Z"},
        "templates": {"S": '{"otp": {"is_approved": true, "colour": "red"}}'},
        "colours": {"L": []},
    }
    client.put_item(TableName=table, Item=item)

    known = dynamo_directory(client, table).look_up(numbers=[], conversations=[], catalogues=["nusasms"])

    templates = {"otp": TemplateInfo(is_approved=True)}
    assert known.catalogues == {"nusasms": Catalogue(refreshed_at=START, templates=templates)}


def test_counter_expires_a_day_after_its_hour(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    directory = dynamo_directory(client, table)

    for _ in range(3):
        directory.increment(counter(2))

    assert client.scan(TableName=table, ConsistentRead=True)["Items"] == [
        {
            "directory_key": {"S": f"count#recipient#{NUMBER}#2026-11-21T10"},
            "count": {"N": "2"},
            "ttl": {"N": str(int((at(60) + timedelta(days=1)).timestamp()))},
        }
    ]


def test_conversation_expires_thirty_days_after_its_last_message_and_an_opt_out_never(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    directory = dynamo_directory(client, table)

    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(5))
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))

    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    expiries = {item["directory_key"]["S"]: item.get("ttl") for item in items}
    assert expiries == {
        "room#room-1": {"N": str(int((at(5) + timedelta(days=30)).timestamp()))},
        f"number#{digest(NUMBER)}": None,
    }


def test_an_opt_out_is_kept_without_its_number(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")

    dynamo_directory(client, table).set_opt_out(NUMBER, is_out=True, at=at(0))

    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    assert [item["directory_key"]["S"] for item in items] == [f"number#{digest(NUMBER)}"]
    assert NUMBER.removeprefix("+855") not in json.dumps(items)


def test_opt_outs_are_unavailable_without_the_key_of_their_digest(emulator: Emulator) -> None:
    def unavailable(number: str) -> str:
        raise UnavailableError("fingerprint key: none")

    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    directory = DynamoDirectory(client, table=table, digest=unavailable, telemetry=RecordingTelemetry())

    with pytest.raises(UnavailableError):
        directory.set_opt_out(NUMBER, is_out=True, at=at(0))
    with pytest.raises(UnavailableError):
        directory.look_up(numbers=[NUMBER], conversations=[], catalogues=[])
    assert directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]) == EligibilityData()
    assert client.scan(TableName=table)["Items"] == []
