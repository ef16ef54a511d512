"""Follow up: look at every message whose time has come. Nothing that is not final is ever forgotten."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sampai.contract.settings import Settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Channel,
    Message,
    OnUnknown,
    accept,
    apply_report,
    defer,
    fail,
    mark_unconfirmed,
    mark_unknown,
    requeue,
    schedule_poll,
    urgency,
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.providers.base import Provider
from sampai.providers.features import SupportsReferences
from sampai.services.attempt import has_waited_out, is_past_horizon, plan_wake_up
from sampai.services.follow_up.poller import PollResults, StatusPoller
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.correlations import Correlation, Correlations, correlation_key
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.queue import Queue, WakeUp
from sampai.services.ports.runtime import Clock, NewPool, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.reports import Reports, strongest
from sampai.services.routing import Routing

LIST_SIZE: Final = 2000
"""Due messages that are listed at a time: a query for each shard of the index, however many it finds."""

PASS_SIZE: Final = 200
"""Messages that are looked at together."""

PASS_SECONDS: Final = 20.0
"""A further pass is begun only while at least this much time is left."""

MISSES_BEFORE_RESEND: Final = 2
"""A vendor's list lags behind; not being in it once proves little."""

MAX_ATTEMPTS: Final = 5
"""Attempts under `on_unknown: resend`, each of which may have reached the handset."""


