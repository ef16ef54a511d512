"""The dispatch stage: call the providers concurrently, each call at its reserved start and within the deadline."""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sampai.domain.message import Message
from sampai.domain.outcome import Outcome, Unknown
from sampai.providers.base import Provider
from sampai.providers.features import SupportsBatchSend
from sampai.services.deadline import Deadline
from sampai.services.ports.runtime import Clock, NewPool, Sleep
from sampai.services.send.batch import Batch, BatchItem
from sampai.services.send.provider_calls import EXPIRED, NO_THREAD, NO_TIME, ProviderCalls

THREADS: Final = 32

SHARED_WITHIN: Final = timedelta(milliseconds=100)
"""Maximum distance of the starts in one call: its messages reach the vendor all at once."""

_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Items that one HTTP call sends."""

    provider: Provider
    items: list[BatchItem]

    @property
    def message_ids(self) -> list[str]:
        return [item.message.message_id for item in self.items]

    @property
    def first_start(self) -> datetime:
        return _start_of(self.items[0])

    @property
    def last_start(self) -> datetime:
        return max(map(_start_of, self.items))

    def has_room_for(self, item: BatchItem) -> bool:
        """Return whether an item can join the call. Numbers must differ: the vendor's answer is matched by number."""
        if len(self.items) >= self.provider.capabilities.max_batch_size:
            return False
        if _start_of(item) - self.first_start > SHARED_WITHIN:
            return False
        return item.message.recipient not in {other.message.recipient for other in self.items}


class Dispatcher:
    def __init__(self, *, calls: ProviderCalls, clock: Clock, sleep: Sleep, new_pool: NewPool) -> None:
        self._calls = calls
        self._clock = clock
        self._sleep = sleep
        self._new_pool = new_pool
        self._pool: Executor | None = None

    def dispatch(self, batch: Batch) -> None:
        """Send every claimed message and set its outcome. Return before the invocation runs out of time."""
        calls = group_into_calls(batch.items)
        if not calls:
            return
        pool = self._pool or self._new_pool(THREADS)
        futures = [(call, self._submit(pool, call, batch.deadline)) for call in calls]
        _, unfinished = wait_for([future for _, future in futures], timeout=batch.deadline.seconds_for_calls())
        # Threads are expensive to start, so the pool is kept. A stuck thread must not be waited for again.
        self._pool = None if unfinished else pool
        if unfinished:
            pool.shutdown(wait=False, cancel_futures=True)
        for call, future in futures:
            outcomes = _outcomes_of(call, future)
            for item in call.items:
                item.outcome = outcomes[item.message.message_id]

    def _submit(self, pool: Executor, call: Call, deadline: Deadline) -> "Future[dict[str, Outcome]]":
        """Start a call. If no thread can be started, the call is not made.

        A pool queues the work before it starts the thread. If that fails, the work stays in the queue, and a thread of
        another call may take it later. The first of the two that gets the lock decides whether the call is made.
        """
        lock = Lock()

        def make() -> dict[str, Outcome]:
            return self._make(call, deadline) if lock.acquire(blocking=False) else {}

        try:
            return pool.submit(make)
        except Exception as error:
            failed: Future[dict[str, Outcome]] = Future()
            if lock.acquire(blocking=False):
                failed.set_result(dict.fromkeys(call.message_ids, NO_THREAD))
            else:  # another thread makes the call
                failed.set_exception(error)
            return failed

    def _make(self, call: Call, deadline: Deadline) -> dict[str, Outcome]:
        """Make one call and return the outcomes by message id. Messages that have expired are left out of it."""
        if not self._wait_for_start(call, deadline):
            return dict.fromkeys(call.message_ids, NO_TIME)
        now = self._clock()
        messages = [item.message for item in call.items if not item.message.is_expired(now)]
        if not deadline.has_time_for_call():
            outcomes: list[Outcome] = [NO_TIME] * len(messages)
        elif isinstance(call.provider, SupportsBatchSend) and len(messages) > 1:
            outcomes = self._calls.send_many(call.provider, messages)
        else:
            outcomes = [self._calls.send(call.provider, message) for message in messages]
        made = {message.message_id: outcome for message, outcome in zip(messages, outcomes, strict=True)}
        return {message_id: made.get(message_id, EXPIRED) for message_id in call.message_ids}

    def _wait_for_start(self, call: Call, deadline: Deadline) -> bool:
        """Wait for the reserved start of the call. Return False at once if it is after the deadline."""
        pause = (call.last_start - self._clock()).total_seconds()
        if not deadline.allows_wait(pause):
            return False
        if pause > 0:
            self._sleep(pause)
        return True


def group_into_calls(items: Sequence[BatchItem]) -> list[Call]:
    """Return the calls that send some items, ordered by their start. Items without a provider are not sent."""
    calls: list[Call] = []
    open_calls: dict[tuple[int, str], Call] = {}
    for item in sorted(items, key=_start_of):
        if item.provider is None:
            continue
        shared = _batch_key(item.provider, item.message)
        key = (id(item.provider), shared or "")
        call = open_calls.get(key) if shared is not None else None
        if call is not None and call.has_room_for(item):
            call.items.append(item)
            continue
        call = Call(provider=item.provider, items=[item])
        calls.append(call)
        if shared is not None:
            open_calls[key] = call
    return calls


def _batch_key(provider: Provider, message: Message) -> str | None:
    """Return the key of the calls that a message may share, or None if it is sent by itself."""
    try:
        return provider.batch_key(message) if isinstance(provider, SupportsBatchSend) else None
    except Exception:
        return None


def _start_of(item: BatchItem) -> datetime:
    return item.starts_at or _AT_ONCE


def _outcomes_of(call: Call, future: Future[dict[str, Outcome]]) -> dict[str, Outcome]:
    if future.cancelled():
        return dict.fromkeys(call.message_ids, NO_TIME)
    if not future.done():
        return dict.fromkeys(call.message_ids, Unknown(why="no answer in time"))
    try:
        return future.result()
    except Exception as error:
        return dict.fromkeys(call.message_ids, Unknown(why=type(error).__name__))
