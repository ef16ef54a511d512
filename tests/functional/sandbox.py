"""A sandbox of each function: the real handler and adapters, with the template's environment on a local AWS."""

import importlib.util
import json
import logging
import os
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import pytest

from local.stack.config import REGION
from sampai import bootstrap
from sampai.domain.times import to_text
from sampai.domain.webhook_token import webhook_token
from sampai.environment import FollowUpEnvironment, MonitorEnvironment, SendEnvironment, WebhookEnvironment
from tests.emulator import Emulator
from tests.harness.cli import FakeStack
from tests.harness.vendors import CREDENTIALS, FakeVendors, deliver
from tests.template import ROOT, default, template

EVENTS = ROOT / "events"
TOKEN = "local-webhook-token"
CALLBACK_SECRET = f"whsec_{b64encode(b'functional-tests-callbacks').decode()}"
FINGERPRINT_KEY = "key-of-the-functional-tests"
LIBRARIES = ("botocore", "urllib3")
"""Libraries that log their requests. A new process sets no level for them."""

FUNCTIONS = ("send", "webhook", "follow_up", "monitor", "publish", "callback")
ENVIRONMENTS: Mapping[str, type[SendEnvironment | WebhookEnvironment | FollowUpEnvironment | MonitorEnvironment]] = {
    "send": SendEnvironment,
    "webhook": WebhookEnvironment,
    "follow_up": FollowUpEnvironment,
    "monitor": MonitorEnvironment,
}
"""The environments of the functions that read settings and secret."""

SETTINGS = {"smsnoc": {"sender": "SampaiBD"}, "smspoh": {"sender": "Sampai"}}

_numbers = count(1)


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that the handlers use."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    function_name: str = "function"
    remaining_milliseconds: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds


@dataclass(frozen=True)
class Countdown(Context):
    """A context whose time passes."""

    started_at: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        passed = time.monotonic() - self.started_at
        return max(0, self.remaining_milliseconds - int(passed * 1000))


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
    """Return a sample event: `send/nomsa` is events/send/nomsa.json. Its `send_at`, if any, becomes tomorrow."""
    tomorrow = to_text(datetime.now(UTC) + timedelta(days=1))
    text = (EVENTS / f"{name}.json").read_text()
    return json.loads(re.sub(r'(\\"send_at\\": \\")[^"\\]*', rf"\g<1>{tomorrow}", text))


def environment_of(function: str) -> dict[str, Any]:
    """Return the variables of a function in the template, with intrinsic functions unchanged."""
    logical_id = f"{function.title().replace('_', '')}Function"
    own = template()["Resources"][logical_id]["Properties"]["Environment"]["Variables"]
    return {**template()["Globals"]["Function"]["Environment"]["Variables"], **own}


def forget() -> None:
    """Make the next invocation a cold start: clear all caches of the bootstrap, and reset the logger's output."""
    for member in vars(bootstrap).values():
        if hasattr(member, "cache_clear"):
            member.cache_clear()
    logging.Logger.manager.loggerDict.pop("sampai", None)


def new_vendors() -> FakeVendors:
    """Return vendors that deliver every message at once, and throttle the first send to a number that ends in 20."""
    key = CREDENTIALS["nusasms"]["api_key"]
    # The functions run by the real clock, and ask for the list of a time.
    return FakeVendors(clock=lambda: datetime.now(UTC), on_taken=deliver, throttled_ending="20", nusasms_api_key=key)


