"""The transport against servers that do everything that a server should not."""

import faulthandler
import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampai.adapters.transport import IDLE_SECONDS, RequestsTransport
from sampai.providers.http import HttpRequest, HttpResponse
from sampai.services.ports import NoResponse

DEADLINE = 0.4
"""Seconds, for calls that run into it."""

PATIENCE = 10.0
"""Seconds, for calls that end before."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_RESPONSE = HttpResponse(status=200, headers={"content-length": "2"}, body=b"ok")

Script = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, stop: Event) -> None:
        self.sock = sock
        self.stop = stop

    def read(self) -> bytes:
        """Read one request, or b"" when the client went away."""
        received = b""
        while b"\r\n\r\n" not in received:
            if not (piece := self.sock.recv(65536)):
                return b""
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while len(body) < sum(lengths):
            body += self.sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def trickle(self, piece: bytes) -> None:
        while not self.stop.wait(0.02):
            self.sock.sendall(piece)


class Server:
    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._script = script
        self._tls = tls
        self._stop = Event()
        self._threads: list[Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def close(self) -> None:
        self._stop.set()
        # Closing alone would not wake a thread that accepts or reads.
        for sock in (self._listener, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            if self._tls is None:
                self._run(sock)
            else:
                with self._tls.wrap_socket(sock, server_side=True) as secured:
                    self._run(secured)

    def _run(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        sock.settimeout(5)
        self._script(Peer(sock, self._stop))

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script, tls)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _no_call_hangs() -> Iterator[None]:
    faulthandler.dump_traceback_later(30, exit=True, file=2)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def transport() -> Iterator[RequestsTransport]:
    transport = RequestsTransport()
    yield transport
    transport.close()


def post(url: str, **options: Any) -> HttpRequest:
    return HttpRequest(method="POST", url=url, body=b"text=hello", **options)


def answers(*answers: bytes) -> Script:
    """Answer each request on the connection with the next bytes, then close it."""

    def script(peer: Peer) -> None:
        for answer in answers:
            if not peer.read():
                return
            peer.sock.sendall(answer)

    return script


def deadline_for(expected: HttpResponse | NoResponse) -> float:
    return DEADLINE if isinstance(expected, NoResponse) and "timed out" in expected.why else PATIENCE


def lost(why: str) -> NoResponse:
    return NoResponse(may_have_been_sent=True, why=why)


def never_sent(why: str) -> NoResponse:
    return NoResponse(may_have_been_sent=False, why=why)


def silence(peer: Peer) -> None:
    peer.read()
    peer.stop.wait(10)


def silence_before_reading(peer: Peer) -> None:
    peer.stop.wait(10)


def reset_before_reading(peer: Peer) -> None:
    peer.reset()


def reset_after_reading(peer: Peer) -> None:
    peer.read()
    peer.reset()


def reset_in_the_body(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    peer.stop.wait(0.1)
    peer.reset()


def end_after_reading(peer: Peer) -> None:
    peer.read()


def trickled_status_line(peer: Peer) -> None:
    peer.read()
    peer.trickle(b"H")


def trickled_headers(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    peer.trickle(b"X-Slow: 1\r\n")


def trickled_body(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    peer.trickle(b"x")


def trickled_chunks(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.trickle(b"1\r\nx\r\n")


def endless_continue(peer: Peer) -> None:
    peer.read()
    peer.trickle(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_body(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not peer.stop.is_set():
        peer.sock.sendall(b"x" * 65536)


CASES: list[tuple[str, Script, HttpResponse | NoResponse]] = [
    ("an answer", answers(OK), OK_RESPONSE),
    ("an empty answer", answers(b"HTTP/1.1 204 No Content\r\n\r\n"), HttpResponse(status=204)),
    (
        "a refusal with its wish kept",
        answers(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"),
        HttpResponse(status=429, headers={"retry-after": "7", "content-length": "0"}),
    ),
    (
        "a server error",
        answers(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"),
        HttpResponse(status=503, headers={"content-length": "4"}, body=b"busy"),
    ),
    (
        "chunks",
        answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
        HttpResponse(status=200, headers={"transfer-encoding": "chunked"}, body=b"ok"),
    ),
    ("a body up to the end", answers(b"HTTP/1.1 200 OK\r\n\r\nok"), HttpResponse(status=200, body=b"ok")),
    ("100 Continue first", answers(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), OK_RESPONSE),
    (
        "a body of the limit",
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"x" * 20),
        HttpResponse(status=200, headers={"content-length": "20"}, body=b"x" * 20),
    ),
    ("a body above the limit", answers(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 21), lost("answer too large")),
    (
        "a body announced above",
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 21),
        lost("answer too large"),
    ),
    ("an endless body", endless_body, lost("answer too large")),
    (
        "gzip",
        answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"),
        lost("answer encoded"),
    ),
    (
        "a protocol of its own",
        answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        lost("garbage"),
    ),
    ("early hints", answers(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK), lost("garbage")),
    ("a status line of garbage", answers(b"SMTP ready\r\n\r\n"), lost("garbage")),
    ("a status of garbage", answers(b"HTTP/1.1 many OK\r\n\r\n"), lost("garbage")),
    ("a cut body", answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), lost("garbage")),
    ("a bad chunk", answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n"), lost("garbage")),
    ("cut chunks", answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"), lost("garbage")),
    ("a header without end", answers(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n"), lost("garbage")),
    ("a reset before reading", reset_before_reading, lost("reset")),
    ("a reset after reading", reset_after_reading, lost("reset")),
    ("a reset in the body", reset_in_the_body, lost("reset")),
    ("an end after reading", end_after_reading, lost("reset")),
    ("silence", silence, lost("timed out")),
    ("a trickled status line", trickled_status_line, lost("timed out")),
    ("trickled headers", trickled_headers, lost("timed out")),
    ("a trickled body", trickled_body, lost("timed out")),
    ("trickled chunks", trickled_chunks, lost("timed out")),
    ("100 Continue for ever", endless_continue, lost("timed out")),
]


@pytest.mark.parametrize(("script", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_call_ends_in_an_answer_or_in_what_is_known_of_its_loss(
    transport: RequestsTransport, script: Script, expected: HttpResponse | NoResponse
) -> None:
    limit = 20
    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/send", response_limit=limit)

        assert transport.call(request, deadline_seconds=deadline_for(expected)) == expected


def test_the_request_arrives_as_it_was_built(transport: RequestsTransport) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.append(peer.read())
        peer.sock.sendall(OK)

    with serving(script) as server:
        request = HttpRequest.post_json(
            f"http://127.0.0.1:{server.port}/v1/send?a=%2B1", {"text": "សួស្តី"}, headers={"Authorization": "Bearer token"}
        )
        transport.call(request, deadline_seconds=PATIENCE)

    head, _, body = received[0].partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert line == "POST /v1/send?a=%2B1 HTTP/1.1"
    assert {tuple(header.split(": ", 1)) for header in headers} == {
        ("Host", f"127.0.0.1:{server.port}"),
        ("User-Agent", "sampai"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Authorization", "Bearer token"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(request.body))),
    }
    assert body == request.body


def test_a_refused_connection_carried_nothing(transport: RequestsTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    result = transport.call(post(f"http://127.0.0.1:{port}/"), deadline_seconds=PATIENCE)

    assert result == never_sent("refused")


def test_a_name_that_does_not_resolve_carried_nothing(transport: RequestsTransport) -> None:
    result = transport.call(post("http://sampai.invalid/"), deadline_seconds=PATIENCE)

    assert result == never_sent("name not resolved")


def test_a_connection_that_is_not_taken_up_carried_nothing(transport: RequestsTransport) -> None:
    with socket.socket() as listener, suppress(BlockingIOError):
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(listener.getsockname())

        result = transport.call(post(f"http://127.0.0.1:{listener.getsockname()[1]}/"), deadline_seconds=DEADLINE)

        for sock in waiting:
            sock.close()
        assert result == never_sent("connect timed out")


@pytest.mark.parametrize(
    "request_",
    [
        post("http://127.0.0.1:1/", headers={"X": "a\r\nB: c"}),
        post("http://127.0.0.1:1/", headers={"X": "\u1780"}),
        post("http://["),
        post("ftp://127.0.0.1/"),
        post(""),
    ],
    ids=["a line break in a header", "a header beyond Latin-1", "no URL", "no HTTP", "nothing"],
)
def test_a_request_that_cannot_be_made_carried_nothing(transport: RequestsTransport, request_: HttpRequest) -> None:
    result = transport.call(request_, deadline_seconds=PATIENCE)

    assert result in (never_sent("not sent"), never_sent("refused"))


def test_no_call_starts_without_time(transport: RequestsTransport) -> None:
    with serving(answers(OK)) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=0)

    assert (result, server.connections) == (never_sent("connect timed out"), 0)


def test_a_server_that_does_not_read_cannot_hold_the_call(transport: RequestsTransport) -> None:
    with serving(silence_before_reading) as server:
        request = HttpRequest(method="POST", url=f"http://127.0.0.1:{server.port}/", body=bytes(16_000_000))

        assert transport.call(request, deadline_seconds=DEADLINE) == lost("timed out")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_its_target_sees_nothing(transport: RequestsTransport, status: int) -> None:
    with serving(answers(OK)) as target:
        location = f"http://127.0.0.1:{target.port}/"
        redirect = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        with serving(answers(redirect.encode())) as server:
            result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == HttpResponse(status=status, headers={"location": location, "content-length": "0"})
    assert target.connections == 0


def test_neither_proxy_nor_netrc_of_the_environment_is_used(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.append(peer.read())
        peer.sock.sendall(OK)

    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(answers(OK)) as proxy, serving(script) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert (result, proxy.connections) == (OK_RESPONSE, 0)
    assert b"authorization" not in received[0].lower()


def test_no_cookie_comes_back(transport: RequestsTransport) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.append(peer.read())
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with serving(script) as server:
        for _ in range(2):
            transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert [b"cookie" in request.lower() for request in received] == [False, False]


# --- connections ----------------------------------------------------------------------------------------------------


def test_calls_in_a_row_share_a_connection_until_it_is_dropped() -> None:
    transport = RequestsTransport()
    with serving(answers(OK, OK, OK)) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        first = [transport.call(request, deadline_seconds=PATIENCE) for _ in range(2)]
        shared = server.connections
        transport.close()
        second = transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert (first, shared) == ([OK_RESPONSE] * 2, 1)
    assert (second, server.connections) == (OK_RESPONSE, 2)


def test_a_connection_that_was_idle_is_not_used_again() -> None:
    transport = RequestsTransport()
    with serving(answers(OK, OK)) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        transport.call(request, deadline_seconds=PATIENCE)
        time.sleep(IDLE_SECONDS + 0.1)
        transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    transport = RequestsTransport()
    closed = Event()

    def script(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(OK)
        peer.sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        first = transport.call(request, deadline_seconds=PATIENCE)
        closed.wait(5)
        second = transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert (first, second) == (OK_RESPONSE, OK_RESPONSE)


def test_a_call_on_a_shared_connection_has_a_deadline_of_its_own() -> None:
    transport = RequestsTransport()

    def script(peer: Peer) -> None:
        peer.read()
        peer.sock.sendall(OK)
        trickled_body(peer)

    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        results = [transport.call(request, deadline_seconds=DEADLINE) for _ in range(2)]
        transport.close()

    assert (results, server.connections) == ([OK_RESPONSE, lost("timed out")], 1)


def test_an_address_that_refuses_is_followed_by_the_next(transport: RequestsTransport) -> None:
    """`localhost` is often ::1 and then 127.0.0.1, where alone the server listens."""
    with serving(answers(OK)) as server:
        result = transport.call(post(f"http://localhost:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == OK_RESPONSE


def test_threads_get_their_own_answers() -> None:
    transport = RequestsTransport()

    def echo(peer: Peer) -> None:
        while request := peer.read():
            path = request.split(b" ")[1]
            if path == b"/0":
                return
            peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    def call(number: int) -> HttpResponse | NoResponse:
        return transport.call(post(f"http://127.0.0.1:{server.port}/{number % 8}"), deadline_seconds=PATIENCE)

    with serving(echo) as server, ThreadPoolExecutor(32) as threads:
        results = list(threads.map(call, range(96)))
        transport.close()

    expected = [f"/{number % 8}".encode() if number % 8 else lost("reset") for number in range(96)]
    assert [result.body if isinstance(result, HttpResponse) else result for result in results] == expected


# --- secrecy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script", [answers(OK), answers(b"HTTP/1.1 200 OK\r\nbroken header\r\nX: 1\r\n\r\n"), reset_after_reading, silence]
)
def test_no_log_shows_a_url(transport: RequestsTransport, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serving(script) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/?password=canary"), deadline_seconds=DEADLINE)

    assert "canary" not in caplog.text + repr(result)


# --- TLS ------------------------------------------------------------------------------------------------------------


class CountingContext(ssl.SSLContext):
    """A client's context that counts how often a CA bundle is loaded into it."""

    loads = 0

    def load_verify_locations(self, *args: Any, **options: Any) -> None:
        self.loads += 1
        super().load_verify_locations(*args, **options)


