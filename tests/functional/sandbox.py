"""A sandbox of each function: the real handler and adapters, with the template's environment on a local AWS."""

import importlib.util
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import pytest

from local.stack.places import REGION
from sampai import bootstrap
from tests.emulator import Emulator
from tests.functional.vendors import CREDENTIALS, Vendors
from tests.template import ROOT, template

EVENTS = ROOT / "events"
TOKEN = "local-webhook-token"
FINGERPRINT_KEY = "key-of-the-functional-tests"
LIBRARIES = ("botocore", "urllib3")
"""Those that log what they send: a fresh process says no level for them."""

FUNCTIONS = ("send", "webhook", "follow_up", "publish")

SETTINGS = {"smsnoc": {"sender": "SampaiBD"}, "smspoh": {"sender": "Sampai"}}

_numbers = count(1)


@dataclass(frozen=True)
class Context:
    """What the handlers use of Lambda's context."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    remaining_milliseconds: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds


@cache
def handler_of(function: str) -> Callable[[Any, Any], Any]:
    """Return the handler in `functions/<function>/app.py`. All of these modules are named `app`."""
    spec = importlib.util.spec_from_file_location(f"app_of_{function}", ROOT / "functions" / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Callable[[Any, Any], Any] = module.handler
    return handler


def read_event(name: str) -> Any:
    """Return a sample event: `send/nomsa` is events/send/nomsa.json."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def environment_of(function: str) -> dict[str, Any]:
    """Return the variables that the template gives to a function, intrinsic functions as they are."""
    logical_id = f"{function.title().replace('_', '')}Function"
    own = template()["Resources"][logical_id]["Properties"]["Environment"]["Variables"]
    return {**template()["Globals"]["Function"]["Environment"]["Variables"], **own}


def forget() -> None:
    """Make the next invocation a cold start: empty all caches of the bootstrap, and let logs find today's stdout."""
    for member in vars(bootstrap).values():
        if hasattr(member, "cache_clear"):
            member.cache_clear()
    logging.Logger.manager.loggerDict.pop("sampai", None)


