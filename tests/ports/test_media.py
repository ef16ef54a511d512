"""The contract of the file store, checked on the fake and on DynamoDB of the local AWS."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sampai.adapters.media import PART_BYTES, RETENTION, DynamoMedia
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports.media import MediaStore
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryMedia
from tests.harness.dynamo import TABLES, MemoryDynamo

MESSAGE = Message(message_id="m-1", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)

FILES = [
    ("one byte", b"\x00"),
    ("a byte less than a part", b"\xff" * (PART_BYTES - 1)),
    ("a part", bytes(range(256)) * (PART_BYTES // 256)),
    ("a byte more than a part", b"a" * PART_BYTES + b"b"),
    ("512 KiB", b"a" * PART_BYTES + b"b" * PART_BYTES),
    ("parts that are alike", b"a" * (3 * PART_BYTES + 1)),
]


@pytest.fixture(params=["memory", "tables in memory", "dynamodb"])
def media(request: pytest.FixtureRequest) -> MediaStore:
    if request.param == "memory":
        return InMemoryMedia()
    if request.param == "tables in memory":
        return DynamoMedia(MemoryDynamo(**TABLES), table="media")
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoMedia(emulator.client("dynamodb"), table=emulator.new_table("MediaTable"))


@pytest.mark.parametrize("data", [f[1] for f in FILES], ids=[f[0] for f in FILES])
def test_file_is_fetched_as_it_was_stored(media: MediaStore, data: bytes) -> None:
    key = media.store(MESSAGE, data)

    assert media.load(key) == data


def test_the_same_file_of_a_message_is_stored_once(media: MediaStore) -> None:
    others = [media.store(MESSAGE, b"another"), media.store(replace(MESSAGE, message_id="m-2"), b"file")]

    keys = {media.store(MESSAGE, b"file") for _ in range(3)}

    assert len(keys) == 1
    assert keys.isdisjoint(others)
    assert [media.load(key) for key in (*others, *keys)] == [b"another", b"file", b"file"]


@pytest.mark.parametrize("data", [f[1] for f in FILES], ids=[f[0] for f in FILES])
def test_discarding_a_file_leaves_the_other_files(media: MediaStore, data: bytes) -> None:
    neighbour = media.store(MESSAGE, b"neighbour")
    key = media.store(MESSAGE, data)

    media.delete(key)
    media.delete(key)

    with pytest.raises(UnavailableError):
        media.load(key)
    assert media.load(neighbour) == b"neighbour"


def test_discarded_file_may_be_stored_again(media: MediaStore) -> None:
    key = media.store(MESSAGE, b"file")
    media.delete(key)

    assert media.load(media.store(MESSAGE, b"file")) == b"file"


CALLS: list[tuple[str, Callable[[MediaStore], object]]] = [
    ("store", lambda media: media.store(MESSAGE, b"file")),
    ("load", lambda media: media.load("m-1/0123/1")),
    ("delete", lambda media: media.delete("m-1/0123/1")),
]


@pytest.mark.parametrize("call", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_outage_raises(request: pytest.FixtureRequest, where: str, call: Callable[[MediaStore], object]) -> None:
    media: MediaStore
    if where == "memory":
        media = fake = InMemoryMedia()
        fake.is_down = True
    elif where == "dynamodb":
        media = DynamoMedia(unreachable("dynamodb"), table="media")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        media = DynamoMedia(emulator.client("dynamodb"), table="nowhere")

    with pytest.raises(UnavailableError):
        call(media)


# --- DynamoDB only ----------------------------------------------------------------------------------------------------


def test_file_with_a_missing_part_is_unavailable(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    media = DynamoMedia(client, table=table)
    key = media.store(MESSAGE, b"a" * 2 * PART_BYTES)

    client.delete_item(TableName=table, Key={"media_key": {"S": f"{key.rpartition('/')[0]}/1"}})

    with pytest.raises(UnavailableError):
        media.load(key)


@pytest.mark.parametrize("send_at", [None, START + timedelta(days=200), START - timedelta(days=200)])
def test_file_is_kept_longer_than_its_message_may_wait(emulator: Emulator, send_at: datetime | None) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")

    DynamoMedia(client, table=table).store(replace(MESSAGE, send_at=send_at), b"a" * 2 * PART_BYTES)

    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    expected = {"N": str(int((max(send_at or START, START) + RETENTION).timestamp()))}
    assert [item["ttl"] for item in items] == [expected] * 2


def test_every_part_of_a_discarded_file_is_deleted(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    media = DynamoMedia(client, table=table)

    media.delete(media.store(MESSAGE, b"a" * (2 * PART_BYTES + 1)))

    assert client.scan(TableName=table, ConsistentRead=True)["Items"] == []
