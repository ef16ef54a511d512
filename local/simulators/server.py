"""One process, one port on 127.0.0.1: each vendor below its own root path, and the control pages of the simulators.

`/_health` · `/_ledger[?vendor=…]` accepted messages · `/_submissions` messages that reached a vendor, accepted or not ·
`/_calls` counts by vendor and operation ·
`/_config` settings (GET, POST JSON) · `/_reset` (POST) delete everything except the settings ·
`/_inbound` (POST JSON) make a vendor forward a message from a phone ·
`/_crowd` (POST JSON) fill a vendor's list with the rows of other messages.
"""

import itertools
import json
import logging
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from local.simulators.http import Reply, Request
from local.simulators.inbound import Inbound
from local.simulators.ledger import Ledger, Row, iso_utc, text_sha256
from local.simulators.outcomes import Fault
from local.simulators.registry import load_vendors
from local.simulators.rudeness import echo, make_rude
from local.simulators.settings import Settings
from local.simulators.vendor import CROWD, World
from local.simulators.webhook_sender import WebhookSender

HOST: Final = "127.0.0.1"
MAX_BODY: Final = 4_000_000
MAX_CROWD: Final = 100_000
SHOWN_DETAILS: Final = ("file_sha256", "files_sha256", "media_url")
_log = logging.getLogger(__name__)


