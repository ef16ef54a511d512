"""Habits of requests and urllib3 that the transport must not have."""

import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509

from sampai.adapters.transport import CONNECTIONS, HOSTS, HttpTransport
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.services.ports.transport import NoResponse
from tests.covers import covers
from tests.servers import DEADLINE, OK, OK_RESPONSE, PATIENCE, Authority, Peer, answers, lost, never_sent, post, serving

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


def first_line_of(peer: Peer) -> str:
    return peer.read().decode().partition("\r\n")[0]


@covers("I11")
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_no_authority_of_the_environment_is_trusted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv(name, str(authority.bundle))
    transport = HttpTransport()
    with serving(answers(OK), authority.server_context(LOOPBACK)) as server:
        result = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)
        transport.close()

    assert result == never_sent("TLS failed")


@covers("V1")
def test_a_verified_connection_raises_no_warning_and_one_to_another_host_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    transport = HttpTransport(authority.client_context())
    with warnings.catch_warnings(), serving(answers(OK), authority.server_context(LOOPBACK)) as server:
        warnings.simplefilter("error")
        good = transport.call(post(f"https://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)
        other = transport.call(post(f"https://localhost:{server.port}/"), deadline_seconds=PATIENCE)
        transport.close()

    assert (good, other) == (OK_RESPONSE, never_sent("TLS failed"))


@pytest.mark.parametrize("path", ["/a/../b", "/a//b", "/%7Ea?b=%2B%2b", "/a?b=c%20d&e=?/", "/"])
def test_a_path_goes_out_as_it_was_built(path: str, transport: HttpTransport) -> None:
    lines: list[str] = []

    def script(peer: Peer) -> None:
        lines.append(first_line_of(peer))
        peer.sock.sendall(OK)

    with serving(script) as server:
        transport.call(post(f"http://127.0.0.1:{server.port}{path}"), deadline_seconds=PATIENCE)

    assert [line.replace("%2b", "%2B") for line in lines] == [f"POST {path.replace('%2b', '%2B')} HTTP/1.1"]


def test_a_user_in_the_url_does_not_replace_the_authorization(transport: HttpTransport) -> None:
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        received.append(peer.read())
        peer.sock.sendall(OK)

    with serving(script) as server:
        request = post(f"http://user:pass@127.0.0.1:{server.port}/", headers={"Authorization": "Bearer token"})
        transport.call(request, deadline_seconds=PATIENCE)

    assert received[0].count(b"Authorization: ") == 1
    assert b"Authorization: Bearer token\r\n" in received[0]


@covers("V2")
@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", b"", b"HTTP/1.1 20"]
)
def test_a_request_that_may_have_arrived_is_not_sent_again(answer: bytes, transport: HttpTransport) -> None:
    requests: list[bytes] = []

    def script(peer: Peer) -> None:
        requests.append(peer.read())
        peer.sock.sendall(answer)

    with serving(script) as server:
        transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert (len(requests), server.connections) == (1, 1)


@covers("V2")
def test_a_late_answer_is_not_taken_for_that_of_the_next_call(transport: HttpTransport) -> None:
    """102 promises another answer on the same connection, which may come while a second call waits for its own."""

    connections: list[Peer] = []

    def script(peer: Peer) -> None:
        connections.append(peer)
        peer.read()
        if len(connections) == 1:
            peer.sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
            if peer.read():
                peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
        else:
            peer.sock.sendall(OK)

    with serving(script) as server:
        request = post(f"http://127.0.0.1:{server.port}/")
        results = [transport.call(request, deadline_seconds=seconds) for seconds in (DEADLINE, PATIENCE)]

    assert results == [lost("timed out"), OK_RESPONSE]


@pytest.mark.parametrize(("second", "expected"), [(2, OK_RESPONSE), (3, lost("garbage"))], ids=["equal", "different"])
def test_an_answer_of_two_lengths_is_one_only_if_they_are_equal(
    second: int, expected: HttpResponse | NoResponse, transport: HttpTransport
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: %d\r\n\r\nok" % second
    with serving(answers(answer)) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == expected


def test_as_many_calls_as_connections_are_kept_go_on_at_once(transport: HttpTransport) -> None:
    together = Barrier(CONNECTIONS)

    def script(peer: Peer) -> None:
        peer.read()
        together.wait(10)
        peer.sock.sendall(OK)

    def call(_: int) -> object:
        return transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    with serving(script) as server, ThreadPoolExecutor(CONNECTIONS) as threads:
        results = list(threads.map(call, range(CONNECTIONS)))

    assert results == [OK_RESPONSE] * CONNECTIONS


def test_more_hosts_than_are_kept_are_all_answered(transport: HttpTransport) -> None:
    results = []
    for _ in range(HOSTS + 2):
        with serving(answers(OK)) as server:
            results.append(transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE))

    assert results == [OK_RESPONSE] * (HOSTS + 2)


@covers("I11")
def test_no_warning_of_urllib3_is_logged(transport: HttpTransport, caplog: pytest.LogCaptureFixture) -> None:
    both = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nbroken\r\n\r\n0\r\n\r\n"
    with caplog.at_level(logging.DEBUG), serving(answers(both)) as server:
        transport.call(HttpRequest.get(f"http://127.0.0.1:{server.port}/?a=canary", headers={}), deadline_seconds=1)

    assert caplog.text == ""


def test_a_response_keeps_no_case_and_joins_what_comes_twice(transport: HttpTransport) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok"
    with serving(answers(answer)) as server:
        result = transport.call(post(f"http://127.0.0.1:{server.port}/"), deadline_seconds=PATIENCE)

    assert result == HttpResponse(status=200, headers={"x-a": "1, 2", "content-length": "2"}, body=b"ok")
