"""The quota stage: count new messages against the limits that an operator has set."""

from collections.abc import Sequence
from datetime import datetime

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure
from sampai.domain.message import Message
from sampai.domain.quotas import QuotaCounter, quota_counters_of, quota_exceeded
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
        """Fail each new message that exceeds a quota of its caller, or of all callers.

        A message that is stored already was counted before. A message that cannot be counted now is redelivered, and
        part of it may then be counted twice. No message is sent without being counted.
        """
        settings, now = batch.configuration.settings, self._clock()
        new = (item for item in batch.items if item.is_new and item.message.status is not Status.FAILED)
        counters = [(item, _counters_of(item.message, settings, now)) for item in new]
        limited = [(item, each) for item, each in counters if each]
        if not limited:
            return
        for item, _ in limited[self._count_in_turn(limited, batch, now) :]:
            batch.remove_after_outage(item)

    def _count_in_turn(
        self, limited: Sequence[tuple[BatchItem, Sequence[QuotaCounter]]], batch: Batch, now: datetime
    ) -> int:
        """Count the messages in their order and return how many were counted. Stop at the first outage.

        Further calls to a slow table could use up the invocation.
        """
        counted = 0
        try:
            stored = self._messages.read([item.message.message_id for item, _ in limited])
            for item, counters in limited:
                if not batch.deadline.has_time_for_call():
                    break
                failure = None if item.message.message_id in stored else self._count(counters)
                if failure is not None:
                    item.decide(fail_admission(item.before, failure, now=now))
                counted += 1
        except UnavailableError:
            pass
        return counted

    def _count(self, counters: Sequence[QuotaCounter]) -> Failure | None:
        for counter in counters:
            if not self._counters.increment(counter):
                return quota_exceeded(counter)
        return None


def _counters_of(message: Message, settings: Settings, now: datetime) -> tuple[QuotaCounter, ...]:
    """Return the counters of a new message: those of its caller first, which are narrower than those of all."""
    for_all = quota_counters_of(message.recipient, settings.limits.quotas(), now=now)
    rules = settings.rules_of(message.caller)
    if rules is None:
        return for_all
    own = quota_counters_of(message.recipient, rules.limits.quotas(), now=now, caller=message.caller)
    return own + for_all
