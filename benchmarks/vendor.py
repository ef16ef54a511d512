"""The vendors in a process of their own, so that nobody pays for them: `python -m benchmarks.vendor FOLDER`.

They answer as `tests.harness.vendors` has them, after a latency that may be set, over HTTP and HTTPS. The process
prints its addresses as a line of JSON; the CA that vouches for it is left in the folder. `PUT /_latency` with
milliseconds in the body sets the latency, `GET /_seen` tells connections and calls, `DELETE /_seen` forgets them.

With `--forward PORT` it also is a TLS front for the local AWS on that port, which speaks plain HTTP alone.
"""

import argparse
import asyncio
import json
import ssl
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from sampai.domain.http import HttpRequest, HttpResponse
from tests.functional.sandbox import new_vendors
from tests.harness.vendors import FakeVendors, json_response
from tests.servers import Authority

HOST: Final = "127.0.0.1"


class _Seen:
    """What came in since somebody last said to forget it."""

    def __init__(self, vendors: FakeVendors) -> None:
        self.vendors = vendors
        self.latency_seconds = 0.0
        self.connections = 0

    def answer(self, request: HttpRequest) -> tuple[float, HttpResponse]:
        """Return the answer, and after how many seconds to give it."""
        match request.method, urlsplit(request.url).path:
            case "PUT", "/_latency":
                self.latency_seconds = float(request.body) / 1000
                return 0, json_response(200, {})
            case "GET", "/_seen":
                return 0, json_response(200, {"connections": self.connections, "calls": Counter(self.vendors.calls)})
            case "DELETE", "/_seen":
                self.connections = 0
                self.vendors.calls.clear()
                self.vendors.requests.clear()
                return 0, json_response(200, {})
        answer = self.vendors(request)
        assert isinstance(answer, HttpResponse)
        return self.latency_seconds, answer


class _Connection(asyncio.Protocol):
    """One client: requests come in one after the other, each with a Content-Length or without a body."""

    def __init__(self, seen: _Seen) -> None:
        self._seen = seen
        self._received = b""
        self._is_counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, address, _ = first.split(" ")
        if not self._is_counted and not address.startswith("/_"):
            self._is_counted = True
            self._seen.connections += 1
        request = HttpRequest(method=method, url=f"http://{HOST}{address}", headers=headers, body=rest[:length])
        after, answer = self._seen.answer(request)
        start = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}"
        asyncio.get_running_loop().call_later(after, self._transport.write, f"{start}\r\n\r\n".encode() + answer.body)


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry a connection on to a port of this machine, both ways."""
    to_reader, to_writer = await asyncio.open_connection(HOST, port)
    await asyncio.gather(_pour(reader, to_writer), _pour(to_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def main(folder: Path, forward_to: int | None) -> None:
    """Serve until the process is ended."""
    authority = Authority(folder)
    tls: ssl.SSLContext = authority.server_context(x509.IPAddress(ip_address(HOST)))
    loop = asyncio.get_running_loop()
    seen = _Seen(new_vendors())
    plain = await loop.create_server(lambda: _Connection(seen), HOST, 0, backlog=512)
    secure = await loop.create_server(lambda: _Connection(seen), HOST, 0, ssl=tls, backlog=512)
    places = {"http": f"http://{HOST}:{_port(plain)}", "https": f"https://{HOST}:{_port(secure)}"}
    if forward_to is not None:
        front = await asyncio.start_server(lambda r, w: _forward(forward_to, r, w), HOST, 0, ssl=tls)
        places["aws"] = f"https://{HOST}:{_port(front)}"
    print(json.dumps({**places, "ca": str(authority.bundle)}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--forward", type=int)
    given = parser.parse_args()
    asyncio.run(main(given.folder, given.forward))
