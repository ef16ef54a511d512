"""The demo on the screen."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from local.demo.messages import OPERATIONS, Acceptance
from local.demo.watch import News, Track, Watch, called, objections

WIDE: Final = 110
"""Minimum width, in columns, at which the explanations get a column of their own."""

NAME_WIDTH: Final = 30
WHY_WIDTH: Final = 24
INDENT: Final = "   "

PICTURE_WIDTH: Final = 120
"""Columns of the picture for the README."""

SURPLUS: Final = re.compile(r"@font-face \{.*?\}\s*|[ \t]+$", re.DOTALL | re.MULTILINE)
"""The web fonts of an SVG by rich, and white space at the end of its lines."""

FOLLOW_UP_SECONDS: Final = 60
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
LEGEND: Final = "took 1/2: taken once, by a vendor that was asked twice. s: seconds from the queue to the last news."


def live(watch: Watch, acceptances: Mapping[Acceptance, int], seconds: float, console: Console) -> RenderableType:
    """Return the screen while the demo runs: all rows, or only the unfinished ones if the screen is too small."""
    ended = [track for track in watch.tracks if track.has_ended]
    head = Text(f"{len(ended)} of {len(watch.tracks)} have ended, after {seconds:.0f} s", style="bold")
    head.append("\n").append_text(waiting(watch, seconds)).append("\n")
    whole = Group(head, table(watch.tracks, acceptances, console.width))
    if len(console.render_lines(whole, pad=False)) < console.height:
        return whole
    return Group(head, table([track for track in watch.tracks if not track.has_ended], acceptances, console.width))


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


def table(tracks: Iterable[Track], acceptances: Mapping[Acceptance, int], width: int) -> Table:
    """Return the table of rows."""
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
    for track in tracks:
        taken = track.case.taken(acceptances)
        shown.add_row(*(_wide_cells(track, taken) if is_wide else _cells(track, taken)))
    return shown


def line(track: Track, news: News) -> Text:
    """Return the line for one piece of news, for an output that cannot be redrawn."""
    return Text.assemble(
        (f"{news.seconds:5.1f} s  ", DIM),
        f"{track.case.vendor or '–':8}{track.case.name:32}",
        (news.status, STYLES.get(news.status, "red")),
        (f", by {news.source}", DIM),
    )


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
    verdict: Sequence[str],
    width: int,
) -> RenderableType:
    """Return the last screen: messages and operations, the sums, and the verdict."""
    rows = table(watch.tracks, acceptances, width)
    return Group(rows, Text(), operations(calls), Text(), summary(watch, acceptances, verdict))


def summary(watch: Watch, acceptances: Mapping[Acceptance, int], verdict: Sequence[str]) -> RenderableType:
    """Return the end of the last screen: the sums and the verdict."""
    lines = [Text(LEGEND, style=DIM), Text(_sums(watch, acceptances))]
    if verdict:
        lines += [
            Text("Not as it should be:", style="bold red"),
            *(Text(f"  {wrong}", style="red") for wrong in verdict),
        ]
    else:
        lines.append(Text("Every message ended as it should, and none was taken twice.", style="bold green"))
    return Group(*lines)


def picture(watch: Watch, acceptances: Mapping[Acceptance, int], verdict: Sequence[str]) -> str:
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
