"""HTTP to the vendors, on requests' adapter and urllib3's connections.

Requests' `HTTPAdapter` is used without a `Session`: so there are no redirects, cookies, proxies, netrc or retries to
turn off. Two things that neither library gives are added in the connections: a total deadline, which a server that
trickles bytes cannot stretch, and the knowledge whether any byte of the request left us.

What cannot be bounded is the resolver: `getaddrinfo` blocks for as long as the system lets it, and no longer than the
deadline only if the system's own limit is below it.
"""

import http.client
import io
import logging
import math
import socket
import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import certifi
from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from sampai.providers.http import HttpRequest, HttpResponse
from sampai.services.ports import NoResponse

CONNECT_SECONDS: Final = 3.0
"""For all addresses of a host together."""

IDLE_SECONDS: Final = 1.0
"""A connection that was idle for longer is not used again: the server may have dropped it while the sandbox slept, and
a request written to it would end as unknown for nothing."""

CONNECTIONS: Final = 32
"""Idle connections kept for one host."""

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of the status line and the headers, with all 1xx before them, that are read at most."""

_HEADERS: Final = {"User-Agent": "sampai", "Accept": "*/*", "Accept-Encoding": "identity"}


class RequestsTransport:
    """Implements `ports.Transport`. May be shared by threads."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        # urllib3 logs URLs, up to WARNING.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._adapter = _Adapter(ssl_context or ssl.create_default_context(cafile=certifi.where()))

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends within the deadline. Any HTTP status is a response; never raises.

        `why` is one of a few constant texts: what the libraries say holds URLs.
        """
        call = _Call(deadline_seconds)
        token = _CALL.set(call)
        try:
            return self._call(request)
        except Exception as error:
            return NoResponse(may_have_been_sent=call.is_sent, why=_why(error, is_sent=call.is_sent))
        finally:
            _CALL.reset(token)

    def close(self) -> None:
        """Drop the idle connections."""
        self._adapter.close()

    def _call(self, request: HttpRequest) -> HttpResponse | NoResponse:
        with self._adapter.send(_prepared(request), stream=True) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if headers.get("content-encoding", "identity").lower() != "identity":
                return NoResponse(may_have_been_sent=True, why="answer encoded")
            body = _body_of(response, request.response_limit)
            if len(body) > request.response_limit:
                return NoResponse(may_have_been_sent=True, why="answer too large")
            if response.status_code < 200:
                return NoResponse(may_have_been_sent=True, why="garbage")
            return HttpResponse(status=response.status_code, headers=headers, body=body)


def _prepared(request: HttpRequest) -> PreparedRequest:
    headers = {**_HEADERS, **request.headers}
    return Request(request.method, request.url, headers=headers, data=request.body or None).prepare()


def _body_of(response: Response, limit: int) -> bytes:
    """Read the body, or one byte more of it than the limit."""
    body = bytearray()
    while len(body) <= limit and (chunk := response.raw.read(limit + 1 - len(body))):
        body += chunk
    return bytes(body)


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


def _why(error: BaseException, *, is_sent: bool) -> str:
    causes = list(_causes(error))
    for kind, why in _AFTER if is_sent else _BEFORE:
        if any(isinstance(cause, kind) for cause in causes):
            return why
    return "garbage" if is_sent else "not sent"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it came from: the libraries wrap what the socket said."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


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


_CALL: Final[ContextVar[_Call]] = ContextVar("call")
"""The call that this thread is making. Connections outlive calls, so they find their deadline here."""


class _BoundedReader(io.RawIOBase):
    """A socket's reader that waits for each piece no longer than the call may still take."""

    def __init__(self, reader: io.RawIOBase, sock: socket.socket) -> None:
        self._reader = reader
        self._sock = sock
        self.head_left: float = HEAD_LIMIT
        """Bytes that the head may still have."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self.head_left <= 0:
            raise http.client.HTTPException("head too large")
        self._sock.settimeout(_CALL.get().remaining())
        size = self._reader.readinto(buffer)
        self.head_left -= size or 0
        return size

    def close(self) -> None:
        self._reader.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer whose reading, from the status line to the last byte, ends with the call."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._bounded = _BoundedReader(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        super().begin()
        self._bounded.head_left = math.inf


class _Bounded(HTTPConnection):
    """What both kinds of connection do within the deadline: connect, write, read."""

    response_class = _BoundedResponse
    _idle_since = 0.0

    @property
    def is_connected(self) -> bool:
        # By the wall clock: the monotonic one may stand still while the sandbox is frozen.
        return super().is_connected and 0 <= time.time() - self._idle_since < IDLE_SECONDS

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers; each has a fair share of the time for all."""
        within = _Call(min(CONNECT_SECONDS, _CALL.get().remaining()))
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        error: OSError = socket.gaierror()
        for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                return _connected(socket.socket(family, kind, protocol), address, within.remaining() / left)
            except OSError as failure:
                error = failure
        raise error

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        call = _CALL.get()
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(call.remaining())
            call.is_sent = True
            rest = rest[self.sock.send(rest) :]

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        response = super().getresponse()
        self._idle_since = time.time()
        return response


class _BoundedTls(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


def _connected(sock: socket.socket, address: Any, timeout_seconds: float) -> socket.socket:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_seconds)
        sock.connect(address)
        # A TLS handshake may follow; Python keeps to the time-out for the handshake as a whole.
        sock.settimeout(_CALL.get().remaining())
    except OSError:
        sock.close()
        raise
    return sock


class _Adapter(HTTPAdapter):
    """Requests' adapter with our connections and one TLS context for all of them.

    Given a path to the CA bundle, as requests does, urllib3 would load it for every connection.
    """

    def __init__(self, ssl_context: ssl.SSLContext) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._ssl_context, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str | None, verify: Any, cert: Any) -> None:
        """Leave verification to the TLS context."""
