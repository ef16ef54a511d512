"""The counters of a message: one per limit and period."""

from datetime import datetime

import pytest

from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.quotas import Limit, QuotaCounter, quota_counters_of, quota_exceeded

ALL = dict.fromkeys(Limit, 9)
HOUR, DAY = datetime.fromisoformat("2026-11-21T11:00Z"), datetime.fromisoformat("2026-11-22T00:00Z")

COUNTED: list[tuple[str, str | None, dict[Limit, int], str, list[tuple[Limit, str, str]]]] = [
    ("no limit", "+6281234567810", {}, "2026-11-21T10:30Z", []),
    (
        "all limits, the narrowest first",
        "+6281234567810",
        dict(reversed(ALL.items())),
        "2026-11-21T10:59:59.999Z",
        [
            (Limit.PER_RECIPIENT_PER_HOUR, "recipient#+6281234567810#2026-11-21T10", "2026-11-21T11:00Z"),
            (Limit.PER_RECIPIENT_PER_DAY, "recipient#+6281234567810#2026-11-21", "2026-11-22T00:00Z"),
            (Limit.PER_PREFIX_PER_HOUR, "prefix#+628123456#2026-11-21T10", "2026-11-21T11:00Z"),
            (Limit.PER_DAY, "all#2026-11-21", "2026-11-22T00:00Z"),
        ],
    ),
    (
        "first instant of the hour",
        "+6281234567810",
        {Limit.PER_RECIPIENT_PER_HOUR: 9},
        "2026-11-21T11:00Z",
        [(Limit.PER_RECIPIENT_PER_HOUR, "recipient#+6281234567810#2026-11-21T11", "2026-11-21T12:00Z")],
    ),
    (
        "last instant of the year",
        "+1234567",
        {Limit.PER_PREFIX_PER_HOUR: 9, Limit.PER_DAY: 9},
        "2026-12-31T23:59:59.999Z",
        [
            (Limit.PER_PREFIX_PER_HOUR, "prefix#+123#2026-12-31T23", "2027-01-01T00:00Z"),
            (Limit.PER_DAY, "all#2026-12-31", "2027-01-01T00:00Z"),
        ],
    ),
    ("without a number", None, ALL, "2026-11-21T10:30Z", [(Limit.PER_DAY, "all#2026-11-21", "2026-11-22T00:00Z")]),
]


@pytest.mark.parametrize(
    ("recipient", "limits", "now", "counted"), [c[1:] for c in COUNTED], ids=[c[0] for c in COUNTED]
)
def test_a_message_has_one_counter_per_limit(
    recipient: str | None, limits: dict[Limit, int], now: str, counted: list[tuple[Limit, str, str]]
) -> None:
    assert quota_counters_of(recipient, limits, now=datetime.fromisoformat(now)) == tuple(
        QuotaCounter(limit=limit, maximum=9, key=key, ends_at=datetime.fromisoformat(ends_at))
        for limit, key, ends_at in counted
    )


def test_a_caller_has_counters_of_its_own_by_its_id() -> None:
    now = datetime.fromisoformat("2026-11-21T10:30Z")

    counters = [
        quota_counters_of("+6281234567810", ALL, now=now, caller=Caller(id="AROASHOP", name=name))
        for name in ("shop", "the new name of the shop")
    ]

    keys = [
        "recipient#+6281234567810#2026-11-21T10#AROASHOP",
        "recipient#+6281234567810#2026-11-21#AROASHOP",
        "prefix#+628123456#2026-11-21T10#AROASHOP",
        "all#2026-11-21#AROASHOP",
    ]
    assert [[counter.key for counter in each] for each in counters] == [keys, keys]


@pytest.mark.parametrize(
    ("caller", "detail"),
    [
        (None, "limits.per_day: reached"),
        (Caller(id="AROASHOP", name="shop"), "callers.AROASHOP.limits.per_day: reached"),
    ],
)
def test_failure_names_the_place_of_the_limit_in_the_settings(caller: Caller | None, detail: str) -> None:
    counter = QuotaCounter(limit=Limit.PER_DAY, maximum=9, key="all#2026-11-21", ends_at=DAY, caller=caller)

    assert quota_exceeded(counter) == Failure(reason=Reason.BLOCKED, detail=detail)
