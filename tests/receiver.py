"""A receiver of callbacks on loopback, which verifies them with the library of the Standard Webhooks scheme."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from standardwebhooks import Webhook


class Receiver(ThreadingHTTPServer):
    """Keeps the callbacks whose signature is right. `answers` has the status of the next answers; then it is 204."""

    daemon_threads = True

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.answers: list[int] = []
        self.taken: list[tuple[str, dict[str, Any]]] = []
        """The id and the body of each callback that was answered with 204."""
        self.calls: list[str] = []
        """The id of each callback."""
        self.lock = Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        verified = Webhook(self.server.secret).verify(body, dict(self.headers))
        with self.server.lock:
            self.server.calls.append(self.headers["webhook-id"])
            status = self.server.answers.pop(0) if self.server.answers else 204
            if status == 204:
                self.server.taken.append((self.headers["webhook-id"], verified))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Write nothing."""


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    with Receiver(secret) as receiver:
        Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield receiver
        receiver.shutdown()
