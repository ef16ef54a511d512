"""Asking vendors what became of messages: one list for many, a look-up where only that helps."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from html import unescape
from typing import Final, TypeVar

from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message, text_of_content
from sampai.domain.report import Report
from sampai.providers.base import Provider
from sampai.providers.features import (
    ListedMessage,
    ListPage,
    SupportsBatchSend,
    SupportsListing,
    SupportsLookup,
    SupportsReferences,
    Window,
)
from sampai.services.ports.runtime import NewPool, Remaining
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NoResponse, Transport
from sampai.services.send.dispatch import CALL_SECONDS, WRITE_MARGIN_SECONDS

MAX_PAGES: Final = 10
"""Pages of a list that are read for one window; what lies beyond is looked up one by one, or next time."""

PAGE_WORTH: Final = 2
"""Messages of ours that a page must show to be worth more than looking them up."""

MESSAGES_PER_IDLE_PAGE: Final = 10
"""A page that is worth less is read for so many messages; then they are looked up one by one."""

LOOKUP_THREADS: Final = 16

WINDOW_GAP: Final = timedelta(hours=1)
"""Messages further apart than this are listed in windows of their own."""

EARLY: Final = timedelta(minutes=5)
LATE: Final = timedelta(minutes=15)
"""How far the vendor's clock and a slow call may put a message from the time of its attempt."""

OWN_CALL: Final = timedelta(seconds=CALL_SECONDS + 10)
"""How long after its attempt a vendor lists a message, if nobody's clock is wrong."""

SETTLED: Final = timedelta(seconds=90)
"""After so long whoever sent what is listed has said so, or is lost as well: longer than a lease."""


Read = TypeVar("Read")


class NoAnswerError(Exception):
    """The vendor could not be asked, or its answer said nothing."""


class PollResults:
    """What the vendors said: reports of named messages, and candidates for those whose answer was lost."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.candidates: dict[str, list[Report]] = {}
        self.asked: set[str] = set()
        """Messages whose vendor answered, whether or not it knew them."""
        self.undecided: set[str] = set()
        """Messages that may be what is listed, as may another that is being sent right now."""
        self.pages: dict[str, ListPage] = {}
        """Pages that were read, by address: a vendor that lists by day shows the same ones for many windows."""
        self.is_silent = False
        """Whether the vendor left a question without an answer: it is asked no more, for the time is the others'."""


class StatusPoller:
    def __init__(self, *, transport: Transport, telemetry: Telemetry, new_pool: NewPool) -> None:
        self._transport = transport
        self._new_pool = new_pool
        self._telemetry = telemetry

    def ask(
        self, provider: Provider, messages: Sequence[Message], *, now: datetime, remaining: Remaining
    ) -> PollResults:
        """Ask one vendor about messages that it took or may have taken."""
        results = PollResults()
        can_be_asked = isinstance(provider, SupportsListing | SupportsLookup)
        traced = [m for m in messages if can_be_asked and provider.is_trackable(m)]
        # Where there is nobody to ask, everything that could be learned has been.
        results.asked.update(m.message_id for m in messages if m not in traced)
        if isinstance(provider, SupportsListing):
            for window, members in _windows(traced):
                self._list(provider, window, members, results, now, remaining)
        if isinstance(provider, SupportsLookup):
            unseen = [m for m in traced if m.provider_message_id and m.message_id not in results.reports]
            self._look_up(provider, unseen, results, remaining)
        return results

    def _list(
        self,
        provider: SupportsListing,
        window: Window,
        members: Sequence[Message],
        results: PollResults,
        now: datetime,
        remaining: Remaining,
    ) -> None:
        wanted = {message.message_id for message in members}
        may_look_up = isinstance(provider, SupportsLookup) and all(message.provider_message_id for message in members)
        idle_pages = pages = 0
        is_last = True
        try:
            for page in self._pages(provider, window, results, remaining):
                pages, is_last = pages + 1, page.is_last
                known = len(results.reports)
                for entry in page.entries:
                    _match_row(provider, entry, members, results, now)
                if wanted <= results.reports.keys():
                    break
                idle_pages += len(results.reports) - known < PAGE_WORTH
                if may_look_up and idle_pages > len(members) // MESSAGES_PER_IDLE_PAGE:
                    return  # the list is crowded by others: what it has not shown is looked up one by one
        except NoAnswerError as error:
            self._failed(provider, "list", error)
            return
        if is_last or pages < MAX_PAGES:  # what a list that was cut has not shown may be in it all the same
            results.asked.update(wanted - results.undecided)

    def _pages(
        self, provider: SupportsListing, window: Window, results: PollResults, remaining: Remaining
    ) -> Iterator[ListPage]:
        seen: set[str] = set()
        for number in range(MAX_PAGES):
            request = provider.build_list(window, number)
            if request.url not in results.pages:
                parse = partial(provider.parse_list, page=number)
                results.pages[request.url] = self._read(request, parse, results, remaining)
            page = results.pages[request.url]
            yield page
            ids = {entry.report.provider_message_id for entry in page.entries if entry.report is not None}
            if page.is_last or (ids and ids <= seen):
                return
            seen |= ids

    def _look_up(
        self, provider: SupportsLookup, messages: Sequence[Message], results: PollResults, remaining: Remaining
    ) -> None:
        def look(message: Message) -> Report | None:
            request = provider.build_lookup(message.provider_message_id or "")
            return self._read(request, provider.parse_lookup, results, remaining)

        if not messages:
            return
        with self._new_pool(min(LOOKUP_THREADS, len(messages))) as pool:
            futures = [(message, pool.submit(look, message)) for message in messages]
        for message, future in futures:
            try:
                report = future.result()
            except NoAnswerError as error:
                self._failed(provider, "look-up", error)
                continue
            results.asked.add(message.message_id)
            if report is not None:
                results.reports[message.message_id] = report

    def _read(
        self, request: HttpRequest, parse: Callable[[HttpResponse], Read], results: PollResults, remaining: Remaining
    ) -> Read:
        if results.is_silent:
            raise NoAnswerError("no answer before")
        if remaining() < CALL_SECONDS + WRITE_MARGIN_SECONDS:
            raise NoAnswerError("no time left")
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            results.is_silent = True
            raise NoAnswerError(response.why)
        try:
            return parse(response)
        except Exception as error:
            raise NoAnswerError(f"HTTP {response.status}: {type(error).__name__}") from None

    def _failed(self, provider: Provider, operation: str, error: NoAnswerError) -> None:
        self._telemetry.warning("status poll failed", provider=provider.name, operation=operation, why=str(error))
        self._telemetry.count("StatusPollFailed", provider=provider.name)


