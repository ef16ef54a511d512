"""The pages and their addresses. Every page is read-only, and is written on the server."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Flask, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, SecurityError

from sampai.domain.message import MESSAGE_ID
from sampai.domain.status import Status
from sampai.domain.times import from_text
from sampai_cli.commands.story import NOT_SHOWN, unknown
from sampai_cli.console.charts import HEIGHT, TICKS, WIDTH, charts_of, duration, position
from sampai_cli.console.reader import MAX_MESSAGES, Reader
from sampai_cli.console.timeline import timeline
from sampai_cli.errors import EXPECTED, TRACEBACK, InputError, explain
from sampai_cli.lines import STYLES
from sampai_cli.lines import since as instant_of
from sampai_cli.messages import OPEN, facts_of, new_filter
from sampai_cli.run import now

HOSTS: Final = ("127.0.0.1", "localhost")
"""The names under which a browser may ask. Another name leads here only if an attacker's DNS says so."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

PAGE_ROWS: Final = 50
PERIODS: Final = ("15m", "1h", "6h", "1d", "7d")
DEFAULT_PERIOD: Final = "1h"

REFRESH_SECONDS: Final = 3
CHARTS_REFRESH_SECONDS: Final = 10
NEVER: Final = 0
"""The dead-letter queue is read only if a person asks: the letters are hidden from other readers meanwhile."""


class StrangerError(Exception):
    """A request that no page of the console made. The answer says nothing about the stack."""


class PageError(Exception):
    """The sentence of an error page."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def new_app(reader: Reader, *, stack_name: str) -> Flask:
    """Return the application. `stack_name` is shown on every page."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = list(HOSTS)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {"time": _time, "tone": _tone, "duration": duration, "json": _json}
    app.jinja_env.globals |= {"stack_name": stack_name, "WIDTH": WIDTH, "HEIGHT": HEIGHT}
    app.before_request(_refuse_strangers)
    app.after_request(_add_headers)
    app.register_error_handler(Exception, lambda error: _error_page(reader, error))
    _add_pages(app, reader)
    return app


def _add_pages(app: Flask, reader: Reader) -> None:
    def page(rule: str, view: Any) -> None:
        app.add_url_rule(rule, rule, view, methods=["GET"], provide_automatic_options=False)

    page("/", lambda: _messages(reader))
    page("/messages/<message_id>", lambda message_id: _story(reader, message_id))
    page("/charts", lambda: _charts(reader))
    page("/dead-letters", lambda: _letters(reader))


def _messages(reader: Reader) -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip() for name in ("status", "provider", "since", "id")}
    if asked["id"]:
        return redirect(f"/messages/{_checked_id(reader, asked['id'])}", code=303)
    wanted = new_filter(
        status=asked["status"] or None, provider=asked["provider"] or None, since=asked["since"] or None, now=now()
    )
    snapshot = reader.messages()
    rows = [row for row in snapshot.rows if wanted.accepts(row)]
    last_page = max(1, -(-len(rows) // PAGE_ROWS))
    number = min(max(request.args.get("page", 1, type=int), 1), last_page)
    return render_template(
        "messages.html",
        refresh=REFRESH_SECONDS,
        asked=asked,
        statuses=[OPEN, *Status],
        providers=sorted({row["provider"] for row in snapshot.rows if row["provider"]} | {asked["provider"]} - {""}),
        rows=rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS],
        count=len(rows),
        number=number,
        last_page=last_page,
        snapshot=snapshot,
        most=MAX_MESSAGES,
        read_at=now(),
    )


def _story(reader: Reader, message_id: str) -> ResponseReturnValue:
    found = reader.story(_checked_id(reader, message_id))
    if found is None:
        raise PageError(unknown(reader.run, message_id), status=404)
    item, records = found
    facts = facts_of(item)
    failure = facts.pop("failure") or {}
    return render_template(
        "story.html",
        refresh=REFRESH_SECONDS,
        message_id=message_id,
        status=facts.pop("status"),
        failure=failure,
        facts={name: value for name, value in facts.items() if value not in (None, "", []) and name != "message_id"},
        entries=timeline(item, records or []),
        not_shown=NOT_SHOWN if records is None else None,
        read_at=now(),
    )


def _charts(reader: Reader) -> ResponseReturnValue:
    period = request.args.get("since", DEFAULT_PERIOD)
    until = now()
    since = instant_of(period, now=until)
    if since >= until:
        raise InputError("The charts need a time in the past. Use 30m, 2h or 3d.")
    snapshot = reader.messages()
    return render_template(
        "charts.html",
        refresh=CHARTS_REFRESH_SECONDS,
        period=period,
        periods=PERIODS,
        since=since,
        charts=charts_of(snapshot.items, since=since, now=until),
        ticks={name: position(seconds) for name, seconds in TICKS.items()},
        snapshot=snapshot,
        most=MAX_MESSAGES,
        read_at=until,
    )


def _letters(reader: Reader) -> ResponseReturnValue:
    return render_template("letters.html", refresh=NEVER, letters=reader.letters(), read_at=now())


def _checked_id(reader: Reader, message_id: str) -> str:
    if not MESSAGE_ID.fullmatch(message_id):
        raise PageError(unknown(reader.run, message_id[:64]), status=404)
    return message_id


def _refuse_strangers() -> None:
    """Refuse other methods, and requests of other sites: a page elsewhere must not make the console read a queue."""
    if request.method != "GET":
        raise PageError("The console only shows. It has no other method than GET.", status=405)
    is_ours = request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    if not is_ours and request.headers.get("Sec-Fetch-Dest") != "document":
        raise StrangerError


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _error_page(reader: Reader, error: Exception) -> ResponseReturnValue:
    if isinstance(error, StrangerError | SecurityError):
        sentence = "The console answers its own pages only, at 127.0.0.1 and localhost.\n"
        return Response(sentence, status=403, mimetype="text/plain")
    problem = _problem_of(reader, error)
    # The page of a stack that may come back looks for it by itself.
    refresh = REFRESH_SECONDS if problem.status == 503 else NEVER
    page = render_template("error.html", refresh=refresh, sentence=str(problem), read_at=now())
    return page, problem.status


def _problem_of(reader: Reader, error: Exception) -> PageError:
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
        reader.recover()
        return PageError(str(explain(error, command="console")), status=503)
    if TRACEBACK in os.environ:
        raise error
    # The text of an unexpected error may have a number or a text in it.
    sentence = f"A bug of the console ({type(error).__name__}). {TRACEBACK}=1 shows where; report it."
    return PageError(sentence, status=500)


def _time(at: datetime | str | None, *, milliseconds: bool = False) -> str:
    """Return a time for a person, in UTC: `2026-11-21 10:00:02`."""
    if at is None or at == "":
        return "–"
    instant = from_text(at) if isinstance(at, str) else at
    return instant.isoformat(sep=" ", timespec="milliseconds" if milliseconds else "seconds").partition("+")[0]


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _tone(status: str | None) -> str:
    """Return the colour of a status, the same as on the command line."""
    return STYLES.get(status or "", "none")
