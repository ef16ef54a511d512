"""The link between a vendor's message id and our message."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sampai.domain.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """The item that links a vendor's message id to our message, or buffers reports until that link is known.

    The sender writes the message id, the webhook writes reports. Either may come first; the second completes the work.
    The key is `{provider}#{provider_message_id}`.
    """

    key: str
    message_id: str | None = None
    reports: tuple[Report, ...] = ()
    """Reports that arrived before the message id was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCorrelation:
    """Store the message id of a vendor's message id, if no correlation has that key yet."""

    key: str
    message_id: str


def correlation_key(provider: str, provider_message_id: str) -> str:
    return f"{provider}#{provider_message_id}"


class Correlations(Protocol):
    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        """Return the correlations that exist, with strong consistency. Raises UnavailableError."""
        ...

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        """Buffer a report until a message claims the vendor's id. Return the correlation if one already has.

        The report is durable when this returns None. One report per status is kept. Raises UnavailableError.
        """
        ...

    def add_report(self, key: str, report: Report) -> None:
        """Add a report to a correlation that a message has claimed, because the message cannot be read now.

        The follow-up applies it once the message can be read. Raises UnavailableError.
        """
        ...

    def claim(self, key: str, message_id: str) -> Correlation:
        """Claim a vendor's id for a message, unless another message has it, and return the stored correlation.

        Raises UnavailableError.
        """
        ...
