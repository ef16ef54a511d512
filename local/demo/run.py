"""One run of the demo on a running stack.

The demo has no deadline: it waits as long as messages move. On a busy computer everything takes longer and ends alike.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from local.demo import screen
from local.demo.caller import Caller
from local.demo.messages import CASES, SEND, Acceptance, Case, written
from local.demo.watch import News, Track, Watch

FIRST_HORIZON_SECONDS: Final = 280.0
"""Report horizon until the messages are sent. A message that its vendor cannot be asked about keeps the horizon of its
first turn, so it must end before the demo gives up."""

FIRST_SETTINGS: Final[Mapping[str, Any]] = {
    "poll_seconds": [15, 30],
    "report_horizon_hours": FIRST_HORIZON_SECONDS / 3600,
}
HORIZON_SECONDS: Final = 40.0
"""Report horizon once the messages are sent: silent messages end with it."""

STALL_SECONDS: Final = 300.0
"""Time without news after which the demo gives up. The records of a worker that ran out of time come back after three
minutes, and a lost wake-up costs two; then comes the follow-up, which runs every minute. A slow computer gets more."""
MAX_STALL_FACTOR: Final = 2.0

MAX_SECONDS: Final = 1800.0
"""Limit for messages that never stop moving."""

BATCHED_OPERATIONS: Final = frozenset({"send_bulk", "list", "email_list"})
"""Calls that need several messages at once. On a busy computer each may be sent, and looked up, by itself."""

TIMED_OPERATIONS: Final = frozenset({"email_get"})
"""Calls that are made only for an e-mail that is due alone: a list answers for several."""

PROBE_SECONDS: Final = 2.0
"""How long an idle computer with two cores takes for the first run of the monitor. It starts a function."""
SHARE_SECONDS: Final = 0.2
"""Processor time to measure the share of a core that a program gets."""
BUSY: Final = 1.5
"""Slowness from which a computer counts as busy."""
QUIET_SECONDS: Final = 10.0
"""Time without news after which the stack only waits. Then a small share of the cores is due to other programs."""

TICK_SECONDS: Final = 0.25
HEARTBEAT_SECONDS: Final = 15.0
REDRAW_SECONDS: Final = 1.0
"""Time between two drawings of the screen without news. They cost the stack processor time."""

Show = Callable[[list[tuple[Track, News]]], None]


def cpu_share(
    wall: Callable[[], float] = time.perf_counter, processor: Callable[[], float] = time.process_time
) -> float:
    """Return the share of a core that this program gets at present, from 0 to 1. The clocks are in seconds."""
    began, used = wall(), processor()
    while (worked := processor() - used) < SHARE_SECONDS:
        pass
    return min(worked / (wall() - began), 1.0)


def slowness_of(probe_seconds: float, share: float) -> float:
    """Return how many times slower this computer works than an idle one, at least 1.

    A slow computer needs long for the probe. On a busy one, other programs leave a small share of the cores.
    """
    return max(probe_seconds / PROBE_SECONDS, 1 / share, 1.0)


class Demo:
    """Sends all rows and tracks their events. The clock starts with the constructor."""

    def __init__(
        self,
        caller: Caller,
        console: Console,
        *,
        picture: Path | None = None,
        cases: Sequence[Case] = CASES,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        share: Callable[[], float] = cpu_share,
    ) -> None:
        self._caller = caller
        self._console = console
        self._picture = picture
        self._clock = clock
        self._sleep = sleep
        self._share = share
        self._began = clock()
        self._watch = Watch(cases)
        self._acceptances: Counter[Acceptance] = Counter()
        self._spoke_at = 0.0
        self._moved_at = 0.0
        self._slowness = 1.0
        self._measured_at = 0.0
        self._has_short_horizon = False

    @property
    def _seconds(self) -> float:
        return self._clock() - self._began

    def run(self) -> bool:
        """Send all rows and wait for their ends, as long as there is news. Return whether all ended as expected."""
        self._caller.change_settings(FIRST_SETTINGS)
        self._slowness = slowness_of(self._caller.check_accounts(), self._share())
        if self._is_busy:
            self._console.print(
                f"This computer is busy and works {self._slowness:.1f} times slower. So the demo takes longer."
            )
        self._moved_at = self._measured_at = self._seconds
        with self._open_screen() as show:
            while not self._watch.is_over and not self._is_stalled:
                self._put_due_requests()
                self._shorten_horizon()
                show(self._receive_news())
                self._measure_when_quiet()
                self._sleep(TICK_SECONDS)
        return self._conclude()

    @property
    def _is_busy(self) -> bool:
        return self._slowness >= BUSY

    @property
    def _is_stalled(self) -> bool:
        stall_seconds = STALL_SECONDS * min(self._slowness, MAX_STALL_FACTOR)
        return self._seconds - self._moved_at > stall_seconds or self._seconds > MAX_SECONDS

    def _measure_when_quiet(self) -> None:
        """Measure from time to time: the computer may become busy after the start, and be idle again at the end."""
        if self._seconds - max(self._moved_at, self._measured_at) > QUIET_SECONDS:
            self._slowness = max(self._slowness, slowness_of(0.0, self._share()))
            self._measured_at = self._seconds

    def _shorten_horizon(self) -> None:
        """Shorten the report horizon once. A busy computer may still need several polls for a report by then."""
        is_time = self._watch.has_only_silence_left or (self._watch.is_sent and not self._is_busy)
        if is_time and not self._has_short_horizon:
            self._caller.change_settings({"report_horizon_hours": HORIZON_SECONDS / 3600})
            self._has_short_horizon = True

    def _put_due_requests(self) -> None:
        now, first, second = datetime.now(UTC), self._watch.due(self._seconds), self._watch.due_again()
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
        news = [each for each in heard if each is not None]
        if news:
            self._moved_at = self._seconds
        return news

    def _conclude(self) -> bool:
        self._receive_news()
        stored = self._caller.statuses({track.message_id for track in self._watch.tracks if track.message_id})
        calls = self._caller.calls()
        self._slowness = max(self._slowness, slowness_of(0.0, self._share()))
        optional = TIMED_OPERATIONS | BATCHED_OPERATIONS if self._is_busy else TIMED_OPERATIONS
        verdict = self._watch.verdict(self._acceptances, stored, calls, optional=optional, is_busy=self._is_busy)
        width = self._console.width
        self._console.print(screen.conclusion(self._watch, self._acceptances, calls, verdict, width))
        if self._picture:
            drawing = screen.picture(self._watch, self._acceptances, verdict)
            self._picture.write_text(drawing, encoding="utf-8")
        return verdict.is_good

    @contextmanager
    def _open_screen(self) -> Iterator[Show]:
        """Yield a function that shows news: it redraws the screen, or prints lines if there is no terminal."""
        if not self._console.is_terminal:
            self._console.print(screen.header())
            self._console.print(self._progress(), soft_wrap=True)
            yield self._print
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as drawn:

            def draw() -> None:
                watch, seconds = self._watch, self._seconds
                whole = screen.live(watch, self._acceptances, seconds, self._console, is_busy=self._is_busy)
                drawn.update(whole, refresh=True)
                self._spoke_at = seconds

            def show(heard: list[tuple[Track, News]]) -> None:
                if heard or self._seconds - self._spoke_at >= REDRAW_SECONDS:
                    draw()

            draw()
            yield show

    def _progress(self) -> str:
        return screen.progress(self._watch, self._seconds, is_busy=self._is_busy)

    def _print(self, heard: list[tuple[Track, News]]) -> None:
        ended = list({id(track): track for track, _ in heard if track.has_ended}.values())
        total = len(self._watch.tracks)
        places = range(self._watch.ended - len(ended) + 1, total + 1)
        lines = [screen.line(track, self._acceptances, f"{n}/{total}") for n, track in zip(places, ended, strict=False)]
        if not lines and self._seconds - self._spoke_at > HEARTBEAT_SECONDS:
            lines = [Text(f"{self._progress()}: ").append_text(screen.waiting(self._watch, self._seconds))]
        for line in lines:
            self._console.print(line, soft_wrap=True)
            self._spoke_at = self._seconds
