"""HTTP to the vendors, on the standard library's connections.

There are no redirects, cookies, proxies, netrc or retries to turn off. Three things that a client library does not give
are added in the connections: a total deadline, which a server that trickles bytes cannot stretch, the knowledge whether
any byte of the request left us, and a limit to what is read.

What cannot be bounded is the resolver: `getaddrinfo` blocks for as long as the system lets it, and no longer than the
deadline only if the system's own limit is below it.
"""

import http.client
import io
import math
import select
import socket
import ssl
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import certifi

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse

CONNECT_SECONDS: Final = 3.0
"""For all addresses of a host together."""

IDLE_SECONDS: Final = 1.0
"""A connection that was idle for longer is not used again: the server may have dropped it while the sandbox slept, and
a request written to it would end as unknown for nothing."""

CONNECTIONS: Final = 32
"""Idle connections kept for one host."""

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of the status line and the headers, with all 1xx before them, that are read at most."""

TIMEOUT_STEP_SECONDS: Final = 0.25
"""By so much a call may last longer than its deadline."""

_PORTS: Final = {"http": 80, "https": 443}
_HEADERS: Final = {"User-Agent": "sampai", "Accept": "*/*", "Accept-Encoding": "identity"}


class HttpTransport:
    """Implements `ports.Transport`. May be shared by threads."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        # One for all connections: to read the CA bundle takes longer than a call.
        self._ssl_context = ssl_context or ssl.create_default_context(cafile=certifi.where())
        self._ssl_context.set_alpn_protocols(["http/1.1"])
        self._idle: defaultdict[tuple[str, str], list[_Connection]] = defaultdict(list)

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends within the deadline. Any HTTP status is a response; never raises.

        `why` is one of a few constant texts: what the libraries say may hold URLs.
        """
        call = _Call(deadline_seconds)
        try:
            return self._call(request, call)
        except Exception as error:
            return NoResponse(may_have_been_sent=call.is_sent, why=_why(error, is_sent=call.is_sent))

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            _, connections = self._idle.popitem()
            for connection in connections:
                connection.close()

    def _call(self, request: HttpRequest, call: "_Call") -> HttpResponse | NoResponse:
        url = urlsplit(request.url)
        connection = self._connection_to(url)
        connection.call = call
        try:
            # A server that has heard enough may have answered before it stopped listening.
            with suppress(BrokenPipeError):
                connection.request(request.method, _target(url), request.body or None, {**_HEADERS, **request.headers})
                connection.flush()
            answer = connection.getresponse()
            answered = _read(answer, request.response_limit)
        except BaseException:
            connection.close()
            raise
        if answer.isclosed() and not answer.will_close:
            self._keep(connection, url)
        else:
            connection.close()
        return answered

    def _connection_to(self, url: SplitResult) -> "_Connection":
        idle = self._idle[url.scheme, url.netloc]
        with suppress(IndexError):  # other threads take from it too
            while True:
                connection = idle.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        if url.scheme not in _PORTS or not url.hostname:
            raise ValueError("no URL of HTTP")
        port = url.port or _PORTS[url.scheme]
        return _Connection(url.hostname, port, self._ssl_context if url.scheme == "https" else None)

    def _keep(self, connection: "_Connection", url: SplitResult) -> None:
        idle = self._idle[url.scheme, url.netloc]
        if len(idle) < CONNECTIONS:
            # By the wall clock: the monotonic one may stand still while the sandbox is frozen.
            connection.idle_since = time.time()
            idle.append(connection)
        else:
            connection.close()


def _target(url: SplitResult) -> str:
    return f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"


def _read(answer: http.client.HTTPResponse, limit: int) -> HttpResponse | NoResponse:
    """Read an answer to its end, or one byte more of the body than the limit."""
    headers: dict[str, str] = {}
    for name, value in answer.getheaders():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    if headers.get("content-encoding", "identity").lower() != "identity":
        return NoResponse(may_have_been_sent=True, why="answer encoded")
    body = answer.read(limit + 1)
    if len(body) > limit:
        return NoResponse(may_have_been_sent=True, why="answer too large")
    if answer.status < 200 or answer.length or "," in headers.get("content-length", ""):
        return NoResponse(may_have_been_sent=True, why="garbage")  # no answer, an end in the body, two lengths
    return HttpResponse(status=answer.status, headers=headers, body=body)


# --- what went wrong ------------------------------------------------------------------------------------------------

_BEFORE: Final = (
    (socket.gaierror, "name not resolved"),
    (ConnectionRefusedError, "refused"),
    (ssl.SSLError, "TLS failed"),
    (TimeoutError, "connect timed out"),
    (ConnectionError, "reset while connecting"),
)
_AFTER: Final = (
    (TimeoutError, "timed out"),
    ((ConnectionError, ssl.SSLError), "reset"),
)


def _why(error: Exception, *, is_sent: bool) -> str:
    for kind, why in _AFTER if is_sent else _BEFORE:
        if isinstance(error, kind):
            return why
    return "garbage" if is_sent else "not sent"


# --- one call -------------------------------------------------------------------------------------------------------


class _Call:
    """The deadline of a call, and whether any of it was handed to a socket."""

    def __init__(self, deadline_seconds: float) -> None:
        self._ends_at = time.monotonic() + deadline_seconds
        self.is_sent = False

    def remaining(self) -> float:
        """Return the seconds that are left, or raise TimeoutError."""
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


def _bound(sock: socket.socket, seconds: float) -> None:
    """Let what is done with a socket next take about so long: to change the time exactly, each time, costs."""
    known = sock.gettimeout()
    if known is None or abs(known - seconds) > TIMEOUT_STEP_SECONDS:
        sock.settimeout(seconds)


class _BoundedReader(io.RawIOBase):
    """A socket's reader that waits for each piece no longer than the call may still take."""

    def __init__(self, reader: io.RawIOBase, sock: socket.socket, call: _Call) -> None:
        self._reader = reader
        self._sock = sock
        self._call = call
        self.head_left: float = HEAD_LIMIT
        """Bytes that the head may still have."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self.head_left <= 0:
            raise http.client.HTTPException("head too large")
        _bound(self._sock, self._call.remaining())
        size = self._reader.readinto(buffer)
        self.head_left -= size or 0
        return size

    def close(self) -> None:
        self._reader.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer whose reading, from the status line to the last byte, ends with the call."""

    def __init__(self, sock: socket.socket, call: _Call, **options: Any) -> None:
        super().__init__(sock, **options)
        self._bounded = _BoundedReader(self.fp.detach(), sock, call)
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        super().begin()
        self._bounded.head_left = math.inf


