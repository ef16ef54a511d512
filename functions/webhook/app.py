"""The door of the vendors' callbacks."""

import os
from typing import Any, Final

from sampai.bootstrap import telemetry, webhook_service
from sampai.domain.http import MalformedWebhookError, WebhookRequest
from sampai.services.webhook.service import Answer

if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    # While Lambda starts a sandbox it lends it more of a processor than it has later, and nobody waits yet.
    webhook_service()

_BODIES: Final = {
    Answer.RECEIVED: "ok",
    Answer.MALFORMED: "malformed",
    Answer.NOT_FOUND: "not found",
    Answer.UNAVAILABLE: "try again",
}
_HEADERS: Final = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take an HTTP API request (payload 2.0) and answer with a constant body."""
    with telemetry().invocation(context):
        answer = _answer(event)
    return {"statusCode": answer.value, "headers": _HEADERS, "body": _BODIES[answer]}


def _answer(event: dict[str, Any]) -> Answer:
    place = event["pathParameters"]
    return webhook_service().handle(
        provider=place["provider"], kind=place["kind"], token=place["token"], request=_request(event)
    )


def _request(event: dict[str, Any]) -> WebhookRequest | None:
    try:
        return WebhookRequest.from_event(event)
    except MalformedWebhookError:
        return None
