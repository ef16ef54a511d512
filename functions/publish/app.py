"""Entry point for the streams of the tables of messages and inbound messages."""

from typing import Any

from sampai.adapters.stream import parse_batch
from sampai.bootstrap import publish_service, telemetry
from sampai.environment import is_on_lambda

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    publish_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Publish the status changes and inbound messages of a stream event.

    Raise UnavailableError if the bus is down: the stream then repeats the event.
    """
    with telemetry().invocation(context):
        batch = parse_batch(event, telemetry())
        service = publish_service()
        published = service.publish(batch.changes) + service.publish_received(batch.received)
    return {"published": published}
