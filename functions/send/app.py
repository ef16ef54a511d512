"""The door of the request queues."""

import os
from datetime import UTC, datetime
from typing import Any

from sampai.bootstrap import send_service, telemetry
from sampai.services.send.batch import Record

if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    # While Lambda starts a sandbox it lends it more of a processor than it has later, and nobody waits yet.
    send_service().prepare()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take an SQS batch and name the records that must be delivered again."""
    records = [
        Record(
            record_id=record["messageId"],
            body=record["body"],
            sent_at=_sent_at(record),
            group=record.get("attributes", {}).get("MessageGroupId"),
        )
        for record in event["Records"]
    ]
    with telemetry().invocation(context):
        unfinished = send_service().handle(records, remaining=lambda: context.get_remaining_time_in_millis() / 1000)
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in unfinished]}


def _sent_at(record: dict[str, Any]) -> datetime | None:
    """Return when the record was put on the queue; a redelivery does not change it."""
    milliseconds = record.get("attributes", {}).get("SentTimestamp")
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