class FollowUpService:
    def __init__(
        self,
        *,
        messages: Messages,
        correlations: Correlations,
        queue: Queue,
        transport: Transport,
        settings: SettingsSource,
        secret: SecretSource,
        clock: Clock,
        telemetry: Telemetry,
        webhook_base_url: str,
        new_pool: NewPool,
    ) -> None:
        self._messages = messages
        self._correlations = correlations
        self._queue = queue
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry
        self._webhook_base_url = webhook_base_url
        self._poller = StatusPoller(transport=transport, telemetry=telemetry, new_pool=new_pool)
        self._reports = Reports(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)

    def run(self, *, remaining: Remaining) -> int:
        """Look at due messages, the longest due first, until none is left or time runs out. Return how many."""
        settings = self._settings.current()
        routing = Routing(settings, self._secret.current(), webhook_base_url=self._webhook_base_url)
        seen: set[str] = set()
        waiting: list[str] = []
        has_more = True
        while remaining() > PASS_SECONDS:
            if not waiting and has_more:
                listed = self._messages.due(self._clock(), LIST_SIZE + len(seen))
                has_more = len(listed) == LIST_SIZE + len(seen)
                waiting = [message_id for message_id in listed if message_id not in seen]
            if not waiting:
                break
            ids, waiting = waiting[:PASS_SIZE], waiting[PASS_SIZE:]
            seen.update(ids)
            self._resolve_existing(list(self._messages.read(ids).values()), settings, routing, remaining)
        self._telemetry.info("followed up", messages=len(seen))
        return len(seen)

    def _resolve_existing(
        self, messages: Sequence[Message], settings: Settings, routing: Routing, remaining: Remaining
    ) -> None:
        now = self._clock()
        due = [message for message in messages if message.due_at is not None and message.due_at <= now]
        self._requeue_due([m for m in due if m.status in (Status.SCHEDULED, Status.QUEUED)], settings)
        self._store_all([(m, self._expire_lease(m)) for m in due if m.status is Status.SENDING])
        on_their_way = [m for m in due if m.status in (Status.UNKNOWN, Status.ACCEPTED, Status.SENT)]
        groups: dict[tuple[str, Channel], list[Message]] = {}
        for message in on_their_way:
            groups.setdefault((message.provider or "", message.channel), []).append(message)
        for (name, channel), group in groups.items():
            try:
                self._ask(name, routing.provider(name, channel), group, settings, remaining)
            except UnavailableError as error:
                self._telemetry.warning("follow-up deferred", provider=name, error=str(error))

    # --- messages that wait -----------------------------------------------------------------------------------------

    def _requeue_due(self, waiting: Sequence[Message], settings: Settings) -> None:
        now = self._clock()
        changes: list[tuple[Message, Message]] = []
        wake_ups: dict[str, WakeUp] = {}
        for message in sorted(waiting, key=urgency):
            failure = _terminal_failure(message, now=now, settings=settings)
            if failure is not None:
                changes.append((message, fail(message, failure, now=now, source=Source.SWEEP)))
                continue
            due_at, wake_up = self._next_wake_up(message, now)
            changes.append((message, defer(message, now=now, due_at=due_at)))
            if wake_up is not None:
                wake_ups[message.message_id] = wake_up
        stored = self._store_all(changes)
        try:
            self._queue.put([wake_up for message_id, wake_up in wake_ups.items() if message_id in stored])
        except UnavailableError:
            self._telemetry.warning("wake-ups not queued", count=len(wake_ups))

    @staticmethod
    def _next_wake_up(message: Message, now: datetime) -> tuple[datetime, WakeUp | None]:
        at = max(now, message.send_at or now) if message.status is Status.SCHEDULED else now
        return plan_wake_up(message, at=at, now=now, from_schedule=True)

    def _expire_lease(self, message: Message) -> Message:
        """The lease is over: whoever claimed the message is gone, and may have sent it."""
        self._telemetry.warning("lease expired", message_id=message.message_id, provider=message.provider)
        self._telemetry.count("LeaseExpired", provider=message.provider)
        now = self._clock()
        return mark_unknown(message, now=now, due_at=now, source=Source.SWEEP)

    # --- messages on their way --------------------------------------------------------------------------------------

    def _ask(
        self, name: str, provider: Provider | None, group: Sequence[Message], settings: Settings, remaining: Remaining
    ) -> None:
        group = self._resolve_correlations(name, group)
        results = (
            self._poller.ask(provider, group, now=self._clock(), remaining=remaining) if provider else PollResults()
        )
        if provider is not None:
            self._match(provider, group, results)
        now = self._clock()
        changes, wake_ups = [], []
        for message in group:
            changed, wake_up = _next_state(message, results, now=now, settings=settings)
            changes.append((message, changed))
            wake_ups += [wake_up] if wake_up is not None else []
        stored = self._store_all(changes)
        for before, after in changes:
            if before.provider_message_id is None and after.message_id in stored:
                self._reports.meet(after)
        self._queue.put([wake_up for wake_up in wake_ups if wake_up.message_id in stored])

    def _resolve_correlations(self, name: str, group: Sequence[Message]) -> list[Message]:
        """Complete meetings that a sender left open, and return the messages that still need to be asked about."""
        keys = {correlation_key(name, m.provider_message_id): m for m in group if m.provider_message_id is not None}
        met = self._correlations.find_correlations(keys.keys())
        kept = {message.message_id: message for message in group}
        for key, message in keys.items():
            correlation = met.get(key)
            if correlation is None or correlation.message_id is None:
                correlation = self._correlations.claim_correlation(key, message.message_id)
            if correlation.message_id == message.message_id and correlation.reports:
                kept[message.message_id] = self._reports.join(message, correlation)
        return [message for message in kept.values() if not message.status.is_final]

    def _match(self, provider: Provider, group: Sequence[Message], results: PollResults) -> None:
        """Give a lost answer its message: a candidate that no other message has claimed, if there is no doubt."""
        name = provider.name
        lost = [m for m in group if m.provider_message_id is None and results.candidates.get(m.message_id)]
        keys = [correlation_key(name, r.provider_message_id) for m in lost for r in results.candidates[m.message_id]]
        met = self._correlations.find_correlations(keys) if keys else {}
        for message in lost:
            free = [r for r in results.candidates[message.message_id] if _is_free(met, name, r, message)]
            named = [r for r in free if r.reference is not None and isinstance(provider, SupportsReferences)]
            is_certain = len(free) == 1 and not any(_share(results, m, free) for m in lost if m is not message)
            if named or is_certain:
                self._adopt(name, message, strongest(named or free), results)
            elif free:
                self._telemetry.warning("reconciliation ambiguous", message_id=message.message_id, provider=name)

    def _adopt(self, name: str, message: Message, report: Report, results: PollResults) -> None:
        correlation = self._correlations.claim_correlation(
            correlation_key(name, report.provider_message_id), message.message_id
        )
        if correlation.message_id == message.message_id:
            results.reports[message.message_id] = report
            self._telemetry.info("unknown send reconciled", message_id=message.message_id, provider=name)

    def _store_all(self, changes: Sequence[tuple[Message, Message]]) -> set[str]:
        """Store the changes and return the ids of those stored; somebody else's change makes the message wait."""
        results = self._messages.commit([Replace(before=before, message=after) for before, after in changes])
        return {after.message_id for (_, after), written in zip(changes, results, strict=True) if written.done}