@dataclass(kw_only=True)
class Deployment:
    """The resources of the template on the local AWS, as far as the functions use them."""

    emulator: Emulator
    base_urls: Mapping[str, str]
    """The addresses of the vendors."""
    monkeypatch: pytest.MonkeyPatch
    vendors: FakeVendors = field(default_factory=FakeVendors)
    """The vendors at these addresses, if they run in this process."""
    secret: Mapping[str, Any] = field(
        default_factory=lambda: {"webhook_tokens": [TOKEN], "callback_secrets": [CALLBACK_SECRET], **CREDENTIALS}
    )
    fingerprint_key: str = FINGERPRINT_KEY
    settings: Mapping[str, Any] = field(default_factory=lambda: {"providers": SETTINGS})
    callback_url: str = "http://127.0.0.1:9/"
    """The receiver of callbacks. By default no server listens there."""
    callback_to_private_addresses: str = "true"
    timeout_seconds: int = field(
        default_factory=lambda: int(template()["Resources"]["FollowUpFunction"]["Properties"]["Timeout"])
    )
    """Time of an invocation."""
    number: int = field(default_factory=lambda: next(_numbers))

    _function: str | None = None

    def __post_init__(self) -> None:
        self.messages, self.correlations = self.emulator.new_tables()
        self.inbox = self.emulator.new_table("InboxTable")
        self.directory = self.emulator.new_table("DirectoryTable")
        self.media = self.emulator.new_table("MediaTable")
        self.keys = self.emulator.new_table("EncryptionKeysTable")
        self.attempts = self.emulator.new_table("AttemptsTable")
        self.callbacks = self.emulator.new_table("CallbacksTable")
        self.bus, self._events_url = self._new_bus()
        self._values = {
            "MESSAGES_TABLE": self.messages,
            "CORRELATIONS_TABLE": self.correlations,
            "INBOX_TABLE": self.inbox,
            "DIRECTORY_TABLE": self.directory,
            "MEDIA_TABLE": self.media,
            "ENCRYPTION_KEYS_TABLE": self.keys,
            "ATTEMPTS_TABLE": self.attempts,
            "PROVIDER_SECRET_ARN": self._new_secret(json.dumps(self.secret)),
            "FINGERPRINT_SECRET_ARN": self._new_secret(self.fingerprint_key),
            "SETTINGS_PARAMETER": self._new_settings(),
            "SEND_QUEUE_URL": self._new_queue("send"),
            "URGENT_QUEUE_URL": self._new_queue("urgent"),
            "EVENT_BUS_NAME": self.bus,
            "WEBHOOK_BASE_URL": "https://hooks.example.net",
            "CALLBACKS_TABLE": self.callbacks,
            "CALLBACK_QUEUE_URL": self._new_queue("callbacks"),
            "CALLBACK_URL": self.callback_url,
            "CALLBACK_TO_PRIVATE_ADDRESSES": self.callback_to_private_addresses,
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
            "POWERTOOLS_METRICS_NAMESPACE": "Sampai/functional",
        }

    def client(self, service: str) -> Any:
        """Return the test's own client of a service."""
        return self.emulator.shared_client(service)

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment of a function: exactly the variables of the template."""
        variables = {name: self._values.get(name, default(given)) for name, given in environment_of(function).items()}
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

    def value(self, variable: str) -> str:
        """Return the value of a variable that the template gives to some function."""
        return self._values[variable]

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
        return self.call(name.partition("/")[0], read_event(name))

    def call(self, function: str, event: Any) -> Any:
        """Invoke a function with any event."""
        if function != self._function:
            self.enter(function)
        return handler_of(function)(event, Countdown(remaining_milliseconds=self.timeout_seconds * 1000))

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table."""
        answer = self.client("dynamodb").scan(TableName=table, ConsistentRead=True)
        found: list[dict[str, Any]] = answer["Items"]
        return found

    def table(self) -> dict[str, str]:
        """Return the stored messages by id: the status, then reason and field of a failure."""
        return {item["message_id"]["S"]: " ".join(_log_fields(item)) for item in self.items(self.messages)}

    def kept(self) -> tuple[str, ...]:
        """Return the items of the other tables, a line each: inbound messages, the directory, files and keys."""
        inbox = [f"inbox {i['inbound_key']['S']}: {i['sender']['S']} {i['text']['S']}" for i in self.items(self.inbox)]
        directory = [_entry(item) for item in self.items(self.directory)]
        files = [f"file of {item['media_key']['S'].partition('/')[0]}" for item in self.items(self.media)]
        keys = [f"key of {message_id}" for message_id in self.encryption_keys()]
        return tuple(sorted([*inbox, *directory, *files, *keys]))

    def encryption_keys(self) -> dict[str, str]:
        """Return the kept encryption keys by message id."""
        return {item["message_id"]["S"]: item["encryption_key"]["S"] for item in self.items(self.keys)}

    def make_due(self, message_id: str) -> None:
        """Make a message due, with an attempt of two minutes ago: a receipt would be overdue."""
        attempted_at = to_text(datetime.now(UTC) - timedelta(minutes=2))
        self.client("dynamodb").update_item(
            TableName=self.messages,
            Key={"message_id": {"S": message_id}},
            UpdateExpression="SET due_at = :past, attempted_at = :attempted_at",
            ExpressionAttributeValues={
                ":past": {"S": "2020-01-01T00:00:00.000Z"},
                ":attempted_at": {"S": attempted_at},
            },
        )

    def events(self) -> list[str]:
        """Return the events since the last call, each as the id and the status or reason."""
        return [_told(event) for event in self.deliveries()]

    def deliveries(self) -> list[dict[str, Any]]:
        """Return the events on the bus since the last call."""
        barrier = {"Source": "sampai", "DetailType": "Barrier", "Detail": "{}", "EventBusName": self.bus}
        self.client("events").put_events(Entries=[barrier])
        sqs = self.client("sqs")
        found: list[dict[str, Any]] = []
        until = time.monotonic() + 10
        while time.monotonic() < until:
            answer = sqs.receive_message(QueueUrl=self._events_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", ()):
                sqs.delete_message(QueueUrl=self._events_url, ReceiptHandle=message["ReceiptHandle"])
                event = json.loads(message["Body"])
                if event["detail-type"] == "Barrier":
                    return found
                found.append(event)
        raise AssertionError("the bus delivers nothing")

    def wake_ups(self) -> int:
        """Return the number of wake-ups in the two queues, delayed ones included."""
        waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        urls = [self._values[name] for name in ("SEND_QUEUE_URL", "URGENT_QUEUE_URL")]
        sqs = self.client("sqs")
        found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=waiting)["Attributes"] for url in urls]
        return sum(int(number) for attributes in found for number in attributes.values())

    def _new_queue(self, name: str) -> str:
        url: str = self.client("sqs").create_queue(QueueName=f"{name}-{self.number}")["QueueUrl"]
        return url

    def _new_secret(self, value: str) -> str:
        name = f"secret-{self.number}-{len(value)}"
        arn: str = self.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"]
        return arn

    def _new_settings(self) -> str:
        own = self.settings["providers"]
        providers = {name: {**own.get(name, {}), "base_url": url} for name, url in self.base_urls.items()}
        name = f"settings-{self.number}"
        value = json.dumps({**self.settings, "providers": providers})
        self.client("ssm").put_parameter(Name=name, Value=value, Type="String")
        return name

    def _new_bus(self) -> tuple[str, str]:
        name, url = f"bus-{self.number}", self._new_queue("events")
        sqs, events = self.client("sqs"), self.client("events")
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["sampai"]}))
        events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
        return name, url


