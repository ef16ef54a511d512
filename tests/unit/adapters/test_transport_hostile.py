"""Hostile servers on real sockets: every call ends in time, with a result that is safe.

Each row names a behaviour of the server and the result of the call. There are three results: nothing was sent, the
request may have been sent and there is no answer, or a response. Only after the first may a message go out again, so a
row may move from the first to the second result, but never back without proof.
"""

import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from ipaddress import ip_address
from threading import Event
from typing import Any

import pytest
from cryptography import x509

from sampai.adapters.transport import HttpTransport
from sampai.domain.failure import Reason
from sampai.domain.http import BODY_LIMIT, HttpRequest, HttpResponse
from sampai.domain.outcome import NotTaken
from sampai.services.ports.transport import NoResponse
from tests.conformance.test_provider_contract import NAMES, provider_of
from tests.covers import covers
from tests.servers import (
    DEADLINE,
    OK,
    OK_RESPONSE,
    PATIENCE,
    Authority,
    Peer,
    Script,
    answers,
    lost,
    never_sent,
    post,
    reset_after_reading,
    serving,
    silence,
    silence_before_reading,
    trickled_body,
)

pytestmark = pytest.mark.usefixtures("no_call_hangs")

GRACE = 0.5
"""Seconds after its deadline until a call has ended, even on a busy machine."""

LIMIT = 20
"""The response limit of the calls in the table, in bytes."""

Place = Callable[[Authority], AbstractContextManager[str]]
"""Makes a destination of requests and yields its URL."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def transport(authority: Authority) -> Iterator[HttpTransport]:
    transport = HttpTransport(authority.client_context())
    yield transport
    transport.close()


# --- places -----------------------------------------------------------------------------------------------------------

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))
OTHER_HOST = x509.DNSName("other.example")


def plain(script: Script) -> Place:
    @contextmanager
    def place(_: Authority) -> Iterator[str]:
        with serving(script) as server:
            yield f"http://127.0.0.1:{server.port}/"

    return place


def says(answer: bytes) -> Place:
    return plain(answers(answer))


def over_tls(script: Script, name: x509.GeneralName = LOOPBACK, **certificate: Any) -> Place:
    @contextmanager
    def place(authority: Authority) -> Iterator[str]:
        context = authority.server_context(name, **certificate)
        with serving(script, context) as server:
            yield f"https://127.0.0.1:{server.port}/"

    return place


def instead_of_tls(script: Script) -> Place:
    """The client wants TLS, and the server does not speak it."""

    @contextmanager
    def place(_: Authority) -> Iterator[str]:
        with serving(script) as server:
            yield f"https://127.0.0.1:{server.port}/"

    return place


@contextmanager
def nobody_listens(_: Authority) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}/"


@contextmanager
def no_such_name(_: Authority) -> Iterator[str]:
    yield "http://sampai.invalid/"


@contextmanager
def nobody_takes_up(_: Authority) -> Iterator[str]:
    """A listener whose queue of connections is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _attempt in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


# --- scripts ----------------------------------------------------------------------------------------------------------


def reset_before_reading(peer: Peer) -> None:
    peer.stop.wait(0.05)  # until the other side is done with connecting
    peer.reset()


def end_in_the_handshake(peer: Peer) -> None:
    peer.sock.recv(65536)


