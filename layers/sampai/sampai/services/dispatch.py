"""Calling vendors: many at once, each within a total deadline, every way of failing turned into an outcome."""

from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.message import Message
from sampai.domain.outcome import NotTaken, Outcome, Unknown
from sampai.providers.base import Provider
from sampai.services.ports import Clock, NewPool, NoResponse, Remaining, Telemetry, Transport

CALL_SECONDS: Final = 10.0
"""Total deadline of one vendor call."""

WRITE_MARGIN_SECONDS: Final = 5.0
"""Kept at the end of an invocation for writing down what was learned."""

THREADS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A claimed message and the provider that it is claimed for."""

    message: Message
    provider: Provider


class Dispatcher:
    def __init__(self, *, transport: Transport, clock: Clock, telemetry: Telemetry, new_pool: NewPool) -> None:
        self._transport = transport
        self._new_pool = new_pool
        self._clock = clock
        self._telemetry = telemetry

    def dispatch(self, attempts: Sequence[Attempt], *, remaining: Remaining) -> list[Outcome]:
        """Make the attempts side by side and return an outcome for each, in order, before the time runs out."""
        if not attempts:
            return []
        pool = self._new_pool(min(THREADS, len(attempts)))
        futures = [pool.submit(self._attempt, attempt, remaining) for attempt in attempts]
        wait_for(futures, timeout=max(0.0, remaining() - WRITE_MARGIN_SECONDS / 2))
        pool.shutdown(wait=False, cancel_futures=True)
        return [_outcome_of(future) for future in futures]

    def _attempt(self, attempt: Attempt, remaining: Remaining) -> Outcome:
        message, provider = attempt.message, attempt.provider
        if message.is_expired(self._clock()):
            return NotTaken(reason=Reason.EXPIRED, is_final=True, detail="expires_at: has passed")
        if remaining() < CALL_SECONDS + WRITE_MARGIN_SECONDS:
            return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, detail="no time was left for a call")
        try:
            request = provider.build_send(message)
        except Exception as error:
            self._telemetry.error(
                "request not built", message_id=message.message_id, provider=provider.name, error=type(error).__name__
            )
            return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=True, detail="no request could be built")
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        if isinstance(response, NoResponse):
            return _without_response(response)
        try:
            return provider.parse_send(response)
        except Exception as error:
            self._telemetry.warning(
                "unreadable answer",
                message_id=message.message_id,
                provider=provider.name,
                http_status=response.status,
                error=type(error).__name__,
            )
            return Unknown(why=f"unreadable answer, HTTP {response.status}")


def _without_response(response: NoResponse) -> Outcome:
    if response.may_have_been_sent:
        return Unknown(why=response.why)
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, detail=f"no connection: {response.why}")


def _outcome_of(future: Future[Outcome]) -> Outcome:
    if future.cancelled():
        return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, detail="no time was left for a call")
    if not future.done():
        return Unknown(why="no answer in time")
    try:
        return future.result()
    except Exception as error:
        return Unknown(why=type(error).__name__)
