"""The charts: shapes in the units of an SVG, computed from the figures of each provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log10
from typing import Any, Final

from sampai.services.ports.telemetry import NO_PROVIDER
from sampai_cli.figures import Figures, Latency, figures_of
from sampai_cli.messages import text_of

WIDTH: Final = 600.0
HEIGHT: Final = 100.0
"""The units of a chart. The page stretches it."""

FASTEST_SECONDS: Final = 0.01
SLOWEST_SECONDS: Final = 86_400.0
"""The ends of the logarithmic scale of latencies."""

TICKS: Final = {"1 s": 1.0, "1 min": 60.0, "1 h": 3600.0}
"""The lines of the scale."""

OUTCOMES: Final = ("delivered", "open", "unconfirmed", "undelivered", "failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of the bar of outcomes."""

    name: str
    count: int
    bar: Rectangle


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The bar of a latency, from the median to the 95th percentile. None if there is no latency."""

    name: str
    latency: Latency
    bar: Rectangle | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCharts:
    """The charts of one provider."""

    name: str
    figures: Figures
    accepted: tuple[Rectangle, ...]
    failed: tuple[Rectangle, ...]
    delivered: str
    """The points of a line."""
    axis: float
    """Where the bars of accepted and of failed messages meet."""
    most: int
    """The count of the tallest bar."""
    latencies: tuple[Range, ...]
    outcomes: tuple[Share, ...]


def charts_of(items: Iterable[Mapping[str, Any]], *, since: datetime, now: datetime) -> list[ProviderCharts]:
    """Return the charts of each provider that has figures, the busiest first."""
    by_provider: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        by_provider.setdefault(text_of(item, "provider") or NO_PROVIDER, []).append(item)
    charts = [_charts(name, figures_of(mine, since=since, now=now)) for name, mine in by_provider.items()]
    active = [chart for chart in charts if chart.figures.groups]
    return sorted(active, key=lambda chart: (-chart.figures.total.requested, chart.name))


def _charts(name: str, figures: Figures) -> ProviderCharts:
    buckets = figures.buckets
    up = max(max(bucket.accepted, bucket.delivered) for bucket in buckets)
    down = max(bucket.failed for bucket in buckets)
    unit = HEIGHT / max(up + down, 1)
    axis, step = up * unit, WIDTH / len(buckets)
    total = figures.total
    return ProviderCharts(
        name=name,
        figures=figures,
        accepted=tuple(
            Rectangle(x=index * step, y=axis - bucket.accepted * unit, width=step - 2, height=bucket.accepted * unit)
            for index, bucket in enumerate(buckets)
            if bucket.accepted
        ),
        failed=tuple(
            Rectangle(x=index * step, y=axis, width=step - 2, height=bucket.failed * unit)
            for index, bucket in enumerate(buckets)
            if bucket.failed
        ),
        delivered=" ".join(
            f"{index * step + step / 2:.1f},{axis - bucket.delivered * unit:.1f}"
            for index, bucket in enumerate(buckets)
        ),
        axis=axis,
        most=max(up, down),
        latencies=(_range("accepted after", total.accept), _range("delivered after", total.delivery)),
        outcomes=_shares({outcome: getattr(total, outcome) for outcome in OUTCOMES}),
    )


def position(seconds: float) -> float:
    """Return where a latency is on the scale, in units of the chart."""
    bounded = min(max(seconds, FASTEST_SECONDS), SLOWEST_SECONDS)
    return WIDTH * log10(bounded / FASTEST_SECONDS) / log10(SLOWEST_SECONDS / FASTEST_SECONDS)


def _range(name: str, latency: Latency) -> Range:
    bar = None
    if latency.p50 is not None and latency.p95 is not None:
        start = position(latency.p50)
        bar = Rectangle(x=start, y=0, width=max(position(latency.p95) - start, 4), height=HEIGHT)
    return Range(name=name, latency=latency, bar=bar)


def _shares(counts: Mapping[str, int]) -> tuple[Share, ...]:
    whole, x, shares = sum(counts.values()) or 1, 0.0, []
    for name, count in counts.items():
        width = WIDTH * count / whole
        if count:
            shares.append(Share(name=name, count=count, bar=Rectangle(x=x, y=0, width=width, height=HEIGHT)))
        x += width
    return tuple(shares)
