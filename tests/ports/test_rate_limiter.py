"""The rate limiter port: the same tests on the fake and on DynamoDB of the local emulator."""

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
    """Return a function that creates a limiter for another worker over the same reservations."""
    if request.param == "memory":
        fake = InMemoryRateLimiter()
        return lambda: fake
    emulator: Emulator = request.getfixturevalue("emulator")
    table = emulator.new_table("DirectoryTable")
    return lambda: DynamoRateLimiter(emulator.client("dynamodb"), table=table)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def granted(seconds: float) -> Reservation:
    return Reservation(is_granted=True, starts_at=at(seconds))


def too_late(seconds: float) -> Reservation:
    return Reservation(is_granted=False, starts_at=at(seconds))


RESERVATIONS = [
    ("the first starts at once", [(0, 0.5, granted(0))]),
    (
        "the next starts at the end of the previous",
        [(0, 0.5, granted(0)), (0.1, 0.5, granted(0.5)), (0.2, 0.1, granted(1))],
    ),
    ("unused time is lost", [(0, 0.5, granted(0)), (60, 0.5, granted(60)), (60.1, 0.5, granted(60.5))]),
    ("as far ahead as allowed", [(0, 1, granted(0)), (0, 1, granted(1)), (0.5, 1, too_late(2)), (1, 1, granted(2))]),
    ("too far ahead", [(0, 5, granted(0)), (0, 1, too_late(5)), (3, 1, too_late(5)), (4, 1, granted(5))]),
]


@pytest.mark.parametrize("reservations", [each[1] for each in RESERVATIONS], ids=[each[0] for each in RESERVATIONS])
@pytest.mark.parametrize("workers", [1, 2])
def test_reservations_of_all_workers_follow_one_another(
    new_limiter: Callable[[], RateLimiter], reservations: list[tuple[float, float, Reservation]], workers: int
) -> None:
    limiters = [new_limiter() for _ in range(workers)]

    actual = [
        limiters[i % workers].reserve("nomsa", timedelta(seconds=length), earliest=at(now), latest=at(now + 1))
        for i, (now, length, _) in enumerate(reservations)
    ]

    assert actual == [reservation for _, _, reservation in reservations]


def test_each_vendor_has_its_own_reservations(new_limiter: Callable[[], RateLimiter]) -> None:
    limiter = new_limiter()
    limiter.reserve("nomsa", 5 * SECOND, earliest=START, latest=at(1))

    assert limiter.reserve("smspoh", SECOND, earliest=START, latest=at(1)) == granted(0)


def test_a_worker_that_accepts_a_longer_wait_gets_the_next_reservation(new_limiter: Callable[[], RateLimiter]) -> None:
    limiter = new_limiter()
    limiter.reserve("nomsa", 3 * SECOND, earliest=START, latest=at(1))

    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(1)) == too_late(3)
    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(8)) == granted(3)


def test_concurrent_reservations_do_not_overlap(new_limiter: Callable[[], RateLimiter]) -> None:
    def reserve(limiter: RateLimiter) -> Reservation | None:
        for _ in range(20):
            try:
                return limiter.reserve("nomsa", SECOND, earliest=START, latest=at(60))
            except UnavailableError:
                continue
        return None

    with ThreadPoolExecutor(8) as pool:
        reservations = list(pool.map(reserve, [new_limiter() for _ in range(8)]))

    assert sorted(reservation.starts_at for reservation in reservations if reservation is not None) == [
        at(n) for n in range(8)
    ]


@pytest.mark.parametrize(
    ("nows", "requests"),
    [
        ([0, 60, 120], 3),
        ([0, 0, 0], 3),
        ([0, 0, 60, 60, 60.5], 5),
    ],
    ids=["with pauses", "without pauses", "both"],
)
def test_a_single_worker_needs_one_request_per_reservation(
    emulator: Emulator, nows: list[float], requests: int
) -> None:
    client, counted = emulator.client("dynamodb"), []

    def count_request(**sent: Any) -> None:
        counted.append(sent)

    client.meta.events.register("before-send.dynamodb", count_request)
    limiter = DynamoRateLimiter(client, table=emulator.new_table("DirectoryTable"))

    for now in nows:
        assert limiter.reserve("nomsa", SECOND / 4, earliest=at(now), latest=at(now + 1)).is_granted

    assert len(counted) == requests


def test_a_reservation_known_to_be_too_late_makes_no_request(emulator: Emulator) -> None:
    limiter = DynamoRateLimiter(emulator.client("dynamodb"), table=emulator.new_table("DirectoryTable"))
    limiter.reserve("nomsa", 5 * SECOND, earliest=START, latest=at(1))
    limiter._client = None

    assert limiter.reserve("nomsa", SECOND, earliest=START, latest=at(1)) == too_late(5)


def test_the_item_of_a_vendor_expires_after_a_day(emulator: Emulator) -> None:
    table = emulator.new_table("DirectoryTable")
    DynamoRateLimiter(emulator.client("dynamodb"), table=table).reserve("nomsa", SECOND, earliest=START, latest=at(1))

    items = emulator.client("dynamodb").scan(TableName=table)["Items"]
    end_ms, expiry = round(at(1).timestamp() * 1000), round(at(1).timestamp()) + 86_400
    assert items == [
        {"directory_key": {"S": "rate#nomsa"}, "taken_until": {"N": str(end_ms)}, "ttl": {"N": str(expiry)}}
    ]


def test_an_outage_raises_unavailable() -> None:
    with pytest.raises(UnavailableError, match="rate"):
        DynamoRateLimiter(unreachable("dynamodb"), table="t").reserve("nomsa", SECOND, earliest=START, latest=at(1))