def stack(deployment: Deployment, client: Callable[[str], Any] | None = None) -> FakeStack:
    """Return a deployment as the command-line tool sees it, with the test's own clients or those given."""
    return FakeStack(
        name="sampai-test",
        outputs={
            "MessagesTableName": deployment.messages,
            "EncryptionKeysTableName": deployment.keys,
            "AttemptsTableName": deployment.attempts,
        },
        client=client or deployment.client,
        resources={
            "InboxTable": deployment.inbox,
            "DirectoryTable": deployment.directory,
            "MediaTable": deployment.media,
            "CorrelationsTable": deployment.correlations,
            "FingerprintSecret": deployment.value("FINGERPRINT_SECRET_ARN"),
        },
    )


def _log_fields(item: dict[str, Any]) -> Iterator[str]:
    yield item["status"]["S"]
    if "failure" in item:
        failure = item["failure"]["M"]
        yield failure["reason"]["S"]
        yield from (failure["detail"]["S"].partition(":")[0],) if "detail" in failure else ()


def _entry(item: dict[str, Any]) -> str:
    """Return an entry of the directory as a line."""
    key = item["directory_key"]["S"]
    match key.partition("#")[0]:
        case "number":
            return f"{key} opted {'out' if item['opted_out']['BOOL'] else 'in'}"
        case "room":
            return f"{key} of {item['number']['S']}"
        case "rate":
            return str(key)
    templates = json.loads(item["templates"]["S"]).values()
    approved = sum(template["is_approved"] for template in templates)
    return f"{key}: {approved} of {len(templates)} templates approved, {len(item['senders']['L'])} sender"