class _Connection(http.client.HTTPConnection):
    """A connection that connects, writes and reads within the deadline of the call that it is used for."""

    call: _Call
    idle_since = 0.0
    _unsent = b""

    def __init__(self, host: str, port: int, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self.default_port = _PORTS["http" if ssl_context is None else "https"]
        self._ssl_context = ssl_context

    def is_usable(self) -> bool:
        """Whether an idle connection may be used again: it is fresh, and the server has neither ended it nor spoken."""
        if self.sock is None or not 0 <= time.time() - self.idle_since < IDLE_SECONDS:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def connect(self) -> None:
        """Connect to the first address that answers; each has a fair share of the time for all."""
        within = _Call(min(CONNECT_SECONDS, self.call.remaining()))
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        error: OSError = socket.gaierror()
        for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                sock = _connected(socket.socket(family, kind, protocol), address, within.remaining() / left)
            except OSError as failure:
                error = failure
            else:
                self.sock = self._secured(sock)
                return
        raise error

    def send(self, data: Any) -> None:
        """Keep a part of the request until it is whole: it goes out in one piece."""
        self._unsent += data

    def flush(self) -> None:
        """Send the request."""
        if self.sock is None:
            self.connect()
        rest = memoryview(self._unsent)
        self._unsent = b""
        while rest:
            _bound(self.sock, self.call.remaining())
            self.call.is_sent = True
            rest = rest[self.sock.send(rest) :]

    def response_class(self, sock: socket.socket, **options: Any) -> _BoundedResponse:  # type: ignore[override]
        return _BoundedResponse(sock, self.call, **options)

    def _secured(self, sock: socket.socket) -> socket.socket:
        if self._ssl_context is None:
            return sock
        try:
            # Python keeps to the time-out for the handshake as a whole.
            sock.settimeout(self.call.remaining())
            return self._ssl_context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


def _connected(sock: socket.socket, address: Any, timeout_seconds: float) -> socket.socket:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock
