"""The web application: the addresses of the pages, and its guards. It answers only this computer, and its own pages."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from werkzeug.exceptions import SecurityError

from sampai_cli.console.pages import FILTERS, PageError, Pages
from sampai_cli.console.reader import Reader
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


class ForeignRequestError(Exception):
    """A request that a page of another site made."""


def new_app(reader: Reader, *, stack_name: str, clock: Callable[[], datetime] = now) -> Flask:
    """Return the application. `stack_name` is shown on every page."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = list(HOSTS)
    environment = app.jinja_env
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= FILTERS
    environment.globals["stack_name"] = stack_name
    app.before_request(_refuse_foreign_requests)
    app.after_request(_add_headers)
    pages = Pages(reader, clock)
    for error in (ForeignRequestError, SecurityError):
        app.register_error_handler(error, _answer_foreign_request)
    app.register_error_handler(Exception, pages.error)
    views: dict[str, Callable[..., ResponseReturnValue]] = {
        "/": pages.messages,
        "/messages/<message_id>": pages.story,
        "/charts": pages.charts,
        "/dead-letters": pages.letters,
    }
    for rule, view in views.items():
        app.add_url_rule(rule, rule, view, methods=["GET"], provide_automatic_options=False)
    return app


def _refuse_foreign_requests() -> None:
    """Refuse other methods, and requests of other sites: a page elsewhere must not make the console read a queue."""
    if request.method != "GET":
        raise PageError("The console only shows. It has no other method than GET.", status=405)
    is_ours = request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
    if not is_ours and request.headers.get("Sec-Fetch-Dest") != "document":
        raise ForeignRequestError


def _answer_foreign_request(_: Exception) -> ResponseReturnValue:
    """Answer without a word about the stack."""
    sentence = "The console answers its own pages only, at 127.0.0.1 and localhost.\n"
    return Response(sentence, status=403, mimetype="text/plain")


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
