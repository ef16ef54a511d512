"""What the services rely on in a vault, asked of the fake and of DynamoDB as the local AWS has it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sampai.adapters.encryption_keys import DynamoVault
from sampai.adapters.items import expiry_of
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports import UnavailableError, Vault
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryVault

MESSAGE = Message(message_id="m-1", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)
OTHER = replace(MESSAGE, message_id="m-2")


@pytest.fixture(params=["memory", "dynamodb"])
def vault(request: pytest.FixtureRequest) -> Vault:
    if request.param == "memory":
        return InMemoryVault()
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoVault(emulator.client("dynamodb"), table=emulator.new_table("EncryptionKeysTable"))


def test_the_first_key_that_is_proposed_is_kept(vault: Vault) -> None:
    keys = [vault.key_of(MESSAGE, proposed) for proposed in ("first", "second", "third")]

    assert keys == ["first", "first", "first"]


def test_every_message_has_a_key_of_its_own(vault: Vault) -> None:
    assert [vault.key_of(MESSAGE, "mine"), vault.key_of(OTHER, "its")] == ["mine", "its"]
    assert [vault.key_of(MESSAGE, "-"), vault.key_of(OTHER, "-")] == ["mine", "its"]


@pytest.mark.parametrize("proposals", [(), ("ours",)], ids=["without one of ours", "after one of ours"])
def test_a_key_that_the_vendor_chose_stands_from_then_on(vault: Vault, proposals: tuple[str, ...]) -> None:
    for proposed in proposals:
        vault.key_of(MESSAGE, proposed)

    vault.replace(MESSAGE, "the vendor's")
    vault.replace(MESSAGE, "the vendor's newer one")

    assert vault.key_of(MESSAGE, "ours again") == "the vendor's newer one"


CALLS: list[tuple[str, Callable[[Vault], object]]] = [
    ("key of", lambda vault: vault.key_of(MESSAGE, "the-key")),
    ("replace", lambda vault: vault.replace(MESSAGE, "the-key")),
]


@pytest.mark.parametrize("call", [c[1] for c in CALLS], ids=[c[0] for c in CALLS])
@pytest.mark.parametrize("where", ["memory", "dynamodb", "no table"])
def test_a_vault_that_does_not_answer_is_unavailable(
    request: pytest.FixtureRequest, where: str, call: Callable[[Vault], object]
) -> None:
    vault: Vault
    if where == "memory":
        vault = fake = InMemoryVault()
        fake.is_down = True
    elif where == "dynamodb":
        vault = DynamoVault(unreachable("dynamodb"), table="vault")
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        vault = DynamoVault(emulator.client("dynamodb"), table="nowhere")

    with pytest.raises(UnavailableError) as caught:
        call(vault)

    assert "the-key" not in str(caught.value)


def test_a_key_is_kept_as_long_as_its_message(emulator: Emulator) -> None:
    client, table = emulator.client("dynamodb"), emulator.new_table("EncryptionKeysTable")
    vault = DynamoVault(client, table=table)

    vault.key_of(MESSAGE, "first")
    vault.replace(OTHER, "second")

    assert sorted(client.scan(TableName=table, ConsistentRead=True)["Items"], key=str) == [
        {"message_id": {"S": "m-1"}, "encryption_key": {"S": "first"}, "ttl": expiry_of(MESSAGE)},
        {"message_id": {"S": "m-2"}, "encryption_key": {"S": "second"}, "ttl": expiry_of(OTHER)},
    ]
