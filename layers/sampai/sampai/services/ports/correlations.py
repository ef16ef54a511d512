"""The link between a vendor's id and our message."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sampai.domain.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Where the sender, who knows the message, and the webhook, who has its report, find each other.

    The key is `{provider}#{provider_message_id}`. Whoever comes first writes it.
    """

    key: str
    message_id: str | None = None
    reports: tuple[Report, ...] = ()
    """Reports that came before anybody knew whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCorrelation:
    """Store whose message a vendor's id names, if nobody has written under that id."""

    key: str
    message_id: str


def correlation_key(provider: str, provider_message_id: str) -> str:
    return f"{provider}#{provider_message_id}"


class Correlations(Protocol):
    """Which message a vendor's id names, and reports that arrived before that was known."""

    def find_correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        """Return the meeting points that exist, strongly consistent. Raises UnavailableError."""
        ...

    def buffer_report(self, key: str, report: Report, now: datetime) -> Correlation | None:
        """Keep a report for whoever claims the vendor's id, or return the meeting if a message has claimed it.

        Durable when it returns. At most a fixed number of reports wait under one key; further ones are dropped.
        Raises UnavailableError.
        """
        ...

    def claim_correlation(self, key: str, message_id: str) -> Correlation:
        """Claim a vendor's id for a message, unless another has it, and return what stands there now.

        Raises UnavailableError.
        """
        ...
