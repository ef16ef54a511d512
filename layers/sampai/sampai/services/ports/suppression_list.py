"""The list of recipients that opted out."""

from datetime import datetime
from typing import Protocol


class SuppressionList(Protocol):
    """Recipients that opted out of promotional messages."""

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        """Note a number's wish. The latest one counts, in whatever order they arrive; of two at once, to be left alone.

        Raises UnavailableError.
        """
        ...
