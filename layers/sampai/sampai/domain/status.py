"""The statuses of a message and their order."""

from enum import StrEnum


class Status(StrEnum):
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"
    CANCELED = "canceled"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    READ = "read"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def is_final(self) -> bool:
        return self.rank >= _RANKS[Status.UNCONFIRMED]

    @property
    def may_be_sent(self) -> bool:
        """Return whether a vendor may still be called for the message, for the first time or again."""
        return self.rank <= _RANKS[Status.UNKNOWN]

    @property
    def is_failure(self) -> bool:
        """Return whether the status has a failure: no vendor took the message, or it did not arrive."""
        return self in (Status.FAILED, Status.UNDELIVERED)


_RANKS = {
    Status.SCHEDULED: 0,
    Status.QUEUED: 10,
    Status.SENDING: 20,
    Status.UNKNOWN: 30,
    Status.ACCEPTED: 40,
    Status.SENT: 50,
    Status.UNCONFIRMED: 60,
    Status.CANCELED: 70,
    Status.FAILED: 70,
    Status.UNDELIVERED: 75,
    Status.DELIVERED: 80,
    Status.READ: 90,
}


def advance(current: Status, reported: Status | None) -> Status:
    """Return the status to store after a report. A late, repeated or unknown report never lowers it."""
    if reported is None or reported.rank <= current.rank:
        return current
    return reported


class Source(StrEnum):
    """The origin of a status change."""

    SEND = "send"
    WEBHOOK = "webhook"
    POLL = "poll"
    SWEEP = "sweep"
    CALLER = "caller"
