"""The interfaces for machines: AsyncAPI for the queues and the events, OpenAPI for the webhooks."""

import json
from collections.abc import Iterator
from typing import Any, Final

from docs.schemas import EVENTS, REQUESTS, ROOT, version
from functions.webhook.app import BODIES
from sampai.adapters.api_gateway import parse_request
from sampai.contract.events import SOURCE
from sampai.domain.http import MalformedWebhookError
from sampai.domain.webhook_fields import WebhookFields, read_fields
from sampai.providers.features import SupportsWebhooks
from sampai.providers.registry import PROVIDERS, load
from sampai.services.webhook.service import Answer

Document = dict[str, Any]

_LICENSE: Final = {"name": "MIT", "identifier": "MIT"}
_REGION: Final = {"region": {"default": "ap-southeast-1", "description": "The region of the stack."}}

# --- AsyncAPI -------------------------------------------------------------------------------------------------------

_QUEUES: Final = {
    "sendQueue": ("SendQueueUrl", "Requests of every kind."),
    "urgentQueue": ("UrgentQueueUrl", "The same requests. They do not wait behind those on the send queue."),
}
"""The stack output and the description of each queue."""


def asyncapi() -> Document:
    """Return the AsyncAPI 3.0 document of the queues and the events."""
    queues = {name: _queue(output, text) for name, (output, text) in _QUEUES.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sampai: requests and events",
            "version": version(),
            "description": "Put requests on a queue and receive events from the bus. Everything is delivered at least "
            "once. A request is identified by its message_id, a change of status by message_id and sequence.",
            "license": {"name": _LICENSE["name"]},
        },
        "defaultContentType": "application/json",
        "servers": {
            "sqs": {"host": "sqs.{region}.amazonaws.com", "protocol": "sqs", "variables": _REGION},
            "eventbridge": {"host": "events.{region}.amazonaws.com", "protocol": "eventbridge", "variables": _REGION},
        },
        "channels": queues | {"eventBus": _bus()},
        "operations": {
            **{f"receiveFrom{name[:1].upper()}{name[1:]}": _operation("receive", name, REQUESTS) for name in queues},
            "publishEvents": _operation("send", "eventBus", EVENTS),
        },
        "components": {"messages": {**_requests(), **_events()}},
    }


def _queue(output: str, text: str) -> Document:
    return {
        "address": None,
        "title": output,
        "description": f"{text} The address is the stack output {output}.",
        "servers": [{"$ref": "#/servers/sqs"}],
        "messages": _references(REQUESTS),
    }


def _bus() -> Document:
    return {
        "address": None,
        "title": "EventBusName",
        "description": "Events in order per message. The name of the bus is the stack output EventBusName.",
        "servers": [{"$ref": "#/servers/eventbridge"}],
        "messages": _references(EVENTS),
    }


def _references(names: Any) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operation(action: str, channel: str, names: Any) -> Document:
    messages = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}


def _requests() -> Document:
    return {
        name: {"name": name, "title": _title(name), "payload": {"$ref": f"schemas/{name}.json"}} for name in REQUESTS
    }


def _events() -> Document:
    return {
        name: {"name": name, "title": detail_type, "payload": _envelope(name, detail_type)}
        for name, detail_type in EVENTS.items()
    }


def _envelope(name: str, detail_type: str) -> Document:
    """Return the schema of an event as EventBridge delivers it."""
    return {
        "type": "object",
        "required": ["id", "source", "detail-type", "time", "detail"],
        "properties": {
            "id": {"type": "string"},
            "source": {"const": SOURCE},
            "detail-type": {"const": detail_type},
            "time": {"type": "string", "format": "date-time"},
            "detail": {"$ref": f"schemas/{name}.json"},
        },
    }


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


# --- OpenAPI --------------------------------------------------------------------------------------------------------

