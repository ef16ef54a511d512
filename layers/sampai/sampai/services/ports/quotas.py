"""Counters for the limits on new messages."""

from typing import Protocol

from sampai.domain.quotas import QuotaCounter


class QuotaCounters(Protocol):
    """Counts of new messages for each limit."""

    def increment(self, counter: QuotaCounter) -> bool:
        """Count one more, unless there are as many as may be. False: there are. Of several at once no more get in.

        Raises UnavailableError: it may have been counted.
        """
        ...
