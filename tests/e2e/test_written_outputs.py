"""Logs, metrics and events of the stack contain no text, full number or credential."""

import json
import re
from typing import Any

from local.stack.deployment import SECRET
from tests.e2e.conftest import Stack, client

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
