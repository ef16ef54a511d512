"""Entry point for the streams of the tables of messages and inbound messages."""

from typing import Any

from sampai.adapters.stream import parse_batch
from sampai.bootstrap import event_bus, telemetry
from sampai.environment import is_on_lambda
from sampai.services.publish import publish, publish_received

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    event_bus()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Publish the status changes and inbound messages of a stream event.

    Raise UnavailableError if the bus is down: the stream then repeats the event.
    """
    batch = parse_batch(event)
    with telemetry().invocation(context):
        published = publish(batch.changes, bus=event_bus()) + publish_received(batch.received, bus=event_bus())
    return {"published": published}
