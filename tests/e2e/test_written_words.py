"""Logs, metrics and events of the stack contain no text, complete number or credential."""

import json
import re
from typing import Any

from local.stack.deployment import SECRET
from tests.e2e.conftest import Stack, client

WHOLE_NUMBER = re.compile(r"\+?(855912|880174|95977|62812)\d{6,}")


def test_nothing_private_was_written(local_stack: Stack, sent: dict[tuple[str, int], dict[str, Any]]) -> None:
    stored = client("secretsmanager").get_secret_value(SecretId=local_stack.outputs["ProviderSecretArn"])
    secrets = [*json.loads(stored["SecretString"])["webhook_tokens"]]
    secrets += [value for entry in SECRET.values() for value in entry.values()]
    local_stack.events_of(sent["nomsa", 10]["message_id"], until="delivered")

    # An inbound message is published completely, so that callers can answer it.
    told = [event for event in local_stack.events if event["detail-type"] != "Message Received"]
    written = local_stack.logs() + json.dumps(told)

    assert "message attempted" in written
    assert "Message Status Changed" in written
    assert "Private" not in written
    assert WHOLE_NUMBER.search(written) is None
    assert [secret for secret in secrets if secret in written] == []
