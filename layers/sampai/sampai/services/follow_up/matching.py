"""Decide which message a row of a vendor's list belongs to."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.message import Message, text_of_content
from sampai.domain.recipient import fold, is_email
from sampai.domain.report import Report
from sampai.providers.base import Provider
from sampai.providers.features import ListedMessage, ListPage, SupportsBatchSend, SupportsListing, SupportsReferences
from sampai.services.deadline import CALL_SECONDS
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.windows import MAX_EARLY, MAX_LATE
from sampai.services.reports import strongest

MAX_OWN_DELAY: Final = timedelta(seconds=CALL_SECONDS + 10)
"""With correct clocks, a vendor dates a message at most this long after our attempt."""

MAX_IN_FLIGHT: Final = timedelta(seconds=90)
"""A send that began this long ago has stored its vendor id, or its outcome is unknown too: longer than a lease."""


class RowMatcher:
    """Adds the reports of listed rows to the results of the messages that they may belong to.

    A message with a vendor id takes the row with that id. A message without one takes each matching row as a candidate.
    Of several rows with one id, the strongest report counts: a vendor's list can go back.
    """

    def __init__(self, provider: Provider, messages: Sequence[Message], results: PollResults, now: datetime) -> None:
        self._provider = provider
        self._results = results
        self._now = now
        self._lost = [message for message in messages if message.provider_message_id is None]
        self._by_id: dict[str, list[Message]] = {}
        for message in messages:
            if message.provider_message_id is not None:
                self._by_id.setdefault(message.provider_message_id, []).append(message)

    def match(self, page: ListPage) -> None:
        """Match the rows of one page."""
        for row in page.entries:
            if row.report is not None:
                self._match(row, row.report)

    def _match(self, row: ListedMessage, report: Report) -> None:
        for message in self._by_id.get(report.provider_message_id, ()):
            known = self._results.reports.get(message.message_id, report)
            self._results.reports[message.message_id] = strongest([known, report])
        for message in self._lost:
            if not _matches(self._provider, row, report, message):
                continue
            if report.reference is None and _may_be_in_flight(row, message, self._now):
                self._results.undecided.add(message.message_id)
                continue
            candidates = self._results.candidates.setdefault(message.message_id, [])
            same = [known for known in candidates if known.provider_message_id == report.provider_message_id]
            others = [known for known in candidates if known.provider_message_id != report.provider_message_id]
            candidates[:] = [*others, strongest([*same, report])]


def _matches(provider: Provider, row: ListedMessage, report: Report, message: Message) -> bool:
    """Compare by our reference if the vendor echoes it, else by number, text and time."""
    is_alone = not isinstance(provider, SupportsBatchSend) or provider.batch_key(message) is None
    if isinstance(provider, SupportsReferences) and (
        report.reference or (is_alone and provider.are_references_complete)
    ):
        return report.reference == provider.reference_of(message)
    return (
        _is_listed_recipient(row.recipient, message.recipient or "")
        and message.content is not None
        and _is_listed_text(provider, row.text, text_of_content(message.content))
        and _is_near(row.created_at, message.attempted_at)
    )


def _may_be_in_flight(row: ListedMessage, message: Message, now: datetime) -> bool:
    """Return whether a row is too late for this message, and recent enough for a send that has not stored its id."""
    if row.created_at is None or message.attempted_at is None:
        return False
    return row.created_at > message.attempted_at + MAX_OWN_DELAY and row.created_at > now - MAX_IN_FLIGHT


def _is_near(created_at: datetime | None, attempted_at: datetime | None) -> bool:
    return (
        created_at is None or attempted_at is None or attempted_at - MAX_EARLY <= created_at <= attempted_at + MAX_LATE
    )


def _is_listed_recipient(listed: str, ours: str) -> bool:
    """Compare numbers by their digits, and addresses in any case: a vendor may change the rest."""
    return fold(listed.strip()) == fold(ours) if is_email(ours) else _digits(listed) == _digits(ours)


def _digits(number: str) -> str:
    return "".join(c for c in number if c.isascii() and c.isdigit())


def _is_listed_text(provider: Provider, listed: str, ours: str) -> bool:
    """Return whether a listed text is ours, or ours as the vendor changes it. The listed text itself is not changed."""
    forms = provider.listed_texts(ours) if isinstance(provider, SupportsListing) else (ours,)
    return _fold(listed) in map(_fold, forms)


def _fold(text: str) -> str:
    """Return a text in Unicode's composed form and with single spaces: neither changes its meaning."""
    return " ".join(unicodedata.normalize("NFC", text).split())
