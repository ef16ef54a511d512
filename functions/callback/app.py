"""Entry point for the queue of the callbacks to a caller outside AWS."""

from typing import Any

from sampai.bootstrap import callback_service, telemetry
from sampai.environment import is_on_lambda
from sampai.services.callback import CallbackRecord
from sampai.services.ports.queue import Receipt

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no event waits yet.
    callback_service()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Post the events of an SQS batch and return the records that SQS must deliver again."""
    records = [
        CallbackRecord(
            record_id=record["messageId"],
            body=record["body"],
            receives=int(record["attributes"]["ApproximateReceiveCount"]),
            receipt=Receipt(queue_name=record["eventSourceARN"].rpartition(":")[2], handle=record["receiptHandle"]),
        )
        for record in event["Records"]
    ]
    with telemetry().invocation(context):
        unfinished = callback_service().handle(records, remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in unfinished]}