class Authority:
    """A certificate authority for the tests, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        own = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.bundle = self._write("ca.pem", own)

    def client_context(self) -> CountingContext:
        context = CountingContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.bundle)
        return context

    def server_context(self, *names: x509.GeneralName) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test server")])
        certificate = self._sign(subject, key, x509.SubjectAlternativeName(names))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._write("server.pem", pem + certificate))
        return context

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


@contextmanager
def trusting(authority: Authority) -> Iterator[RequestsTransport]:
    transport = RequestsTransport(authority.client_context())
    try:
        yield transport
    finally:
        transport.close()


def test_a_certificate_that_is_in_order_is_accepted_and_the_bundle_is_loaded_once(authority: Authority) -> None:
    context = authority.client_context()
    transport = RequestsTransport(context)
    once = answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    with serving(once, authority.server_context(LOOPBACK)) as server, ThreadPoolExecutor(4) as threads:
        request = post(f"https://127.0.0.1:{server.port}/")
        results = list(threads.map(lambda _: transport.call(request, deadline_seconds=PATIENCE), range(12)))
        transport.close()

    assert [result.body for result in results if isinstance(result, HttpResponse)] == [b"ok"] * 12
    assert (server.connections, context.loads) == (12, 1)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_an_authority_that_is_not_trusted_gets_nothing(transport: RequestsTransport, authority: Authority) -> None:
    with serving(answers(OK), authority.server_context(LOOPBACK)) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == never_sent("TLS failed")


def test_another_hosts_certificate_gets_nothing(authority: Authority) -> None:
    tls = authority.server_context(x509.DNSName("other.example"))
    with trusting(authority) as transport, serving(answers(OK), tls) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == never_sent("TLS failed")


def test_a_server_that_speaks_no_tls_gets_nothing(transport: RequestsTransport) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(script) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == never_sent("TLS failed")


HANDSHAKES: list[tuple[str, Script, str]] = [
    ("silence", silence_before_reading, "connect timed out"),
    ("a trickle", lambda peer: peer.trickle(b"\x16"), "TLS failed"),
    ("a record that trickles", lambda peer: _trickled_record(peer), "connect timed out"),
    ("a reset", reset_before_reading, "reset while connecting"),
]


def _trickled_record(peer: Peer) -> None:
    peer.sock.sendall(b"\x16\x03\x03\x3f\xff")
    peer.trickle(b"\x02")


@pytest.mark.parametrize(("script", "why"), [case[1:] for case in HANDSHAKES], ids=[case[0] for case in HANDSHAKES])
def test_a_handshake_that_does_not_end_carried_nothing(transport: RequestsTransport, script: Script, why: str) -> None:
    with serving(script) as server:
        result = transport.call(
            post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=deadline_for(never_sent(why))
        )

    assert result == never_sent(why)


TLS_CASES: list[tuple[str, Script, HttpResponse | NoResponse]] = [
    ("an answer", answers(OK), OK_RESPONSE),
    ("silence", silence, lost("timed out")),
    ("a server that does not read", silence_before_reading, lost("timed out")),
    ("trickled headers", trickled_headers, lost("timed out")),
    ("a trickled body", trickled_body, lost("timed out")),
    ("an end after reading", end_after_reading, lost("reset")),
    ("a reset after reading", reset_after_reading, lost("reset")),
]


@pytest.mark.parametrize(("script", "expected"), [case[1:] for case in TLS_CASES], ids=[case[0] for case in TLS_CASES])
def test_a_call_over_tls_ends_the_same_way(
    authority: Authority, script: Script, expected: HttpResponse | NoResponse
) -> None:
    with trusting(authority) as transport, serving(script, authority.server_context(LOOPBACK)) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=deadline_for(expected))

    assert result == expected
