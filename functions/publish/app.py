"""The door of the streams of messages and of what came in."""

from typing import Any

from sampai.adapters.inbox import from_inbox_item
from sampai.adapters.items import from_item
from sampai.bootstrap import event_bus, telemetry
from sampai.services.publish import publish, publish_received


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Publish what a stream batch tells: changes of status, or inbound messages.

    Raises if the bus is down: the stream repeats the batch.
    """
    images = [record["dynamodb"] for record in event["Records"] if "NewImage" in record["dynamodb"]]
    inbound_service = [from_inbox_item(image["NewImage"]) for image in images if "inbound_key" in image["NewImage"]]
    changes = [
        (from_item(image["OldImage"]) if "OldImage" in image else None, from_item(image["NewImage"]))
        for image in images
        if "message_id" in image["NewImage"]
    ]
    with telemetry().invocation(context):
        published = publish(changes, bus=event_bus()) + publish_received(inbound_service, bus=event_bus())
    return {"published": published}
