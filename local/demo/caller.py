"""The actions of a caller, an operator and an observer on the running stack."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

from local.demo.messages import Acceptance
from local.stack.config import STACK_NAME
from local.stack.deployment import client
from local.stack.processes import DIRECT

QUEUE_NAME: Final = "sampai-demo-events"
SQS_BATCH: Final = 10
PAGE_SECONDS: Final = 30
"""Time-out of a control page of the simulators, for a busy computer."""


class Caller:
    """Puts requests on the queues, receives events, and reads the table and the vendors' ledger."""

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = outputs
        self._sqs = client("sqs")
        self._events_url = self._subscribe()

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Merge changes into the stack's settings."""
        ssm, name = client("ssm"), self._outputs["SettingsParameterName"]
        settings = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        ssm.put_parameter(Name=name, Value=json.dumps({**settings, **changes}), Type="String", Overwrite=True)

    def put(self, bodies: Sequence[str], *, queue: str) -> list[str]:
        """Put bodies on a queue and return their SQS message ids, in the same order."""
        ids: dict[str, str] = {}
        for first in range(0, len(bodies), SQS_BATCH):
            batch = enumerate(bodies[first : first + SQS_BATCH], start=first)
            entries = [{"Id": str(number), "MessageBody": body} for number, body in batch]
            response = self._sqs.send_message_batch(QueueUrl=self._outputs[queue], Entries=entries)
            ids |= {entry["Id"]: entry["MessageId"] for entry in response["Successful"]}
        return [ids[str(number)] for number in range(len(bodies))]

    def receive_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events since the last call, and delete them from the queue."""
        while messages := self._sqs.receive_message(
            QueueUrl=self._events_url, MaxNumberOfMessages=SQS_BATCH, WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                yield json.loads(message["Body"])
                self._sqs.delete_message(QueueUrl=self._events_url, ReceiptHandle=message["ReceiptHandle"])

    def acceptances(self) -> Counter[Acceptance]:
        """Return the number of acceptances by text and number."""
        rows = self._request_page("_ledger")
        return Counter((row["text_sha256"], row["recipient"].removeprefix("+")) for row in rows)

    def submissions(self) -> set[Acceptance]:
        """Return the messages that reached a vendor, accepted or not, by text and number."""
        rows = self._request_page("_submissions")
        return {(row["text_sha256"], row["recipient"].removeprefix("+")) for row in rows}

    def calls(self) -> dict[str, dict[str, int]]:
        """Return the number of calls by vendor and operation."""
        calls: dict[str, dict[str, int]] = self._request_page("_calls")
        return calls

    def send_inbound(self, inbound: Mapping[str, str]) -> None:
        """Send a message from a phone to the stack."""
        self._request_page("_inbound", inbound)

    def check_accounts(self) -> float:
        """Run the monitor now, and return the seconds that it took. Its schedule runs it four times an hour."""
        resource = client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId="MonitorFunction"
        )
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        began = time.monotonic()
        client("lambda").invoke(FunctionName=name, Payload=b"{}")
        return time.monotonic() - began

    def _request_page(self, name: str, document: Mapping[str, str] | None = None) -> Any:
        """Return the JSON of a control page of the simulators. With a document, POST it to the page."""
        body = None if document is None else json.dumps(document).encode()
        url = f"{self._outputs['simulators']['control']}/{name}"
        with DIRECT.open(urllib.request.Request(url, data=body), timeout=PAGE_SECONDS) as response:
            return json.loads(response.read())

    def statuses(self, message_ids: Set[str]) -> dict[str, str]:
        """Return the stored status of each message, for at most 100 messages."""
        table = self._outputs["MessagesTableName"]
        keys = [{"message_id": {"S": message_id}} for message_id in message_ids]
        items = client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        return {item["message_id"]["S"]: item["status"]["S"] for item in items["Responses"][table]}

    def _subscribe(self) -> str:
        """Route every event of the stack's bus to a new queue, and return its URL. The queue ends with the stack."""
        url: str = self._sqs.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        events, bus = client("events"), self._outputs["EventBusName"]
        events.put_rule(Name=QUEUE_NAME, EventBusName=bus, EventPattern=json.dumps({"source": ["sampai"]}))
        target = {"Id": "queue", "Arn": attributes["QueueArn"]}
        events.put_targets(Rule=QUEUE_NAME, EventBusName=bus, Targets=[target])
        return url
