"""Calling vendors: many at once, each within a total deadline, every way of failing turned into an outcome."""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import HttpResponse
from sampai.domain.message import Attachments, Media, Message
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.providers.base import Provider
from sampai.providers.features import SupportsBatchSend, SupportsEncryption
from sampai.services.ports.encryption_keys import EncryptionKeyStore
from sampai.services.ports.media import MediaStore
from sampai.services.ports.runtime import Clock, NewId, NewPool, Remaining, Sleep, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NoResponse, Transport

CALL_SECONDS: Final = 10.0
"""Total deadline of one vendor call."""

WRITE_MARGIN_SECONDS: Final = 5.0
"""Kept at the end of an invocation for writing down what was learned."""

THREADS: Final = 32

SHARED_WITHIN: Final = timedelta(milliseconds=100)
"""Messages with turns further apart do not go out in one call: a vendor would see them all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A claimed message, the provider that it is claimed for, and its turn where that provider takes only so many."""

    message: Message
    provider: Provider
    starts_at: datetime | None = None


class Dispatcher:
    def __init__(
        self,
        *,
        transport: Transport,
        media: MediaStore,
        encryption_keys: EncryptionKeyStore,
        clock: Clock,
        new_key: NewId,
        telemetry: Telemetry,
        new_pool: NewPool,
        sleep: Sleep,
    ) -> None:
        self._transport = transport
        self._media = media
        self._encryption_keys = encryption_keys
        self._new_pool = new_pool
        self._clock = clock
        self._new_key = new_key
        self._telemetry = telemetry
        self._sleep = sleep
        self._pool: Executor | None = None

    def dispatch(self, attempts: Sequence[Attempt], *, remaining: Remaining) -> list[Outcome]:
        """Make the attempts side by side and return an outcome for each, in order, before the time runs out."""
        if not attempts:
            return []
        calls = _calls(attempts)
        pool = self._pool or self._new_pool(THREADS)
        futures = [pool.submit(self._call, [attempts[i] for i in places], remaining) for places in calls]
        _, unfinished = wait_for(futures, timeout=max(0.0, remaining() - WRITE_MARGIN_SECONDS / 2))
        # Threads are dear to start, and one that is stuck must not be waited for again.
        self._pool = None if unfinished else pool
        if unfinished:
            pool.shutdown(wait=False, cancel_futures=True)
        outcomes: dict[int, Outcome] = {}
        for places, future in zip(calls, futures, strict=True):
            outcomes |= zip(places, _outcomes_of(future, len(places)), strict=True)
        return [outcomes[place] for place in range(len(attempts))]

    def _call(self, attempts: Sequence[Attempt], remaining: Remaining) -> list[Outcome]:
        """Make one call for attempts that belong together; what may not be sent any more is left out of it."""
        if not self._await_turn(attempts, remaining):
            return [_NO_TIME] * len(attempts)
        provider, now = attempts[0].provider, self._clock()
        late = {i: _EXPIRED for i, attempt in enumerate(attempts) if attempt.message.is_expired(now)}
        messages = [attempt.message for i, attempt in enumerate(attempts) if i not in late]
        if remaining() < CALL_SECONDS + WRITE_MARGIN_SECONDS:
            made: list[Outcome] = [_NO_TIME] * len(messages)
        elif isinstance(provider, SupportsBatchSend) and len(messages) > 1:
            made = self._send_many(provider, messages)
        else:
            made = [self._send(provider, message) for message in messages]
        rest = iter(made)
        return [late[i] if i in late else next(rest) for i in range(len(attempts))]

    def _await_turn(self, attempts: Sequence[Attempt], remaining: Remaining) -> bool:
        """Wait until the turn of all has come, and say whether it comes in time."""
        pause = (max(_turn(attempt) for attempt in attempts) - self._clock()).total_seconds()
        if pause > remaining():
            return False
        if pause > 0:
            self._sleep(pause)
        return True

    def _send(self, provider: Provider, message: Message) -> Outcome:
        try:
            attachments = self._load_attachments(provider, message)
        except UnavailableError as error:
            return _not_called(Reason.PROVIDER_ERROR, f"not at hand: {error}")
        complete = message if attachments is message.attachments else replace(message, attachments=attachments)
        if complete.is_expired(self._clock()):  # what was fetched may have taken its time
            return _EXPIRED
        try:
            request = provider.build_send(complete)
        except Exception as error:
            return self._not_built(provider, [message], error)
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            return _without_response(response)
        try:
            outcome = provider.parse_send(response)
        except Exception as error:
            return self._unreadable(provider, [message], response, error)
        self._keep_key(complete, outcome)
        return outcome

    def _send_many(self, provider: SupportsBatchSend, messages: Sequence[Message]) -> list[Outcome]:
        try:
            request = provider.build_send_many(messages)
        except Exception as error:
            return [self._not_built(provider, messages, error)] * len(messages)
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            return [_without_response(response)] * len(messages)
        try:
            outcomes = provider.parse_send_many(response, messages)
        except Exception as error:
            return [self._unreadable(provider, messages, response, error)] * len(messages)
        if len(outcomes) != len(messages):
            return [Unknown(why=f"{len(outcomes)} outcomes for {len(messages)} messages")] * len(messages)
        return outcomes

    def _load_attachments(self, provider: Provider, message: Message) -> Attachments:
        """Return what goes with the message and is not here already: its file, and its key to encrypt with."""
        attachments = message.attachments
        if isinstance(message.content, Media) and message.content.media_key is not None and attachments.file is None:
            attachments = replace(attachments, file=self._media.fetch(message.content.media_key))
        if (
            isinstance(provider, SupportsEncryption)
            and provider.encrypts(message)
            and attachments.encryption_key is None
        ):
            attachments = replace(
                attachments, encryption_key=self._encryption_keys.get_or_create(message, self._new_key())
            )
        return attachments

    def _keep_key(self, message: Message, outcome: Outcome) -> None:
        """Keep the vendor's key if it has not taken ours: it is told once."""
        key = outcome.encryption_key if isinstance(outcome, Taken) else None
        if key is None or key == message.attachments.encryption_key:
            return
        try:
            self._encryption_keys.replace(message, key)
        except UnavailableError:
            self._telemetry.error("encryption key lost", message_id=message.message_id, provider=message.provider)
            self._telemetry.count("EncryptionKeyLost", provider=message.provider)

    def _not_built(self, provider: Provider, messages: Sequence[Message], error: Exception) -> Outcome:
        """A fault of ours. Among several it may be one message's alone, so that each is tried again by itself."""
        self._telemetry.error(
            "request not built",
            message_ids=[message.message_id for message in messages],
            provider=provider.name,
            error=type(error).__name__,
        )
        is_final = len(messages) == 1
        return _not_called(Reason.PROVIDER_ERROR, "no request could be built", is_final=is_final)

    def _unreadable(
        self, provider: Provider, messages: Sequence[Message], response: HttpResponse, error: Exception
    ) -> Outcome:
        self._telemetry.warning(
            "unreadable answer",
            message_ids=[message.message_id for message in messages],
            provider=provider.name,
            http_status=response.status,
            error=type(error).__name__,
        )
        return Unknown(why=f"unreadable answer, HTTP {response.status}")


