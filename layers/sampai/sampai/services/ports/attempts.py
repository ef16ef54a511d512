"""The story of a message: the failed attempts, with the vendors' words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sampai.domain.failure import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt that a vendor did not plainly accept.

    `vendor_words` are the words of the vendor without any value of ours. No log may contain them, because only readers
    with a permission of their own may see them.
    """

    message_id: str
    attempt: int
    attempt_id: str
    provider: str
    outcome: str
    """`not_taken` or `unknown`."""
    claimed_at: datetime | None = None
    began_at: datetime | None = None
    """Start of the call. None if no call was made, or if it has not ended."""
    ended_at: datetime | None = None
    http_status: int | None = None
    reason: Reason | None = None
    """Why the vendor did not take the message."""
    provider_code: str | None = None
    detail: str | None = None
    """Our own words: the cause of a message that was not taken, or why the outcome is unknown."""
    vendor_words: str | None = field(default=None, repr=False)


class AttemptLog(Protocol):
    """Records of attempts, in a store of their own with its own permissions."""

    def add(self, records: Sequence[AttemptRecord], *, now: datetime) -> None:
        """Store some records, at most 25. A record that is stored already remains. Raises UnavailableError."""
        ...

    def read(self, message_id: str) -> list[AttemptRecord]:
        """Return the records of a message in the order of its attempts. Raises UnavailableError."""
        ...

    def delete(self, message_id: str) -> None:
        """Delete the records of a message. Raises UnavailableError."""
        ...
