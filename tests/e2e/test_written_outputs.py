"""Logs, metrics and events of the stack contain no text, full number or credential."""

import json
import re
from typing import Any

import pytest

from local.stack.deployment import SECRET
from tests.e2e.conftest import Stack, client, wait_until

WHOLE_NUMBER = re.compile(r"\+?(855912|880174|63917|95977|62812)\d{6,}")


def test_outputs_contain_no_private_data(local_stack: Stack, sent: dict[tuple[str, int], dict[str, Any]]) -> None:
    stored = client("secretsmanager").get_secret_value(SecretId=local_stack.outputs["ProviderSecretArn"])
    secrets = [*json.loads(stored["SecretString"])["webhook_tokens"]]
    secrets += [value for entry in SECRET.values() for value in entry.values()]
    local_stack.events_of(sent["nomsa", 10]["message_id"], until="delivered")

    # The event of an inbound message contains its text and number, because the caller answers it.
    events = [event for event in local_stack.events if event["detail-type"] != "Message Received"]
    output = local_stack.logs() + json.dumps(events)

    assert "message attempted" in output
    assert "Message Status Changed" in output
    assert "Private" not in output
    assert WHOLE_NUMBER.search(output) is None
    assert [secret for secret in secrets if secret in output] == []


@pytest.mark.parametrize("queue", ["SendQueueUrl", "UrgentQueueUrl", "DeadLetterQueueUrl"])
def test_the_queues_are_empty_at_the_end(local_stack: Stack, queue: str) -> None:
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        answer = client("sqs").get_queue_attributes(QueueUrl=local_stack.outputs[queue], AttributeNames=counts)
        return all(value == "0" for value in answer["Attributes"].values())

    wait_until(is_empty, lambda: queue)
