"""The results of polling one vendor."""

from sampai.domain.report import Report


class PollResults:
    """Reports by message id, and candidates for messages without a vendor id."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.candidates: dict[str, list[Report]] = {}
        self.answered: set[str] = set()
        """Messages with an answer, even if the vendor did not know them, and those that it cannot be asked about."""
        self.errors: dict[str, str] = {}
        """Why messages have no answer, in our own words. Without an entry, no call about a message failed."""
        self.list_error: str | None = None
        """Why a list, or a part of one, was not read."""
        self.unanswerable: set[str] = set()
        """Messages that the vendor cannot be asked about, now or later."""
        self.undecided: set[str] = set()
        """Messages that match a listed row which may also be a send still in flight."""
        self.not_asked: set[str] = set()
        """Messages that were not asked about, for want of time or of a reservation. They keep their place."""
        self.searched: set[str] = set()
        """Messages that are not asked about, but that a part of the list was searched for."""
