"""The directory port: the same tests on the fake and on DynamoDB of the local emulator."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from sampai.adapters.directory import DynamoDirectory
from sampai.domain.inbound import Conversation
from sampai.domain.quotas import Limit, QuotaCounter
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryDirectory

NUMBER = "+85591234511"


@pytest.fixture(params=["memory", "dynamodb"])
def directory(request: pytest.FixtureRequest) -> DynamoDirectory | InMemoryDirectory:
    if request.param == "memory":
        return InMemoryDirectory()
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoDirectory(emulator.client("dynamodb"), table=emulator.new_table("DirectoryTable"))


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
    ("templates and senders", CATALOGUE),
    ("no templates", replace(CATALOGUE, templates={})),
    ("no senders", replace(CATALOGUE, senders=frozenset())),
    ("unreadable templates", replace(CATALOGUE, templates=None)),
    ("unreadable senders", replace(CATALOGUE, senders=None)),
    ("only the time", Catalogue(refreshed_at=START)),
]


def test_an_unknown_name_has_no_entry(directory: DynamoDirectory | InMemoryDirectory) -> None:
    assert directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=["nusasms"]) == EligibilityData()


def test_a_look_up_returns_only_the_requested_entries(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))
    directory.set_opt_out("+85591234512", is_out=True, at=at(0))
    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(0, room_id="room-2"))
    directory.store_catalogue("nusasms", CATALOGUE)

    known = directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=["nusasms", "smspoh"])

    assert known == EligibilityData(
        opted_out=frozenset({NUMBER}), conversations={"room-1": conversation(0)}, catalogues={"nusasms": CATALOGUE}
    )


def test_a_number_a_conversation_and_a_provider_with_one_name_are_separate(
    directory: DynamoDirectory | InMemoryDirectory,
) -> None:
    directory.set_opt_out("1234567", is_out=True, at=at(0))
    directory.record_conversation(conversation(0, room_id="1234567"))

    known = directory.look_up(numbers=["1234567"], conversations=["1234567"], catalogues=["1234567"])

    assert known == EligibilityData(
        opted_out=frozenset({"1234567"}), conversations={"1234567": conversation(0, room_id="1234567")}
    )


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_any_number_of_names_can_be_looked_up_together(
    directory: DynamoDirectory | InMemoryDirectory, count: int
) -> None:
    numbers = [f"+8559{n:07}" for n in range(count)]
    for number in numbers[::2]:
        directory.set_opt_out(number, is_out=True, at=at(0))
    directory.record_conversation(conversation(0))

    known = directory.look_up(numbers=numbers, conversations=["room-1"], catalogues=["nusasms"])

    assert known == EligibilityData(opted_out=frozenset(numbers[::2]), conversations={"room-1": conversation(0)})


# --- consent --------------------------------------------------------------------------------------------------------

CONSENTS = [
    ("out, in, out, in", [(0, True), (1, False), (2, True), (3, False)], False),
    ("in, out, in, out", [(0, False), (1, True), (2, False), (3, True)], True),
    ("out twice, then in", [(0, True), (1, True), (2, False)], False),
    ("in twice, then out", [(0, False), (1, False), (2, True)], True),
    ("both at the last instant", [(0, False), (1, True), (1, False)], True),
    ("both at the last instant, twice", [(1, True), (1, False), (1, True), (1, False)], True),
    ("both at an instant, then in", [(0, True), (0, False), (1, False)], False),
    ("a millisecond apart", [(0, True), (0.001 / 60, False)], False),
]


@pytest.mark.parametrize(("consents", "is_out"), [w[1:] for w in CONSENTS], ids=[w[0] for w in CONSENTS])
def test_consent_does_not_depend_on_the_order_of_arrival(
    directory: DynamoDirectory | InMemoryDirectory, consents: list[tuple[float, bool]], is_out: bool
) -> None:
    orders = {f"+8559{n:07}": order for n, order in enumerate(permutations(consents))}

    for number, order in orders.items():
        for minutes, consent in order:
            directory.set_opt_out(number, is_out=consent, at=START + timedelta(minutes=minutes))

    opted_out = directory.look_up(numbers=orders, conversations=[], catalogues=[]).opted_out
    assert opted_out == (orders.keys() if is_out else set())


# --- conversations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
def test_an_older_message_does_not_replace_a_newer_one(
    directory: DynamoDirectory | InMemoryDirectory, order: tuple[int, ...]
) -> None:
    for minutes in order:
        directory.record_conversation(conversation(minutes))

    assert directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations == {
        "room-1": conversation(2)
    }


def test_a_number_is_kept_if_a_later_message_has_none(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(1, number=None))

    assert directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations == {
        "room-1": conversation(1)
    }


def test_a_later_number_replaces_an_earlier_one(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.record_conversation(conversation(0, number=None))
    directory.record_conversation(conversation(1))
    directory.record_conversation(conversation(2, number="+85591234512"))

    conversations = directory.look_up(numbers=[], conversations=["room-1"], catalogues=[]).conversations
    assert conversations == {"room-1": conversation(2, number="+85591234512")}


# --- catalogues -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalogue", [c[1] for c in CATALOGUES], ids=[c[0] for c in CATALOGUES])
def test_a_catalogue_is_read_as_stored(directory: DynamoDirectory | InMemoryDirectory, catalogue: Catalogue) -> None:
    directory.store_catalogue("nusasms", catalogue)

    known = directory.look_up(numbers=[], conversations=[], catalogues=["nusasms"])

    assert known == EligibilityData(catalogues={"nusasms": catalogue})


def test_a_catalogue_replaces_the_previous_one_completely(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.store_catalogue("nusasms", CATALOGUE)
    directory.store_catalogue("nusasms", Catalogue(refreshed_at=at(60)))

    known = directory.look_up(numbers=[], conversations=[], catalogues=["nusasms"])
    assert known == EligibilityData(catalogues={"nusasms": Catalogue(refreshed_at=at(60))})


# --- counts ---------------------------------------------------------------------------------------------------------


def counter(limit: int, key: str = f"recipient#{NUMBER}#2026-11-21T10") -> QuotaCounter:
    return QuotaCounter(limit=Limit.PER_RECIPIENT_PER_HOUR, maximum=limit, key=key, ends_at=at(60))


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_counting_stops_at_the_limit(directory: DynamoDirectory | InMemoryDirectory, limit: int) -> None:
    assert [directory.increment(counter(limit)) for _ in range(7)] == [True] * limit + [False] * (7 - limit)


def test_a_raised_limit_applies_at_once_because_rejected_messages_are_not_counted(
    directory: DynamoDirectory | InMemoryDirectory,
) -> None:
    counted = [directory.increment(counter(limit)) for limit in (1, 1, 1, 3, 3, 3, 2, 4)]

    assert counted == [True, False, False, True, True, False, False, True]


def test_each_key_has_its_own_count(directory: DynamoDirectory | InMemoryDirectory) -> None:
    keys = ["recipient#+1234567#2026-11-21T10", "recipient#+1234567#2026-11-21", "prefix#+123#2026-11-21T10", "all"]

    assert [directory.increment(counter(1, key)) for key in [*keys, *keys]] == [True] * 4 + [False] * 4


def test_a_count_is_stored_separately_from_consent(directory: DynamoDirectory | InMemoryDirectory) -> None:
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))
    directory.increment(counter(1, NUMBER))
    directory.increment(counter(1, "room-1"))

    known = directory.look_up(numbers=[NUMBER], conversations=["room-1"], catalogues=[])
    assert known == EligibilityData(opted_out=frozenset({NUMBER}))


def test_concurrent_counts_do_not_exceed_the_limit(directory: DynamoDirectory | InMemoryDirectory) -> None:
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda _: directory.increment(counter(5)), range(40)))

    assert counted.count(True) == 5


# --- outages --------------------------------------------------------------------------------------------------------

CALLS: list[tuple[str, Callable[[DynamoDirectory | InMemoryDirectory], object]]] = [
    ("look up", lambda directory: directory.look_up(numbers=[NUMBER], conversations=[], catalogues=[])),
    ("set_opt_out", lambda directory: directory.set_opt_out(NUMBER, is_out=True, at=START)),
    ("record conversation", lambda directory: directory.record_conversation(conversation(0))),
    ("store catalogue", lambda directory: directory.store_catalogue("nusasms", CATALOGUE)),
    ("count", lambda directory: directory.increment(counter(1))),
]


@pytest.mark.parametrize("call", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_an_outage_raises_unavailable(
    request: pytest.FixtureRequest, where: str, call: Callable[[DynamoDirectory | InMemoryDirectory], object]
) -> None:
    directory: DynamoDirectory | InMemoryDirectory
    if where == "memory":
        directory = fake = InMemoryDirectory()
        fake.is_down = True
    elif where == "dynamodb":
        directory = DynamoDirectory(unreachable("dynamodb"), table="directory")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        directory = DynamoDirectory(emulator.client("dynamodb"), table="nowhere")

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

    known = DynamoDirectory(client, table=table).look_up(numbers=[], conversations=[], catalogues=["nusasms"])

    templates = {"otp": TemplateInfo(is_approved=True)}
    assert known.catalogues == {"nusasms": Catalogue(refreshed_at=START, templates=templates)}


def test_a_count_expires_a_day_after_its_hour(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    directory = DynamoDirectory(client, table=table)

    for _ in range(3):
        directory.increment(counter(2))

    assert client.scan(TableName=table, ConsistentRead=True)["Items"] == [
        {
            "directory_key": {"S": f"count#recipient#{NUMBER}#2026-11-21T10"},
            "count": {"N": "2"},
            "ttl": {"N": str(int((at(60) + timedelta(days=1)).timestamp()))},
        }
    ]


def test_a_conversation_expires_after_thirty_days_and_consent_never(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("DirectoryTable")
    directory = DynamoDirectory(client, table=table)

    directory.record_conversation(conversation(0))
    directory.record_conversation(conversation(5))
    directory.set_opt_out(NUMBER, is_out=True, at=at(0))

    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    expiries = {item["directory_key"]["S"]: item.get("ttl") for item in items}
    assert expiries == {
        "room#room-1": {"N": str(int((at(5) + timedelta(days=30)).timestamp()))},
        f"number#{NUMBER}": None,
    }
