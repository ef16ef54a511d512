"""A stack in this process, by moto: its queues, tables, secret, settings and bus."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from boto3.session import Session
from moto import mock_aws

from tests.harness.cli import FakeStack
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


@contextmanager
def fake_stack() -> Iterator[FakeStack]:
    """Yield a new stack, which is gone at the end."""
    with mock_aws():
        yield _new_stack(cache(_new_client))


@cache
def _session() -> Session:
    """Return one session for all tests, because each reads the models of the services again."""
    return Session("test", "test", region_name="ap-southeast-1")


def _new_client(service: Any) -> Any:
    client = _session().client(service)
    client.meta.events.register("provide-client-params.sqs.ReceiveMessage", _without_wait)
    return client


def _without_wait(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Answer an empty dead-letter queue at once: no test puts a letter there while a command waits for one."""
    return params | {"WaitTimeSeconds": 0} if params["QueueUrl"].endswith("DeadLetterQueue") else params


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
