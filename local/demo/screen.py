"""The demo on the screen."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from local.demo.messages import OPERATIONS, Acceptance
from local.demo.watch import News, Track, Verdict, Watch, called, objections

WIDE: Final = 110
"""Minimum width, in columns, at which the explanations get a column of their own."""

NAME_WIDTH: Final = 30
WHY_WIDTH: Final = 24
INDENT: Final = "   "

PICTURE_WIDTH: Final = 120
"""Columns of the picture for the README."""

SURPLUS: Final = re.compile(r"@font-face \{.*?\}\s*|[ \t]+$", re.DOTALL | re.MULTILINE)
"""The web fonts of an SVG by rich, and white space at the end of its lines."""

BAR_WIDTH: Final = 20
FOLLOW_UP_SECONDS: Final = 60
USUAL_SECONDS: Final = 190
"""Time that the slowest message takes on an idle computer: without any report it ends at the report horizon."""

DIM: Final = "dim"
STYLES: Final[Mapping[str, str]] = {
    "scheduled": DIM,
    "queued": DIM,
    "sending": "cyan",
    "unknown": "magenta",
    "accepted": "blue",
    "sent": "blue",
    "unconfirmed": "yellow",
    "canceled": "yellow",
    "failed": "yellow",
    "rejected": "yellow",
    "undelivered": "yellow",
    "delivered": "green",
    "read": "green",
    "received": "green",
}
LEGEND: Final = (
    "✓ ended as it should   ✗ did not   · has not ended\n"
    "10, 11, …: the last digits of the number. They select the outcome.\n"
    "took 1/2: taken once, asked twice. s: seconds from the queue to the last news."
)


def header() -> RenderableType:
    """Return the lines above the messages, for the whole run."""
    return Text(LEGEND, style=DIM)


def live(
    watch: Watch, acceptances: Mapping[Acceptance, int], seconds: float, console: Console, *, is_busy: bool = False
) -> RenderableType:
    """Return the screen while the demo runs: all rows if it is large enough, else the unfinished ones that fit.

    Those with the latest news go before others.
    """
    bar = Table.grid(padding=(0, 1, 0, 0))
    bar.add_row(
        ProgressBar(total=len(watch.tracks), completed=watch.ended, width=BAR_WIDTH),
        Text(progress(watch, seconds, is_busy=is_busy), style="bold"),
    )
    head = Group(header(), bar, waiting(watch, seconds), "")

    def with_rows(rows: Sequence[Track]) -> RenderableType:
        ids = {id(track) for track in rows}
        return Group(head, table(watch.tracks, acceptances, console.width, shows=lambda track: id(track) in ids))

    def free_lines(whole: RenderableType) -> int:
        return console.height - 1 - len(console.render_lines(whole, pad=False))

    groups = with_rows(())
    room = max(free_lines(groups), 0)
    unfinished = [track for track in watch.tracks if not track.has_ended]
    latest = sorted(unfinished, key=lambda track: track.last.seconds if track.last else 0.0, reverse=True)
    for rows in (watch.tracks, latest, latest[:room], latest[: room // 2]):
        if len(rows) <= room and free_lines(whole := with_rows(rows)) >= 0:
            return whole
    return groups


def progress(watch: Watch, seconds: float, *, is_busy: bool = False) -> str:
    """Return how many messages have ended, and when the last one usually does."""
    usual = f"{USUAL_SECONDS} s, longer on this busy computer" if is_busy else f"{USUAL_SECONDS} s"
    return f"{watch.ended} of {len(watch.tracks)} ended after {seconds:.0f} s; the slowest usually needs {usual}"


def waiting(watch: Watch, seconds: float) -> Text:
    """Describe the messages that are still in progress."""
    early = sum(not track.is_past_senders for track in watch.tracks)
    late = sum(track.is_past_senders and not track.has_ended for track in watch.tracks)
    due = FOLLOW_UP_SECONDS - (seconds - watch.followed_up_seconds) % FOLLOW_UP_SECONDS
    parts = []
    if early:
        parts.append(f"{early} wait to be sent, or for the vendor's answer")
    if late:
        parts.append(
            f"{late} wait for a receipt, or for the follow-up, which runs every minute: next within {due:.0f} s"
        )
    return Text("; ".join(parts), style=DIM)


def table(
    tracks: Iterable[Track],
    acceptances: Mapping[Acceptance, int],
    width: int,
    *,
    shows: Callable[[Track], bool] = lambda _: True,
) -> Table:
    """Return the table: each group with its sums, and those of its rows that `shows` selects."""
    is_wide = width >= WIDE
    shown = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=True)
    shown.add_column("", width=1)
    shown.add_column("message" if is_wide else f"message\n{INDENT}as it should:", width=NAME_WIDTH)
    shown.add_column("vendor", width=7)
    shown.add_column("status", ratio=1)
    shown.add_column("news by", width=7)
    shown.add_column("took", width=4)
    shown.add_column("s", justify="right", width=3)
    if is_wide:
        shown.add_column("as it should:", width=WHY_WIDTH)
    for title, members in groupby(tracks, key=lambda track: track.case.group):
        group = list(members)
        shown.add_row(*_heading(title, group, acceptances))
        for track in filter(shows, group):
            taken = track.case.taken(acceptances)
            shown.add_row(*(_wide_cells(track, taken) if is_wide else _cells(track, taken)))
    return shown


def line(track: Track, acceptances: Mapping[Acceptance, int], place: str) -> Text:
    """Return the line for a row that has ended, for an output that cannot be redrawn. `place` is like 12/80."""
    taken = track.case.taken(acceptances)
    mark, name, vendor, path, source, took, seconds = (text.plain for text in _row(track, taken))
    return Text(f"{place:>7} {mark} {vendor:7} {name:{NAME_WIDTH}} {path}, by {source}, {seconds} s, took {took}")


def operations(calls: Mapping[str, Mapping[str, int]]) -> Table:
    """Return the table of the vendors' operations with their numbers of calls."""
    shown = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for title in ("", "vendor", "operation", "calls"):
        shown.add_column(title, justify="right" if title == "calls" else "left")
    for vendor, names in OPERATIONS.items():
        for name in names:
            count = called(calls, vendor, name)
            mark = Text("✓", style="bold green") if count else Text("✗", style="bold red")
            shown.add_row(mark, vendor, name.replace("_", " "), str(count))
    return shown


