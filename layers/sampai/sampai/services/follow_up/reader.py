"""Read statuses from one vendor: pages of its list, and look-ups by id."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from sampai.contract.settings import Pace
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.report import Report
from sampai.providers.features import ListPage, ListQuery, SupportsListing, SupportsLookup
from sampai.providers.responses import retry_after_seconds
from sampai.services.deadline import CALL_SECONDS, Deadline
from sampai.services.follow_up.lookup_pacer import LookupPacer
from sampai.services.ports.runtime import NewPool, Remaining
from sampai.services.ports.transport import NoResponse, Transport

MAX_PAGES: Final = 10
"""Pages of one list that are read from its top. A list that has more is asked for with a narrower filter."""

Parsed = TypeVar("Parsed")


class PollFailedError(Exception):
    """A call was not made, or brought no readable answer. The text is safe to log."""


class NotAskedError(PollFailedError):
    """A call was not made, because no time was left for it, or the rate left no room."""


class VendorReader:
    """The calls of one poll to one vendor. Threads may share it.

    After a call without a response, no further call is made: the remaining time belongs to the other vendors. The same
    holds after a call for which the rate left no room within `max_wait_seconds` of the beginning.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        remaining: Remaining,
        pacer: LookupPacer,
        pace: Pace | None = None,
        max_wait_seconds: float = 0.0,
    ) -> None:
        self._transport = transport
        self._remaining = remaining
        self._pacer = pacer
        self._pace = pace
        self._wait_ends = remaining() - max_wait_seconds
        self._is_rate_used_up = False
        self._pages: dict[str, ListPage] = {}
        """Pages by URL: a vendor that lists by day has the same pages for many queries."""
        self._is_silent = False
        self.has_asked = False
        """Whether a call was made."""

    @property
    def list_calls(self) -> int:
        """The list calls so far that brought a page."""
        return len(self._pages)

    def page(self, provider: SupportsListing, query: ListQuery, number: int) -> ListPage:
        """Return one page of a list. Raises PollFailedError."""
        request = provider.build_list(query, number)
        if request.url not in self._pages:
            self._pages[request.url] = self._read(request, partial(provider.parse_list, page=number))
        return self._pages[request.url]

    def pages(self, provider: SupportsListing, query: ListQuery, *, limit: int = MAX_PAGES) -> Iterator[ListPage]:
        """Yield the pages of a list up to the last one, an empty one, one that only repeats ids, or the limit.

        Only a list that ends with a page that says `is_last` was read to its end. Raises PollFailedError.
        """
        seen: set[str] = set()
        for number in range(limit):
            page = self.page(provider, query, number)
            ids = {row.report.provider_message_id for row in page.entries if row.report is not None}
            is_repeated = bool(ids) and ids <= seen
            yield replace(page, is_last=page.is_last and not is_repeated)
            if page.is_last or is_repeated or not page.entries:
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
        deadline = Deadline(self._remaining)
        if not deadline.has_time_for_call():
            raise NotAskedError("no time left")
        if self._is_rate_used_up or not self._pacer.wait(self._pace, max_seconds=self._max_wait(deadline)):
            self._is_rate_used_up = True
            raise NotAskedError("no room in the rate")
        self.has_asked = True
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            self._is_silent = True
            raise PollFailedError(response.why)
        if response.status == 429:
            self._pacer.pause(retry_after_seconds(response))
        try:
            return parse(response)
        except Exception as error:
            raise PollFailedError(f"HTTP {response.status}: {type(error).__name__}") from None

    def _max_wait(self, deadline: Deadline) -> float:
        return min(self._remaining() - self._wait_ends, deadline.seconds_before_last_call())


def read_all(new_pool: NewPool, threads: int, reads: Sequence[Callable[[], Parsed]]) -> list[Parsed | PollFailedError]:
    """Read in threads, up to `threads` at a time. Return each result in order, or the error in its place."""
    if not reads:
        return []
    with new_pool(min(threads, len(reads))) as pool:
        futures = [pool.submit(_try_to_read, read) for read in reads]
    return [future.result() for future in futures]


def _try_to_read(read: Callable[[], Parsed]) -> Parsed | PollFailedError:
    try:
        return read()
    except PollFailedError as error:
        return error
