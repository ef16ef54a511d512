"""Read statuses from one vendor: pages of its list, and look-ups by id."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.providers.features import ListPage, SupportsListing, SupportsLookup, Window
from sampai.services.deadline import CALL_SECONDS, Deadline
from sampai.services.ports.runtime import Remaining
from sampai.services.ports.transport import NoResponse, Transport

MAX_PAGES: Final = 10
"""Pages of one window that are read. Messages beyond them are looked up one by one, or wait for the next poll."""

Parsed = TypeVar("Parsed")


class PollFailedError(Exception):
    """A call was not made, or brought no readable answer. The text is safe to log."""


class VendorReader:
    """The calls of one poll to one vendor.

    After a call without a response, no further call is made: the remaining time belongs to the other vendors.
    """

    def __init__(self, *, transport: Transport, remaining: Remaining) -> None:
        self._transport = transport
        self._remaining = remaining
        self._pages: dict[str, ListPage] = {}
        """Pages by URL: a vendor that lists by day has the same pages for many windows."""
        self._is_silent = False

    def pages(self, provider: SupportsListing, window: Window) -> Iterator[ListPage]:
        """Yield the pages of a window up to the last one, one that only repeats ids, or `MAX_PAGES`.

        Raises PollFailedError.
        """
        seen: set[str] = set()
        for number in range(MAX_PAGES):
            request = provider.build_list(window, number)
            if request.url not in self._pages:
                self._pages[request.url] = self._read(request, partial(provider.parse_list, page=number))
            page = self._pages[request.url]
            yield page
            ids = {row.report.provider_message_id for row in page.entries if row.report is not None}
            if page.is_last or (ids and ids <= seen):
                return
            seen |= ids

    def look_up(self, provider: SupportsLookup, message: Message) -> Report | None:
        """Return the vendor's report on a message, or None if the vendor does not know it.

        Raises PollFailedError, also if the answer is about another id.
        """
        asked = message.provider_message_id or ""
        report = self._read(provider.build_lookup(asked), provider.parse_lookup)
        if report is None or report.provider_message_id in (asked, ""):
            return report and replace(report, provider_message_id=asked)
        raise PollFailedError("answer about another id")

    def _read(self, request: HttpRequest, parse: Callable[[HttpResponse], Parsed]) -> Parsed:
        if self._is_silent:
            raise PollFailedError("no response to an earlier call")
        if not Deadline(self._remaining).has_time_for_call():
            raise PollFailedError("no time left")
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            self._is_silent = True
            raise PollFailedError(response.why)
        try:
            return parse(response)
        except Exception as error:
            raise PollFailedError(f"HTTP {response.status}: {type(error).__name__}") from None