def conclusion(
    watch: Watch,
    acceptances: Mapping[Acceptance, int],
    calls: Mapping[str, Mapping[str, int]],
    verdict: Verdict,
    width: int,
) -> RenderableType:
    """Return the last screen: messages and operations, the sums, and the verdict."""
    rows = table(watch.tracks, acceptances, width)
    return Group(rows, Text(), operations(calls), Text(), summary(watch, acceptances, verdict))


def summary(watch: Watch, acceptances: Mapping[Acceptance, int], verdict: Verdict) -> RenderableType:
    """Return the end of the last screen: the sums and the verdict."""
    lines = [Text(LEGEND, style=DIM), Text(_sums(watch, acceptances))]
    if verdict.wrong:
        lines += [
            Text("Not as it should be:", style="bold red"),
            *(Text(f"  {wrong}", style="red") for wrong in verdict.wrong),
        ]
    if verdict.excuse:
        lines.append(Text(verdict.excuse, style="bold yellow"))
    if verdict.is_good:
        lines.append(Text("Every message ended as it should, and none was taken twice.", style="bold green"))
    return Group(*lines)


def picture(watch: Watch, acceptances: Mapping[Acceptance, int], verdict: Verdict) -> str:
    """Return the last screen without the operations as an SVG, for the README.

    The SVG loads nothing: rich names web fonts, and a page must not fetch them. The viewer's monospace font is used.
    """
    console = Console(
        record=True,
        width=PICTURE_WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
    )
    console.print(Group(table(watch.tracks, acceptances, PICTURE_WIDTH), Text(), summary(watch, acceptances, verdict)))
    return SURPLUS.sub("", console.export_svg(title="make demo", unique_id="demo"))


def _sums(watch: Watch, acceptances: Mapping[Acceptance, int]) -> str:
    by = Counter(track.last.source for track in watch.tracks if track.last and track.has_ended)
    slowest = max(watch.tracks, key=lambda track: track.seconds or 0)
    return (
        f"{len(watch.tracks)} rows, {sum(acceptances.values())} accepted by the vendors, {watch.events} events\n"
        f"the last word: {', '.join(f'{count} by {source}' for source, count in by.most_common())}\n"
        f"the slowest: {slowest.case.vendor} {slowest.case.name}, {slowest.seconds or 0:.0f} s\n"
    )


def _heading(title: str, group: Sequence[Track], acceptances: Mapping[Acceptance, int]) -> list[Text]:
    marks = [_mark(track, track.case.taken(acceptances)) for track in group]
    worst = min(marks, key=lambda mark: "✗·✓".index(mark.plain))
    ended = sum(track.has_ended for track in group)
    return [worst, Text(f"{title} {ended}/{len(group)}", style="bold")]


def _wide_cells(track: Track, acceptances: int) -> list[Text]:
    return [*_row(track, acceptances), Text(_why(track), style=DIM)]


def _cells(track: Track, acceptances: int) -> list[Text]:
    mark, name, *others = _row(track, acceptances)
    if why := _why(track):
        name = Text.assemble(name, (f"\n{INDENT}{why}", DIM))
    return [mark, name, *others]


def _row(track: Track, acceptances: int) -> list[Text]:
    seconds = track.seconds
    return [
        _mark(track, acceptances),
        Text(track.case.name),
        Text(track.case.vendor or "–"),
        _path(track.news),
        Text(track.last.source if track.last else ""),
        Text(f"{acceptances}/{track.attempts}" if track.heard else ""),
        Text("" if seconds is None else f"{seconds:.0f}"),
    ]


def _mark(track: Track, acceptances: int) -> Text:
    """Judge a row before the table of messages is read."""
    if not track.has_ended:
        return Text("·", style=DIM)
    wrong = objections(track, acceptances=acceptances, stored=track.status)
    return Text("✗", style="bold red") if wrong else Text("✓", style="bold green")


def _why(track: Track) -> str:
    return track.case.end.why if track.has_ended and track.status == track.case.end.status else ""


def _path(news: Sequence[News]) -> Text:
    path = Text(" › ", style=DIM).join(
        Text(each.status, style=STYLES.get(each.status, "red") if each is news[-1] else DIM) for each in news
    )
    if news and news[-1].reason is not None and news[-1].status in ("failed", "rejected"):
        path.append(f": {news[-1].reason}", style=STYLES[news[-1].status])
    return path
