"""A stack in this process, by moto: its queues, tables, secret, settings and bus."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from boto3.session import Session
from moto import mock_aws
from typer.testing import Result

from sampai.adapters.items import to_item
from sampai.domain.message import Message
from tests.harness.cli import FakeStack, sampai
from tests.template import table

TABLES = (
    "MessagesTable",
    "CorrelationsTable",
    "InboxTable",
    "DirectoryTable",
    "MediaTable",
    "EncryptionKeysTable",
    "AttemptsTable",
)
SECRET = {"webhook_tokens": ["token-of-the-tests"], "nomsa": {"api_key": "not-a-key"}}


@dataclass(kw_only=True)
class World:
    """The stack, and a shortcut to a command on it."""

    stack: FakeStack

    def __call__(self, *arguments: str, **options: Any) -> Result:
        return sampai(self.stack, *arguments, **options)

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    def put(self, *messages: Message) -> None:
        for message in messages:
            self.client("dynamodb").put_item(TableName="MessagesTable", Item=to_item(message))

    def bodies(self, output: str) -> list[Any]:
        """Return the bodies in a queue, and delete them."""
        sqs, url = self.client("sqs"), self.stack.output(output)
        found: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(body) for body in found]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield World(stack=_new_stack(cache(_new_client)))


@cache
def _session() -> Session:
    """Return one session for all tests, because each reads the models of the services again."""
    return Session("test", "test", region_name="ap-southeast-1")


def _new_client(service: Any) -> Any:
    return _session().client(service)


def _new_stack(client: Callable[[str], Any]) -> FakeStack:
    for name in TABLES:
        client("dynamodb").create_table(TableName=name, **table(name))
    queues = {
        name: client("sqs").create_queue(QueueName=name)["QueueUrl"]
        for name in ("SendQueue", "UrgentQueue", "DeadLetterQueue", "PublishFailures")
    }
    secret = client("secretsmanager").create_secret(Name="provider", SecretString=json.dumps(SECRET))["ARN"]
    client("secretsmanager").create_secret(Name="fingerprint", SecretString="key-of-the-tests")
    client("events").create_event_bus(Name="the-bus")
    return FakeStack(
        name="sampai-test",
        client=client,
        outputs={
            "SendQueueUrl": queues["SendQueue"],
            "UrgentQueueUrl": queues["UrgentQueue"],
            "DeadLetterQueueUrl": queues["DeadLetterQueue"],
            "MessagesTableName": "MessagesTable",
            "EncryptionKeysTableName": "EncryptionKeysTable",
            "AttemptsTableName": "AttemptsTable",
            "WebhookBaseUrl": "https://api.example.net",
            "EventBusName": "the-bus",
            "ProviderSecretArn": secret,
            "SettingsParameterName": "/sampai-test/settings",
        },
        resources={
            **{name: name for name in TABLES},
            "FingerprintSecret": "fingerprint",
            "PublishFailures": queues["PublishFailures"],
        },
    )
