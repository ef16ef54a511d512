"""`sampai dashboard`: throughput, outcomes, latencies and backlogs, live."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Annotated, Any, Final

import typer
from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sampai.domain.times import to_text
from sampai_cli.commands.listing import UnitsOption
from sampai_cli.errors import InputError
from sampai_cli.figures import STORED, Bucket, Figures, Group, Latency, figures_of
from sampai_cli.lines import STYLES, duration
from sampai_cli.lines import since as instant_of
from sampai_cli.messages import MAX_READ_UNITS, Search
from sampai_cli.queues import Depth, depth_of, queue_urls
from sampai_cli.run import Run, command, now

LOCAL_SECONDS: Final = 2
AWS_SECONDS: Final = 60
"""The default pauses between two readings. Each reads the whole table, which costs money on AWS alone."""

BARS: Final = " ▁▂▃▄▅▆▇█"
COLUMNS: Final = (
    "provider",
    "category",
    "requested",
    "accepted",
    "delivered",
    "not delivered",
    "open",
    "delivered % of ended",
    "accept p50 / p95",
    "delivery p50 / p95",
)


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "dynamodb:Scan on MessagesTable",
        "sqs:GetQueueAttributes on the four queues",
        "cloudformation:DescribeStackResource on the stack",
    )
    def dashboard(
        run: Run,
        since: Annotated[str, typer.Option(help="Events since: 30m, 2h, 3d, or an RFC 3339 time.")] = "1h",
        once: Annotated[bool, typer.Option("--once", help="Print the figures once.")] = False,
        interval: Annotated[
            int | None,
            typer.Option(min=1, max=3600, help="Seconds between two readings. Default: 2, and 60 on AWS."),
        ] = None,
        max_units: UnitsOption = MAX_READ_UNITS,
    ) -> None:
        """Show throughput, outcomes, latencies, due messages and queues, until Ctrl-C.

        The figures come from the messages themselves, so they are the same on the local stack and on AWS. Each reading
        reads the whole table: a gigabyte costs about 130,000 read units, $0.02. The dashboard of CloudWatch costs
        nothing to look at, and also has the latency of the vendors' calls. With --json, or in a pipe, the figures are
        printed once.
        """
        reading = Reading(run, since=since, max_units=max_units)
        if run.as_json:
            run.print_json(document(*reading.read()))
        elif once or not run.out.is_terminal:
            run.out.print(view(*reading.read()))
        else:
            show_live(run, reading, interval or (LOCAL_SECONDS if run.stack.is_local else AWS_SECONDS))
        reading.search.tell_price()


class Reading:
    """Reads the figures of a stack, as often as needed."""

    def __init__(self, run: Run, *, since: str, max_units: int) -> None:
        """Check the time and find the queues. Raises InputError, CliError and ClientError."""
        if instant_of(since, now=now()) >= now():
            raise InputError("--since lies in the future. Use 30m, 2h, 3d, or an earlier time.")
        self._run = run
        self._since = since
        self._max_units = max_units
        self._urls = queue_urls(run)
        self.search = Search(run=run, max_units=max_units)
        """The search of all readings together."""

    def read(self) -> tuple[Figures, dict[str, Depth]]:
        """Return the figures of the messages, and the depth of each queue. Raises ClientError."""
        present = now()
        self.search.max_units = self.search.units + self._max_units
        items = self.search.scan(STORED)
        figures = figures_of(items, since=instant_of(self._since, now=present), now=present)
        return figures, {name: depth_of(self._run, url) for name, url in self._urls.items()}


def show_live(run: Run, reading: Reading, pause: int) -> None:
    """Show the figures, and new ones after each pause in seconds, until Ctrl-C. Raises ClientError."""
    with suppress(KeyboardInterrupt), Live(console=run.out, auto_refresh=False, screen=True) as live:
        while True:
            parts = [view(*reading.read())]
            if not reading.search.is_complete:
                parts.append(Stacked(Text("Not all messages were read: raise --max-units.", style="yellow")))
            live.update(Stacked(*parts), refresh=True)
            time.sleep(pause)


def document(figures: Figures, depths: Mapping[str, Depth]) -> dict[str, Any]:
    """Return the figures as JSON."""
    plain: dict[str, Any] = asdict(figures)
    plain |= {"since": to_text(figures.since), "now": to_text(figures.now)}
    plain["buckets"] = [each | {"start": to_text(each["start"])} for each in plain["buckets"]]
    return plain | {"queues": {name: asdict(depth) for name, depth in depths.items()}}


def view(figures: Figures, depths: Mapping[str, Depth]) -> Stacked:
    """Return the figures for a person."""
    parts: list[RenderableType] = [
        Text(f"{to_text(figures.since)} to {to_text(figures.now)}", style="bold"),
        _table(figures),
        *_throughput(figures.buckets),
        _backlog(figures, depths),
    ]
    if figures.unreadable:
        parts.append(Text(f"{figures.unreadable} items cannot be read by this release.", style="yellow"))
    return Stacked(*parts)


def _table(figures: Figures) -> Table:
    table = Table()
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    for group in figures.groups:
        table.add_row(*_cells(group))
    table.add_section()
    table.add_row(*_cells(replace(figures.total, category="")), style="bold")
    return table


def _cells(group: Group) -> list[str]:
    counts = (
        group.requested,
        group.accepted,
        group.delivered,
        group.undelivered + group.failed + group.unconfirmed,
        group.open,
    )
    ratio = "–" if group.delivery_ratio is None else f"{group.delivery_ratio:.1%}"
    return [group.provider, group.category, *map(str, counts), ratio, _latency(group.accept), _latency(group.delivery)]


def _latency(latency: Latency) -> str:
    if latency.p50 is None or latency.p95 is None:
        return "–"
    return f"{duration(latency.p50)} / {duration(latency.p95)}"


def _throughput(buckets: Sequence[Bucket]) -> list[Text]:
    """Return a line of bars for each kind of event, all to the same scale."""
    counts = {name: [getattr(bucket, name) for bucket in buckets] for name in ("accepted", "delivered", "failed")}
    most = max(map(max, counts.values()))
    return [
        Text.assemble(f"{name:>10} ", (_bars(values, most), STYLES[name]), f" {sum(values)}")
        for name, values in counts.items()
    ]


def _bars(values: Sequence[int], most: int) -> str:
    """Return one bar for each value. Only a value of 0 has none."""
    return "".join(BARS[-(-value * (len(BARS) - 1) // max(most, 1))] for value in values)


def _backlog(figures: Figures, depths: Mapping[str, Depth]) -> Text:
    oldest = f", the oldest for {duration(figures.oldest_due_seconds)}" if figures.due else ""
    parts = [f"due messages: {figures.due}{oldest}"]
    for name, depth in depths.items():
        others = {"in flight": depth.in_flight, "delayed": depth.delayed}
        more = ", ".join(f"{count} {state}" for state, count in others.items() if count)
        parts.append(f"{name}: {depth.waiting}" + (f" ({more})" if more else ""))
    is_bad = depths["dead letters"].waiting or depths["lost events"].waiting
    return Text(" · ".join(parts), style="red" if is_bad else "")
