"""Send receipts to the client when they are due: one heap, a few worker threads, a bounded number of tries."""

import heapq
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

TRIES: Final = 3
TIMEOUT_SECONDS: Final = 20.0
"""Longer than a busy computer takes to start the webhook function: at 5 s, one start can use up all tries."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One HTTP request to the client's webhook."""

    vendor: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


BuildReceipt = Callable[[], Receipt | None]


@dataclass(order=True, slots=True)
class _Due:
    at: float
    sequence: int
    build: BuildReceipt = field(compare=False)
    attempt: int = field(compare=False)


class WebhookSender:
    """Delivers receipts. Each is built when it is due, so it has the address and the time of that moment."""

    def __init__(
        self, *, retry_seconds: Callable[[], float], count: Callable[[str, str], None], workers: int = 4
    ) -> None:
        self._retry_seconds = retry_seconds
        self._count = count
        self._heap: list[_Due] = []
        self._sequence = itertools.count()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._workers = [threading.Thread(target=self._deliver_due, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Start the workers."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Drop the receipts that are not yet due and wait for those in flight."""
        with self._changed:
            self._is_stopping = True
            self._heap.clear()
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(TIMEOUT_SECONDS + 1)

    def clear(self) -> None:
        """Drop the receipts that are not yet due."""
        with self._changed:
            self._heap.clear()

    def schedule(self, after_seconds: float, build: BuildReceipt, *, attempt: int = 1) -> None:
        """Deliver a receipt after a delay in seconds."""
        with self._changed:
            if not self._is_stopping:
                heapq.heappush(self._heap, _Due(time.monotonic() + after_seconds, next(self._sequence), build, attempt))
                self._changed.notify()

    def deliver(self, build: BuildReceipt, *, attempt: int = 1) -> None:
        """Deliver a receipt now, and retry later if the response is not 200. A failed delivery does not raise."""
        receipt = build()
        if receipt is None:
            return
        status = _transmit(receipt)
        self._count(receipt.vendor, "receipt" if status == http.client.OK else "receipt_failed")
        if status != http.client.OK and attempt < TRIES:
            self.schedule(attempt * self._retry_seconds(), build, attempt=attempt + 1)

    def _deliver_due(self) -> None:
        while (due := self._wait_for_next()) is not None:
            try:
                self.deliver(due.build, attempt=due.attempt)
            except Exception:
                _log.exception("a receipt could not be built")

    def _wait_for_next(self) -> _Due | None:
        with self._changed:
            while not self._is_stopping:
                wait = self._heap[0].at - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)
                self._changed.wait(wait)
            return None


def is_local(url: str) -> bool:
    """Return whether a URL leads to this computer. The simulators call no other host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and (host.startswith("127.") or host == "localhost" or host.endswith(".localhost"))


def _transmit(receipt: Receipt) -> int | None:
    """Send a receipt. Return the HTTP status of the response, or None if there is no response."""
    if not is_local(receipt.url):
        return None
    parts = urlsplit(receipt.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    # Names under .localhost do not resolve everywhere; the Host header keeps the name for the server to route by.
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Host": parts.netloc, **receipt.headers}
        connection.request(receipt.method, target or "/", body=receipt.body or None, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
