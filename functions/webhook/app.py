"""Entry point for the callbacks of the vendors."""

from typing import Any, Final

from sampai.adapters.api_gateway import parse_request
from sampai.bootstrap import telemetry, webhook_service
from sampai.environment import is_on_lambda
from sampai.services.webhook.service import Answer

BODIES: Final = {
    Answer.RECEIVED: "ok",
    Answer.MALFORMED: "malformed",
    Answer.NOT_FOUND: "not found",
    Answer.UNAVAILABLE: "try again",
}
HEADERS: Final = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no caller waits yet.
    webhook_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a request of the HTTP API and return a constant response."""
    path = event["pathParameters"]
    with telemetry().invocation(context):
        answer = webhook_service().handle(
            provider=path["provider"], kind=path["kind"], token=path["token"], request=parse_request(event)
        )
    return {"statusCode": answer.value, "headers": HEADERS, "body": BODIES[answer]}
