"""Find messages in a vendor's list: from its top while that pays, then with the vendor's narrowest filter."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sampai.domain.message import Message
from sampai.providers.features import ListPage, ListQuery, SupportsListing, SupportsLookup
from sampai.services.follow_up.matching import RowMatcher
from sampai.services.follow_up.reader import MAX_PAGES, NotAskedError, PollFailedError, VendorReader, read_all
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.search import TimeSearch, halves_of
from sampai.services.follow_up.windows import group_by_window, window_of
from sampai.services.ports.runtime import NewPool

MIN_FOUND_PER_PAGE: Final = 2
"""A page that reports on fewer of our messages saves no call."""

MAX_SEARCH_CALLS: Final = 50
"""List calls of one poll that search long lists by time."""

MIN_PART: Final = timedelta(seconds=1)
"""A part of a list that is this short is not halved: a filter that has not helped so far will not."""


class Listing:
    """The list of one vendor in one poll. Each page that is read is matched with all messages.

    A message counts as answered only if every part of the list that may contain it was read to its end.
    """

    def __init__(
        self,
        provider: SupportsListing,
        reader: VendorReader,
        messages: Sequence[Message],
        results: PollResults,
        *,
        now: datetime,
        record_failure: Callable[[PollFailedError], None],
    ) -> None:
        self._provider = provider
        self._reader = reader
        self._messages = messages
        self._results = results
        self._matcher = RowMatcher(provider, messages, results, now)
        self._record_failure = record_failure
        self._covered: set[str] = set()
        """Messages whose part of the list was read to its end."""

    def read_from_top(self) -> None:
        """Read the pages that spare calls for single messages, those of the latest attempts first.

        Nothing is read after a page that spared none: among earlier rows, even fewer belong to messages that are due.
        """
        for query, members in reversed(list(group_by_window(self._messages))):
            if sum(self._has_own_call(message) for message in members) < MIN_FOUND_PER_PAGE:
                continue
            try:
                if not self._read_while_it_pays(query, members):
                    return
            except PollFailedError as error:
                self._record_failure(error)

    def ask_by_recipient(self, new_pool: NewPool, threads: int) -> None:
        """Read the list of one recipient for each message that is still missing, where the vendor has that filter."""
        missing: dict[str, list[Message]] = {}
        for message in self._missing():
            recipient = self._provider.recipient_filter(message)
            if recipient is not None and not self._can_be_looked_up(message):
                missing.setdefault(recipient, []).append(message)
        queries = [window_of(members, recipient=recipient) for recipient, members in missing.items()]
        reads = [partial(self._read_list, query) for query in queries]
        for pages, members in zip(read_all(new_pool, threads, reads), missing.values(), strict=True):
            if isinstance(pages, PollFailedError):
                self._record_failed_list(pages, members)
            else:
                self._match_list(pages, members)

    def search(self) -> None:
        """Search long lists for the messages that no other call can ask about, around their attempts first."""
        missing = [message for message in self._missing() if not self._has_own_call(message)]
        search = TimeSearch(missing)
        first_call = self._reader.list_calls
        last_call = first_call + MAX_SEARCH_CALLS
        try:
            while part := search.nearest([message for message in missing if not self._is_found(message)]):
                if not self._search_part(search, part, calls_left=last_call - self._reader.list_calls):
                    break
        except PollFailedError as error:
            uncovered = [message for message in missing if not search.has_covered(message)]
            self._record_failed_list(error, uncovered)
            if self._reader.list_calls > first_call:
                self._results.searched.update(message.message_id for message in uncovered)
        self._cover([message for message in missing if search.has_covered(message)])

    def _record_failed_list(self, error: PollFailedError, members: Sequence[Message]) -> None:
        """Record that the list of some messages was not read. If no time was left for it, they were not asked about."""
        self._record_failure(error)
        if isinstance(error, NotAskedError):
            self._results.not_asked.update(message.message_id for message in members)

    def _search_part(self, search: TimeSearch, part: ListQuery, *, calls_left: int) -> bool:
        """Read a part of the list, or replace it by its halves if it is too long. Return whether that was possible."""
        if calls_left <= 0:
            return False
        can_be_halved = self._can_be_halved(part)
        first = self._reader.page(self._provider, part, 0)
        limit = calls_left
        if can_be_halved:
            limit = min(limit, 1 if _is_long(part, first) else MAX_PAGES)
        is_complete = False
        for page in self._reader.pages(self._provider, part, limit=limit):
            self._matcher.match(page)
            is_complete = page.is_last
        if is_complete:
            search.remove(part)
        elif can_be_halved and first.entries:
            search.split(part)
        else:
            return False
        return True

    def _can_be_halved(self, part: ListQuery) -> bool:
        """Return whether the vendor's filter tells both halves of a part from the whole."""
        if part.until - part.since <= MIN_PART:
            return False
        whole = self._provider.build_list(part, 0).url
        return all(self._provider.build_list(half, 0).url != whole for half in halves_of(part))

    def _read_while_it_pays(self, query: ListQuery, members: Sequence[Message]) -> bool:
        """Read the pages of a list until all members are found. Return False after a page that spared no call."""
        wanted = {message.message_id for message in members}
        for page in self._reader.pages(self._provider, query):
            found_before = len(self._results.reports)
            self._match_list([page], members)
            if wanted <= self._results.reports.keys():
                break
            if len(self._results.reports) - found_before < MIN_FOUND_PER_PAGE:
                return False  # most rows belong to other messages
        return True

    def _read_list(self, query: ListQuery) -> list[ListPage]:
        return list(self._reader.pages(self._provider, query))

    def _match_list(self, pages: Sequence[ListPage], members: Sequence[Message]) -> None:
        """Match pages of a list that covers some messages. The list was read to its end if the last page says so."""
        for page in pages:
            self._matcher.match(page)
        if pages and pages[-1].is_last:
            self._cover(members)

    def _cover(self, messages: Sequence[Message]) -> None:
        self._covered.update(message.message_id for message in messages)
        self._results.answered.update(self._covered - self._results.undecided)

    def _missing(self) -> Iterator[Message]:
        done = self._covered | self._results.reports.keys()
        return (message for message in self._messages if message.message_id not in done)

    def _has_own_call(self, message: Message) -> bool:
        """Return whether one call can ask about this message alone."""
        return self._can_be_looked_up(message) or self._provider.recipient_filter(message) is not None

    def _can_be_looked_up(self, message: Message) -> bool:
        return message.provider_message_id is not None and isinstance(self._provider, SupportsLookup)

    def _is_found(self, message: Message) -> bool:
        """Return whether the search can end for a message: its row is found, or may be.

        If the nearest matching row turned out to belong to another message, the next poll goes on with the search.
        """
        results, message_id = self._results, message.message_id
        may_be_found = message_id in results.candidates or message_id in results.undecided
        return message_id in results.reports or (may_be_found and message.lookups == 0)


def _is_long(part: ListQuery, first: ListPage) -> bool:
    """Return whether a part of a list has more pages than are read in a row.

    If the vendor does not count them, the first page shows how close together the rows are.
    """
    if first.page_count is not None:
        return first.page_count > MAX_PAGES
    times = [row.created_at for row in first.entries if row.created_at is not None]
    return bool(times) and max(times) - part.since > MAX_PAGES * (max(times) - min(times))
