"""The list of recipients that opted out."""

from datetime import datetime
from typing import Protocol


class SuppressionList(Protocol):
    """Recipients that opted out of promotional messages."""

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        """Store an opt-out or opt-in of a number. The latest `at` wins; at the same time, the opt-out wins.

        Raises UnavailableError.
        """
        ...
