"""HTTP calls to vendors."""

from dataclasses import dataclass
from typing import Final, Protocol

from sampai.domain.http import HttpRequest, HttpResponse

NOT_PUBLIC: Final = "address not public"
"""Why a call was not made: the transport calls only public addresses, and the host has another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoResponse:
    """A vendor call without a response. `may_have_been_sent` is False only if no byte of the request was written."""

    may_have_been_sent: bool
    why: str


class Transport(Protocol):
    def call(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse | NoResponse:
        """Make one HTTP call that ends within the deadline, however the vendor behaves. Never raises."""
        ...
