"""A receiver of callbacks on loopback, which verifies them with the library of the Standard Webhooks scheme."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from standardwebhooks import Webhook

from sampai.domain.http import HttpRequest, HttpResponse
from tests.harness.vendors import serving


@dataclass
class Receiver:
    """Keeps the callbacks whose signature is right. `answers` has the status of the next answers; then it is 204."""

    secret: str
    url: str = ""
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The id and the body of each callback that was answered with 204."""
    calls: list[str] = field(default_factory=list)
    """The id of each callback."""
    _lock: Lock = field(default_factory=Lock)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the next answer. Raises the library's error if the signature is wrong: then there is no answer."""
        verified = Webhook(self.secret).verify(request.body or b"", dict(request.headers))
        with self._lock:
            self.calls.append(request.headers["webhook-id"])
            status = self.answers.pop(0) if self.answers else 204
            if status == 204:
                self.taken.append((request.headers["webhook-id"], verified))
        return HttpResponse(status=status)


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    receiver = Receiver(secret)
    with serving(receiver.answer) as address:
        receiver.url = f"{address}/hooks"
        yield receiver
