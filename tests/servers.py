"""Servers on loopback that follow a script."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse

DEADLINE = 0.4
"""Seconds, for calls that exceed it."""

PATIENCE = 10.0
"""Seconds, for calls that end earlier."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_RESPONSE = HttpResponse(status=200, headers={"content-length": "2"}, body=b"ok")

Script = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, stop: Event) -> None:
        self.sock = sock
        self.stop = stop

    def read(self) -> bytes:
        """Read one request, or b"" if the client disconnected."""
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

    def flood(self, piece: bytes) -> None:
        while not self.stop.is_set():
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


def answers(*answers: bytes) -> Script:
    """Answer each request on the connection with the next bytes, then close it."""

    def script(peer: Peer) -> None:
        for answer in answers:
            if not peer.read():
                return
            peer.sock.sendall(answer)

    return script


def silence(peer: Peer) -> None:
    peer.read()
    peer.stop.wait(10)


def silence_before_reading(peer: Peer) -> None:
    peer.stop.wait(10)


def reset_after_reading(peer: Peer) -> None:
    peer.read()
    peer.reset()


def trickled_body(peer: Peer) -> None:
    peer.read()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    peer.trickle(b"x")


# --- the client's side ------------------------------------------------------------------------------------------------


def post(url: str, **options: Any) -> HttpRequest:
    return HttpRequest(method="POST", url=url, body=b"text=hello", **options)


def lost(why: str) -> NoResponse:
    return NoResponse(may_have_been_sent=True, why=why)


def never_sent(why: str) -> NoResponse:
    return NoResponse(may_have_been_sent=False, why=why)


# --- TLS --------------------------------------------------------------------------------------------------------------


class CountingContext(ssl.SSLContext):
    """A client's context that counts how often a CA bundle is loaded into it."""

    loads = 0

    def load_verify_locations(self, *args: Any, **options: Any) -> None:
        self.loads += 1
        super().load_verify_locations(*args, **options)


class Authority:
    """A certificate authority for the tests, and its certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.bundle = self._write("ca.pem", self._signed(self._name, self._key, constraints, -100, days=200))

    def client_context(self) -> CountingContext:
        context = CountingContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.bundle)
        return context

    def server_context(
        self, *names: x509.GeneralName, valid_from_day: int = -1, is_self_signed: bool = False
    ) -> ssl.SSLContext:
        """Return a server's TLS context. Its certificate is valid for two days, from so many days after today."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test server")])
        extension = x509.SubjectAlternativeName(names)
        if is_self_signed:
            certificate = _sign(subject, key, extension, valid_from_day, days=2, issuer=subject, by=key)
        else:
            certificate = self._signed(subject, key, extension, valid_from_day, days=2)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._write("server.pem", pem + certificate))
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        valid_from_day: int,
        *,
        days: int,
    ) -> bytes:
        return _sign(subject, key, extension, valid_from_day, days=days, issuer=self._name, by=self._key)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
    valid_from_day: int,
    *,
    days: int,
    issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey,
) -> bytes:
    begin = datetime.now(UTC) + timedelta(days=valid_from_day)
    is_authority = isinstance(extension, x509.BasicConstraints)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"encipher_only": False, "decipher_only": False, "digital_signature": True}
    usage |= {"key_cert_sign": is_authority, "crl_sign": is_authority}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(extension, critical=is_authority)
        # Python 3.13 refuses a certificate without these.
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .sign(by, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
