"""The pages, each from the same functions as a command."""

import json
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from sampai.domain.message import MESSAGE_ID
from sampai.domain.status import Status
from sampai.domain.times import from_text
from sampai_cli.commands.story import NOT_SHOWN, unknown
from sampai_cli.console.charts import HEIGHT, TICKS, WIDTH, charts_of, position
from sampai_cli.console.reader import MAX_MESSAGES, Reader
from sampai_cli.console.timeline import timeline
from sampai_cli.errors import EXPECTED, TRACEBACK, InputError, explain
from sampai_cli.lines import STYLES, duration
from sampai_cli.lines import since as instant_of
from sampai_cli.messages import OPEN, facts_of, new_filter

PAGE_ROWS: Final = 50
PERIODS: Final = ("15m", "1h", "6h", "1d", "7d")
DEFAULT_PERIOD: Final = "1h"

REFRESH_SECONDS: Final = 3
CHARTS_REFRESH_SECONDS: Final = 10
NEVER: Final = 0
"""The dead-letter queue is read only if a person asks: the letters are hidden from other readers meanwhile."""


class PageError(Exception):
    """The sentence of an error page, with its HTTP status."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Pages:
    """Writes each page from a read of the stack. Must run inside a request of Flask."""

    def __init__(self, reader: Reader, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._clock = clock

    def messages(self) -> ResponseReturnValue:
        asked = {name: request.args.get(name, "").strip() for name in ("status", "provider", "since", "id")}
        if asked["id"]:
            return redirect(f"/messages/{self._checked_id(asked['id'])}", code=303)
        now = self._clock()
        wanted = new_filter(
            status=asked["status"] or None, provider=asked["provider"] or None, since=asked["since"] or None, now=now
        )
        snapshot = self._reader.messages()
        rows = [row for row in snapshot.rows if wanted.accepts(row)]
        last_page = max(1, -(-len(rows) // PAGE_ROWS))
        number = min(max(request.args.get("page", 1, type=int), 1), last_page)
        providers = {row["provider"] for row in snapshot.rows if row["provider"]} | {asked["provider"]} - {""}
        return self._write(
            "messages.html",
            refresh=REFRESH_SECONDS,
            asked=asked,
            statuses=[OPEN, *Status],
            providers=sorted(providers),
            rows=rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
            count=len(rows),
            number=number,
            last_page=last_page,
            snapshot=snapshot,
            most=MAX_MESSAGES,
        )

    def story(self, message_id: str) -> ResponseReturnValue:
        found = self._reader.story(self._checked_id(message_id))
        if found is None:
            raise PageError(unknown(self._reader.run, message_id), status=404)
        item, records = found
        facts = facts_of(item)
        return self._write(
            "story.html",
            refresh=REFRESH_SECONDS,
            message_id=facts.pop("message_id"),
            status=facts.pop("status"),
            failure=facts.pop("failure") or {},
            facts={name: value for name, value in facts.items() if value not in (None, "", [])},
            entries=timeline(item, records or []),
            not_shown=NOT_SHOWN if records is None else None,
        )

    def charts(self) -> ResponseReturnValue:
        period, now = request.args.get("since", DEFAULT_PERIOD), self._clock()
        since = instant_of(period, now=now)
        if since >= now:
            raise InputError("The charts need a time in the past. Use 30m, 2h or 3d.")
        snapshot = self._reader.messages()
        return self._write(
            "charts.html",
            refresh=CHARTS_REFRESH_SECONDS,
            period=period,
            periods=PERIODS,
            since=since,
            charts=charts_of(snapshot.items, since=since, now=now),
            ticks={name: position(seconds) for name, seconds in TICKS.items()},
            width=WIDTH,
            height=HEIGHT,
            snapshot=snapshot,
            most=MAX_MESSAGES,
        )

    def letters(self) -> ResponseReturnValue:
        return self._write("letters.html", refresh=NEVER, letters=self._reader.letters())

    def error(self, error: Exception) -> ResponseReturnValue:
        """Write the page of an error: one sentence."""
        problem = self._problem_of(error)
        # The page of a stack that may come back looks for it by itself.
        refresh = REFRESH_SECONDS if problem.status == 503 else NEVER
        return self._write("error.html", refresh=refresh, sentence=str(problem)), problem.status

    def _problem_of(self, error: Exception) -> PageError:
        match error:
            case PageError():
                return error
            case InputError():
                return PageError(str(error), status=400)
            case HTTPException(code=404):
                return PageError("There is no such page.", status=404)
            case HTTPException():
                return PageError(f"{error.name}.", status=error.code or 500)
        if isinstance(error, EXPECTED):
            self._reader.recover()
            return PageError(str(explain(error, command="console")), status=503)
        if TRACEBACK in os.environ:
            raise error
        # The text of an unexpected error may have a number or a text in it.
        sentence = f"A bug of the console ({type(error).__name__}). {TRACEBACK}=1 shows where; report it."
        return PageError(sentence, status=500)

    def _checked_id(self, message_id: str) -> str:
        if not MESSAGE_ID.fullmatch(message_id):
            raise PageError("This is no message_id: 1 to 64 letters, digits and any of . _ : -", status=404)
        return message_id

    def _write(self, template: str, **values: Any) -> str:
        return render_template(template, read_at=self._clock(), **values)


def show_time(at: datetime | str | None, *, milliseconds: bool = False) -> str:
    """Return a time for a person, in UTC: `2026-11-21 10:00:02`."""
    if not at:
        return "–"
    instant = from_text(at) if isinstance(at, str) else at
    return instant.isoformat(sep=" ", timespec="milliseconds" if milliseconds else "seconds").partition("+")[0]


def show_json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def tone_of(status: str | None) -> str:
    """Return the colour of a status, the same as on the command line."""
    return STYLES.get(status or "", "none")


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "time": show_time,
    "json": show_json,
    "tone": tone_of,
    "duration": duration,
}
