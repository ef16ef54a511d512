"""Receive: verify a vendor's callback, read it, make it durable, answer."""

import hmac
from collections.abc import Callable, Sequence
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sampai.domain.http import BODY_LIMIT, MalformedWebhookError, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.domain.message import MESSAGE_ID, Message, OnUnknown
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.providers.features import SupportsWebhooks
from sampai.providers.registry import for_webhook
from sampai.services.ports.configuration import SecretSource
from sampai.services.ports.correlations import Correlations, correlation_key
from sampai.services.ports.messages import Messages
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.reports import Reports

if TYPE_CHECKING:
    # Its settings need pydantic, which costs more than all the work on a receipt.
    from sampai.services.webhook.inbound import InboundService

QUERY_LIMIT: Final = 8 * 1024
"""Characters of a query string that are read."""


class Answer(Enum):
    """What the vendor is told. It never depends on whether a message is known."""

    RECEIVED = 200
    MALFORMED = 400
    NOT_FOUND = 404
    UNAVAILABLE = 503


class WebhookService:
    def __init__(
        self,
        *,
        messages: Messages,
        correlations: Correlations,
        inbound_service: "Callable[[], InboundService]",
        secret: SecretSource,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Make a receiver. `arrivals` is called for inbound messages only: they need what receipts can do without."""
        self._messages = messages
        self._correlations = correlations
        self._inbound_service = inbound_service
        self._secret = secret
        self._clock = clock
        self._telemetry = telemetry
        self._reports = Reports(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)

    def handle(self, *, provider: str, kind: str, token: str, request: WebhookRequest | None) -> Answer:
        """Take in one callback; None stands for one that could not be decoded.

        `RECEIVED` is answered only once everything in it is durable.
        """
        try:
            translator = for_webhook(provider, kind) if self._is_valid(token) else None
            return Answer.NOT_FOUND if translator is None else self._process(translator, kind, request)
        except UnavailableError as error:
            self._telemetry.error("webhook not stored", provider=_named(provider, kind), error=str(error))
            return Answer.UNAVAILABLE

    def _process(self, provider: type[SupportsWebhooks], kind: str, request: WebhookRequest | None) -> Answer:
        if request is None:
            return self._malformed(provider, kind, "not decoded")
        if len(request.body) > BODY_LIMIT or len(request.query) > QUERY_LIMIT:
            return self._malformed(provider, kind, "too large")
        try:
            brought = provider.parse_webhook(kind, request)
        except MalformedWebhookError as error:
            return self._malformed(provider, kind, str(error))
        except Exception as error:
            return self._malformed(provider, kind, type(error).__name__)
        self._telemetry.count("WebhookReceived", provider=provider.name)
        for news in brought:
            if isinstance(news, Inbound):
                self._inbound_service().take(news)
            else:
                self._apply_report(provider.name, news)
        return Answer.RECEIVED

    def _malformed(self, provider: type[SupportsWebhooks], kind: str, why: str) -> Answer:
        self._telemetry.warning("malformed webhook", provider=provider.name, kind=kind, why=why)
        self._telemetry.count("WebhookMalformed", provider=provider.name)
        return Answer.MALFORMED

    def _apply_report(self, provider: str, report: Report) -> None:
        """Apply a report to its message, or park it for the sender that has not stored the vendor's id yet."""
        message = self._find_by_reference(provider, report) or self._find_or_buffer(provider, report)
        if message is not None:
            self._reports.apply(
                message, [report, *self._claim_buffered(provider, report, message)], source=Source.WEBHOOK
            )
            self._telemetry.info(
                "report received", message_id=message.message_id, provider=provider, status=report.status
            )

    def _find_by_reference(self, provider: str, report: Report) -> Message | None:
        """Find the message by our own reference, if the vendor's id is not that of an attempt without a say."""
        reference = report.reference
        if reference is None or MESSAGE_ID.fullmatch(reference) is None:
            return None
        message = self._messages.read([reference]).get(reference)
        if message is None or message.provider != provider or message.attempt_id is None:
            return None
        is_latest = message.provider_message_id in (None, report.provider_message_id)
        return message if is_latest or _is_former_arrival(message, report) else None

    def _claim_buffered(self, provider: str, report: Report, message: Message) -> Sequence[Report]:
        """Claim the vendor's id for a message that did not know it, and return what was parked there before.

        A final message is never looked at again: nobody else would bring it what waits there, or comes by that id.
        """
        if message.provider_message_id is not None:
            return ()
        correlation = self._correlations.claim_correlation(
            correlation_key(provider, report.provider_message_id), message.message_id
        )
        return correlation.reports if correlation.message_id == message.message_id else ()

    def _find_or_buffer(self, provider: str, report: Report) -> Message | None:
        key = correlation_key(provider, report.provider_message_id)
        correlation = self._correlations.find_correlations([key]).get(key)
        if correlation is None or (correlation.message_id is None and report not in correlation.reports):
            correlation = self._correlations.buffer_report(key, report, self._clock())
        if correlation is None or correlation.message_id is None:
            self._telemetry.info("receipt buffered", provider=provider, status=report.status)
            return None
        return self._messages.read([correlation.message_id]).get(correlation.message_id)

    def _is_valid(self, token: str) -> bool:
        if _matches(token, self._secret.current().webhook_tokens):
            return True
        self._secret.refresh()
        return _matches(token, self._secret.current().webhook_tokens)


def _named(provider: str, kind: str) -> str | None:
    """Return the name of a provider, or None for whatever else stands in its place: in a mistaken URL, the token."""
    known = for_webhook(provider, kind)
    return None if known is None else known.name


def _is_former_arrival(message: Message, report: Report) -> bool:
    """Whether a report tells that a former attempt arrived, of which the answer was lost and which was repeated."""
    was_repeated = message.on_unknown is OnUnknown.RESEND and message.attempt > 1
    return was_repeated and report.status is not None and report.status.rank >= Status.DELIVERED.rank


def _matches(token: str, valid: Sequence[str]) -> bool:
    """Compare in constant time, with every token: neither length nor place of a difference shows."""
    given = sha256(token.encode("utf-8", "surrogatepass")).digest()
    matches = [hmac.compare_digest(given, sha256(other.encode()).digest()) for other in valid]
    return any(matches)
