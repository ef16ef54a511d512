"""The contract of the encryption key store, checked on the fake and on DynamoDB of the local AWS."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sampai.adapters.encryption_keys import DynamoEncryptionKeys
from sampai.adapters.items import ttl_of
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryEncryptionKeys
from tests.harness.dynamo import TABLES, MemoryDynamo

MESSAGE = Message(message_id="m-1", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)
OTHER = replace(MESSAGE, message_id="m-2")


@pytest.fixture(params=["memory", "tables in memory", "dynamodb"])
def encryption_keys(request: pytest.FixtureRequest) -> EncryptionKeyStore:
    if request.param == "memory":
        return InMemoryEncryptionKeys()
    if request.param == "tables in memory":
        return DynamoEncryptionKeys(MemoryDynamo(**TABLES), table="keys")
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoEncryptionKeys(emulator.client("dynamodb"), table=emulator.new_table("EncryptionKeysTable"))


def test_first_proposed_key_is_kept(encryption_keys: EncryptionKeyStore) -> None:
    keys = [encryption_keys.get_or_create(MESSAGE, proposed) for proposed in ("first", "second", "third")]

    assert keys == ["first", "first", "first"]


def test_every_message_has_a_key_of_its_own(encryption_keys: EncryptionKeyStore) -> None:
    assert [encryption_keys.get_or_create(MESSAGE, "mine"), encryption_keys.get_or_create(OTHER, "its")] == [
        "mine",
        "its",
    ]
    assert [encryption_keys.get_or_create(MESSAGE, "-"), encryption_keys.get_or_create(OTHER, "-")] == ["mine", "its"]


@pytest.mark.parametrize("proposals", [(), ("ours",)], ids=["without one of ours", "after one of ours"])
def test_key_that_the_vendor_chose_replaces_ours(
    encryption_keys: EncryptionKeyStore, proposals: tuple[str, ...]
) -> None:
    for proposed in proposals:
        encryption_keys.get_or_create(MESSAGE, proposed)

    encryption_keys.replace(MESSAGE, "the vendor's")
    encryption_keys.replace(MESSAGE, "the vendor's newer one")

    assert encryption_keys.get_or_create(MESSAGE, "ours again") == "the vendor's newer one"


CALLS: list[tuple[str, Callable[[EncryptionKeyStore], object]]] = [
    ("key of", lambda encryption_keys: encryption_keys.get_or_create(MESSAGE, "the-key")),
    ("replace", lambda encryption_keys: encryption_keys.replace(MESSAGE, "the-key")),
]


@pytest.mark.parametrize("call", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_outage_raises(
    request: pytest.FixtureRequest, where: str, call: Callable[[EncryptionKeyStore], object]
) -> None:
    encryption_keys: EncryptionKeyStore
    if where == "memory":
        encryption_keys = fake = InMemoryEncryptionKeys()
        fake.is_down = True
    elif where == "dynamodb":
        encryption_keys = DynamoEncryptionKeys(unreachable("dynamodb"), table="vault")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        encryption_keys = DynamoEncryptionKeys(emulator.client("dynamodb"), table="nowhere")

    with pytest.raises(UnavailableError) as caught:
        call(encryption_keys)

    assert "the-key" not in str(caught.value)


def test_a_key_is_kept_as_long_as_its_message(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("EncryptionKeysTable")
    encryption_keys = DynamoEncryptionKeys(client, table=table)

    encryption_keys.get_or_create(MESSAGE, "first")
    encryption_keys.replace(OTHER, "second")

    assert sorted(client.scan(TableName=table, ConsistentRead=True)["Items"], key=str) == [
        {"message_id": {"S": "m-1"}, "encryption_key": {"S": "first"}, "ttl": ttl_of(MESSAGE)},
        {"message_id": {"S": "m-2"}, "encryption_key": {"S": "second"}, "ttl": ttl_of(OTHER)},
    ]
