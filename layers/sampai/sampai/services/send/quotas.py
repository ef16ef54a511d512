"""Counting new messages against the limits that an operator has set."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sampai.domain.failure import Failure
from sampai.domain.message import Message
from sampai.domain.quotas import Limit, quota_counters_of, quota_exceeded
from sampai.services.ports.messages import Messages
from sampai.services.ports.quotas import QuotaCounters
from sampai.services.ports.runtime import Remaining, UnavailableError
from sampai.services.send.dispatch import CALL_SECONDS, WRITE_MARGIN_SECONDS


def enforce_quotas(
    messages: Sequence[Message],
    limits: Mapping[Limit, int],
    *,
    stored: Messages,
    quotas: QuotaCounters,
    now: datetime,
    remaining: Remaining,
) -> dict[str, Failure | None]:
    """Count messages that are about to be stored, and return by id what stands against each, or None. Never raises.

    One that is stored already was counted then. One that is missing in the answer could not be counted: it must come
    back, and what of it was counted is then counted twice. It is never the other way round.
    """
    verdicts: dict[str, Failure | None] = {}
    try:
        known = stored.read([message.message_id for message in messages])
        for message in messages:
            if remaining() < CALL_SECONDS + WRITE_MARGIN_SECONDS:
                break  # no vendor could be called any more
            is_known = message.message_id in known
            verdicts[message.message_id] = None if is_known else _count(message, limits, quotas, now)
    except UnavailableError:
        pass  # asked again for each of the others, a slow table would use up the invocation
    return verdicts


def _count(message: Message, limits: Mapping[Limit, int], quotas: QuotaCounters, now: datetime) -> Failure | None:
    for counter in quota_counters_of(message.recipient, limits, now=now):
        if not quotas.increment(counter):
            return quota_exceeded(counter.limit)
    return None
