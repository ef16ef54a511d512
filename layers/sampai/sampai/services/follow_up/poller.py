"""Poll a vendor for the status of messages in the cheapest way: its list for many, else a call for each message."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sampai.contract.settings import Pace, Settings
from sampai.domain.message import Message
from sampai.providers.base import Provider
from sampai.providers.features import SupportsListing, SupportsLookup, SupportsWebhooks
from sampai.services.attempt import is_past_horizon
from sampai.services.follow_up.listing import Listing
from sampai.services.follow_up.lookup_pacer import LookupPacer
from sampai.services.follow_up.reader import NotAskedError, PollFailedError, VendorReader, read_all
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.windows import attempt_time
from sampai.services.ports.runtime import NewPool, Remaining
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport

LOOKUP_THREADS: Final = 64
"""Calls to one vendor at a time."""

RECEIPT_AGE: Final = timedelta(minutes=2)
"""Age of an attempt from which a receipt is overdue. Most receipts arrive within seconds."""


class StatusPoller:
    def __init__(
        self, *, transport: Transport, telemetry: Telemetry, new_pool: NewPool, new_pacer: Callable[[], LookupPacer]
    ) -> None:
        self._transport = transport
        self._new_pool = new_pool
        self._telemetry = telemetry
        self._new_pacer = new_pacer
        self._pacers: dict[str, LookupPacer] = {}

    def poll(
        self,
        provider: Provider,
        messages: Sequence[Message],
        *,
        now: datetime,
        remaining: Remaining,
        settings: Settings,
        pace: Pace | None,
        max_wait_seconds: float,
    ) -> PollResults:
        """Ask one vendor about messages that it accepted or may have accepted. A failed call is logged and counted.

        A message whose receipt may still be on its way is left out. No call waits for the rate longer than
        `max_wait_seconds` after the beginning.
        """
        results = PollResults()
        results.unanswerable = {message.message_id for message in messages if not _can_be_asked(provider, message)}
        results.answered = set(results.unanswerable)
        trackable = [
            message
            for message in messages
            if message.message_id not in results.unanswerable
            and not _awaits_receipt(provider, message, now=now, settings=settings)
        ]
        reader = VendorReader(
            transport=self._transport,
            remaining=remaining,
            pacer=self._pacers.setdefault(provider.name, self._new_pacer()),
            pace=pace,
            max_wait_seconds=max_wait_seconds,
        )
        listing = None
        if isinstance(provider, SupportsListing):
            record_failure = partial(self._record_list_failure, provider, results)
            listing = Listing(provider, reader, trackable, results, now=now, record_failure=record_failure)
            listing.read_from_top()
            listing.ask_by_recipient(self._new_pool, LOOKUP_THREADS)
        if isinstance(provider, SupportsLookup):
            unseen = [m for m in trackable if m.provider_message_id and m.message_id not in results.reports]
            self._look_up(provider, reader, unseen, results)
        if listing is not None:
            listing.search()
        if reader.list_calls:
            self._telemetry.measure("ListCalls", reader.list_calls, provider=provider.name)
        if not reader.has_asked:
            results.not_asked.update(m.message_id for m in trackable if m.message_id not in results.answered)
        results.not_asked -= results.reports.keys() | results.candidates.keys()
        if results.list_error is not None:
            told = results.answered | results.not_asked | results.reports.keys() | results.candidates.keys()
            results.errors |= {
                m.message_id: results.list_error
                for m in trackable
                if m.message_id not in told and m.message_id not in results.errors
            }
        if results.not_asked:
            self._telemetry.info("vendor not asked", provider=provider.name, messages=len(results.not_asked))
        return results

    def _look_up(
        self, provider: SupportsLookup, reader: VendorReader, messages: Sequence[Message], results: PollResults
    ) -> None:
        reads = [partial(reader.look_up, provider, message) for message in messages]
        for message, report in zip(messages, read_all(self._new_pool, LOOKUP_THREADS, reads), strict=True):
            if isinstance(report, PollFailedError):
                self._record_failure(provider, "look-up", report)
                if isinstance(report, NotAskedError):
                    results.not_asked.add(message.message_id)
                else:
                    results.errors[message.message_id] = str(report)
                continue
            results.answered.add(message.message_id)
            if report is not None:
                results.reports[message.message_id] = report

    def _record_list_failure(self, provider: Provider, results: PollResults, error: PollFailedError) -> None:
        self._record_failure(provider, "list", error)
        if not isinstance(error, NotAskedError):
            results.list_error = str(error)

    def _record_failure(self, provider: Provider, operation: str, error: PollFailedError) -> None:
        if isinstance(error, NotAskedError):
            return  # not the vendor's failure
        self._telemetry.warning("status poll failed", provider=provider.name, operation=operation, why=str(error))
        self._telemetry.count("StatusPollFailed", provider=provider.name)


def _can_be_asked(provider: Provider, message: Message) -> bool:
    """Return whether a list or a look-up can report on a message. A look-up needs the vendor's id."""
    can_look_up = isinstance(provider, SupportsLookup) and message.provider_message_id is not None
    return (isinstance(provider, SupportsListing) or can_look_up) and provider.is_trackable(message)


def _awaits_receipt(provider: Provider, message: Message, *, now: datetime, settings: Settings) -> bool:
    """Return whether the receipt of a message is not overdue yet. At the report horizon nothing is waited for."""
    is_first_look = message.provider_message_id is not None and message.lookups == 0
    is_early = now < attempt_time(message) + RECEIPT_AGE and not is_past_horizon(message, now=now, settings=settings)
    return isinstance(provider, SupportsWebhooks) and is_first_look and is_early
