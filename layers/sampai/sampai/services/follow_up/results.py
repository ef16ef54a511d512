"""The results of polling one vendor."""

from sampai.domain.report import Report


class PollResults:
    """Reports by message id, and candidates for messages without a vendor id."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.candidates: dict[str, list[Report]] = {}
        self.answered: set[str] = set()
        """Messages with an answer, even if the vendor did not know them, and those that it cannot be asked about."""
        self.unanswerable: set[str] = set()
        """Messages that the vendor cannot be asked about, now or later."""
        self.undecided: set[str] = set()
        """Messages that match a listed row which may also be a send still in flight."""
        self.not_asked: set[str] = set()
        """Messages that there was no time or no turn to ask about. They keep their place among the due messages."""
        self.searched: set[str] = set()
        """Messages that are not asked about, but that a part of the list was searched for."""
