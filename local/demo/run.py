"""One run of the demo on a running stack."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from local.demo import screen
from local.demo.caller import Caller
from local.demo.messages import CASES, SEND, Acceptance, written
from local.demo.watch import News, Track, Watch

HORIZON_SECONDS: Final = 40.0
POLL_SECONDS: Final = (15, 30)
"""The report horizon is 40 s, not three days. A second poll helps a slow computer at the next follow-up."""

DEADLINE_SECONDS: Final = 150.0

VISIBILITY_SECONDS: Final = 180.0
"""As in the template."""

BATCHED_OPERATIONS: Final = frozenset({"send_bulk"})
"""Calls that need several messages in one batch. On a slow computer the queue may deliver each by itself."""

PROBE_SECONDS: Final = 2.0
"""How long a computer with two idle cores takes for the first run of the monitor. It starts a function."""

MAX_SLOWNESS: Final = 6.0
TICK_SECONDS: Final = 0.25
HEARTBEAT_SECONDS: Final = 15.0

Show = Callable[[list[tuple[Track, News]]], None]


def operators_settings(slowness: float = 1.0) -> dict[str, Any]:
    """Return the changes to the settings for a computer with this slowness."""
    horizon = HORIZON_SECONDS * slowness + redelivery_seconds(slowness)
    return {"report_horizon_hours": horizon / 3600, "poll_seconds": list(POLL_SECONDS)}


def redelivery_seconds(slowness: float) -> float:
    """Return the time until the records of a worker that ran out of time come back: none on a fast computer."""
    return VISIBILITY_SECONDS if slowness > 1 else 0.0


def slowness_of(probe_seconds: float) -> float:
    """Return the factor for all waits on this computer, from 1 to `MAX_SLOWNESS`, given the time of a probe."""
    return min(max(probe_seconds / PROBE_SECONDS, 1.0), MAX_SLOWNESS)


class Demo:
    """Sends all rows and tracks their events. The clock starts with the constructor."""

    def __init__(self, caller: Caller, console: Console, picture: Path | None = None) -> None:
        self._caller = caller
        self._console = console
        self._picture = picture
        self._began = time.monotonic()
        self._watch = Watch(CASES)
        self._acceptances: Counter[Acceptance] = Counter()
        self._spoke_at = 0.0
        self._slowness = 1.0

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def run(self) -> bool:
        """Send all rows and wait for their ends, up to the deadline. Return whether all ended as expected."""
        slowness = self._slowness = slowness_of(self._caller.check_accounts())
        self._caller.change_settings(operators_settings(slowness))
        if slowness > 1:
            self._console.print(f"This computer is busy. All waits are {slowness:.1f} times as long as usual.")
        deadline = self._seconds + DEADLINE_SECONDS * slowness + redelivery_seconds(slowness)
        with self._open_screen() as show:
            while not self._watch.is_over and self._seconds < deadline:
                self._put_due_requests()
                show(self._receive_news())
                time.sleep(TICK_SECONDS)
        return self._conclude()

    def _put_due_requests(self) -> None:
        now, first, second = datetime.now(UTC), self._watch.due(), self._watch.due_again()
        for track in first:
            if track.case.inbound is not None:
                self._caller.send_inbound(track.case.inbound)
                track.put_seconds = self._seconds
        requests = [track for track in first if track.case.inbound is None]
        for queue in {track.case.queue for track in requests}:
            tracks = [track for track in requests if track.case.queue == queue for _ in range(track.case.times)]
            ids = self._caller.put([written(track.case.request, now) for track in tracks], queue=queue)
            for track, record_id in zip(tracks, ids, strict=True):
                track.put_seconds = self._seconds
                track.message_id = track.message_id or record_id
        self._caller.put([written(track.case.then, now) for track in second if track.case.then], queue=SEND)
        for track in second:
            track.is_second_put = True

    def _receive_news(self) -> list[tuple[Track, News]]:
        heard = [self._watch.hear(event, seconds=self._seconds) for event in self._caller.receive_events()]
        self._acceptances = self._caller.acceptances()
        return [news for news in heard if news is not None]

    def _conclude(self) -> bool:
        self._receive_news()
        stored = self._caller.statuses({track.message_id for track in self._watch.tracks if track.message_id})
        calls = self._caller.calls()
        optional = BATCHED_OPERATIONS if self._slowness > 1 else frozenset[str]()
        verdict = self._watch.verdict(self._acceptances, stored, calls, optional=optional)
        width = self._console.width
        self._console.print(screen.conclusion(self._watch, self._acceptances, calls, verdict, width))
        if self._picture:
            drawing = screen.picture(self._watch, self._acceptances, verdict)
            self._picture.write_text(drawing, encoding="utf-8")
        return not verdict

    @contextmanager
    def _open_screen(self) -> Iterator[Show]:
        """Yield a function that shows news: it redraws the screen, or prints one line per event without a terminal."""
        if not self._console.is_terminal:
            yield self._print
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as drawn:

            def draw(_: list[tuple[Track, News]]) -> None:
                drawn.update(screen.live(self._watch, self._acceptances, self._seconds, self._console), refresh=True)

            yield draw

    def _print(self, heard: list[tuple[Track, News]]) -> None:
        lines = [screen.line(track, news) for track, news in heard]
        if not lines and self._seconds - self._spoke_at > HEARTBEAT_SECONDS:
            lines = [screen.waiting(self._watch, self._seconds)]
        for line in lines:
            self._console.print(line, soft_wrap=True)
            self._spoke_at = self._seconds
