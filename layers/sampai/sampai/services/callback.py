"""Post the events to a receiver outside AWS, in order for each message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sampai.contract.callbacks import Callback, UnreadableEventError, parse_callback
from sampai.domain.callback_progress import MAX_DELAY, Step, arrive, claim, conclude, next_step, release
from sampai.domain.callback_signature import sign
from sampai.domain.http import HttpRequest
from sampai.providers.responses import retry_after_seconds
from sampai.services.deadline import COMMIT_SECONDS
from sampai.services.ports.callbacks import CallbackProgressStore, CallbackQueue
from sampai.services.ports.configuration import SecretSource
from sampai.services.ports.queue import Receipt
from sampai.services.ports.runtime import Clock, NewPool, Remaining, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NOT_PUBLIC, NoResponse, Transport

POST_SECONDS: Final = 15.0
"""The deadline of a post. The scheme recommends 15 to 30 seconds."""

EVENT_SECONDS: Final = POST_SECONDS + 4 * COMMIT_SECONDS
"""The longest time for one event: its progress is read once and written twice, and then the queue is told."""

RESPONSE_LIMIT: Final = 1024 * 1024
"""The most bytes of an answer. Its body does not matter, but a longer one would look like no answer."""

PAUSE: Final = timedelta(seconds=30)
"""After a sign that the receiver is down or overloaded, this worker waits for so long before the next post."""

_OVERLOADED: Final = frozenset({410, 429, 502, 503, 504})
"""Answers after which the scheme recommends to slow down (410: to stop)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRecord:
    """A delivery of the queue: an event in EventBridge's envelope."""

    record_id: str
    body: str = field(repr=False)
    receives: int
    receipt: Receipt


Entry = tuple[CallbackRecord, Callback | None]
Group = list[Entry]
Delayed = tuple[CallbackRecord, int]
Result = tuple[bool, int]
"""Whether an event is done, and otherwise the seconds until the next attempt."""

DONE: Final[Result] = (True, 0)


