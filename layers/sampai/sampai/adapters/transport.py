"""HTTP to the vendors and to the receiver of callbacks, through requests.

Each call is one prepared request, given to one adapter. There is no session, so nothing is read from the environment
(proxies, netrc) and no cookie is kept. The adapter follows no redirect and repeats nothing. The connections in its
pools are of our own class. They add three things that requests does not have: a total deadline, which a server that
trickles bytes cannot stretch, the knowledge whether any byte of the request left us, and a limit to what is read.

What cannot be bounded is the resolver: `getaddrinfo` blocks for as long as the system lets it, and no longer than the
deadline only if the system's own limit is below it.
"""

import http.client
import io
import logging
import math
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final, cast

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from sampai.adapters.authorities import locations
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NOT_PUBLIC, NoResponse

CONNECT_SECONDS: Final = 3.0
"""For all addresses of a host together."""

IDLE_SECONDS: Final = 1.0
"""A connection that was idle for longer is not used again: the server may have dropped it while the sandbox slept, and
a request written to it would end as unknown for nothing."""

CONNECTIONS: Final = 64
"""Idle connections kept for one host."""

HOSTS: Final = 16
"""Hosts whose idle connections are kept."""

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of the status line and the headers, with all 1xx before them, that are read at most."""

TIMEOUT_STEP_SECONDS: Final = 0.25
"""By so much a call may last longer than its deadline."""

MAX_GZIP_MEMBERS: Final = 16
"""A gzip body may be several, one after the other."""

_HEADERS: Final = {"User-Agent": "sampai", "Accept": "*/*", "Accept-Encoding": "identity"}


class HttpTransport:
    """Implements `ports.Transport`. May be shared by threads."""

    def __init__(
        self, ssl_context: ssl.SSLContext | None = None, *, permits: Callable[[str], bool] | None = None
    ) -> None:
        """Create a transport. With `permits`, a host is called only if that is true for each of its IP addresses."""
        # urllib3 logs URLs, which may hold credentials: some at DEBUG, and those of malformed answers as warnings.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        # One for all connections: to make one takes longer than a call.
        context = ssl_context or ssl.create_default_context(**locations())
        context.set_alpn_protocols(["http/1.1"])
        self._adapter = _Adapter(context)
        self._permits = permits

    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends within the deadline. Any HTTP status is a response; never raises.

        `why` is one of a few constant texts: what the libraries say may hold URLs.
        """
        call = _Call(deadline_seconds, self._permits)
        outer = _current.set(call)
        try:
            return self._call(request, call)
        except Exception as error:
            return NoResponse(may_have_been_sent=call.is_sent, why=_why(error, is_sent=call.is_sent))
        finally:
            _current.reset(outer)

    def close(self) -> None:
        """Drop the idle connections."""
        self._adapter.close()

    def _call(self, request: HttpRequest, call: "_Call") -> HttpResponse | NoResponse:
        # Closing the response drops the connection, unless all was read: then the connection is in its pool again.
        with self._adapter.send(_prepare(request), stream=True, timeout=call.remaining()) as response:
            return _read(response.raw, request.response_limit)


def _prepare(request: HttpRequest) -> PreparedRequest:
    prepared = PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.url = request.url  # `prepare_url` would rewrite it
    prepared.prepare_headers({**_HEADERS, **request.headers})
    prepared.prepare_body(request.body, files=None)
    return prepared


def _read(answer: HTTPResponse, limit: int) -> HttpResponse | NoResponse:
    """Read an answer to its end, or one byte more of the body than the limit."""
    headers = {name.lower(): value for name, value in answer.headers.itermerged()}
    if answer.status < 200 or "," in headers.get("content-length", ""):
        return NoResponse(may_have_been_sent=True, why="garbage")  # another protocol, two different lengths
    codings = _codings(headers.get("content-encoding", ""))
    if codings not in _DECODED:
        return NoResponse(may_have_been_sent=True, why="answer encoded")
    body = answer.read(limit + 1)
    if len(body) > limit:
        return NoResponse(may_have_been_sent=True, why="answer too large")
    if answer.length_remaining:
        return NoResponse(may_have_been_sent=True, why="garbage")  # an end in the body
    if codings and body:
        try:
            body = _DECODED[codings](body, limit)
        except zlib.error:
            return NoResponse(may_have_been_sent=True, why="answer encoded")
    return HttpResponse(status=answer.status, headers=headers, body=body)


