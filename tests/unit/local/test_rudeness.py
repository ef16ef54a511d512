"""Rude simulators: what they put on the wire, and that nothing but the wire changes."""

import gzip
import json
import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from local.simulators.http import Reply, Request
from local.simulators.rudeness import TRICKS, echo, make_rude
from local.simulators.server import Simulators
from local.simulators.settings import Settings

POLITE = Reply.json(401, {"code": "unauthenticated"}, Retry_After="2")


def test_tricks_take_turns() -> None:
    assert [make_rude(POLITE, turn) for turn in range(len(TRICKS))] == [trick(POLITE) for trick in TRICKS.values()]
    assert make_rude(POLITE, len(TRICKS)) == make_rude(POLITE, 0)


@pytest.mark.parametrize("name", TRICKS)
def test_trick_changes_the_reply_but_not_its_document(name: str) -> None:
    rude = TRICKS[name](POLITE)

    body = gzip.decompress(rude.body) if rude.headers.get("Content-Encoding") == "gzip" else rude.body
    assert rude != POLITE
    assert (rude.status, json.loads(body.decode("utf-8-sig"))) == (401, {"code": "unauthenticated"})
    assert rude.headers["Retry-After"] == "2"


def test_rude_simulators_write_each_trick_on_the_wire() -> None:
    with Simulators(settings=Settings(rude=True)) as simulators:
        answers = [_exchange(simulators.url, "/nomsa/v1/transactional/sms") for _ in TRICKS]
        polite = _exchange(simulators.url, "/_health")

    marked, charset, packed, interim, broken, twice = answers
    assert b"\r\n\r\n\xef\xbb\xbf{" in marked
    assert b"Content-Encoding: UTF-8\r\n" in charset
    assert b"Content-Encoding: gzip\r\n" in packed
    assert interim.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert interim.count(b"HTTP/1.1 401") == 1
    assert b"\r\nX-Served-By gateway 7\r\n" in broken
    assert twice.count(b"Content-Length: ") == 2
    assert b"Content-Encoding" not in polite


SEND = Request(
    method="POST",
    path="/send",
    query="",
    headers={"apikey": "k-1"},
    body=b'{"to": "+959777777021"}',
    root_url="http://127.0.0.1",
)
ECHO = """Request was /send {'apikey': 'k-1'} {"to": "+959777777021"}, that is {"to": "+(95) 977-7777 021"}"""


@pytest.mark.parametrize(
    ("document", "echoed"),
    [
        ({"message": "Invalid"}, {"message": f"Invalid {ECHO}"}),
        ({"detail": [{"msg": "Invalid", "loc": []}]}, {"detail": [{"msg": f"Invalid {ECHO}", "loc": []}]}),
        ({"results": [{"status": "-13"}]}, {"results": [{"status": "-13"}], "message": ECHO}),
    ],
)
def test_echo_is_in_the_words_of_an_answer(document: object, echoed: object) -> None:
    assert json.loads(echo(Reply.json(400, document), SEND).body) == echoed


@pytest.mark.parametrize(
    ("reply", "request_"), [(POLITE, replace(SEND, method="GET")), (replace(POLITE, content_type="text/html"), SEND)]
)
def test_other_answers_have_no_echo(reply: Reply, request_: Request) -> None:
    assert echo(reply, request_) == reply


def _exchange(url: str, path: str) -> bytes:
    """Return all bytes of an answer."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: simulators\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))
