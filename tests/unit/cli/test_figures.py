"""The figures of a stack are those of its messages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sampai.adapters.items import to_item
from sampai.domain.message import Category, HistoryEntry, Message
from sampai.domain.status import Source, Status
from sampai_cli.figures import STORED, Figures, Group, Latency, figures_of, percentile

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SINCE = NOON - timedelta(hours=1)


def message(message_id: str, *history: tuple[Status, float], provider: str | None = "nomsa") -> Message:
    """Return a message with each status and its minute before noon. It was requested with the first one."""
    times = [NOON - timedelta(minutes=before) for _, before in history]
    status = history[-1][0]
    return Message(
        message_id=message_id,
        status=status,
        category=Category.OTP,
        provider=provider,
        created_at=times[0],
        updated_at=times[-1],
        occurred_at=times[-1],
        attempted_at=times[0],
        due_at=None if status.is_final else NOON + timedelta(minutes=5),
        history=tuple(
            HistoryEntry(status=status, at=at, source=Source.SEND)
            for (status, _), at in zip(history, times, strict=True)
        ),
    )


def figures(*messages: Message) -> Figures:
    items = [{name: value for name, value in to_item(each).items() if name in STORED} for each in messages]
    return figures_of(items, since=SINCE, now=NOON)


S = Status
DELIVERED = message("a", (S.SENDING, 30), (S.ACCEPTED, 29), (S.DELIVERED, 26))
SLOW = message("b", (S.SENDING, 30), (S.ACCEPTED, 28), (S.DELIVERED, 20))
UNDELIVERED = message("c", (S.SENDING, 10), (S.ACCEPTED, 9.5), (S.UNDELIVERED, 5))
OPEN = message("d", (S.SENDING, 3), (S.ACCEPTED, 2))
REFUSED = message("e", (S.FAILED, 1), provider=None)
EARLIER = message("f", (S.SENDING, 300), (S.ACCEPTED, 299), (S.DELIVERED, 59))
OVER = message("g", (S.SENDING, 300), (S.ACCEPTED, 299), (S.DELIVERED, 298))


def test_the_groups_count_the_events_of_the_time() -> None:
    found = figures(DELIVERED, SLOW, UNDELIVERED, OPEN, REFUSED, EARLIER, OVER)

    nomsa = Group(
        provider="nomsa",
        category="otp",
        requested=4,
        accepted=4,
        delivered=3,
        undelivered=1,
        open=1,
        delivery_ratio=0.75,
        accept=Latency(count=4, p50=60.0, p95=120.0),
        delivery=Latency(count=3, p50=480.0, p95=14_400.0),
    )
    refused = Group(provider="none", category="otp", requested=1, failed=1, delivery_ratio=0.0)
    assert found.groups == (nomsa, refused)
    assert found.total == replace(nomsa, provider="all", category="all", requested=5, failed=1, delivery_ratio=0.6)
    assert found.statuses == {"delivered": 3, "undelivered": 1, "accepted": 1, "failed": 1}


def test_the_buckets_count_the_events_in_each_part_of_the_time() -> None:
    found = figures(DELIVERED, UNDELIVERED, REFUSED, EARLIER)

    counts = {each.start: (each.accepted, each.delivered, each.failed) for each in found.buckets}
    assert [each.start for each in found.buckets] == [SINCE + timedelta(minutes=2) * i for i in range(30)]
    assert {start: values for start, values in counts.items() if any(values)} == {
        SINCE: (0, 1, 0),
        NOON - timedelta(minutes=30): (1, 0, 0),
        NOON - timedelta(minutes=26): (0, 1, 0),
        NOON - timedelta(minutes=10): (1, 0, 0),
        NOON - timedelta(minutes=6): (0, 0, 1),
        NOON - timedelta(minutes=2): (0, 0, 1),
    }


def test_a_message_is_due_from_its_due_at() -> None:
    late = replace(OPEN, message_id="late", due_at=NOON - timedelta(minutes=2))
    first = replace(OPEN, message_id="first", due_at=NOON)

    found = figures(OPEN, first, late)

    assert (found.due, found.oldest_due_seconds) == (2, 120.0)


def test_a_message_that_was_given_up_and_then_delivered_counts_as_delivered_only() -> None:
    revived = message("a", (S.SENDING, 30), (S.ACCEPTED, 29), (S.UNCONFIRMED, 20), (S.DELIVERED, 10))

    assert (figures(revived).total.unconfirmed, figures(revived).total.delivered) == (0, 1)


def test_a_canceled_message_does_not_lower_the_delivery_ratio() -> None:
    canceled = message("a", (S.SCHEDULED, 30), (S.CANCELED, 29), provider=None)

    total = figures(DELIVERED, canceled).total

    assert (total.canceled, total.delivery_ratio) == (1, 1.0)


def test_an_item_of_an_unknown_status_is_counted_and_skipped() -> None:
    item = to_item(DELIVERED) | {"status": {"S": "teleported"}}

    found = figures_of([item, to_item(SLOW)], since=SINCE, now=NOON)

    assert (found.unreadable, found.total.delivered) == (1, 1)


def test_no_messages_have_no_figures() -> None:
    found = figures_of([], since=NOON, now=NOON)

    assert (found.total, found.groups, found.due) == (Group(provider="all", category="all"), (), 0)
    assert len(found.buckets) == 30


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7], 50, 7),
        ([7], 95, 7),
        ([4, 1, 3, 2], 50, 2),
        (range(1, 101), 95, 95),
        (range(1, 21), 95, 19),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected
