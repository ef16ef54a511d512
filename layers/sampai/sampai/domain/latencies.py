"""How long a message took, by its history: until a vendor accepted it, and from then until it was delivered."""

from collections.abc import Set
from datetime import datetime, timedelta
from typing import Final

from sampai.domain.message import Message, time_waited
from sampai.domain.status import Status

DELIVERED: Final = frozenset({Status.DELIVERED, Status.READ})
ACCEPTED: Final = frozenset({Status.ACCEPTED, Status.SENT, Status.UNDELIVERED, *DELIVERED})
"""Statuses that prove that a vendor took the message. A receipt may come before the vendor's answer."""


def accepted_at(message: Message) -> datetime | None:
    """Return when we learned that a vendor took the message, or None if none has."""
    return _first(message, ACCEPTED)


def delivered_at(message: Message) -> datetime | None:
    """Return when we learned that the message was delivered, or None."""
    return _first(message, DELIVERED)


def accept_latency(message: Message) -> timedelta | None:
    """Return the time from the request, or from a later `send_at`, until a vendor took the message. None if none has.

    The request counts from its first record in the table: the time in the queue before it is not included. Stops of all
    sending and quiet hours do not count either.
    """
    accepted = accepted_at(message)
    return None if accepted is None else max(time_waited(message, now=accepted), timedelta(0))


def delivery_latency(message: Message) -> timedelta | None:
    """Return the time from the vendor's acceptance until we learned of the delivery. None if it is not delivered.

    If nothing proved the acceptance before the delivery did, the time counts from the attempt.
    """
    accepted, delivered = accepted_at(message), delivered_at(message)
    if accepted is None or delivered is None:
        return None
    since = accepted if accepted < delivered else message.attempted_at or accepted
    return max(delivered - since, timedelta(0))


def _first(message: Message, statuses: Set[Status]) -> datetime | None:
    return next((entry.at for entry in message.history if entry.status in statuses), None)