class CallbackService:
    """Every event is posted at least once, or ends in the dead-letter queue after `max_receives`.

    All answers but 2xx are tried again, as the scheme recommends: a receiver that answers 404 may be deployed wrongly.
    """

    def __init__(
        self,
        *,
        url: str,
        progress: CallbackProgressStore,
        queue: CallbackQueue,
        transport: Transport,
        secret: SecretSource,
        clock: Clock,
        telemetry: Telemetry,
        new_pool: NewPool,
        lease: timedelta,
        max_receives: int,
    ) -> None:
        self._url = url
        self._progress = progress
        self._queue = queue
        self._transport = transport
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry
        self._new_pool = new_pool
        self._lease = lease
        self._max_receives = max_receives
        self._paused_until: datetime | None = None

    def handle(self, records: Sequence[CallbackRecord], *, remaining: Remaining) -> list[str]:
        """Post the events of a batch. Return the ids of the records that the queue must deliver again."""
        keys = self._keys()
        groups = _by_message([(record, self._parse(record)) for record in records])
        with self._new_pool(max(1, len(groups))) as pool:
            work = [pool.submit(self._process_group, group, keys, remaining) for group in groups]
        delayed = [pair for done in work for pair in done.result()]
        self._postpone(delayed)
        return [record.record_id for record, _ in delayed]

    def _keys(self) -> tuple[bytes, ...]:
        """Return the keys of the signatures; none if the secret has none that can be used."""
        try:
            keys = self._secret.current().callback_keys
        except UnavailableError:
            self._telemetry.warning("callbacks wait", why="secret unavailable")
            return ()
        if not keys:
            self._report_unusable("secret: callback_secrets missing or unfit")
        return keys

    def _parse(self, record: CallbackRecord) -> Callback | None:
        try:
            return parse_callback(record.body)
        except UnreadableEventError as error:
            self._telemetry.error("callback event unreadable", record_id=record.record_id, why=str(error))
            self._telemetry.count("CallbackUnreadable")
            return None

    def _process_group(self, group: Group, keys: Sequence[bytes], remaining: Remaining) -> list[Delayed]:
        """Process the events of a message in order. Return those to be delivered again, each with its delay."""
        delayed: list[Delayed] = []
        for record, callback in group:
            is_done, delay = False, _back_off(record.receives)
            if callback is not None and remaining() >= EVENT_SECONDS:
                try:
                    is_done, delay = self._process(record, callback, keys)
                except Exception as error:  # an outage, or an item that cannot be read: it must stop no other message
                    fields = {"message_id": callback.message_id, "sequence": callback.sequence}
                    self._telemetry.error("callback not processed", **fields, error=type(error).__name__)
            if not is_done:
                delayed.append((record, delay))
        return delayed

    def _process(self, record: CallbackRecord, callback: Callback, keys: Sequence[bytes]) -> Result:
        """Process one event. Raises UnavailableError."""
        now, retry = self._clock(), (False, _back_off(record.receives))
        is_last = record.receives >= self._max_receives
        # The last receive does not spare the receiver, because it must conclude the event.
        can_post = is_last or (bool(keys) and (self._paused_until is None or now >= self._paused_until))
        message_id, sequence = callback.message_id, callback.sequence
        if message_id is None or sequence is None:
            return self._post(callback, record.receives, keys) if can_post else retry
        progress = self._progress.load(message_id)
        step = next_step(progress, sequence, is_last=is_last, now=now)
        if step is Step.DROP:
            return DONE
        if step is Step.WAIT or not can_post:
            if (noticed := arrive(progress, sequence, now=now)) is not progress:
                self._progress.replace(message_id, noticed)
            return retry
        claimed = claim(progress, sequence, now=now, lease=self._lease)
        if not self._progress.replace(message_id, claimed):
            return retry
        if claimed.missing > progress.missing:
            self._telemetry.warning("callbacks skipped", message_id=message_id, before=sequence)
        result = self._post(callback, record.receives, keys)
        if is_last and result != DONE:
            self._telemetry.error("callback given up", message_id=message_id, sequence=sequence)
            self._telemetry.count("CallbackGivenUp")
        is_concluded = is_last or result == DONE
        after = conclude(claimed, sequence, is_posted=result == DONE) if is_concluded else release(claimed)
        # Without a stored conclusion the next event would wait, so this one must come again: it is dropped or repeated.
        return result if self._progress.replace(message_id, after) else retry

    def _post(self, callback: Callback, receives: int, keys: Sequence[bytes]) -> Result:
        """Post an event, and pause if the receiver seems to be down."""
        delay = _back_off(receives)
        if not keys:
            return False, delay
        response = self._transport.call(self._request(callback, keys), deadline_seconds=POST_SECONDS)
        if isinstance(response, NoResponse):
            why = response.why
            if why == NOT_PUBLIC:
                self._report_unusable("the host has an address that is not public")
        elif 200 <= response.status < 300:
            self._telemetry.count("CallbackPosted")
            return DONE
        else:
            why = f"HTTP {response.status}"
            delay = max(delay, int(retry_after_seconds(response) or 0))
        if isinstance(response, NoResponse) or response.status in _OVERLOADED:
            self._paused_until = self._clock() + PAUSE
        place = {"message_id": callback.message_id, "sequence": callback.sequence}
        self._telemetry.warning("callback not posted", **place, receives=receives, why=why)
        self._telemetry.count("CallbackFailed")
        return False, delay

    def _request(self, callback: Callback, keys: Sequence[bytes]) -> HttpRequest:
        timestamp = int(self._clock().timestamp())
        signature = sign(keys, callback_id=callback.callback_id, timestamp=timestamp, body=callback.body)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": callback.callback_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        return HttpRequest(
            method="POST", url=self._url, headers=headers, body=callback.body, response_limit=RESPONSE_LIMIT
        )

    def _postpone(self, delayed: Sequence[Delayed]) -> None:
        """Set the delays. Without them the events come again after the visibility timeout of the queue."""
        try:
            self._queue.postpone([(record.receipt, delay) for record, delay in delayed])
        except UnavailableError as error:
            self._telemetry.warning("callbacks not postponed", why=str(error))

    def _report_unusable(self, why: str) -> None:
        self._telemetry.error("callbacks unusable", why=why)
        self._telemetry.count("CallbacksUnusable")


def _back_off(receives: int) -> int:
    """Return the seconds until the next receive: 2, 4, 8, … up to `MAX_DELAY`."""
    return min(int(MAX_DELAY.total_seconds()), 1 << min(receives, 10))


def _by_message(entries: Sequence[Entry]) -> list[Group]:
    """Return the events of each message by sequence, and every other event by itself."""
    groups: dict[str, Group] = {}
    for record, callback in entries:
        # No message id begins with a slash.
        key = (callback and callback.message_id) or f"/{record.record_id}"
        groups.setdefault(key, []).append((record, callback))
    return [sorted(group, key=lambda entry: (entry[1] and entry[1].sequence) or 0) for group in groups.values()]