def _match_row(
    provider: Provider, entry: ListedMessage, members: Sequence[Message], results: PollResults, now: datetime
) -> None:
    if entry.report is None:
        return
    for message in members:
        if message.provider_message_id is not None:
            if message.provider_message_id == entry.report.provider_message_id:
                results.reports[message.message_id] = entry.report
        elif not _matches_row(provider, entry, entry.report, message):
            continue
        elif entry.report.reference is None and _may_belong_to_a_send_in_flight(entry, message, now):
            results.undecided.add(message.message_id)
        else:
            candidates = results.candidates.setdefault(message.message_id, [])
            if all(known.provider_message_id != entry.report.provider_message_id for known in candidates):
                candidates.append(entry.report)


def _matches_row(provider: Provider, entry: ListedMessage, report: Report, message: Message) -> bool:
    """Whether a listed message may be ours: by our reference where there is one, else by number, text and time."""
    is_alone = not isinstance(provider, SupportsBatchSend) or provider.batch_key(message) is None
    if isinstance(provider, SupportsReferences) and (report.reference or is_alone):
        return report.reference == provider.reference_of(message)
    return (
        _digits(entry.recipient) == _digits(message.recipient or "")
        and message.content is not None
        and _words(entry.text) == _words(text_of_content(message.content))
        and _is_near(entry.created_at, message.attempted_at)
    )


def _may_belong_to_a_send_in_flight(entry: ListedMessage, message: Message, now: datetime) -> bool:
    """Whether what is listed came after the message's own call, and so lately that its sender may not have said so."""
    if entry.created_at is None or message.attempted_at is None:
        return False
    return entry.created_at > message.attempted_at + OWN_CALL and entry.created_at > now - SETTLED


def _is_near(listed: datetime | None, attempted: datetime | None) -> bool:
    return listed is None or attempted is None or attempted - EARLY <= listed <= attempted + LATE


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isascii() and c.isdigit())


def _words(text: str) -> str:
    """The text as it survives a vendor that strips markup and folds white space."""
    return " ".join(re.sub(r"<[^<>]*>", "", unescape(text)).split())


def _windows(messages: Sequence[Message]) -> Iterator[tuple[Window, list[Message]]]:
    """Group messages whose attempts lie close together, so that one window of the list covers each group."""
    group: list[Message] = []
    for message in sorted(messages, key=_attempted):
        if group and _attempted(message) - _attempted(group[-1]) > WINDOW_GAP:
            yield _window(group), group
            group = []
        group.append(message)
    if group:
        yield _window(group), group


def _window(group: Sequence[Message]) -> Window:
    return Window(since=_attempted(group[0]) - EARLY, until=_attempted(group[-1]) + LATE)


def _attempted(message: Message) -> datetime:
    return message.attempted_at or message.created_at
