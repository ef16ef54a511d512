"""The time budget of an invocation: whether a vendor call can still begin, and how long to wait for one."""

from dataclasses import dataclass
from typing import Final

from sampai.services.ports.runtime import Remaining

CALL_SECONDS: Final = 10.0
"""Total deadline of one vendor call."""

WRITE_MARGIN_SECONDS: Final = 8.0
"""Reserved at the end of an invocation to store results, or to queue them if the store is silent."""

COMMIT_SECONDS: Final = 5.0
"""Longest commit: the client of a silent store tries twice for 2 seconds, with a pause of at most 1 second."""

QUEUE_SECONDS: Final = 2.0
"""Reserved to queue the outcomes that the store did not take."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of an invocation. `remaining` returns the seconds that are left until then."""

    remaining: Remaining

    def has_time_for_call(self) -> bool:
        """Return whether a vendor call that begins now ends early enough to store its result."""
        return self.seconds_before_last_call() >= 0

    def seconds_before_last_call(self) -> float:
        """Return the seconds within which a vendor call must begin. Negative: it is too late for a call."""
        return self.remaining() - CALL_SECONDS - WRITE_MARGIN_SECONDS

    def seconds_for_calls(self) -> float:
        """Return the seconds to wait for calls in progress, at least 0. Half of the write margin stays for the rest."""
        return max(0.0, self.remaining() - WRITE_MARGIN_SECONDS / 2)

    def has_time_for_commit(self) -> bool:
        """Return whether a further commit of results can begin, even if the store stays silent."""
        return self.remaining() >= COMMIT_SECONDS + QUEUE_SECONDS

    def has_time_for_claim(self, *, others_wait: bool) -> bool:
        """Return whether a further commit of claims can begin. It must not use up the time of claims that are stored.

        `others_wait`: messages that are claimed already wait for their calls.
        """
        return self.seconds_before_last_call() >= (COMMIT_SECONDS if others_wait else 0)

    def allows_wait(self, seconds: float) -> bool:
        """Return whether the invocation lasts for some more seconds."""
        return seconds <= self.remaining()
