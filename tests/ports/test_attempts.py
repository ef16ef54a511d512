"""The contract of the log of attempts, checked on the fake and on DynamoDB of the local AWS."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sampai.adapters.attempts import RETENTION, DynamoAttempts, from_attempt_item, to_attempt_item
from sampai.domain.failure import Reason
from sampai.services.ports.attempts import AttemptLog, AttemptRecord
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryAttempts

FIRST = AttemptRecord(
    message_id="m-1",
    attempt=1,
    attempt_id="a-1",
    provider="smspoh",
    outcome="not_taken",
    claimed_at=START,
    began_at=START + timedelta(milliseconds=10),
    ended_at=START + timedelta(milliseconds=250),
    http_status=200,
    reason=Reason.INVALID_SENDER,
    provider_code="-34",
    detail="the refusal says: sender",
    vendor_words="Invalid Sender ID […]",
)
SECOND = AttemptRecord(message_id="m-1", attempt=2, attempt_id="a-0", provider="nomsa", outcome="unknown")
TWELFTH = replace(SECOND, attempt=12, attempt_id="a-12")
OTHER = replace(SECOND, message_id="m-2")


@pytest.fixture(params=["memory", "dynamodb"])
def attempts(request: pytest.FixtureRequest) -> AttemptLog:
    if request.param == "memory":
        return InMemoryAttempts()
    emulator: Emulator = request.getfixturevalue("emulator")
    return DynamoAttempts(emulator.client("dynamodb"), table=emulator.new_table("AttemptsTable"))


def test_records_of_a_message_are_read_in_the_order_of_its_attempts(attempts: AttemptLog) -> None:
    attempts.add([TWELFTH, OTHER, SECOND], now=START)
    attempts.add([FIRST], now=START)

    assert attempts.read("m-1") == [FIRST, SECOND, TWELFTH]
    assert attempts.read("m-2") == [OTHER]
    assert attempts.read("m-3") == []


def test_record_that_is_stored_already_remains(attempts: AttemptLog) -> None:
    attempts.add([FIRST], now=START)
    attempts.add([replace(FIRST, http_status=500), SECOND], now=START)

    assert attempts.read("m-1") == [FIRST, SECOND]


def test_deleted_records_are_those_of_the_message(attempts: AttemptLog) -> None:
    attempts.add([FIRST, SECOND, OTHER], now=START)

    attempts.delete("m-1")
    attempts.delete("m-1")

    assert (attempts.read("m-1"), attempts.read("m-2")) == ([], [OTHER])


CALLS: list[tuple[str, Callable[[AttemptLog], object]]] = [
    ("add", lambda attempts: attempts.add([FIRST], now=START)),
    ("read", lambda attempts: attempts.read("m-1")),
    ("delete", lambda attempts: attempts.delete("m-1")),
]


@pytest.mark.parametrize(("name", "call"), CALLS)
@pytest.mark.parametrize("kind", ["memory", "dynamodb"])
def test_outage_is_an_error_of_ours(kind: str, name: str, call: Callable[[AttemptLog], object]) -> None:
    attempts: AttemptLog
    if kind == "memory":
        attempts = fake = InMemoryAttempts()
        fake.is_down = True
    else:
        attempts = DynamoAttempts(unreachable("dynamodb"), table="attempts")

    with pytest.raises(UnavailableError):
        call(attempts)


class _ThrottledDynamo:
    """A client of DynamoDB whose batches are throttled in part."""

    def batch_execute_statement(self, **_: object) -> object:
        return {"Responses": [{}, {"Error": {"Code": "DuplicateItem"}}, {"Error": {"Code": "ThrottlingError"}}]}


def test_throttled_part_of_a_batch_is_an_error() -> None:
    with pytest.raises(UnavailableError, match="attempts: ThrottlingError"):
        DynamoAttempts(_ThrottledDynamo(), table="attempts").add([FIRST, SECOND, OTHER], now=START)


def test_item_has_these_attributes() -> None:
    assert to_attempt_item(FIRST, now=START) == {
        "message_id": {"S": "m-1"},
        "entry": {"S": "000001#a-1"},
        "attempt": {"N": "1"},
        "attempt_id": {"S": "a-1"},
        "provider": {"S": "smspoh"},
        "outcome": {"S": "not_taken"},
        "claimed_at": {"S": "2026-11-21T10:00:00.000Z"},
        "began_at": {"S": "2026-11-21T10:00:00.010Z"},
        "ended_at": {"S": "2026-11-21T10:00:00.250Z"},
        "http_status": {"N": "200"},
        "reason": {"S": "invalid_sender"},
        "provider_code": {"S": "-34"},
        "detail": {"S": "the refusal says: sender"},
        "vendor_words": {"S": "Invalid Sender ID […]"},
        "ttl": {"N": str(int((START + RETENTION).timestamp()))},
    }


def test_item_of_another_release_is_read() -> None:
    item = to_attempt_item(FIRST, now=START) | {"reason": {"S": "tired"}, "mood": {"S": "bad"}}

    assert from_attempt_item(item).reason == "tired"


def test_repr_of_a_record_has_no_words_of_the_vendor() -> None:
    assert "Sender ID" not in repr(FIRST)
