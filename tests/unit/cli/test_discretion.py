"""No command prints a text, a full number, metadata or a credential, as a table or as JSON, also when it fails."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from sampai.adapters.inbox import to_inbox_item
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel
from sampai.domain.status import Status
from tests.unit.cli.conftest import World
from tests.unit.cli.console.conftest import browser
from tests.unit.cli.test_messages import PRIVATE as OF_MESSAGES
from tests.unit.cli.test_messages import SENT, WAITING
from tests.unit.cli.test_permissions import COMMANDS

NUMBER: Final = "+6281234567810"
CANARIES: Final = (*OF_MESSAGES, "81234567810", "canary-text", "canary-key", "canary-token", "canary-option")
LETTER: Final = {
    "message_id": "otp-2",
    "recipient": NUMBER,
    "content": {"type": "text", "text": "canary-text"},
    "metadata": {"canary-text": NUMBER},
    "provider_options": {"smspoh": {"encryptKey": "canary-option"}},
}
SECRET: Final = {"webhook_tokens": ["canary-token"], "nomsa": {"api_key": "canary-key"}, "smsnoc": {"x": "canary-key"}}
PRINTS_TOKENS: Final = "webhooks urls"

BAD: Final = [
    ("send", ["--to", "0812-3456-7810", "--text", "canary-text"]),
    ("send", ["--to", NUMBER, "--text", "canary-text", "--channel", "canary-option"]),
    ("send", ["--csv", "bad.csv"]),
    ("opt-out", ["081234567810"]),
    ("settings set", ["bad.json"]),
]


@pytest.fixture
def filled(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Put something private into every part of the stack."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.json").write_text('{"public_base_url": "http://127.0.0.1:9"}')
    (tmp_path / "bad.json").write_text('{"providers": {"nomsa": {"password": "canary-key"}}}')
    (tmp_path / "bad.csv").write_text(f"recipient,text\n0812-3456-7810,canary-text\n{NUMBER},a,canary-text\n")
    inbound = Inbound(provider="nusasms", channel=Channel.SMS, sender=NUMBER, text="canary-text")
    world.client("dynamodb").put_item(TableName="InboxTable", Item=to_inbox_item("k", inbound, datetime.now(UTC)))
    world.put(SENT, replace(WAITING, updated_at=datetime.now(UTC), status=Status.SENDING))
    for output, body in (("DeadLetterQueueUrl", LETTER), ("DeadLetterQueueUrl", {"opt_in": NUMBER})):
        world.client("sqs").send_message(QueueUrl=world.stack.output(output), MessageBody=json.dumps(body))
    times = {"First": datetime.now(UTC) - timedelta(days=1), "Last": datetime.now(UTC)}
    batch = {f"approximateArrivalOf{end}Record": instant.isoformat() for end, instant in times.items()}
    failures = world.stack.resource("PublishFailures")
    world.client("sqs").send_message(QueueUrl=failures, MessageBody=json.dumps({"DDBStreamBatchInfo": batch}))
    arn = world.stack.output("ProviderSecretArn")
    world.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(SECRET))
    return world


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != PRINTS_TOKENS])
def test_a_command_prints_nothing_private(name: str, as_json: bool, filled: World) -> None:
    for arguments in COMMANDS[name]:
        result = filled(*name.split(), *arguments, *(["--json"] if as_json else []))

        assert leaks(result.output) == []


@pytest.mark.parametrize(("name", "arguments"), BAD)
def test_a_refusal_repeats_nothing_private(name: str, arguments: list[str], filled: World) -> None:
    result = filled(*name.split(), *arguments)

    assert (result.exit_code, leaks(result.output)) == (2, [])


def test_the_console_shows_nothing_private(filled: World) -> None:
    client = browser(filled.stack)
    wrong = ("/?id=%2B85591234510", "/messages/%2B85591234510")
    for path in ("/", "/messages/otp-1", "/messages/otp-2", "/charts?since=1d", "/dead-letters", *wrong):
        assert leaks(client.get(path).text) == []


def leaks(output: str) -> list[str]:
    """Return the private values in an output, however a number in it is written."""
    dense = re.sub(r"[ ().-]", "", output)
    return [canary for canary in CANARIES if canary in output or canary.replace("-", "").lstrip("+") in dense]
