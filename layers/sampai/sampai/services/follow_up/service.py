"""Follow up every message that is due: wake it, expire its lease, or poll its vendor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain
from math import inf
from typing import Final, TypeVar

from sampai.contract.settings import Settings
from sampai.domain.message import Channel, Message
from sampai.domain.status import Status
from sampai.providers.base import Provider
from sampai.services.follow_up.changes import store_changes
from sampai.services.follow_up.due import PASS_SECONDS, DueMessages, alternate
from sampai.services.follow_up.leases import Leases
from sampai.services.follow_up.lookup_pacer import LookupPacer
from sampai.services.follow_up.next_state import next_state
from sampai.services.follow_up.poller import StatusPoller
from sampai.services.follow_up.reconciliation import Reconciliation
from sampai.services.follow_up.results import PollResults
from sampai.services.follow_up.wake_ups import WakeUps
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.correlations import Correlations
from sampai.services.ports.messages import ONLY_WORKER, DueFamily, Messages, Replace, Worker
from sampai.services.ports.queue import Queue
from sampai.services.ports.rate_limiter import RateLimiter
from sampai.services.ports.runtime import Clock, NewPool, Remaining, Sleep, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import Transport
from sampai.services.reports import Reports
from sampai.services.routing import Routing, report_unusable

POLLED: Final = (Status.UNKNOWN, Status.ACCEPTED, Status.SENT)
"""Statuses in which a vendor is asked about a message."""

MAX_WAIT_SECONDS: Final = 2.0
"""Time in one pass to wait for the rate of a vendor: the other vendors of the pass wait as well."""

Group = tuple[str, Channel]
"""A provider's name and a channel. Their messages are polled together."""