@dataclass(kw_only=True)
class Deployment:
    """The resources of the template on the local AWS, as far as the functions reach for them."""

    emulator: Emulator
    vendors: Vendors
    monkeypatch: pytest.MonkeyPatch
    number: int = field(default_factory=lambda: next(_numbers))

    _function: str | None = None

    def __post_init__(self) -> None:
        messages, meetings = self.emulator.new_tables()
        self.messages = messages
        self.bus, self._events_url = self._new_bus()
        self._values = {
            "MESSAGES_TABLE": messages,
            "MEETINGS_TABLE": meetings,
            "PROVIDER_SECRET_ARN": self._new_secret(json.dumps({"webhook_tokens": [TOKEN], **CREDENTIALS})),
            "FINGERPRINT_SECRET_ARN": self._new_secret(FINGERPRINT_KEY),
            "SETTINGS_PARAMETER": self._new_settings(),
            "SEND_QUEUE_URL": self._new_queue("send"),
            "URGENT_QUEUE_URL": self._new_queue("urgent"),
            "EVENT_BUS_NAME": self.bus,
            "WEBHOOK_BASE_URL": "https://hooks.example.net",
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
            "POWERTOOLS_METRICS_NAMESPACE": "Sampai/functional",
        }

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment of a function: what the template names and no more."""
        variables = {name: self._values.get(name, given) for name, given in environment_of(function).items()}
        return {
            **variables,
            "AWS_ENDPOINT_URL": self.emulator.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }

    def enter(self, function: str) -> None:
        """Put this process into a fresh sandbox of a function."""
        for name in (*self._values, *(n for n in os.environ if n.startswith(("AWS_", "POWERTOOLS_")))):
            self.monkeypatch.delenv(name, raising=False)
        for name, value in self.environment(function).items():
            self.monkeypatch.setenv(name, value)
        forget()
        for library in LIBRARIES:
            logging.getLogger(library).setLevel(logging.NOTSET)
        self._function = function

    def invoke(self, name: str) -> Any:
        """Invoke a function with the sample event of its folder: `send/nomsa`. The first time is a cold start."""
        function = name.partition("/")[0]
        if function != self._function:
            self.enter(function)
        remaining = template()["Resources"]["FollowUpFunction"]["Properties"]["Timeout"] * 1000
        return handler_of(function)(read_event(name), Context(remaining_milliseconds=remaining))

    def table(self) -> dict[str, str]:
        """Return what stands in the table by message id: the status, then reason and field of a failure."""
        items = self.emulator.client("dynamodb").scan(TableName=self.messages, ConsistentRead=True)["Items"]
        return {item["message_id"]["S"]: " ".join(_facts(item)) for item in items}

    def make_due(self, message_id: str) -> None:
        """Have the time come to look at a message."""
        self.emulator.client("dynamodb").update_item(
            TableName=self.messages,
            Key={"message_id": {"S": message_id}},
            UpdateExpression="SET due_at = :past",
            ExpressionAttributeValues={":past": {"S": "2020-01-01T00:00:00.000Z"}},
        )

    def events(self) -> list[str]:
        """Return what came over the bus so far: the id, then what happened to it."""
        barrier = {"Source": "sampai", "DetailType": "Barrier", "Detail": "{}", "EventBusName": self.bus}
        self.emulator.client("events").put_events(Entries=[barrier])
        sqs, found = self.emulator.client("sqs"), []
        until = time.monotonic() + 10
        while time.monotonic() < until:
            answer = sqs.receive_message(QueueUrl=self._events_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", ()):
                sqs.delete_message(QueueUrl=self._events_url, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                if event["detail-type"] == "Barrier":
                    return found
                found.append(_told(event))
        raise AssertionError("the bus delivers nothing")

    def notes(self) -> int:
        """Return how many notes wait in the two queues, those that are delayed among them."""
        waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        urls = [self._values[name] for name in ("SEND_QUEUE_URL", "URGENT_QUEUE_URL")]
        sqs = self.emulator.client("sqs")
        found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=waiting)["Attributes"] for url in urls]
        return sum(int(number) for attributes in found for number in attributes.values())

    def _new_queue(self, name: str) -> str:
        url: str = self.emulator.client("sqs").create_queue(QueueName=f"{name}-{self.number}")["QueueUrl"]
        return url

    def _new_secret(self, value: str) -> str:
        name = f"secret-{self.number}-{len(value)}"
        arn: str = self.emulator.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"]
        return arn

    def _new_settings(self) -> str:
        providers = {name: {"base_url": url, **SETTINGS.get(name, {})} for name, url in self.vendors.base_urls.items()}
        name = f"settings-{self.number}"
        value = json.dumps({"providers": providers})
        self.emulator.client("ssm").put_parameter(Name=name, Value=value, Type="String")
        return name

    def _new_bus(self) -> tuple[str, str]:
        name, url = f"bus-{self.number}", self._new_queue("events")
        sqs, events = self.emulator.client("sqs"), self.emulator.client("events")
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["sampai"]}))
        events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
        return name, url


def _facts(item: dict[str, Any]) -> Iterator[str]:
    yield item["status"]["S"]
    if "failure" in item:
        failure = item["failure"]["M"]
        yield failure["reason"]["S"]
        yield from (failure["detail"]["S"].partition(":")[0],) if "detail" in failure else ()


def _told(event: dict[str, Any]) -> str:
    detail = event["detail"]
    return f"{detail['message_id']} {detail['status'] if 'status' in detail else detail['reason']}"


# --- what nobody may find in the logs -----------------------------------------------------------------------------


@cache
def private_values() -> frozenset[str]:
    """Return every text, number, token and credential of the sample events and of the deployment."""
    secrets = {TOKEN, "not-the-token", FINGERPRINT_KEY, *(v for c in CREDENTIALS.values() for v in c.values())}
    files = [file.read_text() for file in EVENTS.rglob("*.json")]
    texts = {text for file in files for text in _texts(json.loads(file))}
    numbers = {number for file in files for number in re.findall(r"\+[1-9][0-9]{6,14}", file)}
    escaped = {json.dumps(text)[1:-1] for text in texts}
    return frozenset(secrets | texts | escaped | numbers | {number[1:] for number in numbers})


def leaks(output: str) -> list[str]:
    """Return the private values that stand in an output."""
    return sorted(value for value in private_values() if value in output)


def _texts(node: Any, name: str = "") -> Iterator[str]:
    """Yield what stands under the name `text`, also in a body that is JSON, and in an item of DynamoDB."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, name if key == "S" else key)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, str) and name == "text":
        yield node
    elif isinstance(node, str) and name == "body":
        with suppress(ValueError):
            yield from _texts(json.loads(node))
