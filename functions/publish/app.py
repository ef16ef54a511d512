"""The door of the message table's stream."""

from typing import Any

from sampai.adapters.items import from_item
from sampai.bootstrap import event_bus, telemetry
from sampai.services.publish import publish


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Publish the changes of status in a stream batch. Raises if the bus is down: the stream repeats the batch."""
    images = [record["dynamodb"] for record in event["Records"] if "NewImage" in record["dynamodb"]]
    changes = [
        (from_item(image["OldImage"]) if "OldImage" in image else None, from_item(image["NewImage"]))
        for image in images
    ]
    with telemetry().invocation(context):
        published = publish(changes, bus=event_bus())
    return {"published": published}
