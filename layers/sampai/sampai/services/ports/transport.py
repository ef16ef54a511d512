"""HTTP calls to vendors."""

from dataclasses import dataclass
from typing import Protocol

from sampai.domain.http import HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class NoResponse:
    """A vendor call that brought no answer. `may_have_been_sent` is False only if no byte of it left us."""

    may_have_been_sent: bool
    why: str


class Transport(Protocol):
    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends, whatever the other side does, within the deadline. Never raises."""
        ...
