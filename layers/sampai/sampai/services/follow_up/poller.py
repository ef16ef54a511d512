"""Poll a vendor for the status of messages: one list for many, a look-up where that takes fewer calls."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sampai.domain.message import Message
from sampai.providers.base import Provider
from sampai.providers.features import SupportsListing, SupportsLookup, Window
from sampai.services.follow_up.matching import match_row
from sampai.services.follow_up.reader import MAX_PAGES, PollFailedError, VendorReader
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.windows import group_by_window
from sampai.services.ports.runtime import NewPool, Remaining
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport

MIN_FOUND_PER_PAGE: Final = 2
"""A page that reports on fewer of our messages costs more than it saves: an idle page."""

MESSAGES_PER_IDLE_PAGE: Final = 10
"""One idle page is allowed for this many messages; after that they are looked up one by one."""

LOOKUP_THREADS: Final = 16


class StatusPoller:
    def __init__(self, *, transport: Transport, telemetry: Telemetry, new_pool: NewPool) -> None:
        self._transport = transport
        self._new_pool = new_pool
        self._telemetry = telemetry

    def poll(
        self, provider: Provider, messages: Sequence[Message], *, now: datetime, remaining: Remaining
    ) -> PollResults:
        """Ask one vendor about messages that it accepted or may have accepted. A failed call is logged and counted."""
        results = PollResults()
        trackable = [message for message in messages if _can_be_asked(provider, message)]
        results.answered = {message.message_id for message in messages} - {message.message_id for message in trackable}
        reader = VendorReader(transport=self._transport, remaining=remaining)
        if isinstance(provider, SupportsListing):
            for window, members in group_by_window(trackable):
                self._list(provider, reader, window, members, results, now)
        if isinstance(provider, SupportsLookup):
            unseen = [m for m in trackable if m.provider_message_id and m.message_id not in results.reports]
            self._look_up(provider, reader, unseen, results)
        return results

    def _list(
        self,
        provider: SupportsListing,
        reader: VendorReader,
        window: Window,
        members: Sequence[Message],
        results: PollResults,
        now: datetime,
    ) -> None:
        wanted = {message.message_id for message in members}
        may_look_up = isinstance(provider, SupportsLookup) and all(message.provider_message_id for message in members)
        idle_pages = pages = 0
        is_last = True
        try:
            for page in reader.pages(provider, window):
                pages, is_last = pages + 1, page.is_last
                found_before = len(results.reports)
                for row in page.entries:
                    match_row(provider, row, members, results, now)
                if wanted <= results.reports.keys():
                    break
                idle_pages += len(results.reports) - found_before < MIN_FOUND_PER_PAGE
                if may_look_up and idle_pages > len(members) // MESSAGES_PER_IDLE_PAGE:
                    return  # most rows belong to other messages: look up the rest
        except PollFailedError as error:
            self._record_failure(provider, "list", error)
            return
        # A list that was cut at MAX_PAGES may contain the messages that it has not shown.
        if is_last or pages < MAX_PAGES:
            results.answered.update(wanted - results.undecided)

    def _look_up(
        self, provider: SupportsLookup, reader: VendorReader, messages: Sequence[Message], results: PollResults
    ) -> None:
        if not messages:
            return
        with self._new_pool(min(LOOKUP_THREADS, len(messages))) as pool:
            futures = [(message, pool.submit(reader.look_up, provider, message)) for message in messages]
        for message, future in futures:
            try:
                report = future.result()
            except PollFailedError as error:
                self._record_failure(provider, "look-up", error)
                continue
            results.answered.add(message.message_id)
            if report is not None:
                results.reports[message.message_id] = report

    def _record_failure(self, provider: Provider, operation: str, error: PollFailedError) -> None:
        self._telemetry.warning("status poll failed", provider=provider.name, operation=operation, why=str(error))
        self._telemetry.count("StatusPollFailed", provider=provider.name)


def _can_be_asked(provider: Provider, message: Message) -> bool:
    """Return whether a list or a look-up can report on a message. A look-up needs the vendor's id."""
    can_look_up = isinstance(provider, SupportsLookup) and message.provider_message_id is not None
    return (isinstance(provider, SupportsListing) or can_look_up) and provider.is_trackable(message)
