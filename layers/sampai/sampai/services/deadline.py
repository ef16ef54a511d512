"""The time budget of an invocation: whether a vendor call can still begin, and how long to wait for one."""

from dataclasses import dataclass
from typing import Final

from sampai.services.ports.runtime import Remaining

CALL_SECONDS: Final = 10.0
"""Total deadline of one vendor call."""

WRITE_MARGIN_SECONDS: Final = 5.0
"""Reserved at the end of an invocation to store results."""


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

    def allows_wait(self, seconds: float) -> bool:
        """Return whether the invocation lasts for some more seconds."""
        return seconds <= self.remaining()
