"""The four vendors on loopback, each saying its documented success and nothing else, but for one number."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

THROTTLED = "20"
"""The first send to a number of Nomsa's that ends so is turned away."""

ROOTS = {
    "nomsa": "nomsa/v1",
    "smsnoc": "smsnoc/api/v3",
    "smspoh": "smspoh/api/rest",
    "nusasms": "nusasms",
}

CREDENTIALS = {
    "nomsa": {"api_key": "functional_v1_nomsa"},
    "smsnoc": {"api_token": "1|functional-token"},
    "smspoh": {"api_key": "functional-key", "api_secret": "functional-secret"},
    "nusasms": {"user": "functional-user", "password": "functional-password"},
}

Answer = tuple[int, Any]


class Vendors:
    """What the vendors were asked, and how they answer. Ids are `nomsa-1`, `nomsa-2`, `smsnoc-1` …"""

    def __init__(self, address: str) -> None:
        self.base_urls = {name: f"{address}/{root}" for name, root in ROOTS.items()}
        self.calls: list[str] = []
        """Method and path of each request, without the query."""
        self._taken: Counter[str] = Counter()
        self._throttled: set[str] = set()
        self._rows: dict[str, Any] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, address: str, body: bytes) -> Answer:
        path = urlsplit(address).path
        with self._lock:
            self.calls.append(f"{method} {path}")
            vendor = path.split("/")[1]
            answer: Answer = getattr(self, f"_{vendor}")(method, path, body)
            return answer

    def _nomsa(self, method: str, path: str, body: bytes) -> Answer:
        if method == "GET":
            rows = [{**row, "status": "DELIVERED"} for row in self._rows.values()]
            return (200, {"has_more": False, "data": rows}) if path.endswith("/sms") else (200, rows[0])
        asked = json.loads(body)
        number = asked["recipient"]
        if number.endswith(THROTTLED) and number not in self._throttled:
            self._throttled.add(number)
            return 429, {"code": "rate_limit", "message": f"too many for {number}"}
        row = {
            "id": self._new_id("nomsa"),
            "recipient": number,
            "body": asked["body"],
            "status": "SENT",
            "created_at": "2026-11-21T10:00:00.100Z",
        }
        self._rows[row["id"]] = row
        return 201, row

    def _smsnoc(self, method: str, path: str, body: bytes) -> Answer:
        asked = json.loads(body)
        row = {"uid": self._new_id("smsnoc"), "to": asked["recipient"], "message": asked["message"]}
        return 200, {"status": "success", "data": {**row, "status": "Enroute"}}

    def _smspoh(self, method: str, path: str, body: bytes) -> Answer:
        asked = json.loads(body)
        row = {"messageId": self._new_id("smspoh"), "status": "Accepted", "message": asked["message"]}
        return 201, {"messages": [{**row, "to": asked["to"], "clientReference": asked["clientReference"]}]}

    def _nusasms(self, method: str, path: str, body: bytes) -> Answer:
        number = parse_qs(body.decode())["GSM"][0]
        return 200, {"results": [{"status": "0", "messageid": self._new_id("nusasms"), "destination": number}]}

    def _new_id(self, vendor: str) -> str:
        self._taken[vendor] += 1
        return f"{vendor}-{self._taken[vendor]}"


class _Handler(BaseHTTPRequestHandler):
    vendors: ClassVar[Vendors]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, document = self.vendors.answer(self.command, self.path, body)
        said = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing: the output of a test is the functions' own."""


@contextmanager
def running() -> Iterator[Vendors]:
    """Run the vendors on a free port until the block ends."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.vendors = vendors = Vendors(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield vendors
        finally:
            server.shutdown()
            thread.join()
