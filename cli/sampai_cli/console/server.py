"""Serves the pages to this computer only."""

import os
import socket
from typing import Any, Final

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sampai_cli.errors import InputError

ADDRESS: Final = "127.0.0.1"
"""Never another one: the pages ask nobody for a password."""

IDLE_SECONDS: Final = 60
"""How long a connection may be silent."""


class Handler(WSGIRequestHandler):
    """Answers requests without a line on the terminal for each."""

    timeout = IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        pass


def new_server(app: Flask, *, port: int) -> BaseWSGIServer:
    """Return a server that listens already; its `port` is a free one for 0. Raises InputError if the port is taken.

    Werkzeug warns against its use in production: it stands no crowd. Here it has one person, behind no network.
    """
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        raise InputError(
            f"Port {port} cannot be used: {cause}. Choose another one with --port; 0 takes a free one."
        ) from None
    with listening:
        return make_server(ADDRESS, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())
