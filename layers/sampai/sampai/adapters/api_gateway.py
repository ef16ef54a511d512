"""Events of API Gateway: HTTP API, payload format 2.0."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from sampai.domain.http import WebhookRequest


def parse_request(event: Mapping[str, Any]) -> WebhookRequest | None:
    """Return the HTTP request in an event, or None if its body is not valid base64 although the event says so."""
    body: bytes = (event.get("body") or "").encode("utf-8", "surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = b64decode(body, validate=True)
        except ValueError:
            return None
    return WebhookRequest(
        method=event["requestContext"]["http"]["method"],
        query=event.get("rawQueryString") or "",
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=body,
    )
