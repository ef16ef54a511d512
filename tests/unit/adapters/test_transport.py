"""The transport with well-behaved servers; `test_transport_hostile.py` has the others."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from sampai.adapters.transport import IDLE_SECONDS, HttpTransport
from sampai.domain.addresses import is_public
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse
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
)

pytestmark = pytest.mark.usefixtures("no_call_hangs")


@pytest.fixture(scope="module")
def transport() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


def test_the_request_arrives_as_it_was_built(transport: HttpTransport) -> None:
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
def test_request_that_cannot_be_made_was_not_sent(transport: HttpTransport, request_: HttpRequest) -> None:
    result = transport.call(request_, deadline_seconds=PATIENCE)

    assert result in (never_sent("not sent"), never_sent("refused"))


@covers("I10")
def test_no_call_starts_without_time(transport: HttpTransport) -> None:
    with serving(answers(OK)) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=0)

    assert (result, server.connections) == (never_sent("connect timed out"), 0)


@covers("I11")
def test_proxy_and_netrc_of_the_environment_are_ignored(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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


def test_cookies_are_not_sent_back(transport: HttpTransport) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.append(peer.read())
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with serving(script) as server:
        for _ in range(2):
            transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert [b"cookie" in request.lower() for request in received] == [False, False]


# --- connections ------------------------------------------------------------------------------------------------------


def test_calls_in_a_row_share_a_connection_until_it_is_dropped() -> None:
    transport = HttpTransport()
    with serving(answers(OK, OK, OK)) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        first = [transport.call(request, deadline_seconds=PATIENCE) for _ in range(2)]
        shared = server.connections
        transport.close()
        second = transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert (first, shared) == ([OK_RESPONSE] * 2, 1)
    assert (second, server.connections) == (OK_RESPONSE, 2)


def test_connection_that_was_idle_for_too_long_is_not_reused() -> None:
    transport = HttpTransport()
    with serving(answers(OK, OK)) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        transport.call(request, deadline_seconds=PATIENCE)
        time.sleep(IDLE_SECONDS + 0.1)
        transport.call(request, deadline_seconds=PATIENCE)
        transport.close()

    assert server.connections == 2


def test_an_address_that_refuses_is_followed_by_the_next(transport: HttpTransport) -> None:
    """`localhost` is often ::1 and then 127.0.0.1, where alone the server listens."""
    with serving(answers(OK)) as server:
        result = transport.call(post(f"http://localhost:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == OK_RESPONSE


def test_threads_get_their_own_answers() -> None:
    transport = HttpTransport()

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


# --- secrecy ----------------------------------------------------------------------------------------------------------


@covers("I11")
@pytest.mark.parametrize(
    "script", [answers(OK), answers(b"HTTP/1.1 200 OK\r\nbroken header\r\nX: 1\r\n\r\n"), reset_after_reading, silence]
)
def test_no_log_shows_a_url(transport: HttpTransport, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serving(script) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/?password=canary"), deadline_seconds=DEADLINE)

    assert "canary" not in caplog.text + repr(result)


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


def test_valid_certificate_is_accepted_and_the_bundle_is_loaded_once(authority: Authority) -> None:
    context = authority.client_context()
    transport = HttpTransport(context)
    once = answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    with serving(once, authority.server_context(LOOPBACK)) as server, ThreadPoolExecutor(4) as threads:
        request = post(f"https://127.0.0.1:{server.port}/")
        results = list(threads.map(lambda _: transport.call(request, deadline_seconds=PATIENCE), range(12)))
        transport.close()

    assert [result.body for result in results if isinstance(result, HttpResponse)] == [b"ok"] * 12
    assert (server.connections, context.loads) == (12, 1)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@covers("V1")
def test_server_of_an_untrusted_authority_gets_no_request(transport: HttpTransport, authority: Authority) -> None:
    with serving(answers(OK), authority.server_context(LOOPBACK)) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == never_sent("TLS failed")


# --- the check of addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_host_with_an_address_that_is_not_permitted_is_not_called(host: str) -> None:
    transport = HttpTransport(permits=is_public)
    with serving(answers(OK)) as server:
        response = transport.call(post(f"http://{host}:{server.port}/"), deadline_seconds=PATIENCE)

    assert response == never_sent("address not public")
    assert server.connections == 0


@pytest.mark.parametrize("addresses", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["10.0.0.1"]], ids=str)
def test_every_address_of_the_host_must_be_permitted(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answers(OK)) as server:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        transport = HttpTransport(permits=is_public)
        response = transport.call(post("http://shop.example/"), deadline_seconds=PATIENCE)

    assert response == never_sent("address not public")
    assert server.connections == 0


def test_a_call_goes_to_the_address_that_was_checked_because_the_name_is_resolved_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []

    def permits(address: str) -> bool:
        checked.append(address)
        return True

    with serving(answers(OK)) as server:
        # A second look would find another address, where no server listens.
        found = iter([("127.0.0.1", server.port), ("127.0.0.2", 9)])
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", next(found))]
        )
        transport = HttpTransport(permits=permits)
        response = transport.call(post("http://shop.example/"), deadline_seconds=PATIENCE)

    assert response == OK_RESPONSE
    assert checked == ["127.0.0.1"]


def test_the_certificate_is_that_of_the_host_and_not_of_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    answers_by_name = {}
    for name in ("shop.example", "other.example"):
        with serving(answers(OK), authority.server_context(x509.DNSName(name))) as server:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
            transport = HttpTransport(authority.client_context(), permits=lambda _: True)
            answers_by_name[name] = transport.call(post("https://shop.example/"), deadline_seconds=PATIENCE)

    assert answers_by_name == {"shop.example": OK_RESPONSE, "other.example": never_sent("TLS failed")}
