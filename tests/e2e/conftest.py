"""The local stack for end-to-end tests: the unchanged template, real functions, and vendors on loopback."""

import hashlib
import json
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, Final
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from local.simulators.outcomes import OUTCOMES
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from local.stack import deployment
from local.stack.config import LOCAL, OUTPUTS, ROOT, RUDE, STACK_NAME
from tests.e2e.smoke_run import SmokeRun, run_smoke_test

RECIPIENTS = {
    "nomsa": "+855912{:04d}{:02d}",
    "smsnoc": "+880174{:05d}{:02d}",
    "philsms": "+63917{:05d}{:02d}",
    "smspoh": "+95977{:05d}{:02d}",
    "nusasms": "+62812{:06d}{:02d}",
}

RELOCATED = ("smsnoc", "nusasms")
"""Vendors that the tests move to another address."""

SECOND_ACCOUNT = "smspoh-2"
"""A second account at SMSPoh, which only the settings and the secret name. Its simulator is that of the first one."""

POLL_SECONDS: Final = [10, 20]
HORIZON_HOURS: Final = 0.02
"""Short enough for the second follow-up run of a message without receipts to end it."""
FIRST_HORIZON_HOURS: Final = 0.1
"""The horizon while a busy computer starts the functions. A record of a worker that ran out of time comes back after
three minutes, a lost wake-up after two."""
AT_SENDER: Final = {None, "queued", "sending"}

TIMEOUT_SECONDS = 480
"""Timeout of every wait. The slowest test waits for three follow-up runs, or for `FIRST_HORIZON_HOURS`."""


client = cache(deployment.client)

FILES = {"bill.pdf": b"%PDF-1.4 Private \x00\xff", "វិក្កយបត្រ.txt": b"Private\r\n--"}


def email(magic_number: int, **content: Any) -> dict[str, Any]:
    name = uuid4().hex[:12]
    text = {"type": "email", "subject": f"Private {name}", "body": f"<p>Private {name}</p>", **content}
    return {
        "message_id": f"mail-{name}",
        "channel": "email",
        "recipient": f"private.{name}.{magic_number}@example.com",
        "content": text,
    }


