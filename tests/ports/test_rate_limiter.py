"""The contract of the rate limiter, checked on the fake and on DynamoDB of the local AWS."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from sampai.adapters.rate_limiter import DynamoRateLimiter
from sampai.services.ports.rate_limiter import RateLimiter, Reservation
from sampai.services.ports.runtime import UnavailableError
from tests.emulator import Emulator, unreachable
from tests.fakes import START, InMemoryRateLimiter

SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "dynamodb"])
def new_limiter(request: pytest.FixtureRequest) -> Callable[[], RateLimiter]:
    """Return a function that makes the limiter of another worker over the same table."""
    if request.param == "memory":
        fake = InMemoryRateLimiter()
        return lambda: fake
    emulator: Emulator = request.getfixturevalue("emulator")
    table = emulator.new_table("DirectoryTable")
    return lambda: DynamoRateLimiter(emulator.client("dynamodb"), table=table)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def taken(seconds: float) -> Reservation:
    return Reservation(is_granted=True, starts_at=at(seconds))


def later(seconds: float) -> Reservation:
    return Reservation(is_granted=False, starts_at=at(seconds))


TURNS = [
    ("the first begins at once", [(0, 0.5, taken(0))]),
    ("the next begins where the one before ends", [(0, 0.5, taken(0)), (0.1, 0.5, taken(0.5)), (0.2, 0.1, taken(1))]),
    ("what nobody took is lost", [(0, 0.5, taken(0)), (60, 0.5, taken(60)), (60.1, 0.5, taken(60.5))]),
    ("just as far ahead as allowed", [(0, 1, taken(0)), (0, 1, taken(1)), (0.5, 1, later(2)), (1, 1, taken(2))]),
    ("nothing is taken too far ahead", [(0, 5, taken(0)), (0, 1, later(5)), (3, 1, later(5)), (4, 1, taken(5))]),
]


@pytest.mark.parametrize("turns", [each[1] for each in TURNS], ids=[each[0] for each in TURNS])
@pytest.mark.parametrize("workers", [1, 2])
def test_reservations_of_several_workers_follow_each_other(
    new_limiter: Callable[[], RateLimiter], turns: list[tuple[float, float, Reservation]], workers: int
) -> None:
    limiters = [new_limiter() for _ in range(workers)]

    got = [
        limiters[i % workers].reserve("nomsa", timedelta(seconds=length), earliest=at(now), latest=at(now + 1))
        for i, (now, length, _) in enumerate(turns)
    ]

    assert got == [turn for _, _, turn in turns]


def test_each_vendor_has_its_own_schedule(new_limiter: Callable[[], RateLimiter]) -> None:
    limiter = new_limiter()
    limiter.reserve("nomsa", 5 * SECOND, earliest=START, latest=at(1))

    assert limiter.reserve("smspoh", SECOND, earliest=START, latest=at(1)) == taken(0)


def test_caller_that_may_wait_longer_gets_the_next_reservation(new_limiter: Callable[[], RateLimiter]) -> None:
    limiter = new_limiter()
    limiter.reserve("nomsa", 3 * SECOND, earliest=START, latest=at(1))

    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(1)) == later(3)
    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(8)) == taken(3)


def test_concurrent_workers_get_different_reservations(new_limiter: Callable[[], RateLimiter]) -> None:
    def ask(limiter: RateLimiter) -> Reservation | None:
        for _ in range(20):
            try:
                return limiter.reserve("nomsa", SECOND, earliest=START, latest=at(60))
            except UnavailableError:
                continue
        return None

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(ask, [new_limiter() for _ in range(8)]))

    assert sorted(turn.starts_at for turn in turns if turn is not None) == [at(n) for n in range(8)]


@pytest.mark.parametrize(
    ("nows", "requests"),
    [
        ([0, 60, 120], 3),
        ([0, 0, 0], 3),
        ([0, 0, 60, 60, 60.5], 5),
    ],
    ids=["idle between", "one after the other", "both"],
)
def test_single_worker_needs_one_request_each(emulator: Emulator, nows: list[float], requests: int) -> None:
    client, counted = emulator.client("dynamodb"), []

    def count(**sent: Any) -> None:
        counted.append(sent)

    client.meta.events.register("before-send.dynamodb", count)
    limiter = DynamoRateLimiter(client, table=emulator.new_table("DirectoryTable"))

    for now in nows:
        assert limiter.reserve("nomsa", SECOND / 4, earliest=at(now), latest=at(now + 1)).is_granted

    assert len(counted) == requests


def test_reservation_that_is_known_to_be_too_late_makes_no_request(emulator: Emulator) -> None:
    limiter = DynamoRateLimiter(emulator.client("dynamodb"), table=emulator.new_table("DirectoryTable"))
    limiter.reserve("nomsa", 5 * SECOND, earliest=START, latest=at(1))
    limiter._client = None

    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(1)) == later(5)


def test_schedule_of_a_vendor_expires(emulator: Emulator) -> None:
    table = emulator.new_table("DirectoryTable")
    DynamoRateLimiter(emulator.client("dynamodb"), table=table).reserve("nomsa", SECOND, earliest=START, latest=at(1))

    items = emulator.client("dynamodb").scan(TableName=table)["Items"]
    end_ms, expiry = round(at(1).timestamp() * 1000), round(at(1).timestamp()) + 86_400
    assert items == [
        {"directory_key": {"S": "rate#nomsa"}, "taken_until": {"N": str(end_ms)}, "ttl": {"N": str(expiry)}}
    ]


def test_outage_raises() -> None:
    with pytest.raises(UnavailableError, match="rate"):
        DynamoRateLimiter(unreachable("dynamodb"), table="t").reserve("nomsa", SECOND, earliest=START, latest=at(1))