def _told(event: dict[str, Any]) -> str:
    detail = event["detail"]
    if event["detail-type"] == "Message Received":
        return f"{detail['sender']} on {detail['channel']}: {detail['text']}"
    return f"{detail['message_id']} {detail['status'] if 'status' in detail else detail['reason']}"


# --- private values ---------------------------------------------------------------------------------------------------

PRIVATE = frozenset(
    """text msg caption value value_text media_url media_base64 file_name content_base64 subject encryptKey
    recipient_name originator sender_number""".split()
)
"""Names of the fields, in requests, callbacks and items, that contain a text, a file, a name or a number."""


@cache
def private_values() -> frozenset[str]:
    """Return every text, file, number, token and credential of the sample events and of the deployment."""
    secrets = {
        TOKEN,
        *(webhook_token(TOKEN, name) for name in CREDENTIALS),
        "not-the-token",
        FINGERPRINT_KEY,
        CALLBACK_SECRET,
        *(v for c in CREDENTIALS.values() for v in c.values()),
    }
    files = [file.read_text() for file in EVENTS.rglob("*.json")]
    texts = {text for file in files for text in _texts(json.loads(file)) if text}
    numbers = {number for file in files for number in re.findall(r"\+[1-9][0-9]{6,14}", file)}
    addresses = {address for file in files for address in re.findall(r"(?<![\w.])[\w.]+@[\w.]+\w", file)}
    numbers |= addresses | {quote(address) for address in addresses}
    escaped = {escape(text) for text in texts for escape in (lambda text: json.dumps(text)[1:-1], quote, quote_plus)}
    return frozenset(secrets | texts | escaped | numbers | {number[1:] for number in numbers})


def leaks(output: str, secrets: Collection[str] = ()) -> list[str]:
    """Return the private values and the secrets that occur in an output."""
    return sorted(value for value in private_values().union(secrets) if value in output)


def _texts(node: Any, name: str = "") -> Iterator[str]:
    """Yield the values of private fields, also in a body or in an item of DynamoDB."""
    if isinstance(node, dict):
        for key, value in node.items():
            is_encoded = key == "body" and node.get("isBase64Encoded")
            yield from _texts(_decoded(value) if is_encoded else value, name if key == "S" else key)
    elif isinstance(node, list):
        for value in node:
            # The parameters of a template may be a list of texts.
            yield from _texts(value, "text" if isinstance(value, str) and name in ("parameters", "body") else name)
    elif isinstance(node, str) and name in PRIVATE:
        yield node
    elif isinstance(node, str) and name == "body" and node.startswith("<"):
        yield node  # of an e-mail
    elif isinstance(node, str) and name in ("parameters", "body"):
        yield from _texts(_document(node))


def _decoded(body: str) -> str:
    with suppress(ValueError):
        return b64decode(body).decode()
    return ""


def _document(body: str) -> Any:
    """Return the JSON value or the form that a body is."""
    with suppress(ValueError):
        return json.loads(body)
    return dict(parse_qsl(body))
