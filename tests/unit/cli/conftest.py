"""A stack in this process, and a shortcut to the commands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import Result

from sampai.adapters.items import to_item
from sampai.domain.message import Message
from tests.harness.cli import FakeStack, sampai
from tests.harness.fake_stack import fake_stack


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
    with fake_stack() as stack:
        yield World(stack=stack)