_ANSWERS: Final = {
    Answer.RECEIVED: "The content of the callback is durable.",
    Answer.MALFORMED: "A field that decides is missing or has two values, or the body cannot be parsed.",
    Answer.NOT_FOUND: "Unknown provider, kind or token.",
    Answer.UNAVAILABLE: "The store, the secret or the settings could not be reached. Repeat the callback.",
}
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_TOKEN: Final = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "The HMAC-SHA256 of the provider's name under an entry of webhook_tokens, in hex.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}


def openapi() -> Document:
    """Return the OpenAPI 3.1 document of the webhooks."""
    apis = [(name, api) for name in sorted(PROVIDERS) for api in load(name) if issubclass(api, SupportsWebhooks)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sampai: webhooks",
            "version": version(),
            "description": "The callbacks of the vendors. A further provider of the settings has the paths of its "
            "type, under its own name. No answer reveals whether a message is known. Other fields are ignored.",
            "license": _LICENSE,
        },
        "servers": [
            {
                "url": "{WebhookBaseUrl}",
                "variables": {"WebhookBaseUrl": {"default": "http://127.0.0.1:4566", "description": "Stack output."}},
            }
        ],
        "security": [],
        "tags": [{"name": name} for name in dict(apis)],
        "paths": {
            f"/webhooks/{name}/{kind}/{{token}}": _path(name, kind, api)
            for name, api in apis
            for kind in sorted(api.capabilities.webhooks)
        },
        "components": {
            "parameters": {"token": _TOKEN},
            "responses": {answer.name.lower(): _response(answer, text) for answer, text in _ANSWERS.items()},
        },
    }


def _path(name: str, kind: str, api: type[SupportsWebhooks]) -> Document:
    fields = api.capabilities.webhooks[kind]
    example = max(_samples(name, kind, api), key=lambda sample: len([text for text in sample.values() if text]))
    common = {
        "tags": [name],
        "responses": {
            str(answer.value): {"$ref": f"#/components/responses/{answer.name.lower()}"} for answer in Answer
        },
    }
    form = {"schema": _object(fields, {"type": "string"}), "example": example}
    document = {"schema": _object(fields, {"type": ["string", "number", "boolean", "null"]}), "example": example}
    parameters = [
        {"name": field, "in": "query", "example": example.get(field, ""), **_field(field, fields, {"type": "string"})}
        for field in (*fields.deciding, *fields.others)
    ]
    return {
        "parameters": [{"$ref": "#/components/parameters/token"}],
        "get": {"operationId": f"{name}-{kind}-get", "parameters": parameters, **common},
        "post": {
            "operationId": f"{name}-{kind}-post",
            "requestBody": {"content": {**dict.fromkeys(_FORMS, form), "application/json": document}},
            **common,
        },
    }


def _object(fields: WebhookFields, schema: Document) -> Document:
    properties = {
        name: {**field["schema"], "description": field["description"]}
        for name in (*fields.deciding, *fields.others)
        for field in [_field(name, fields, schema)]
    }
    return {"type": "object", "properties": properties}


def _field(name: str, fields: WebhookFields, schema: Document) -> Document:
    text = "Decides: one value." if name in fields.deciding else "Optional: an unreadable value costs only itself."
    return {"description": text, "schema": schema}


def _samples(name: str, kind: str, api: type[SupportsWebhooks]) -> Iterator[dict[str, str]]:
    """Yield the fields of the sample events of a kind that are well formed."""
    for file in sorted((ROOT / "events" / "webhook").glob("*.json")):
        event = json.loads(file.read_text(encoding="utf-8"))
        path, request = event["pathParameters"], parse_request(event)
        if (path["provider"], path["kind"]) != (name, kind) or request is None:
            continue
        try:
            api.parse_webhook(kind, request)
        except MalformedWebhookError:
            continue
        yield read_fields(request, api.capabilities.webhooks[kind])


def _response(answer: Answer, text: str) -> Document:
    return {
        "description": text,
        "content": {"text/plain": {"schema": {"type": "string", "const": BODIES[answer]}}},
    }
