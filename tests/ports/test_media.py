"""What the services rely on in a store of files, asked of the fake and of DynamoDB as the local AWS has it."""

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

MESSAGE = Message(message_id="m-1", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)

FILES = [
    ("one byte", b"\x00"),
    ("a byte less than a part", b"\xff" * (PART_BYTES - 1)),
    ("a part", bytes(range(256)) * (PART_BYTES // 256)),
    ("a byte more than a part", b"a" * PART_BYTES + b"b"),
    ("512 KiB", b"a" * PART_BYTES + b"b" * PART_BYTES),
    ("parts that are alike", b"a" * (3 * PART_BYTES + 1)),
]


@pytest.fixture(params=["memory", "dynamodb"])
def media(request: pytest.FixtureRequest) -> MediaStore:
    if request.param == "memory":
        return InMemoryMedia()
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoMedia(emulator.client("dynamodb"), table=emulator.new_table("MediaTable"))


@pytest.mark.parametrize("data", [f[1] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_is_fetched_as_it_was_kept(media: MediaStore, data: bytes) -> None:
    key = media.store(MESSAGE, data)

    assert media.load(key) == data


def test_one_file_of_one_message_is_kept_once(media: MediaStore) -> None:
    others = [media.store(MESSAGE, b"another"), media.store(replace(MESSAGE, message_id="m-2"), b"file")]

    keys = {media.store(MESSAGE, b"file") for _ in range(3)}

    assert len(keys) == 1
    assert keys.isdisjoint(others)
    assert [media.load(key) for key in (*others, *keys)] == [b"another", b"file", b"file"]


@pytest.mark.parametrize("data", [f[1] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_that_was_discarded_is_gone_and_its_neighbours_are_not(media: MediaStore, data: bytes) -> None:
    neighbour = media.store(MESSAGE, b"neighbour")
    key = media.store(MESSAGE, data)

    media.delete(key)
    media.delete(key)

    with pytest.raises(UnavailableError):
        media.load(key)
    assert media.load(neighbour) == b"neighbour"


def test_a_file_that_was_discarded_may_be_kept_again(media: MediaStore) -> None:
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
def test_a_store_of_files_that_does_not_answer_is_unavailable(
    request: pytest.FixtureRequest, where: str, call: Callable[[MediaStore], object]
) -> None:
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


# --- what only the real one can do ----------------------------------------------------------------------------------


def test_a_file_of_which_a_part_is_gone_is_gone(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")
    media = DynamoMedia(client, table=table)
    key = media.store(MESSAGE, b"a" * 2 * PART_BYTES)

    client.delete_item(TableName=table, Key={"media_key": {"S": f"{key.rpartition('/')[0]}/1"}})

    with pytest.raises(UnavailableError):
        media.load(key)


@pytest.mark.parametrize("send_at", [None, START + timedelta(days=200)])
def test_a_file_outlasts_the_longest_that_its_message_may_wait(emulator: Emulator, send_at: datetime | None) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("MediaTable")

    DynamoMedia(client, table=table).store(replace(MESSAGE, send_at=send_at), b"a" * 2 * PART_BYTES)

    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    expected = {"N": str(int(((send_at or START) + RETENTION).timestamp()))}
    assert [item["ttl"] for item in items] == [expected] * 2
