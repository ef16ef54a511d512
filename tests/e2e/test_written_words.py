"""What the stack wrote while it ran: logs, metrics and events hold no text, whole number or credential."""

import json
import re

from local.simulators.credentials import SECRET
from local.stack.deployment import client
from tests.e2e.conftest import RECIPIENTS, Stack

WHOLE_NUMBER = re.compile(r"\+?(855912|880174|95977|62812)\d{6,}")


def test_nothing_that_is_private_was_written(local_stack: Stack) -> None:
    requests = [local_stack.request(vendor, ending) for vendor in RECIPIENTS for ending in (10, 18, 21, 22)]
    local_stack.put(*requests, local_stack.request("nomsa", recipient="+85591234511,+85591234512"), "{not json")
    delivered = [r for r in requests if r["recipient"].endswith("10")]
    local_stack.wait_for(*((r["message_id"], "delivered") for r in delivered))
    stored = client("secretsmanager").get_secret_value(SecretId=local_stack.outputs["ProviderSecretArn"])
    secrets = [*json.loads(stored["SecretString"])["webhook_tokens"]]
    secrets += [value for entry in SECRET.values() for value in entry.values()]
    events = [local_stack.events_of(r["message_id"]) for r in requests]

    written = local_stack.logs() + json.dumps(events) + json.dumps(local_stack.events)

    assert "message attempted" in written
    assert "Private" not in written
    assert WHOLE_NUMBER.search(written) is None
    assert [secret for secret in secrets if secret in written] == []