class Simulators:
    """The running simulators. `port=0` chooses a free port; `url` contains it."""

    def __init__(self, *, port: int = 0, settings: Settings | None = None, state: Path | None = None) -> None:
        ledger = Ledger(state)
        webhook_sender = WebhookSender(
            retry_seconds=lambda: self.world.settings.receipt_retry_seconds, count=ledger.count
        )
        self.world = World(settings or Settings(), ledger, webhook_sender, threading.Event())
        self.vendors = {name: vendor(self.world) for name, vendor in load_vendors().items()}
        self._turns = itertools.count()
        self._pages: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/_health"): lambda request: Reply.json(200, {"status": "ok", "vendors": list(self.vendors)}),
            ("GET", "/_ledger"): self._show_ledger,
            ("GET", "/_submissions"): self._show_submissions,
            ("GET", "/_calls"): lambda request: Reply.json(200, ledger.calls()),
            ("GET", "/_config"): lambda request: Reply.json(200, self.world.settings.shown()),
            ("POST", "/_config"): self._configure,
            ("POST", "/_reset"): self._reset,
            ("POST", "/_inbound"): self._receive,
            ("POST", "/_crowd"): self._add_crowd,
        }
        self._http = _Server((HOST, port), _Handler)
        self._http.simulators = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The base address of all simulators, without a trailing slash."""
        return f"http://{HOST}:{self._http.server_address[1]}"

    def start(self) -> None:
        """Start to serve requests and to send receipts."""
        self.world.webhook_sender.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close all connections, and drop the receipts that are not yet due."""
        self.world.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.close_connections()
        self.world.webhook_sender.stop()

    def __enter__(self) -> "Simulators":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def answer(self, request: Request) -> Reply:
        """Answer a request to a vendor or a control page."""
        name, _, rest = request.path.lstrip("/").partition("/")
        if (vendor := self.vendors.get(name)) is not None:
            own = replace(request, path=f"/{rest}", root_url=f"{request.root_url}/{name}")
            reply = vendor.handle(own)
            reply = echo(reply, own) if self.world.settings.echoes else reply
            return make_rude(reply, next(self._turns)) if self.world.settings.rude else reply
        page = self._pages.get((request.method, request.path))
        return Reply.json(404, {"error": "no such page"}) if page is None else page(request)

    def _show_ledger(self, request: Request) -> Reply:
        rows = self.world.ledger.rows(request.parameters.get("vendor", ""))
        taken = [row for row in rows if row.accepted_at is not None and row.operation != CROWD]
        return Reply.json(200, [self._entry(row) for row in taken])

    def _entry(self, row: Row) -> dict[str, Any]:
        return {
            "vendor": row.vendor,
            "channel": row.channel,
            "operation": row.operation,
            "provider_message_id": row.provider_message_id,
            "recipient": row.recipient,
            "sender": row.sender,
            "text_sha256": text_sha256(row.text),
            "reference": row.reference,
            "accepted_at": iso_utc(row.accepted_at or row.created_at),
            "status": self.world.stage(row).value,
            **{name: row.details[name] for name in SHOWN_DETAILS if name in row.details},
        }

    def _show_submissions(self, request: Request) -> Reply:
        names = ("vendor", "recipient", "text_sha256")
        rows = self.world.ledger.submissions()
        return Reply.json(200, [dict(zip(names, row, strict=True)) for row in rows])

    def _configure(self, request: Request) -> Reply:
        try:
            changes = json.loads(request.body)
            self.world.settings = self.world.settings.changed(changes)
        except (ValueError, AttributeError) as problem:
            return Reply.json(400, {"error": str(problem)})
        return Reply.json(200, self.world.settings.shown())

    def _reset(self, request: Request) -> Reply:
        self.world.webhook_sender.clear()
        self.world.ledger.reset()
        for vendor in self.vendors.values():
            vendor.reset()
        return Reply.json(200, {"status": "ok"})

    def _add_crowd(self, request: Request) -> Reply:
        """Take the name of a vendor, a number of rows, and the seconds over which they are spread."""
        try:
            wanted = json.loads(request.body)
            vendor, rows, seconds = self.vendors[wanted["vendor"]], wanted["rows"], wanted.get("seconds", 60)
            if type(rows) is not int or not 0 < rows <= MAX_CROWD or type(seconds) not in (int, float) or seconds < 0:
                raise ValueError(f"rows: 1 to {MAX_CROWD}; seconds: 0 or more")
            vendor.add_crowd(rows, seconds)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            return Reply.json(400, {"error": str(problem)})
        return Reply.json(200, {"status": "ok"})

    def _receive(self, request: Request) -> Reply:
        if not self.world.settings.webhook_base:
            return Reply.json(409, {"error": "no webhook_base is set"})
        try:
            inbound = Inbound.read(json.loads(request.body))
            if inbound.vendor not in self.vendors:
                raise ValueError("unknown vendor")
            callback = self.vendors[inbound.vendor].receive(inbound)
        except ValueError as problem:
            return Reply.json(400, {"error": str(problem)})
        receipt = callback.receipt
        self.world.webhook_sender.schedule(0, lambda: receipt)
        shown = {
            "method": receipt.method,
            "path": f"/webhooks/{inbound.vendor}/{inbound.kind}",
            "content_type": receipt.headers.get("Content-Type", ""),  # one in the query has no body
            "fields": callback.fields,
        }
        return Reply.json(200, shown)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    simulators: Simulators

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def close_connections(self) -> None:
        """Close the connections that clients keep open, and wait up to 2 seconds for their threads to end."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("the client had already disconnected")
        deadline = time.monotonic() + 2
        while self.connections and time.monotonic() < deadline:
            time.sleep(0.01)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.exception("a simulator failed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout: ClassVar[float] = 60.0
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._is_reset = False
        self.server.connections.add(self.connection)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            _log.debug("the client disconnected")

    def finish(self) -> None:
        super().finish()
        self.server.connections.discard(self.connection)
        if self._is_reset:
            # A linger time of 0 turns the close into a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def do_GET(self) -> None:
        """Answer a request of any method; the vendor refuses unsupported methods."""
        body = self._read_body()
        reply = Reply.json(413, {"error": "body too large, or of unknown length"})
        if body is None:
            self.close_connection = True
        else:
            reply = self.server.simulators.answer(self._request(body))
        self._write(reply)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Log nothing: a request line may contain credentials."""

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            return None
        return self.rfile.read(int(length))

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            root_url=f"http://{self.headers.get('Host', HOST)}",
        )

    def _write(self, reply: Reply) -> None:
        if reply.fault is Fault.HANG:
            self._hang()
        if reply.fault in (Fault.HANG, Fault.RESET):
            self._is_reset = self.close_connection = True
            return
        is_cut = reply.fault is Fault.CUT
        self.wfile.write(reply.interim)
        self.send_response(reply.status)
        self.flush_headers()
        for line in reply.raw_headers:
            self.wfile.write(line + b"\r\n")
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: len(reply.body) // 2] if is_cut else reply.body)
        self.close_connection = self.close_connection or is_cut

    def _hang(self) -> None:
        """Wait without a response until the client disconnects or `hang_seconds` are over."""
        world = self.server.simulators.world
        deadline = time.monotonic() + world.settings.hang_seconds
        while time.monotonic() < deadline and not world.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return
