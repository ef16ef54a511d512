"""Receive a vendor's webhook: check the token, parse the request, store its content, answer."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from sampai.domain.http import BODY_LIMIT, MalformedWebhookError, WebhookRequest
from sampai.domain.inbound import Inbound
from sampai.providers.features import SupportsWebhooks
from sampai.providers.registry import PROVIDER_NAME, PROVIDERS, for_webhook
from sampai.services.ports.configuration import SecretSource, SettingsSource
from sampai.services.ports.correlations import Correlations
from sampai.services.ports.messages import Messages
from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry
from sampai.services.webhook.receipts import Receipts
from sampai.services.webhook.tokens import is_valid_token

if TYPE_CHECKING:
    # Its settings need pydantic, which costs more than all the work on a receipt.
    from sampai.services.webhook.inbound import InboundService

QUERY_LIMIT: Final = 8 * 1024
"""Characters. A longer query string is malformed."""


class Answer(Enum):
    """The HTTP status of the answer. It never depends on whether a message exists."""

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
        settings: "Callable[[], SettingsSource]",
        secret: SecretSource,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        """Make the service. It calls `inbound_service` only for inbound messages, and `settings` only for a provider
        with another name than its type: the imports of both are slow.
        """
        self._inbound_service = inbound_service
        self._settings = settings
        self._secret = secret
        self._telemetry = telemetry
        self._receipts = Receipts(messages=messages, correlations=correlations, clock=clock, telemetry=telemetry)

    def handle(self, *, provider: str, kind: str, token: str, request: WebhookRequest | None) -> Answer:
        """Process one webhook; `request` is None if the HTTP request could not be decoded.

        The answer is `RECEIVED` only if the whole content is durable.
        """
        try:
            type_name = self._type_of(provider, token)
            parser = None if type_name is None else for_webhook(type_name, kind)
            if parser is None:
                return Answer.NOT_FOUND
            if is_valid_token(token, provider, self._secret):
                return self._process(provider, parser, kind, request)
        except UnavailableError as error:
            self._telemetry.error("webhook not stored", provider=provider, error=str(error))
            return Answer.UNAVAILABLE
        self._telemetry.count("WebhookTokenRejected", provider=provider)
        return Answer.NOT_FOUND

    def _type_of(self, provider: str, token: str) -> str | None:
        """Return the type of a provider, or None for an unknown one.

        Raises UnavailableError, but only for a valid token: a caller without one must not learn of an outage.
        """
        if provider in PROVIDERS:
            return provider
        if PROVIDER_NAME.fullmatch(provider) is None:
            return None
        try:
            configured = self._settings().current().providers.get(provider)
        except UnavailableError:
            if is_valid_token(token, provider, self._secret):
                raise
            return None
        return None if configured is None else configured.type

    def _process(self, provider: str, api: type[SupportsWebhooks], kind: str, request: WebhookRequest | None) -> Answer:
        if request is None:
            return self._malformed(provider, kind, "not decoded")
        if len(request.body) > BODY_LIMIT or len(request.query) > QUERY_LIMIT:
            return self._malformed(provider, kind, "too large")
        try:
            parsed = api.parse_webhook(kind, request)
        except MalformedWebhookError as error:
            return self._malformed(provider, kind, str(error))
        except Exception as error:
            return self._malformed(provider, kind, type(error).__name__)
        self._telemetry.count("WebhookReceived", provider=provider)
        for item in parsed:
            if isinstance(item, Inbound):
                self._inbound_service().receive(replace(item, provider=provider))
            else:
                self._receipts.apply_report(provider, api.capabilities.channel, item)
        return Answer.RECEIVED

    def _malformed(self, provider: str, kind: str, why: str) -> Answer:
        """Log and count a malformed webhook, and return its answer."""
        self._telemetry.warning("malformed webhook", provider=provider, kind=kind, why=why)
        self._telemetry.count("WebhookMalformed", provider=provider)
        return Answer.MALFORMED