@dataclass(kw_only=True)
class Stack:
    """The running stack, as seen by a caller and an operator."""

    outputs: dict[str, Any]
    ledgers: tuple[str, ...]
    """Base URLs of the vendor simulators."""
    events_queue: str
    events: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def request(self, vendor: str, magic_number: int = 10, **changes: Any) -> dict[str, Any]:
        """Return a new request to a magic number."""
        number = next(self._numbers)
        document = {
            "message_id": f"e2e-{vendor}-{magic_number}-{number}",
            "recipient": RECIPIENTS[vendor].format(number, magic_number),
            "content": {"type": "text", "text": f"Private words {number}"},
        }
        return document | changes

    def put(self, *bodies: Any, queue: str = "SendQueueUrl") -> None:
        sqs = client("sqs")
        for first in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body if isinstance(body, str) else json.dumps(body)}
                for n, body in enumerate(bodies[first : first + 10])
            ]
            sqs.send_message_batch(QueueUrl=self.outputs[queue], Entries=entries)

    def item(self, message_id: str) -> dict[str, Any] | None:
        answer = client("dynamodb").get_item(
            TableName=self.outputs["MessagesTableName"], Key={"message_id": {"S": message_id}}, ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def status(self, message_id: str) -> str | None:
        item = self.item(message_id)
        return item["status"]["S"] if item else None

    def wait_for(self, *expected: tuple[str, str]) -> None:
        """Wait until messages have the expected statuses."""
        expected_statuses = dict(expected)
        seen: dict[str, str | None] = {}

        def are_reached() -> bool:
            for message_id in expected_statuses.keys() - {m for m, s in seen.items() if s == expected_statuses[m]}:
                seen[message_id] = self.status(message_id)
            return seen == expected_statuses

        wait_until(are_reached, lambda: {m: s for m, s in seen.items() if s != expected_statuses[m]})

    def events_of(self, message_id: str, *, until: str) -> list[dict[str, Any]]:
        """Wait for a status, and return the distinct events of the message in order of sequence."""

        def received() -> list[dict[str, Any]]:
            self._receive_events()
            details = [e["detail"] for e in self.events if e["detail-type"] == "Message Status Changed"]
            changes = {d["sequence"]: d for d in details if d["message_id"] == message_id}
            return [changes[sequence] for sequence in sorted(changes)]

        wait_until(lambda: until in {change["status"] for change in received()}, lambda: (message_id, received()))
        return received()

    def rejections_of(self, message_id: str) -> list[dict[str, Any]]:
        self._receive_events()
        rejected = [e["detail"] for e in self.events if e["detail-type"] == "Request Rejected"]
        return [detail for detail in rejected if detail["message_id"] == message_id]

    def ledger(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the ledger entries of the vendors for a request."""
        return self.accepted_with_text(request["content"]["text"])

    def accepted_with_text(self, text: str) -> list[dict[str, Any]]:
        """Return the ledger entries with this text, which can also be a caption or the values of a template by line."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        entries = [entry for url in self.ledgers for entry in fetch(f"{url}/_ledger")]
        return [entry for entry in entries if entry["text_sha256"] == digest]

    def send_inbound(self, kind: str, sender: str, text: str, **fields: str) -> dict[str, Any]:
        """Send an inbound message through NusaSMS, and return its event."""
        document = {"vendor": "nusasms", "kind": kind, "sender": sender.removeprefix("+"), "text": text, **fields}
        fetch(f"{self.ledgers[1]}/_inbound", document)

        def received() -> list[dict[str, Any]]:
            self._receive_events()
            received = [e["detail"] for e in self.events if e["detail-type"] == "Message Received"]
            return [detail for detail in received if (detail["sender"], detail["text"]) == (sender, text)]

        wait_until(lambda: received() != [], lambda: (kind, text))
        return received()[0]

    def resource(self, logical_id: str) -> str:
        """Return the physical id of a resource."""
        found = client("cloudformation").describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
        name: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def logs(self) -> str:
        return (LOCAL / "emulator.log").read_text(errors="replace")

    def _receive_events(self) -> None:
        sqs = client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.events_queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.events.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.events_queue, ReceiptHandle=message["ReceiptHandle"])


def wait_until(condition: Callable[[], bool], describe: Callable[[], object] = lambda: "") -> None:
    """Wait until a condition is true; on timeout, fail with the description."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"timed out: {describe()}")
        time.sleep(0.5)


def fetch(url: str, document: Any = None) -> Any:
    body = None if document is None else json.dumps(document).encode()
    with urlopen(Request(url, data=body, headers={"content-type": "application/json"}), timeout=10) as answer:
        return json.loads(answer.read() or "null")


@pytest.fixture(scope="session")
def local_stack() -> Iterator[Stack]:
    """Start the stack. Half of the vendors keep the address of `make up`, half move to another one in the settings."""
    _run("up")
    try:
        outputs = json.loads(OUTPUTS.read_text())
        control = outputs["simulators"]["control"]
        with Simulators(port=0, settings=_vendor_settings(outputs)) as relocated:
            _relocate_vendors(outputs, control, relocated.url)
            _add_second_account(outputs)
            queue = _subscribe(outputs["EventBusName"])
            yield Stack(outputs=outputs, ledgers=(control, relocated.url), events_queue=queue)
    finally:
        _run("down")


EARLY: Final = ("magic_requests", "campaigns", "panel_requests", "mails", "short_horizon", "smoke_run")
"""Fixtures whose results take a minute or two: messages that end at the report horizon, and the smoke test."""


LAST: Final = ("test_without_credit.py", "test_written_outputs.py")
"""Files whose tests follow all others: one opens a circuit, one looks at what all have left."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for the report horizon behind those that do not: the others fill the time."""
    items.sort(key=lambda item: (item.path.name in LAST, "short_horizon" in getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session", autouse=True)
def start_early(request: pytest.FixtureRequest) -> None:
    """Start the slow fixtures that the selected tests need before the first test, so that their waits overlap."""
    needed = {name for item in request.session.items if isinstance(item, pytest.Function) for name in item.fixturenames}
    for name in EARLY:
        if name in needed:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def magic_requests(local_stack: Stack) -> dict[tuple[str, int], dict[str, Any]]:
    """Send the magic numbers that get a report. Return the requests of all but no credit, which opens a circuit."""
    magic_numbers = sorted(int(magic_number) for magic_number in OUTCOMES)
    metadata = {"order": "4711"}
    requests = {
        (v, e): local_stack.request(v, e, metadata=metadata)
        for v in RECIPIENTS
        for e in magic_numbers
        if e != NO_CREDIT
    }
    for magic_number in magic_numbers:
        local_stack.put(*(r for (v, e), r in requests.items() if e == magic_number and not is_silent(v, e)))
        time.sleep(0.5)  # a larger batch starts more workers than two cores can serve in time
    return requests


@pytest.fixture(scope="session")
def short_horizon(
    local_stack: Stack,
    magic_requests: dict[tuple[str, int], dict[str, Any]],
    campaigns: list[dict[str, Any]],
    mails: dict[str, dict[str, Any]],
) -> Iterator["Future[None]"]:
    """Shorten the report horizon in the background, when no early message waits to be sent; then send the silent ones.

    A message that its vendor cannot be asked about keeps the horizon of its first follow-up.
    """
    silent = [request for (v, e), request in magic_requests.items() if is_silent(v, e)] + campaigns
    early = [r for (v, e), r in magic_requests.items() if not is_silent(v, e)] + list(mails.values())
    ids = [request["message_id"] for request in early]

    def shorten() -> None:
        wait_until(lambda: all(local_stack.status(i) not in AT_SENDER for i in ids), lambda: ids)
        change_settings(local_stack.outputs, {"report_horizon_hours": HORIZON_HOURS})
        local_stack.put(*silent)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(shorten)


@pytest.fixture(scope="session")
def sent(
    local_stack: Stack, magic_requests: dict[tuple[str, int], dict[str, Any]], short_horizon: "Future[None]"
) -> dict[tuple[str, int], dict[str, Any]]:
    """Wait for the final statuses of the magic numbers, and return their requests."""
    short_horizon.result()
    ends = ((r["message_id"], final_status_of(v, e)) for (v, e), r in magic_requests.items())
    local_stack.wait_for(*ends)
    return magic_requests


@pytest.fixture(scope="session")
def campaigns(local_stack: Stack) -> list[dict[str, Any]]:
    """Return messages to lists. They become final only after the horizon, so `short_horizon` sends them."""
    lists = {"smsnoc": "6415907d0d310", "nusasms": "Example10"}
    return [
        {**local_stack.request(v), "recipient": None, "provider": v, "audience": {"lists": [name]}}
        for v, name in lists.items()
    ]


@pytest.fixture(scope="session")
def panel_requests(local_stack: Stack) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send a message through another panel by its route, and one that names it and is not delivered."""
    requests = local_stack.request("philsms"), local_stack.request("philsms", 11, provider="philsms")
    local_stack.put(*requests)
    return requests


@pytest.fixture(scope="session")
def mails(local_stack: Stack) -> dict[str, dict[str, Any]]:
    """Send one e-mail of each kind at once, and return the requests."""
    attachments = [{"file_name": name, "content_base64": b64encode(data).decode()} for name, data in FILES.items()]
    requests = {
        "opened": email(
            27, attachments=attachments, cc=["private.copy@example.com"], reply_to="private.help@example.com"
        ),
        "lost": email(18),
        "bounced": email(11),
        "complained": email(32),
        "listed": email(21),
    }
    local_stack.put(*requests.values())
    return requests


@pytest.fixture(scope="session")
def smoke_run(local_stack: Stack, short_horizon: "Future[None]") -> Iterator["Future[SmokeRun]"]:
    """Run the smoke test in the background, when the early messages no longer keep the computer busy."""

    def run() -> SmokeRun:
        short_horizon.result()
        return run_smoke_test()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run)


LISTING_VENDORS = {"nomsa", "smsnoc", "philsms", "smspoh"}
"""Vendors that list messages. NusaSMS does not, so a lost response stays unknown."""

LOST_RESPONSES = {15, 16, 18, 22, 25, 29}
NEVER_ACCEPTED = {17, 19, 23}
SILENT, NO_CREDIT = 12, 24


def final_status_of(vendor: str, magic_number: int) -> str:
    """Return the final status of a magic number."""
    if (
        magic_number in NEVER_ACCEPTED
        or magic_number == SILENT
        or (magic_number in LOST_RESPONSES and vendor not in LISTING_VENDORS)
    ):
        return "unconfirmed"
    return {11: "undelivered", 21: "failed", 30: "undelivered"}.get(magic_number, "delivered")


def is_silent(vendor: str, magic_number: int) -> bool:
    """Return whether a magic number gets no report, so that its message ends at the horizon."""
    return final_status_of(vendor, magic_number) == "unconfirmed"


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _run(command: str) -> None:
    """Run a command of the local stack, like the Makefile."""
    subprocess.run([sys.executable, "-m", "local.stack", command], cwd=ROOT, check=True)


def _vendor_settings(outputs: dict[str, Any]) -> Settings:
    secret = client("secretsmanager").get_secret_value(SecretId=outputs["ProviderSecretArn"])
    token: str = json.loads(secret["SecretString"])["webhook_tokens"][0]
    return Settings(webhook_base=outputs["WebhookBaseUrl"], webhook_token=token, rude=RUDE)


def change_settings(outputs: dict[str, Any], changes: dict[str, Any]) -> None:
    """Merge changes into the settings, like an operator. The functions read them within a minute."""
    ssm, name = client("ssm"), outputs["SettingsParameterName"]
    document = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"]) | changes
    ssm.put_parameter(Name=name, Value=json.dumps(document), Type="String", Overwrite=True)


def _relocate_vendors(outputs: dict[str, Any], control: str, relocated: str) -> None:
    """Move some vendors to another address. No function has read the settings yet."""
    name = outputs["SettingsParameterName"]
    providers = json.loads(client("ssm").get_parameter(Name=name)["Parameter"]["Value"])["providers"]
    for vendor in RELOCATED:
        providers[vendor]["base_url"] = providers[vendor]["base_url"].replace(control, relocated)
    providers[SECOND_ACCOUNT] = providers["smspoh"] | {"type": "smspoh"}
    change_settings(
        outputs, {"providers": providers, "poll_seconds": POLL_SECONDS, "report_horizon_hours": FIRST_HORIZON_HOURS}
    )


def _add_second_account(outputs: dict[str, Any]) -> None:
    secrets, arn = client("secretsmanager"), outputs["ProviderSecretArn"]
    document = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({**document, SECOND_ACCOUNT: document["smspoh"]}))


def _subscribe(bus: str) -> str:
    sqs, events = client("sqs"), client("events")
    url: str = sqs.create_queue(QueueName="e2e-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="e2e-all", EventBusName=bus, EventPattern=json.dumps({"source": ["sampai"]}))
    events.put_targets(Rule="e2e-all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return url