def _terminal_failure(message: Message, *, now: datetime, settings: Settings) -> Failure | None:
    if message.is_expired(now):
        return Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
    if has_waited_out(message, now=now, settings=settings):
        return message.failure or Failure(reason=Reason.PROVIDER_ERROR, detail="no provider could be asked in time")
    return None


def _next_state(
    message: Message, results: PollResults, *, now: datetime, settings: Settings
) -> tuple[Message, WakeUp | None]:
    """Return the message after its look-up, with a note if it is to be sent again."""
    report = results.reports.get(message.message_id)
    learned = _apply_poll(message, report, now=now)
    if learned.status.is_final:
        return learned, None
    if learned.status is not message.status:
        return _reschedule(learned, now=now, settings=settings, not_found=False), None
    if is_past_horizon(message, now=now, settings=settings):
        return mark_unconfirmed(learned, now=now), None
    not_found = report is None and message.message_id in results.asked
    if not_found and _is_to_be_sent_again(message, now=now):
        again = requeue(message, route=message.route, failure=None, now=now, due_at=now, source=Source.SWEEP)
        due_at, wake_up = plan_wake_up(again, at=now, now=now, from_schedule=True)
        return replace(again, due_at=due_at), wake_up
    return _reschedule(learned, now=now, settings=settings, not_found=not_found), None


def _apply_poll(message: Message, report: Report | None, *, now: datetime) -> Message:
    if report is None:
        return message
    if message.status is Status.UNKNOWN and (report.status is None or report.status.rank <= Status.ACCEPTED.rank):
        return accept(
            message,
            provider_message_id=report.provider_message_id,
            provider_status=report.provider_status,
            now=now,
            due_at=now,
            source=Source.POLL,
        )
    return apply_report(message, report, now=now, source=Source.POLL)


def _reschedule(message: Message, *, now: datetime, settings: Settings, not_found: bool) -> Message:
    steps = settings.poll_seconds
    pause = timedelta(seconds=steps[min(message.lookups + 1, len(steps) - 1)])
    return schedule_poll(message, now=now, due_at=now + pause, not_found=not_found)


def _is_to_be_sent_again(message: Message, *, now: datetime) -> bool:
    return (
        message.status is Status.UNKNOWN
        and message.on_unknown is OnUnknown.RESEND
        and message.not_found_count + 1 >= MISSES_BEFORE_RESEND
        and message.attempt < MAX_ATTEMPTS
        and not message.is_expired(now)
    )


def _is_free(met: dict[str, Correlation], name: str, report: Report, message: Message) -> bool:
    correlation = met.get(correlation_key(name, report.provider_message_id))
    return correlation is None or correlation.message_id in (None, message.message_id)


def _share(results: PollResults, message: Message, reports: Sequence[Report]) -> bool:
    ids = {report.provider_message_id for report in reports}
    return any(known.provider_message_id in ids for known in results.candidates[message.message_id])
