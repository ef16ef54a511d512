"""Send messages to a provider with one HTTP call. Every way to fail becomes an outcome."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.outcome import NO_CALL, Exchange, FailureScope, NotTaken, Outcome, Taken, Unknown
from sampai.providers.base import Provider
from sampai.providers.features import SupportsBatchSend
from sampai.providers.responses import with_refused_address
from sampai.services.deadline import CALL_SECONDS
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.ports.transport import NoResponse, Transport
from sampai.services.send.attachments import AttachmentStore


def _outcome_without_call(reason: Reason, detail: str, *, is_final: bool = False) -> NotTaken:
    return NotTaken(reason=reason, is_final=is_final, scope=FailureScope.INTERNAL, detail=detail)


EXPIRED: Final = _outcome_without_call(Reason.EXPIRED, "expires_at: has passed", is_final=True)
SLOW_SECONDS: Final = 3.0
"""A call of this duration is logged with its messages. Vendors usually answer within one second."""

NO_TIME: Final = _outcome_without_call(Reason.PROVIDER_ERROR, f"{NO_CALL}: no time was left")
NO_THREAD: Final = _outcome_without_call(Reason.PROVIDER_ERROR, f"{NO_CALL}: no thread could be started")


class ProviderCalls:
    def __init__(
        self, *, transport: Transport, attachments: AttachmentStore, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._transport = transport
        self._attachments = attachments
        self._clock = clock
        self._telemetry = telemetry

    def send(self, provider: Provider, message: Message) -> Outcome:
        """Send one message. Never raises."""
        try:
            complete = self._attachments.load(message, provider)
        except UnavailableError as error:
            return _outcome_without_call(Reason.PROVIDER_ERROR, f"not at hand: {error}")
        if complete.is_expired(self._clock()):  # loading may have taken some time
            return EXPIRED
        try:
            request = provider.build_send(complete)
        except Exception as error:
            return self._report_build_error(provider, [message], error)
        response, exchange = self._call(provider, request, [complete])
        if isinstance(response, NoResponse):
            return _with_exchange(_outcome_without_response(response), exchange)
        try:
            outcome = with_refused_address(provider.parse_send(response), response)
        except Exception as error:
            return _with_exchange(self._report_unreadable(provider, [message], response, error), exchange)
        self._attachments.store_provider_key(complete, outcome)
        return _with_exchange(outcome, exchange)

    def send_many(self, provider: SupportsBatchSend, messages: Sequence[Message]) -> list[Outcome]:
        """Send several messages in one call and return their outcomes in order. Never raises."""
        try:
            request = provider.build_send_many(messages)
        except Exception as error:
            return [self._report_build_error(provider, messages, error)] * len(messages)
        response, exchange = self._call(provider, request, messages)
        if isinstance(response, NoResponse):
            return [_with_exchange(_outcome_without_response(response), exchange)] * len(messages)
        try:
            outcomes = [with_refused_address(o, response) for o in provider.parse_send_many(response, messages)]
        except Exception as error:
            unreadable = self._report_unreadable(provider, messages, response, error)
            return [_with_exchange(unreadable, exchange)] * len(messages)
        if len(outcomes) != len(messages):
            outcomes = [Unknown(why=f"{len(outcomes)} outcomes for {len(messages)} messages")] * len(messages)
        # Messages with the same outcome object keep one, because the circuit breaker counts it as one call.
        complete = {id(outcome): _with_exchange(outcome, exchange) for outcome in outcomes}
        return [complete[id(outcome)] for outcome in outcomes]

    def _call(
        self, provider: Provider, request: HttpRequest, messages: Sequence[Message]
    ) -> tuple[HttpResponse | NoResponse, Exchange]:
        began_at = self._clock()
        response = self._transport.call(request, deadline_seconds=CALL_SECONDS)
        ended_at = self._clock()
        self._measure(provider, messages, seconds=max((ended_at - began_at).total_seconds(), 0.0))
        return response, Exchange(
            began_at=began_at,
            ended_at=ended_at,
            http_status=None if isinstance(response, NoResponse) else response.status,
            body=b"" if isinstance(response, NoResponse) else response.body,
            request=request,
            messages=tuple(messages),
        )

    def _measure(self, provider: Provider, messages: Sequence[Message], *, seconds: float) -> None:
        """Measure the duration of a call. Its messages have the same category."""
        self._telemetry.observe("VendorLatency", seconds, provider=provider.name, category=messages[0].category)
        if seconds >= SLOW_SECONDS:
            self._telemetry.warning(
                "slow vendor call",
                message_ids=[message.message_id for message in messages],
                provider=provider.name,
                seconds=round(seconds, 3),
            )

    def _report_build_error(self, provider: Provider, messages: Sequence[Message], error: Exception) -> Outcome:
        """Log a bug of ours. In a shared call one message may have caused it, so each is retried alone."""
        self._telemetry.error(
            "request not built",
            message_ids=[message.message_id for message in messages],
            provider=provider.name,
            error=type(error).__name__,
        )
        is_final = len(messages) == 1
        return _outcome_without_call(Reason.PROVIDER_ERROR, "no request could be built", is_final=is_final)

    def _report_unreadable(
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


def _with_exchange(outcome: Outcome, exchange: Exchange) -> Outcome:
    """Return the outcome with its call. That of an accepted message is not recorded."""
    return outcome if isinstance(outcome, Taken) else replace(outcome, exchange=exchange)


def _outcome_without_response(response: NoResponse) -> Outcome:
    if response.may_have_been_sent:
        return Unknown(why=response.why)
    detail = f"no connection: {response.why}"
    return NotTaken(reason=Reason.PROVIDER_ERROR, is_final=False, scope=FailureScope.CONNECTION, detail=detail)