# --- content codings ------------------------------------------------------------------------------------------------


def _ungzip(body: bytes, limit: int) -> bytes:
    """Return a decoded gzip body, also of several members. Raise zlib.error if it is cut, or longer than the limit."""
    decoded = b""
    for _ in range(MAX_GZIP_MEMBERS):
        member, body = _inflate(body, limit - len(decoded), zlib.MAX_WBITS | 16)
        decoded += member
        if not body.startswith(b"\x1f\x8b"):
            return decoded  # other clients ignore what else follows
    raise zlib.error("too many members")


def _undeflate(body: bytes, limit: int) -> bytes:
    """Return a decoded deflate body: as the standard has it, in zlib's format, or without, as some servers send it."""
    try:
        return _inflate(body, limit, zlib.MAX_WBITS)[0]
    except zlib.error:
        return _inflate(body, limit, -zlib.MAX_WBITS)[0]


def _inflate(body: bytes, limit: int, wbits: int) -> tuple[bytes, bytes]:
    """Return a decoded stream and the bytes after it. Raise zlib.error if it is cut, or longer than the limit."""
    stream = zlib.decompressobj(wbits)
    decoded = stream.decompress(body, limit + 1)
    if len(decoded) > limit or not stream.eof:
        raise zlib.error("cut, or too long")
    return decoded, stream.unused_data


_DECODED: Final = {
    (): lambda body, _: body,
    ("gzip",): _ungzip,
    ("x-gzip",): _ungzip,
    ("deflate",): _undeflate,
}
"""The codings that are read. None is asked for, and a proxy may apply one unasked."""