def reset_in_the_body(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    peer.stop.wait(0.1)
    peer.reset()


def end_after_reading(peer: Peer) -> None:
    peer.read()


def reset_in_the_handshake(peer: Peer) -> None:
    peer.sock.recv(65536)
    peer.reset()


def plain_http(peer: Peer) -> None:
    peer.sock.recv(65536)
    peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def trickled_record(peer: Peer) -> None:
    """A record of TLS that announces 16 KiB, a byte at a time."""
    peer.sock.sendall(b"\x16\x03\x03\x3f\xff")
    peer.trickle(b"\x02")


def trickled(piece: bytes, *, after: bytes = b"") -> Script:
    def script(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(after)
        peer.trickle(piece)

    return script


def flooded(piece: bytes, *, after: bytes = b"") -> Script:
    def script(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(after)
        peer.flood(piece)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"2\r\nok\r\n0\r\n"


def encoded(coding: str, body: bytes) -> Place:
    return says(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n%s" % (coding.encode("latin-1"), body))


trickled_headers = trickled(b"X-Slow: 1\r\n", after=b"HTTP/1.1 200 OK\r\n")
endless_headers = flooded(b"X-Many: 1\r\n", after=b"HTTP/1.1 200 OK\r\n")
endless_body = flooded(b"x" * 65536, after=b"HTTP/1.1 200 OK\r\n\r\n")
endless_continue = flooded(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)
endless_trailers = flooded(b"X-Late: 1\r\n" * 500, after=CHUNKED + LAST_CHUNK)

# --- the table --------------------------------------------------------------------------------------------------------

Row = tuple[str, Place, HttpResponse | NoResponse]

NOTHING_WAS_SENT: list[Row] = [
    ("nobody listens", nobody_listens, never_sent("refused")),
    ("no such name", no_such_name, never_sent("name not resolved")),
    ("nobody takes the connection up", nobody_takes_up, never_sent("connect timed out")),
    ("TLS: silence", instead_of_tls(silence_before_reading), never_sent("connect timed out")),
    ("TLS: no handshake, byte by byte", instead_of_tls(lambda peer: peer.trickle(b"\x16")), never_sent("TLS failed")),
    ("TLS: a handshake, byte by byte", instead_of_tls(trickled_record), never_sent("connect timed out")),
    ("TLS: plain HTTP", instead_of_tls(plain_http), never_sent("TLS failed")),
    ("TLS: an end in the handshake", instead_of_tls(end_in_the_handshake), never_sent("TLS failed")),
    ("TLS: a reset in the handshake", instead_of_tls(reset_in_the_handshake), never_sent("reset while connecting")),
    ("TLS: another host's certificate", over_tls(answers(OK), OTHER_HOST), never_sent("TLS failed")),
    ("TLS: a self-signed certificate", over_tls(answers(OK), is_self_signed=True), never_sent("TLS failed")),
    ("TLS: an expired certificate", over_tls(answers(OK), valid_from_day=-9), never_sent("TLS failed")),
    ("TLS: a certificate of the future", over_tls(answers(OK), valid_from_day=9), never_sent("TLS failed")),
]

IT_MAY_HAVE_BEEN_SENT: list[Row] = [
    ("a reset before reading", plain(reset_before_reading), lost("reset")),
    ("a reset after reading", plain(reset_after_reading), lost("reset")),
    ("a reset in the body", plain(reset_in_the_body), lost("reset")),
    ("an end after reading", plain(end_after_reading), lost("reset")),
    ("an end in the status line", says(b"HTTP/1.1 20"), lost("garbage")),
    ("an end in the body", says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), lost("garbage")),
    ("an end in a chunk", says(CHUNKED + b"5\r\nok"), lost("garbage")),
    ("an end between chunks", says(CHUNKED + b"2\r\nok\r\n"), lost("garbage")),
    ("silence", plain(silence), lost("timed out")),
    ("silence, without reading", plain(silence_before_reading), lost("timed out")),
    ("a status line, byte by byte", plain(trickled(b"H")), lost("timed out")),
    ("headers, one by one", plain(trickled_headers), lost("timed out")),
    ("a header, byte by byte", plain(trickled(b"x", after=b"HTTP/1.1 200 OK\r\nX: ")), lost("timed out")),
    ("a body, byte by byte", plain(trickled_body), lost("timed out")),
    ("chunks, byte by byte", plain(trickled(b"1\r\nx\r\n", after=CHUNKED)), lost("timed out")),
    ("the size of a chunk, byte by byte", plain(trickled(b"0", after=CHUNKED)), lost("timed out")),
    ("100 Continue, again and again", plain(trickled(b"HTTP/1.1 100 Continue\r\n\r\n")), lost("timed out")),
    ("100 Continue without end", plain(endless_continue), lost("garbage")),
    ("trailers without end", plain(endless_trailers), lost("timed out")),
    ("headers without end", plain(endless_headers), lost("garbage")),
    ("a header without end", plain(flooded(b"x" * 65536, after=b"HTTP/1.1 200 OK\r\nX: ")), lost("garbage")),
    ("a status line without end", plain(flooded(b"x" * 65536, after=b"HTTP/1.1 200 ")), lost("garbage")),
    ("the size of a chunk without end", plain(flooded(b"0" * 65536, after=CHUNKED)), lost("garbage")),
    ("a body without end", plain(endless_body), lost("answer too large")),
    ("a body above the limit", says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1)), lost("answer too large")),
    (
        "a body announced far above the limit",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * (LIMIT + 1)),
        lost("answer too large"),
    ),
    ("a chunk above the limit", says(CHUNKED + b"ffffffff\r\n" + b"x" * (LIMIT + 1)), lost("answer too large")),
    ("gzip, unasked", says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b"), lost("answer encoded")),
    ("Brotli, unasked", says(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\x0b"), lost("answer encoded")),
    ("a status line of garbage", says(b"SMTP ready\r\n\r\n"), lost("garbage")),
    ("a status that is no number", says(b"HTTP/1.1 many OK\r\n\r\n"), lost("garbage")),
    ("a status that is too long", says(b"HTTP/1.1 2000 OK\r\n\r\n"), lost("garbage")),
    ("TLS where none was asked for", says(b"\x15\x03\x03\x00\x02\x02\x28"), lost("garbage")),
    ("a bad chunk", says(CHUNKED + b"zz\r\nok\r\n"), lost("garbage")),
    (
        "101, a protocol of its own",
        says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        lost("garbage"),
    ),
    ("101, and an answer after it", says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK), lost("garbage")),
    ("102 again and again", plain(trickled(b"HTTP/1.1 102 Processing\r\n\r\n")), lost("timed out")),
    ("102 without end", plain(flooded(b"HTTP/1.1 102 Processing\r\n\r\n" * 500)), lost("garbage")),
    ("103 and no answer", says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), lost("reset")),
    ("an end in the headers", says(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"), lost("garbage")),
    (
        "two different lengths",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok"),
        lost("garbage"),
    ),
    ("two different lengths in one line", says(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok"), lost("garbage")),
    (
        "a length before a line without a colon, and an end in the body",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nbroken\r\n\r\nok"),
        lost("garbage"),
    ),
    ("zstd among words", encoded("utf-8, zstd", b"\x28\xb5\x2f\xfd"), lost("answer encoded")),
    ("TLS: silence after reading", over_tls(silence), lost("timed out")),
    ("TLS: headers, one by one", over_tls(trickled_headers), lost("timed out")),
    ("TLS: a body, byte by byte", over_tls(trickled_body), lost("timed out")),
    ("TLS: an end after reading", over_tls(end_after_reading), lost("reset")),
    ("TLS: a reset after reading", over_tls(reset_after_reading), lost("reset")),
]

IT_WAS_ANSWERED: list[Row] = [
    ("200", says(OK), OK_RESPONSE),
    ("200 over TLS", over_tls(answers(OK)), OK_RESPONSE),
    ("200 after 100 Continue", says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), OK_RESPONSE),
    (
        "200 in chunks",
        says(CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
        HttpResponse(status=200, headers={"transfer-encoding": "chunked"}, body=b"ok"),
    ),
    ("200, a body up to the end", says(b"HTTP/1.1 200 OK\r\n\r\nok"), HttpResponse(status=200, body=b"ok")),
    (
        "200, a body of the limit",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LIMIT + b"x" * LIMIT),
        HttpResponse(status=200, headers={"content-length": str(LIMIT)}, body=b"x" * LIMIT),
    ),
    (
        "200, said to be identity",
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\nok"),
        HttpResponse(status=200, headers={"content-encoding": "Identity"}, body=b"ok"),
    ),
    ("204", says(b"HTTP/1.1 204 No Content\r\n\r\n"), HttpResponse(status=204)),
    ("304", says(b"HTTP/1.1 304 Not Modified\r\n\r\n"), HttpResponse(status=304)),
    (
        "408",
        says(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
        HttpResponse(status=408, headers={"content-length": "0"}),
    ),
    (
        "429, with its wish kept",
        says(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"),
        HttpResponse(status=429, headers={"retry-after": "7", "content-length": "0"}),
    ),
    (
        "503",
        says(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"),
        HttpResponse(status=503, headers={"content-length": "4"}, body=b"busy"),
    ),
]

NO_CODINGS = ("UTF-8", "utf-8", "none", "identity", "", "binary", "iso-8859-1", "UTF-8, identity", "\xff\xfe")
"""Values of Content-Encoding that name no coding."""

ODD_HEADS: list[tuple[str, bytes, dict[str, str]]] = [
    ("102, then 200", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2", {}),
    (
        "103 with headers of its own, 100, then 200",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2",
        {},
    ),
    ("two equal lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2", {}),
    ("two equal lengths in one line", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2", {}),
    ("a line without a colon before the length", b"HTTP/1.1 200 OK\r\nbroken\r\nContent-Length: 2", {}),
    ("a line without a name before the length", b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2", {}),
    ("a name with a space before the length", b"HTTP/1.1 200 OK\r\nX Y: x\r\n z\r\nContent-Length: 2", {}),
    ("a name of odd bytes before the length", b"HTTP/1.1 200 OK\r\nX\xff: x\r\nContent-Length: 2", {}),
    ("a fold without a line", b"HTTP/1.1 200 OK\r\n x\r\nContent-Length: 2", {}),
    ("a space before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 2", {}),
    ("line feeds alone", b"HTTP/1.1 200 OK\nX: 1\nContent-Length: 2", {"x": "1"}),
    ("a folded line", b"HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 2", {"x": "a b"}),
    ("a carriage return in a value", b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2", {"x": "a b"}),
    ("odd bytes in a value", b"HTTP/1.1 200 OK\r\nX: \xff\x00\x0b\x85\r\nContent-Length: 2", {"x": "\xff\x00\x0b\x85"}),
]

IT_WAS_ANSWERED += [
    *(
        (
            f"Content-Encoding: {value!r}",
            encoded(value, b"ok"),
            HttpResponse(status=200, headers={"content-encoding": value}, body=b"ok"),
        )
        for value in NO_CODINGS
    ),
    *(
        (
            title,
            says(head + b"\r\n\r\nok"),
            HttpResponse(status=200, headers={"content-length": "2", **more}, body=b"ok"),
        )
        for title, head, more in ODD_HEADS
    ),
    (
        "200 in chunks, after a line without a colon",
        says(b"HTTP/1.1 200 OK\r\nbroken\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        HttpResponse(status=200, headers={"transfer-encoding": "chunked"}, body=b"ok"),
    ),
]

ROWS = [*NOTHING_WAS_SENT, *IT_MAY_HAVE_BEEN_SENT, *IT_WAS_ANSWERED]


def deadline_for(expected: HttpResponse | NoResponse) -> float:
    return DEADLINE if isinstance(expected, NoResponse) and "timed out" in expected.why else PATIENCE


@covers("V1", "V2", "V3", "I10")
@pytest.mark.parametrize(("place", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_call_ends_in_time_with_a_safe_result(
    transport: HttpTransport, authority: Authority, place: Place, expected: HttpResponse | NoResponse
) -> None:
    deadline = deadline_for(expected)
    with place(authority) as url:
        begun = time.monotonic()
        result = transport.call(post(f"{url}send", response_limit=LIMIT), deadline_seconds=deadline)
        seconds = time.monotonic() - begun

    assert result == expected
    # The product guarantees this bound; it does not measure speed.
    assert seconds <= deadline + GRACE


@covers("V2", "I10")
def test_server_that_does_not_read_cannot_block_the_call(transport: HttpTransport) -> None:
    with serving(silence_before_reading) as server:
        request = HttpRequest(method="POST", url=f"http://127.0.0.1:{server.port}/", body=bytes(16_000_000))
        begun = time.monotonic()
        result = transport.call(request, deadline_seconds=DEADLINE)
        seconds = time.monotonic() - begun

    assert result == lost("timed out")
    assert seconds <= DEADLINE + GRACE


# --- content codings --------------------------------------------------------------------------------------------------

CODED_LIMIT = 100
LONG = b"x" * CODED_LIMIT

CODED: list[tuple[str, str, bytes, bytes | None]] = [
    ("gzip", "gzip", gzip.compress(b"ok"), b"ok"),
    ("gzip of the limit", "gzip", gzip.compress(LONG), LONG),
    ("gzip by its old name, in capitals", "X-GZIP", gzip.compress(b"ok"), b"ok"),
    ("gzip and a charset", "UTF-8, gzip", gzip.compress(b"ok"), b"ok"),
    ("gzip of two members", "gzip", gzip.compress(b"o") + gzip.compress(b"k"), b"ok"),
    ("gzip and something after it", "gzip", gzip.compress(b"ok") + b"\0\0", b"ok"),
    ("gzip of nothing", "gzip", gzip.compress(b""), b""),
    ("nothing", "gzip", b"", b""),
    ("deflate", "deflate", zlib.compress(b"ok"), b"ok"),
    ("deflate without zlib's frame", "deflate", zlib.compress(b"ok", wbits=-zlib.MAX_WBITS), b"ok"),
    ("gzip above the limit", "gzip", gzip.compress(LONG + b"x"), None),
    ("gzip above the limit in two members", "gzip", gzip.compress(LONG) + gzip.compress(b"x"), None),
    ("deflate above the limit", "deflate", zlib.compress(LONG + b"x"), None),
    ("gzip, cut", "gzip", gzip.compress(b"ok")[:-1], None),
    ("gzip, cut in its second member", "gzip", gzip.compress(b"o") + gzip.compress(b"k")[:-1], None),
    ("gzip with another checksum", "gzip", gzip.compress(b"ok")[:-8] + bytes(8), None),
    ("gzip that is none", "gzip", b"ok", None),
    ("gzip in gzip", "gzip, gzip", gzip.compress(gzip.compress(b"ok")), None),
    ("deflate that is none", "deflate", b"ok", None),
]


@covers("V2", "I10")
@pytest.mark.parametrize(("coding", "body", "decoded"), [row[1:] for row in CODED], ids=[row[0] for row in CODED])
def test_coded_answer_is_decoded_within_the_limit(
    transport: HttpTransport, authority: Authority, coding: str, body: bytes, decoded: bytes | None
) -> None:
    with encoded(coding, body)(authority) as url:
        result = transport.call(post(url, response_limit=CODED_LIMIT), deadline_seconds=PATIENCE)

    if decoded is None:
        assert result == lost("answer encoded")
    else:
        assert result == HttpResponse(status=200, headers={"content-encoding": coding}, body=decoded)


# --- memory -----------------------------------------------------------------------------------------------------------

LARGE_HEADER = b"X: " + b"x" * 65000 + b"\r\n"
BOMB = gzip.compress(bytes(64_000_000))

FLOODS: list[tuple[str, Script, str]] = [
    ("a body without end", endless_body, "answer too large"),
    ("chunks without end", flooded(b"10000\r\n" + b"x" * 65536 + b"\r\n", after=CHUNKED), "answer too large"),
    ("a gzip bomb", answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + BOMB), "answer encoded"),
    (
        "deflate, compressed a thousand times",
        answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + zlib.compress(bytes(60_000_000))),
        "answer encoded",
    ),
    (
        "gzip of members without end",
        answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"") * 3000),
        "answer encoded",
    ),
    ("headers without end", endless_headers, "garbage"),
    ("a header without end", flooded(b"x" * 65536, after=b"HTTP/1.1 200 OK\r\nX: "), "garbage"),
    ("headers of megabytes", answers(b"HTTP/1.1 200 OK\r\n" + LARGE_HEADER * 90 + b"\r\n"), "garbage"),
    ("100 Continue without end", endless_continue, "garbage"),
    ("trailers without end", endless_trailers, "timed out"),
]


@covers("V2", "I10")
@pytest.mark.parametrize(("script", "why"), [row[1:] for row in FLOODS], ids=[row[0] for row in FLOODS])
def test_memory_of_an_answer_is_limited(transport: HttpTransport, script: Script, why: str) -> None:
    deadline = deadline_for(lost(why))
    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        tracemalloc.start()
        try:
            result = transport.call(request, deadline_seconds=deadline)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert result == lost(why)
    assert peak <= 8 * BODY_LIMIT


# --- redirects --------------------------------------------------------------------------------------------------------


@covers("V3", "I11")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_answer_and_is_not_followed(transport: HttpTransport, status: int) -> None:
    with serving(answers(OK)) as target:
        location = f"http://localhost:{target.port}/"
        redirect = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        with serving(answers(redirect.encode())) as server:
            request = post(f"http://127.0.0.1:{server.port}/", headers={"Authorization": "Bearer token"})
            result = transport.call(request, deadline_seconds=PATIENCE)

    assert result == HttpResponse(status=status, headers={"location": location, "content-length": "0"})
    assert target.connections == 0


# --- Retry-After ------------------------------------------------------------------------------------------------------

DATE = b"Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"

WISHES: list[tuple[str, bytes, float | None]] = [
    ("none", b"", None),
    ("seconds", b"Retry-After: 7\r\n", 7.0),
    ("seconds among blanks", b"Retry-After:   7  \r\n", 7.0),
    ("at once", b"Retry-After: 0\r\n", 1.0),
    ("before now", b"Retry-After: -5\r\n", None),
    ("never", b"Retry-After: 999999999\r\n", 3600.0),
    ("a number of five thousand digits", b"Retry-After: " + b"9" * 5000 + b"\r\n", 3600.0),
    ("a fraction", b"Retry-After: 1.5\r\n", None),
    ("a word", b"Retry-After: soon\r\n", None),
    ("nothing", b"Retry-After:\r\n", None),
    ("bytes", b"Retry-After: \xff\xfe\r\n", None),
    ("two of them", b"Retry-After: 7\r\nRetry-After: 9\r\n", None),
    ("a date", DATE + b"Retry-After: Sat, 21 Nov 2026 10:00:30 GMT\r\n", 30.0),
    ("a date in the past", DATE + b"Retry-After: Fri, 20 Nov 2026 10:00:30 GMT\r\n", 1.0),
    ("a date far away", DATE + b"Retry-After: Sat, 21 Nov 9998 10:00:30 GMT\r\n", 3600.0),
    ("a date that is none", DATE + b"Retry-After: Sat, 99 Nov 2026 10:00:30 GMT\r\n", None),
    ("a date without one to count from", b"Retry-After: Sat, 21 Nov 2026 10:00:30 GMT\r\n", None),
]


@covers("V3", "Q7")
@pytest.mark.parametrize(("headers", "seconds"), [wish[1:] for wish in WISHES], ids=[wish[0] for wish in WISHES])
def test_every_provider_reads_the_retry_after_header(
    transport: HttpTransport, headers: bytes, seconds: float | None
) -> None:
    throttled = b"HTTP/1.1 429 Too Many Requests\r\n" + headers + b"Content-Length: 0\r\n\r\n"
    with serving(answers(throttled)) as server:
        response = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert isinstance(response, HttpResponse)
    outcomes = {name: provider_of(name).parse_send(response) for name in NAMES}
    assert {
        name: (outcome.reason, outcome.is_final, outcome.retry_after_seconds)
        for name, outcome in outcomes.items()
        if isinstance(outcome, NotTaken)
    } == dict.fromkeys(NAMES, (Reason.RATE_LIMITED, False, seconds))


# --- a connection that is used again ----------------------------------------------------------------------------------

SECOND: list[tuple[str, Script, NoResponse]] = [
    ("an end", end_after_reading, lost("reset")),
    ("a reset", reset_after_reading, lost("reset")),
    ("silence", silence, lost("timed out")),
    ("a body, byte by byte", trickled_body, lost("timed out")),
]


@covers("V2", "I10")
@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in SECOND], ids=[row[0] for row in SECOND])
def test_second_call_on_a_connection_ends_like_the_first(
    authority: Authority, script: Script, expected: NoResponse
) -> None:
    transport = HttpTransport(authority.client_context())

    def good_once(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(OK)
        script(peer)

    with serving(good_once) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        results = [transport.call(request, deadline_seconds=deadline_for(expected)) for _ in range(2)]
        transport.close()

    assert (results, server.connections) == ([OK_RESPONSE, expected], 1)


@covers("V2")
@pytest.mark.parametrize(
    ("first", "expected", "connections"),
    [
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, OK_RESPONSE, 1),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK, lost("garbage"), 2),
    ],
    ids=["103", "101"],
)
def test_answer_after_a_1xx_is_never_that_of_the_next_call(
    authority: Authority, first: bytes, expected: HttpResponse | NoResponse, connections: int
) -> None:
    transport = HttpTransport(authority.client_context())
    second = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    waiting = [first, second]

    def script(peer: Peer) -> None:
        while peer.read():
            peer.sock.sendall(waiting.pop(0))

    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        results = [transport.call(request, deadline_seconds=PATIENCE) for _ in range(2)]
        transport.close()

    refused = HttpResponse(status=403, headers={"content-length": "0"})
    assert (results, server.connections) == ([expected, refused], connections)


@covers("V2")
def test_a_connection_that_the_server_ended_between_two_calls_is_not_used_for_the_second(authority: Authority) -> None:
    transport = HttpTransport(authority.client_context())
    ended = Event()

    def script(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(OK)
        peer.sock.shutdown(socket.SHUT_RDWR)
        ended.set()

    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        first = transport.call(request, deadline_seconds=PATIENCE)
        ended.wait(5)
        second = transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert (first, second, server.connections) == (OK_RESPONSE, OK_RESPONSE, 2)