Result = TypeVar("Result")


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
        limiter: RateLimiter,
        sleep: Sleep,
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
        self._new_pool = new_pool
        self._poller = StatusPoller(
            transport=transport,
            telemetry=telemetry,
            new_pool=new_pool,
            new_pacer=partial(LookupPacer, limiter=limiter, clock=clock, sleep=sleep, telemetry=telemetry),
        )
        self._reconciliation = Reconciliation(correlations=correlations, reports=self._reports, telemetry=telemetry)

    def run(self, *, remaining: Remaining, worker: Worker = ONLY_WORKER) -> int:
        """Follow up the due messages of a worker's shards, the longest due first, until none is left or time runs out.

        Wake-ups and expired leases come first, so that they never wait behind polls. Return the number of messages.
        Raises UnavailableError.

        Expired leases are among messages that wait for their first look, so all of these are read before any vendor is
        asked. Half of the time is left for the vendors: too long a backlog must not keep them from being asked at all.
        """
        settings = self._settings.current()
        routing = Routing(settings, self._secret.current(), webhook_base_url=self._webhook_base_url)
        due = DueMessages(
            messages=self._messages,
            clock=self._clock,
            telemetry=self._telemetry,
            worker=worker,
            remaining=remaining,
        )
        half = (remaining() + PASS_SECONDS) / 2
        for messages in chain(due.passes(DueFamily.WAITING), due.passes(DueFamily.CLAIMED, reserve=half)):
            self._wake(messages, settings, due, remaining)
            due.keep([message for message in messages if message.status in POLLED])
        poll = Poll(settings=settings, routing=routing, due=due, remaining=remaining)
        for messages in alternate(due.kept(), due.passes(DueFamily.POLLED)):
            self._poll_vendors(messages, poll)
        self._poll_again(poll)
        self._telemetry.measure("OldestDueAge", due.oldest_age)
        self._telemetry.measure("DueMessages", due.count)
        report_unusable(routing, self._telemetry)
        self._telemetry.info("followed up", messages=due.count)
        return due.count

    def _wake(self, messages: Sequence[Message], settings: Settings, due: DueMessages, remaining: Remaining) -> None:
        """Queue the waiting messages, and expire the leases of those whose worker is gone."""
        waiting = [message for message in messages if message.status in (Status.SCHEDULED, Status.QUEUED)]
        leased = [message for message in messages if message.status is Status.SENDING]
        self._isolate(waiting, lambda part: self._wake_ups.requeue_due(part, settings), due, remaining)
        self._isolate(leased, self._leases.expire, due, remaining)

    def _poll_vendors(self, messages: Sequence[Message], poll: "Poll") -> None:
        """Poll the vendors of one pass. One whose rate was used up in an earlier pass is polled after the last one."""
        groups: dict[Group, list[Message]] = {}
        for message in messages:
            group = (message.provider or "", message.channel)
            if message.status not in POLLED:
                continue
            if group in poll.not_asked:
                poll.not_asked[group].append(message.message_id)
            else:
                groups.setdefault(group, []).append(message)
        polls = [
            partial(self._poll_vendor, *group, members, poll, max_wait_seconds=MAX_WAIT_SECONDS)
            for group, members in groups.items()
        ]
        for group, not_asked in zip(groups, self._side_by_side(polls), strict=True):
            if not_asked:
                poll.not_asked[group] = not_asked

    def _poll_again(self, poll: "Poll") -> None:
        """Ask about the messages that no pass asked about. Calls now wait for the rate until time runs out."""
        self._side_by_side([partial(self._poll_rest, *group, ids, poll) for group, ids in poll.not_asked.items()])

    def _poll_rest(self, name: str, channel: Channel, message_ids: Sequence[str], poll: "Poll") -> None:
        for messages in poll.due.again(message_ids):
            polled = [message for message in messages if message.status in POLLED]
            self._poll_vendor(name, channel, polled, poll, max_wait_seconds=inf)

    def _side_by_side(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Return the results of calls at the same time, so that a slow vendor does not use up the time of another."""
        if not calls:
            return []
        with self._new_pool(len(calls)) as pool:
            futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]

    def _poll_vendor(
        self, name: str, channel: Channel, group: Sequence[Message], poll: "Poll", *, max_wait_seconds: float
    ) -> list[str]:
        """Poll one vendor, and return the ids of the messages that were not asked about."""
        not_asked: list[str] = []
        provider = poll.routing.provider(name, channel)
        try:
            self._isolate(
                group,
                lambda part: not_asked.extend(self._poll(name, provider, part, poll, max_wait_seconds)),
                poll.due,
                poll.remaining,
            )
        except UnavailableError as error:
            self._telemetry.warning("follow-up deferred", provider=name, error=str(error))
        return not_asked

    def _isolate(
        self,
        messages: Sequence[Message],
        follow_up: Callable[[Sequence[Message]], None],
        due: DueMessages,
        remaining: Remaining,
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
                self._isolate(messages[:middle], follow_up, due, remaining)
                self._isolate(messages[middle:], follow_up, due, remaining)
                return
            ids = [message.message_id for message in messages]
            self._telemetry.error("messages not followed up", message_ids=ids, error=type(error).__name__)
            self._telemetry.count("ItemUnreadable")
            due.postpone(ids)

    def _poll(
        self, name: str, provider: Provider | None, group: Sequence[Message], poll: "Poll", max_wait_seconds: float
    ) -> list[str]:
        """Poll one vendor for its messages, if its provider is turned on; if not, they wait for the report horizon.

        Return the ids of the messages that were not asked about. They stay as they are.
        """
        group, reused = self._reconciliation.resolve_correlations(name, group)
        asked = [message for message in group if message.message_id not in reused]
        results = PollResults()
        if provider is not None:
            results = self._poller.poll(
                provider,
                asked,
                now=self._clock(),
                remaining=poll.remaining,
                settings=poll.settings,
                pace=poll.settings.lookup_pace_of(name),
                max_wait_seconds=max_wait_seconds,
            )
            self._reconciliation.reconcile(provider, asked, results)
        results.answered.update(reused)
        delivered_after = provider.config.delivered_after if provider is not None else timedelta(0)
        # A search that even the last poll did not complete counts: at a low rate it would begin again for ever.
        keep = results.not_asked - results.searched if max_wait_seconds == inf else results.not_asked
        changing = [message for message in group if message.message_id not in keep]
        self._store_results(changing, results, poll.settings, delivered_after=delivered_after)
        return [message.message_id for message in group if message.message_id in keep]

    def _store_results(
        self, group: Sequence[Message], results: PollResults, settings: Settings, *, delivered_after: timedelta
    ) -> None:
        now = self._clock()
        changes, wake_ups = [], []
        for message in group:
            changed, wake_up = next_state(message, results, now=now, settings=settings, delivered_after=delivered_after)
            changes.append(Replace(before=message, message=changed))
            wake_ups += [wake_up] if wake_up is not None else []
        stored = store_changes(self._messages, changes)
        for change in changes:
            if change.before.provider_message_id is None and change.message.message_id in stored:
                self._reports.correlate(change.message)
        self._queue.put([wake_up for wake_up in wake_ups if wake_up.message_id in stored])


@dataclass(slots=True, kw_only=True)
class Poll:
    """The polls of one run."""

    settings: Settings
    routing: Routing
    due: DueMessages
    remaining: Remaining
    not_asked: dict[Group, list[str]] = field(default_factory=dict)
    """The ids of the messages that a pass did not ask about."""