_CODINGS: Final = frozenset(
    {"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "x-compress", "x-gzip"}
    | {"zstd"}
)
"""IANA's registry of content codings, without `identity`. Other words, such as `UTF-8`, change nothing."""


def _codings(header: str) -> tuple[str, ...]:
    """Return the codings that a Content-Encoding header names."""
    return tuple(word for word in map(str.strip, header.lower().split(",")) if word in _CODINGS)


# --- what went wrong ------------------------------------------------------------------------------------------------


class _AddressNotPublicError(OSError):
    """The host has an address that may not be called."""


_BEFORE: Final = (
    (_AddressNotPublicError, NOT_PUBLIC),
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
    # requests and urllib3 wrap the errors of the socket in their own.
    while inner := error.__cause__ or error.__context__:
        error = inner
    for kind, why in _AFTER if is_sent else _BEFORE:
        if isinstance(error, kind):
            return why
    return "garbage" if is_sent else "not sent"


# --- one call -------------------------------------------------------------------------------------------------------


class _Call:
    """The deadline of a call, the addresses that it may go to, and whether any of it was handed to a socket."""

    def __init__(self, deadline_seconds: float, permits: Callable[[str], bool] | None = None) -> None:
        self._ends_at = time.monotonic() + deadline_seconds
        self.permits = permits
        self.is_sent = False

    def remaining(self) -> float:
        """Return the seconds that are left, or raise TimeoutError."""
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


_current: Final[ContextVar[_Call]] = ContextVar("_current")
"""The call that this thread makes."""


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

    def __init__(self, sock: socket.socket, **options: Any) -> None:
        super().__init__(sock, **options)
        self._bounded = _BoundedReader(self.fp.detach(), sock, _current.get())
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        reader = self.fp
        self.fp = io.BufferedReader(io.BytesIO(_read_head(reader)))
        try:
            super().begin()
        finally:
            self.fp = reader  # also to be closed after an error
        self._bounded.head_left = math.inf


_INTERIM: Final = re.compile(rb"HTTP/[0-9.]+ +1(?!01)[0-9][0-9]\b")
"""The status line of a 1xx. After a 101 the connection has another protocol, so no answer follows it."""

_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)", re.DOTALL)


def _read_head(reader: io.BufferedReader) -> bytes:
    """Read past the 1xx answers, and return the status line and the header lines of the answer after them.

    http.client skips a 100 alone, and stops at a header line that it cannot read: it would miss how long the body is.
    """
    while True:
        status_line = reader.readline()
        if not status_line.startswith(b"HTTP/"):
            return status_line
        lines = []
        while (line := reader.readline()).rstrip(b"\r\n"):
            lines.append(line)
        if not line:
            raise http.client.HTTPException("an end in the head")
        if _INTERIM.match(status_line) is None:
            return b"\r\n".join([status_line.rstrip(b"\r\n"), *_clean(lines), b"", b""])


def _clean(lines: Iterable[bytes]) -> list[bytes]:
    """Return the header lines that have a name, each unfolded, and equal lengths as one."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        match = _FIELD.match(line)
        if match is not None:
            fields.append((match[1], match[2].strip()))
        elif line[:1] in b" \t" and fields:
            name, value = fields.pop()
            fields.append((name, value + b" " + line.strip()))
        else:
            fields.append((b"", b""))  # with its folded lines, if any
    lengths = {part.strip() for name, value in fields if name.lower() == _LENGTH for part in value.split(b",")}
    if len(lengths) == 1:
        fields = [*(field for field in fields if field[0].lower() != _LENGTH), (_LENGTH, lengths.pop())]
    return [name + b": " + value.replace(b"\r", b" ") for name, value in fields if name]


_LENGTH: Final = b"content-length"


# --- connections ----------------------------------------------------------------------------------------------------


class _Connection(HTTPConnection):
    """A connection that connects, writes and reads within the deadline of the call that it is used for."""

    response_class = _BoundedResponse
    _answered_at = 0.0
    _unsent = b""

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again: it is fresh, and the server has neither ended it nor spoken."""
        # By the wall clock: the monotonic one may stand still while the sandbox is frozen.
        return 0 <= time.time() - self._answered_at < IDLE_SECONDS and super().is_connected

    def connect(self) -> None:
        """Connect to the first address that answers; each has a fair share of the time for all."""
        call = _current.get()
        within = _Call(min(CONNECT_SECONDS, call.remaining()))
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        # The connection goes to these addresses, so a host cannot have another one after the check.
        if call.permits and not all(call.permits(str(address[0])) for *_, address in addresses):
            raise _AddressNotPublicError
        error: OSError = socket.gaierror()
        for left, (family, kind, protocol, _, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                self.sock = _connected(socket.socket(family, kind, protocol), address, within.remaining() / left)
            except OSError as failure:
                error = failure
            else:
                return
        # Not as it is: urllib3 ignores a reset here, and waits for an answer.
        raise NewConnectionError(self, "not connected") from error

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request."""
        self._unsent = b""
        super().request(*arguments, **options)
        if self.is_closed:
            self.connect()
        call = _current.get()
        rest = memoryview(self._unsent)
        while rest:
            _bound(self.sock, call.remaining())
            call.is_sent = True
            rest = rest[self.sock.send(rest) :]

    def send(self, data: Any) -> None:
        """Keep a part of the request until it is whole: it goes out in one piece."""
        self._unsent += data

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's is another than the library's
        response = super().getresponse()
        self._answered_at = time.time()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        context = cast(ssl.SSLContext, self.ssl_context)  # the adapter's
        # Python keeps to the time-out for the handshake as a whole.
        self.sock.settimeout(_current.get().remaining())
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self.is_verified = True


def _connected(sock: socket.socket, address: Any, timeout_seconds: float) -> socket.socket:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_seconds)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """requests' adapter, with our connections in its pools and one TLS context for them all."""

    def __init__(self, ssl_context: ssl.SSLContext) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_connections=HOSTS, pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._ssl_context, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the verification to the TLS context, which has read its CA bundle already."""