def _not_called(reason: Reason, detail: str, *, is_final: bool = False) -> NotTaken:
    return NotTaken(reason=reason, is_final=is_final, scope=FailureScope.INTERNAL, detail=detail)


_EXPIRED: Final = _not_called(Reason.EXPIRED, "expires_at: has passed", is_final=True)
_NO_TIME: Final = _not_called(Reason.PROVIDER_ERROR, "no time was left for a call")
_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


def _calls(attempts: Sequence[Attempt]) -> list[list[int]]:
    """Put the places of the attempts together that go out in one call; the calls whose turn is first come first.

    No number is twice in one: the answer is told apart by the numbers.
    """
    calls: list[list[int]] = []
    gathering: dict[tuple[int, str], list[int]] = {}
    for place, attempt in enumerate(attempts):
        message, provider = attempt.message, attempt.provider
        shared = provider.batch_key(message) if isinstance(provider, SupportsBatchSend) else None
        if shared is None:
            calls.append([place])
            continue
        key = (id(provider), shared)
        call = gathering.get(key)
        if call is None or not _fits(attempt, [attempts[other] for other in call]):
            call = gathering[key] = []
            calls.append(call)
        call.append(place)
    return sorted(calls, key=lambda places: _turn(attempts[places[0]]))


def _fits(attempt: Attempt, others: Sequence[Attempt]) -> bool:
    if len(others) >= attempt.provider.capabilities.max_batch_size or _turn(attempt) - _turn(others[0]) > SHARED_WITHIN:
        return False
    return attempt.message.recipient not in {other.message.recipient for other in others}


def _turn(attempt: Attempt) -> datetime:
    return attempt.starts_at or _AT_ONCE


def _without_response(response: NoResponse) -> Outcome:
    if response.may_have_been_sent:
        return Unknown(why=response.why)
    detail = f"no connection: {response.why}"
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=FailureScope.CONNECTION, detail=detail)


def _outcomes_of(future: Future[list[Outcome]], count: int) -> list[Outcome]:
    if future.cancelled():
        return [_NO_TIME] * count
    if not future.done():
        return [Unknown(why="no answer in time")] * count
    try:
        return future.result()
    except Exception as error:
        return [Unknown(why=type(error).__name__)] * count
