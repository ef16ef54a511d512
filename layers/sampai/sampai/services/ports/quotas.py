"""Counters for the limits on new messages."""

from typing import Protocol

from sampai.domain.quotas import QuotaCounter


class QuotaCounters(Protocol):
    def increment(self, counter: QuotaCounter) -> bool:
        """Increment a counter if it is below its limit, and return whether it was. Atomic among workers.

        Raises UnavailableError: the counter may have been incremented.
        """
        ...
