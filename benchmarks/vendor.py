"""The vendors in a process of their own, so that their CPU time is in no result: `benchmarks.harness` starts it.

`python -m benchmarks.vendor FOLDER AWS_PORT` responds like `tests.harness.vendors`, over HTTP and HTTPS. It is also
a TLS proxy for the local AWS on that port, which offers plain HTTP only. It prints its addresses as a line of JSON, and
writes the CA of its certificate to the folder.

Control requests: `PUT /_latency` sets the delay of a response, in milliseconds. `PUT /_messages` sets the messages in
the vendors' lists; from then on `benchmarks.listing_vendor` responds to GET requests. `GET /_counts` returns the
numbers of connections and of polls, `DELETE /_counts` resets them.
"""

import asyncio
import json
import ssl
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from benchmarks.listing_vendor import ListingVendors
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.times import from_text
from tests.functional.sandbox import new_vendors
from tests.harness.vendors import json_response
from tests.servers import Authority

HOST: Final = "127.0.0.1"


class _Vendors:
    """The vendors, their latency, and the counts of connections and polls."""

    def __init__(self) -> None:
        self.connections = 0
        self._latency_seconds = 0.0
        self._vendors = new_vendors()
        self._lists = ListingVendors()

    def respond(self, request: HttpRequest) -> tuple[float, HttpResponse]:
        """Return the delay in seconds, and a response."""
        path = urlsplit(request.url).path
        if path.startswith("/_"):
            return 0, json_response(200, self._control(request.method, path, request.body))
        if request.method == "GET" and self._lists.messages:
            return self._latency_seconds, self._lists.call(request, deadline_seconds=0)
        response = self._vendors(request)
        assert isinstance(response, HttpResponse)
        return self._latency_seconds, response

    def _control(self, method: str, path: str, body: bytes) -> Any:
        match method, path:
            case "PUT", "/_latency":
                self._latency_seconds = json.loads(body) / 1000
            case "PUT", "/_messages":
                self._lists.messages = {
                    vendor: [(from_text(at), f"{vendor}-{number}") for number in range(first, first + count)]
                    for vendor, (first, count, at) in json.loads(body).items()
                }
            case "DELETE", "/_counts":
                self.connections = 0
                self._lists.calls.clear()
                self._vendors.calls.clear()
                self._vendors.requests.clear()
        return {"connections": self.connections, "polls": self._lists.calls.total()}


class _Connection(asyncio.Protocol):
    """A connection of a client that sends one request after another, with a Content-Length or without a body."""

    def __init__(self, vendors: _Vendors) -> None:
        self._vendors = vendors
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
        method, target, _ = first.split(" ")
        if not self._is_counted and not target.startswith("/_"):
            self._is_counted = True
            self._vendors.connections += 1
        request = HttpRequest(method=method, url=f"http://{HOST}{target}", headers=headers, body=rest[:length])
        delay, response = self._vendors.respond(request)
        length = len(response.body)
        header = f"HTTP/1.1 {response.status} OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        asyncio.get_running_loop().call_later(delay, self._transport.write, header.encode() + response.body)


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward a connection to a port of this machine, in both directions."""
    to_reader, to_writer = await asyncio.open_connection(HOST, port)
    await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _address(scheme: str, server: asyncio.Server) -> str:
    return f"{scheme}://{HOST}:{server.sockets[0].getsockname()[1]}"


async def main(folder: Path, aws_port: int) -> None:
    """Serve until the process is killed."""
    authority = Authority(folder)
    tls: ssl.SSLContext = authority.server_context(x509.IPAddress(ip_address(HOST)))
    loop = asyncio.get_running_loop()
    vendors = _Vendors()
    http = await loop.create_server(lambda: _Connection(vendors), HOST, 0, backlog=512)
    https = await loop.create_server(lambda: _Connection(vendors), HOST, 0, ssl=tls, backlog=512)
    aws = await asyncio.start_server(lambda r, w: _forward(aws_port, r, w), HOST, 0, ssl=tls)
    addresses = {"http": _address("http", http), "https": _address("https", https), "aws": _address("https", aws)}
    print(json.dumps({**addresses, "ca": str(authority.bundle)}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
