"""The quota stage: count new messages against the limits that an operator has set."""

from collections.abc import Mapping
from datetime import datetime

from sampai.domain.failure import Failure
from sampai.domain.message import Message
from sampai.domain.quotas import Limit, quota_counters_of, quota_exceeded
from sampai.domain.status import Status
from sampai.services.ports.messages import Messages
from sampai.services.ports.quotas import QuotaCounters
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.send.admission import fail_admission
from sampai.services.send.batch import Batch, BatchItem


class Quotas:
    def __init__(self, *, messages: Messages, counters: QuotaCounters, clock: Clock) -> None:
        self._messages = messages
        self._counters = counters
        self._clock = clock

    def enforce(self, batch: Batch) -> None:
        """Fail each new message that exceeds a quota.

        A message that is stored already was counted before. A message that cannot be counted now is redelivered, and
        part of it may then be counted twice. No message is sent without being counted.
        """
        limits = batch.configuration.settings.limits_in_force()
        new = [item for item in batch.items if item.is_new and item.message.status is not Status.FAILED]
        if not limits or not new:
            return
        for item in new[self._count_in_turn(new, limits, batch) :]:
            batch.remove_after_outage(item)

    def _count_in_turn(self, new: list[BatchItem], limits: Mapping[Limit, int], batch: Batch) -> int:
        """Count the messages in their order and return how many were counted. Stop at the first outage.

        Further calls to a slow table could use up the invocation.
        """
        now = self._clock()
        counted = 0
        try:
            stored = self._messages.read([item.message.message_id for item in new])
            for item in new:
                if not batch.deadline.has_time_for_call():
                    break
                failure = None if item.message.message_id in stored else self._count(item.message, limits, now)
                if failure is not None:
                    item.decide(fail_admission(item.before, failure, now=now))
                counted += 1
        except UnavailableError:
            pass
        return counted

    def _count(self, message: Message, limits: Mapping[Limit, int], now: datetime) -> Failure | None:
        for counter in quota_counters_of(message.recipient, limits, now=now):
            if not self._counters.increment(counter):
                return quota_exceeded(counter.limit)
        return None
