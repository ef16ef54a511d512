"""Follow up every message that is due: wake it, expire its lease, or poll its vendor."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from sampai.contract.settings import Settings
from sampai.domain.message import Channel, Message
from sampai.domain.status import Status
from sampai.providers.base import Provider
from sampai.services.follow_up.changes import store_changes
from sampai.services.follow_up.leases import Leases
from sampai.services.follow_up.next_state import next_state
from sampai.services.follow_up.poller import StatusPoller
from sampai.services.follow_up.reconciliation import Reconciliation
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.wake_ups import WakeUps
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.correlations import Correlations
from sampai.services.ports.messages import Messages, Replace
from sampai.services.ports.queue import Queue
from sampai.services.ports.runtime import Clock, NewPool, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.reports import Reports
from sampai.services.routing import Routing, report_unusable

LIST_SIZE: Final = 2000
"""Due messages that are listed at a time: each list costs one query per shard of the index."""

PASS_SIZE: Final = 200
"""Messages that one pass reads and follows up."""

PASS_SECONDS: Final = 20.0
"""A pass begins only if at least this much time is left."""

UNREADABLE_PAUSE: Final = timedelta(hours=1)
"""Time after which an item that cannot be read is tried again: a newer release may run by then."""


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
        self._queue = queue
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry
        self._webhook_base_url = webhook_base_url
        self._reports = Reports(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)
        self._wake_ups = WakeUps(messages=messages, queue=queue, clock=clock, telemetry=telemetry)
        self._leases = Leases(messages=messages, clock=clock, telemetry=telemetry)
        self._poller = StatusPoller(transport=transport, telemetry=telemetry, new_pool=new_pool)
        self._reconciliation = Reconciliation(correlations=correlations, reports=self._reports, telemetry=telemetry)

    def run(self, *, remaining: Remaining) -> int:
        """Follow up due messages, the longest due first, until none is left or time runs out.

        Return the number of messages. Raises UnavailableError.
        """
        settings = self._settings.current()
        routing = Routing(settings, self._secret.current(), webhook_base_url=self._webhook_base_url)
        seen: set[str] = set()
        waiting: list[str] = []
        has_more = True
        is_measured = False
        while remaining() > PASS_SECONDS:
            if not waiting and has_more:
                listed = self._messages.due(self._clock(), LIST_SIZE + len(seen))
                has_more = len(listed) == LIST_SIZE + len(seen)
                waiting = [message_id for message_id in listed if message_id not in seen]
            if not waiting:
                break
            ids, waiting = waiting[:PASS_SIZE], waiting[PASS_SIZE:]
            seen.update(ids)
            messages = self._messages.read(ids)
            self._postpone_unreadable([message_id for message_id in ids if message_id not in messages])
            if not is_measured and messages:
                self._measure_oldest_due(messages.values())
                is_measured = True
            self._follow_up(list(messages.values()), settings, routing, remaining)
        if not is_measured:
            self._measure_oldest_due(())
        report_unusable(routing, self._telemetry)
        self._telemetry.info("followed up", messages=len(seen))
        return len(seen)

    def _postpone_unreadable(self, message_ids: Sequence[str]) -> None:
        """Move the items that were not read out of the way: they cannot be read, or have been deleted."""
        if not message_ids:
            return
        now = self._clock()
        try:
            self._messages.postpone_unreadable(message_ids, now=now, due_at=now + UNREADABLE_PAUSE)
        except UnavailableError as error:
            self._telemetry.warning("unreadable items not postponed", error=str(error))

    def _measure_oldest_due(self, messages: Iterable[Message]) -> None:
        """Record the age in seconds of the message that has been due for the longest time, or 0 if none is due."""
        now = self._clock()
        ages = [(now - message.due_at).total_seconds() for message in messages if message.due_at is not None]
        self._telemetry.measure("OldestDueAge", max([0.0, *ages]))

    def _follow_up(
        self, messages: Sequence[Message], settings: Settings, routing: Routing, remaining: Remaining
    ) -> None:
        now = self._clock()
        # The index may lag behind the messages.
        due = [message for message in messages if message.due_at is not None and message.due_at <= now]
        waiting = [m for m in due if m.status in (Status.SCHEDULED, Status.QUEUED)]
        self._isolate(waiting, lambda part: self._wake_ups.requeue_due(part, settings), remaining)
        self._isolate([m for m in due if m.status is Status.SENDING], self._leases.expire, remaining)
        groups: dict[tuple[str, Channel], list[Message]] = {}
        for message in due:
            if message.status in (Status.UNKNOWN, Status.ACCEPTED, Status.SENT):
                groups.setdefault((message.provider or "", message.channel), []).append(message)
        for (name, channel), group in groups.items():
            try:
                provider = routing.provider(name, channel)
                poll = partial(self._poll, name, provider, settings=settings, remaining=remaining)
                self._isolate(group, poll, remaining)
            except UnavailableError as error:
                self._telemetry.warning("follow-up deferred", provider=name, error=str(error))

    def _isolate(
        self, messages: Sequence[Message], follow_up: Callable[[Sequence[Message]], None], remaining: Remaining
    ) -> None:
        """Call `follow_up` with messages. If it breaks, call it with each half, down to the message that breaks it.

        That message is postponed like an item that cannot be read. Raises UnavailableError.
        """
        if not messages:
            return
        try:
            follow_up(messages)
        except UnavailableError:
            raise
        except Exception as error:
            middle = len(messages) // 2
            if middle and remaining() > PASS_SECONDS:
                self._isolate(messages[:middle], follow_up, remaining)
                self._isolate(messages[middle:], follow_up, remaining)
                return
            ids = [message.message_id for message in messages]
            self._telemetry.error("messages not followed up", message_ids=ids, error=type(error).__name__)
            self._telemetry.count("ItemUnreadable")
            self._postpone_unreadable(ids)

    def _poll(
        self,
        name: str,
        provider: Provider | None,
        group: Sequence[Message],
        *,
        settings: Settings,
        remaining: Remaining,
    ) -> None:
        """Poll one vendor for its messages, if its provider is turned on; if not, they wait for the report horizon."""
        group, reused = self._reconciliation.resolve_correlations(name, group)
        asked = [message for message in group if message.message_id not in reused]
        results = PollResults()
        if provider is not None:
            results = self._poller.poll(provider, asked, now=self._clock(), remaining=remaining)
            self._reconciliation.reconcile(provider, asked, results)
        results.answered.update(reused)
        delivered_after = provider.config.delivered_after if provider is not None else timedelta(0)
        self._store_results(group, results, settings, delivered_after=delivered_after)

    def _store_results(
        self, group: Sequence[Message], results: PollResults, settings: Settings, *, delivered_after: timedelta
    ) -> None:
        now = self._clock()
        changes, wake_ups = [], []
        for message in group:
            if message.message_id in results.not_asked:
                continue
            changed, wake_up = next_state(message, results, now=now, settings=settings, delivered_after=delivered_after)
            changes.append(Replace(before=message, message=changed))
            wake_ups += [wake_up] if wake_up is not None else []
        stored = store_changes(self._messages, changes)
        for change in changes:
            if change.before.provider_message_id is None and change.message.message_id in stored:
                self._reports.correlate(change.message)
        self._queue.put([wake_up for wake_up in wake_ups if wake_up.message_id in stored])
