"""Figures of a stack, by its messages: throughput, outcomes, latencies and the due backlog. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from sampai.domain.latencies import accept_latency, accepted_at, delivered_at, delivery_latency
from sampai.domain.message import Message
from sampai.domain.status import Status
from sampai.services.ports.telemetry import NO_PROVIDER
from sampai_cli.messages import message_of

STORED: Final = (
    "message_id",
    "status",
    "category",
    "provider",
    "created_at",
    "updated_at",
    "send_at",
    "attempted_at",
    "due_at",
    "held_since",
    "held_seconds",
    "history",
)
"""The attributes of an item that the figures need."""

BUCKETS: Final = 30
"""Parts of the time for the throughput."""

_ENDS: Final = (Status.UNDELIVERED, Status.FAILED, Status.UNCONFIRMED, Status.CANCELED)
"""Final statuses of a message that was not delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A distribution of times in seconds."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The messages of one provider and category. All but `open` count events in the time of the figures."""

    provider: str
    category: str
    requested: int = 0
    accepted: int = 0
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    unconfirmed: int = 0
    canceled: int = 0
    open: int = 0
    """Messages that are not final now, however old."""
    delivery_ratio: float | None = None
    """Delivered messages of all that ended, from 0 to 1. Canceled ones do not count. None if none has ended."""
    accept: Latency = Latency()
    delivery: Latency = Latency()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Events in a part of the time that begins at `start`."""

    start: datetime
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    """Messages that ended as `failed` or `undelivered`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    since: datetime
    now: datetime
    total: Group
    groups: tuple[Group, ...]
    """The groups in which something happened or is open, the largest first."""
    buckets: tuple[Bucket, ...]
    """The parts of the time, the oldest first. All have the same length."""
    statuses: Mapping[str, int]
    """The present status of each message that changed in the time."""
    due: int
    """Messages whose `due_at` has passed: the follow_up function has work."""
    oldest_due_seconds: float
    """How long the first of them has been due."""
    unreadable: int
    """Items that this release cannot read. They are in no other figure."""


@dataclass(slots=True)
class _Events:
    """Events of the messages of a group."""

    counts: Counter[str] = field(default_factory=Counter)
    accept_seconds: list[float] = field(default_factory=list)
    delivery_seconds: list[float] = field(default_factory=list)


def figures_of(items: Iterable[Mapping[str, Any]], *, since: datetime, now: datetime) -> Figures:
    """Return the figures of items of the table of messages, which need the attributes in `STORED`.

    Events at `since` or later count, also those of messages that were requested before.
    """
    groups: dict[tuple[str, str], _Events] = {}
    total, statuses = _Events(), Counter[str]()
    width = max(now - since, timedelta(milliseconds=1)) / BUCKETS
    buckets = [Counter[str]() for _ in range(BUCKETS)]
    due_since: list[datetime] = []
    unreadable = 0
    for item in items:
        message = message_of(item)
        if message is None:
            unreadable += 1
            continue
        if message.updated_at >= since:
            statuses[message.status] += 1
        if message.due_at is not None and message.due_at <= now:
            due_since.append(message.due_at)
        happened = [(name, at) for name, at in _events_of(message) if since <= at <= now]
        if not happened and message.status.is_final:
            continue
        group = groups.setdefault((message.provider or NO_PROVIDER, message.category), _Events())
        for events in (group, total):
            _add(events, message, {name for name, _ in happened})
        for name, at in happened:
            buckets[min(int((at - since) / width), BUCKETS - 1)][name] += 1
    rows = [_group(provider, category, events) for (provider, category), events in groups.items()]
    return Figures(
        since=since,
        now=now,
        total=_group("all", "all", total),
        groups=tuple(sorted(rows, key=lambda row: (-row.requested - row.accepted, row.provider, row.category))),
        buckets=tuple(
            Bucket(
                start=since + index * width,
                accepted=counts["accepted"],
                delivered=counts["delivered"],
                failed=counts[Status.FAILED] + counts[Status.UNDELIVERED],
            )
            for index, counts in enumerate(buckets)
        ),
        statuses=dict(statuses),
        due=len(due_since),
        oldest_due_seconds=(now - min(due_since)).total_seconds() if due_since else 0.0,
        unreadable=unreadable,
    )


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that so many percent of all values do not exceed. None if there is no value."""
    ordered = sorted(values)
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1] if ordered else None


def _events_of(message: Message) -> Iterator[tuple[str, datetime]]:
    """Yield the events of a message, each at most once, with its time."""
    yield "requested", message.created_at
    for name, at in (("accepted", accepted_at(message)), ("delivered", delivered_at(message))):
        if at is not None:
            yield name, at
    # A message that was given up may still be delivered.
    if message.status in _ENDS and message.history:
        yield message.status, message.history[-1].at


def _add(events: _Events, message: Message, happened: set[str]) -> None:
    events.counts.update(happened)
    events.counts["open"] += not message.status.is_final
    if "accepted" in happened and (latency := accept_latency(message)) is not None:
        events.accept_seconds.append(latency.total_seconds())
    if "delivered" in happened and (latency := delivery_latency(message)) is not None:
        events.delivery_seconds.append(latency.total_seconds())


def _group(provider: str, category: str, events: _Events) -> Group:
    counts = events.counts
    ended = sum(counts[name] for name in ("delivered", Status.UNDELIVERED, Status.FAILED, Status.UNCONFIRMED))
    return Group(
        provider=provider,
        category=category,
        **{name: counts[name] for name in ("requested", "accepted", "delivered", "open", *_ENDS)},
        delivery_ratio=counts["delivered"] / ended if ended else None,
        accept=_latency(events.accept_seconds),
        delivery=_latency(events.delivery_seconds),
    )


def _latency(seconds: Sequence[float]) -> Latency:
    return Latency(count=len(seconds), p50=percentile(seconds, 50), p95=percentile(seconds, 95))
