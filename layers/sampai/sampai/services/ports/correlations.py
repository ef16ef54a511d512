"""The link between a vendor's message id and our message."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sampai.domain.message import Channel
from sampai.domain.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """The item that links a vendor's message id to our message, or buffers reports until that link is known.

    The sender writes the message id, the webhook writes reports. Either may come first; the second completes the work.
    """

    key: str
    message_id: str | None = None
    attempt: int | None = None
    """The attempt that got the vendor's id, if the sender wrote the link."""
    is_reused: bool = False
    """Whether the vendor gave its id to a second message: reports under it may belong to either."""
    reports: tuple[Report, ...] = ()
    """Reports that arrived before the message id was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCorrelation:
    """Store the message id of a vendor's message id, if no correlation has that key yet."""

    key: str
    message_id: str
    attempt: int


def correlation_key(provider: str, channel: Channel, provider_message_id: str) -> str:
    """Return the key of a vendor's message id. A vendor may use one id for messages on several channels."""
    return f"{provider}#{channel}#{provider_message_id}"


def former_correlation_key(provider: str, provider_message_id: str) -> str:
    """Return the key that the previous release wrote, without the channel."""
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

    def claim(self, key: str, message_id: str, attempt: int | None = None) -> Correlation:
        """Claim a vendor's id for a message, unless another message has it, and return the stored correlation.

        `attempt` is the attempt that got the id, if it is known. Raises UnavailableError.
        """
        ...

    def mark_reused(self, key: str, message_id: str) -> None:
        """Record that the vendor gave an id, which another message has claimed, to this message as well.

        Raises UnavailableError.
        """
        ...
