"""Entry point for the request queues."""

from datetime import UTC, datetime
from typing import Any

from sampai.bootstrap import send_service, telemetry
from sampai.domain.caller import parse_caller_id
from sampai.environment import is_on_lambda
from sampai.services.ports.queue import Receipt
from sampai.services.send.batch import Record

if is_on_lambda():
    # During the start Lambda provides a full CPU, and no request waits yet.
    send_service().prepare()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process an SQS batch and return the records that SQS must deliver again."""
    records = [
        Record(
            record_id=record["messageId"],
            body=record["body"],
            sent_at=_sent_at(record),
            group=record.get("attributes", {}).get("MessageGroupId"),
            caller_id=parse_caller_id(record.get("attributes", {}).get("SenderId")),
            receipt=_receipt(record),
            receives=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
        )
        for record in event["Records"]
    ]
    with telemetry().invocation(context):
        unfinished = send_service().handle(records, remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in unfinished]}


def _receipt(record: dict[str, Any]) -> Receipt | None:
    """Return the receipt of a delivery, if it came from a queue."""
    handle, arn = record.get("receiptHandle"), record.get("eventSourceARN")
    return Receipt(queue_name=arn.rpartition(":")[2], handle=handle) if handle and arn else None


def _sent_at(record: dict[str, Any]) -> datetime | None:
    """Return the time when the record was put on the queue. A redelivery does not change it."""
    milliseconds = record.get("attributes", {}).get("SentTimestamp")
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
