"""The calls of the handlers to AWS and vendors: per send, poll and receipt.

The real handlers run against a local AWS. The requests of Lambda itself to SQS and CloudWatch Logs are added, according
to its documentation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from benchmarks.billing import (
    API,
    EVENT_REQUESTS,
    EVENTS,
    ITEM_OVERHEAD,
    LOG_BYTES,
    PARAMETERS,
    PLATFORM_LOG_BYTES,
    READ_UNITS,
    REQUESTS,
    SECRETS,
    SQS,
    STORED,
    VENDOR_BYTES,
    VENDOR_CALLS,
    WRITE_UNITS,
    WRITES,
    Item,
    Usage,
    invocations,
    json_line_bytes,
    polling_requests,
    records_of,
    size_of,
    waits,
)
from benchmarks.harness import PROVIDERS, batch_of, create_baseline_tables, receipt_event
from benchmarks.meter import Meter
from benchmarks.results import Result
from benchmarks.sandbox import Context as BaselineContext
from sampai import bootstrap
from sampai.adapters.store import MAX_STATEMENTS
from sampai.domain.http import HttpRequest
from sampai.domain.status import Status
from sampai.services.follow_up.poller import LOOKUP_THREADS
from sampai.services.send.dispatch import THREADS
from tests.emulator import Emulator
from tests.emulator import running as running_emulator
from tests.functional.sandbox import ENVIRONMENTS, Context, Deployment, handler_of, new_vendors
from tests.harness.vendors import FakeVendors, base_urls, serving
from tests.template import template

_REQUEST_ID: Final = "00000000-0000-4000-8000-000000000000"
_TIME: Final = "2026-11-21T10:00:00.000Z"
INFO_LINES: Final = (
    {"time": _TIME, "type": "platform.start", "record": {"requestId": _REQUEST_ID, "version": "$LATEST"}},
    {
        "time": _TIME,
        "type": "platform.report",
        "record": {
            "requestId": _REQUEST_ID,
            "metrics": {"durationMs": 245.678, "billedDurationMs": 246, "memorySizeMB": 512, "maxMemoryUsedMB": 101},
            "status": "success",
        },
    },
)
"""Lambda's own two log lines per invocation, with JSON logs at level INFO. Not verified: written from memory."""


def platform_bytes(function: str) -> int:
    """Return the bytes that Lambda itself logs for an invocation, at the level in the template."""
    logical_id = f"{function.title().replace('_', '')}Function"
    resource = template()["Resources"].get(logical_id)
    level = resource["Properties"]["LoggingConfig"].get("SystemLogLevel", "INFO") if resource else "INFO"
    return 0 if level == "WARN" else json_line_bytes(*INFO_LINES)


ACCESS_LINE: Final = {
    "requestId": "AbCdEfGhIjKlMnO=",
    "routeKey": "POST /webhooks/{provider}/{kind}/{token}",
    "status": "200",
    "latency": "25",
}
"""A line of the API's access log, in the template's format."""

DUE: Final = 20
"""Due messages in one run of follow_up."""

BATCH: Final = 10
LARGE: Final = 100
SIZES: Final = (1, 5, BATCH)
"""Batch sizes: the values of SendBatchSize. SQS delivers larger batches too."""

CONCURRENT_CALLS: Final = {"send": THREADS, "follow_up": LOOKUP_THREADS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of message, and the way in which its vendor reports statuses."""

    sample: str
    """The name of a file in events/send."""
    receipts: tuple[tuple[str, dict[str, str]], ...] = ()
    """Samples of events/webhook with other query parameters, in order."""
    is_polled: bool = False
    """Whether polls are counted."""
    sizes: tuple[int, ...] = SIZES


KINDS: Final = {
    "nomsa": Kind(sample="nomsa", is_polled=True),
    "smsnoc": Kind(sample="smsnoc", is_polled=True),
    "smspoh": Kind(sample="smspoh", sizes=(*SIZES, LARGE), receipts=(("smspoh-receipt-get", {}),)),
    "nusasms": Kind(sample="nusasms", receipts=(("nusasms-receipt-get", {}),)),
    "whatsapp": Kind(
        sample="whatsapp-text",
        is_polled=True,
        receipts=(("nusasms-whatsapp-receipt", {"status": "D"}), ("nusasms-whatsapp-receipt", {"status": "R"})),
    ),
}
"""A plain SMS at each of the four vendors, and WhatsApp. Receipts arrive before the first poll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUsage:
    """The usage of one message, by step. Each step includes its share of publishing."""

    send: dict[int, Usage]
    """By batch size."""
    receipts: tuple[Usage, ...] = ()
    repeat: Usage = field(default_factory=Usage)
    """A receipt with a known status."""
    early_poll: Usage = field(default_factory=Usage)
    """A poll that finds nothing new, among `DUE` in one run, without the run itself."""
    final_poll: Usage = field(default_factory=Usage)
    """A poll that finds the final status, counted in the same way."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    kinds: Mapping[str, MessageUsage]
    naive: Mapping[int, Usage]
    """The usage of one message in the naive baseline, by batch size. The baseline publishes nothing."""
    configuration: Usage
    """The reads of a new sandbox of send. It repeats them every minute, except one secret."""
    idle_run: Usage
    """A run of follow_up without due messages."""


def count_all() -> Counts:
    """Count every kind of message and the naive baseline."""
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator())
        vendors = new_vendors()
        address = stack.enter_context(serving(vendors))

        def deploy(kind: Kind) -> MeteredDeployment:
            return stack.enter_context(MeteredDeployment.create(kind, emulator, vendors, address))

        idle = deploy(KINDS["nomsa"])
        return Counts(
            configuration=idle.count_configuration(),
            idle_run=idle.count_follow_up(0),
            naive=deploy(KINDS["smspoh"]).count_naive(),
            kinds={name: deploy(kind).count_steps() for name, kind in KINDS.items()},
        )


@dataclass(kw_only=True)
class MeteredDeployment:
    """The template's resources for one kind of message, with a meter. Its functions run in this process."""

    kind: Kind
    deployment: Deployment
    meter: Meter
    vendors: FakeVendors

    @classmethod
    @contextmanager
    def create(
        cls,
        kind: Kind,
        emulator: Emulator,
        vendors: FakeVendors,
        address: str,
        *,
        providers: Mapping[str, Mapping[str, Any]] = PROVIDERS,
    ) -> "Iterator[MeteredDeployment]":
        with pytest.MonkeyPatch.context() as patch:
            urls = base_urls(address)
            deployment = Deployment(
                emulator=emulator,
                vendors=vendors,
                base_urls=urls,
                monkeypatch=patch,
                settings={"providers": providers},
            )
            yield cls(kind=kind, deployment=deployment, meter=Meter(emulator=emulator), vendors=vendors)

    def count_steps(self) -> MessageUsage:
        send = {size: self._send(size) for size in self.kind.sizes}
        early_poll, final_poll = self._poll() if self.kind.is_polled else (Usage(), Usage())
        item = self._read_accepted()[0] if self.kind.receipts else {}
        receipts = [self.receive(item, *receipt) for receipt in self.kind.receipts]
        repeat = self.receive(item, *self.kind.receipts[-1]) if receipts else Usage()
        return MessageUsage(
            send=send,
            receipts=tuple(receipts),
            repeat=repeat,
            early_poll=early_poll,
            final_poll=final_poll,
        )

    def count_configuration(self) -> Usage:
        self._enter("send")
        return self.meter.measure(lambda: self._read_configuration("send"))

    def count_follow_up(self, due: int) -> Usage:
        """Run follow_up with some due messages and publish the changes. Return the usage of the run."""
        accepted = self._read_accepted()
        for item in accepted:
            self._set_due(item, "2999-01-01T00:00:00.000Z")
        for item in accepted[:due]:
            self._set_due(item, "2020-01-01T00:00:00.000Z")
        run = self.invoke("follow_up", {}) + {records_of("follow_up"): due}
        return run + self.publish(max(due, 1))

    def count_naive(self) -> dict[int, Usage]:
        """Run the naive baseline with batches of each size, and return the usage of one message."""
        from benchmarks.baselines import naive

        self.deployment.enter("send")
        for name, value in create_baseline_tables(self.deployment).items():
            self.deployment.monkeypatch.setenv(name, value)
        usages = {}
        for size in SIZES:
            event = batch_of(size, self.kind.sample)
            batch = self._measure("naive", naive, event, context=BaselineContext()) + batch_usage("naive", event)
            (item, *_) = self.deployment.items("BASELINE_TABLE")
            usages[size] = batch * (1 / size) + {STORED: size_of(item) + ITEM_OVERHEAD}
        return usages

    def _send(self, size: int) -> Usage:
        event = batch_of(size, self.kind.sample)
        batch = self.invoke("send", event) + batch_usage("send", event) + self.publish(size)
        return batch * (1 / size)

    def _poll(self) -> tuple[Usage, Usage]:
        """Return the usage of a poll that finds nothing new, and of a poll that finds the final status."""
        for _ in range(DUE // BATCH - 1):
            self._send(BATCH)
        idle = self.count_follow_up(0)
        with _hide_deliveries(self.vendors):
            early = self.count_follow_up(DUE)
        final = self.count_follow_up(DUE)
        return (early - idle) * (1 / DUE), (final - idle) * (1 / DUE)

    def receive(self, item: Item, sample: str, query: Mapping[str, str]) -> Usage:
        """Deliver a receipt for a message, and publish its change. Return the usage."""
        message_id, provider_message_id = item["message_id"]["S"], item["provider_message_id"]["S"]
        event = receipt_event(sample, message_id=message_id, provider_message_id=provider_message_id, **query)
        api = {API: 1, LOG_BYTES: json_line_bytes(ACCESS_LINE), records_of("webhook"): 1}
        return self.invoke("webhook", event) + api + self.publish(1)

    def publish(self, per_invocation: int) -> Usage:
        """Publish the changes since the last time."""
        changes, self.meter.changes = self.meter.changes, []
        groups = [changes[i : i + per_invocation] for i in range(0, len(changes), per_invocation)]
        events = [{"Records": [{"dynamodb": images} for images in group]} for group in groups]
        return self.invoke("publish", *events) + {records_of("publish"): len(changes)}

    def invoke(self, function: str, *events: Any) -> Usage:
        """Invoke a warm sandbox of a function, and return the usage."""
        self._enter(function)
        if function != "publish":
            self.meter.measure(lambda: self._read_configuration(function))
        context = Context(remaining_milliseconds=50_000)
        return self._measure(function, handler_of(function), *events, context=context)

    def _measure(self, function: str, handler: Callable[[Any, Any], object], *events: Any, context: Any) -> Usage:
        """Run a handler, and return its usage and that of Lambda for the invocations."""
        self.vendors.requests.clear()
        usage = self.meter.measure(lambda: [handler(event, context) for event in events])
        requests = self.vendors.requests
        return usage + {
            invocations(function): len(events),
            PLATFORM_LOG_BYTES: len(events) * platform_bytes(function),
            waits(function, "DynamoDB"): usage[REQUESTS],
            waits(function, "EventBridge"): usage[EVENT_REQUESTS],
            waits(function, "vendor"): ceil(len(requests) / CONCURRENT_CALLS.get(function, 1)),
            VENDOR_CALLS: len(requests),
            VENDOR_BYTES: sum(map(_size_of_request, requests)),
        }

    def _enter(self, function: str) -> None:
        self.deployment.enter(function)
        self.deployment.monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")

    def _read_configuration(self, function: str) -> None:
        """Read the configuration, as every sandbox does before its first work."""
        environment = ENVIRONMENTS[function].load()
        secret = bootstrap._secret(environment)
        secret.current()
        if function != "webhook":
            bootstrap._settings(environment).current()
        if function == "send":
            secret.fingerprint_key()

    def _read_accepted(self) -> list[Item]:
        return [i for i in self.deployment.items(self.deployment.messages) if i["status"]["S"] == "accepted"]

    def _set_due(self, item: Mapping[str, Any], at: str) -> None:
        self.deployment.client("dynamodb").update_item(
            TableName=self.deployment.messages,
            Key={"message_id": item["message_id"]},
            UpdateExpression="SET due_at = :at",
            ExpressionAttributeValues={":at": {"S": at}},
        )


def batch_usage(function: str, event: Mapping[str, Any]) -> Usage:
    """Return the usage of Lambda for a batch of a queue."""
    size = sum(len(record["body"].encode()) for record in event["Records"])
    return Usage({records_of(function): len(event["Records"]), SQS: polling_requests(size)})


def _size_of_request(request: HttpRequest) -> int:
    """Return the bytes of a request: its first line without the query, its headers and its body."""
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.items())
    return len(f"{request.method} {urlsplit(request.url).path} HTTP/1.1\r\n\r\n") + headers + len(request.body)


@contextmanager
def _hide_deliveries(vendors: FakeVendors) -> Iterator[None]:
    """Let the vendors report every message as accepted, not delivered, until the block ends."""
    statuses = [row.status for row in vendors.ledger]
    for row in vendors.ledger:
        row.status = Status.ACCEPTED
    yield
    for row, status in zip(vendors.ledger, statuses, strict=True):
        row.status = status


# --- the section ------------------------------------------------------------------------------------------------------


def measure() -> list[Result]:
    counts = count_all()
    smspoh, nusasms, naive = counts.kinds["smspoh"], counts.kinds["nusasms"], counts.naive[BATCH]
    configuration = _result(
        "send.config", "reads of secrets and parameters by a new sandbox", counts.configuration, SECRETS, PARAMETERS
    )
    idle = _result("follow-up.rest", "DynamoDB requests of a run without due messages", counts.idle_run, REQUESTS)
    return [
        *_send_results(smspoh, naive),
        configuration,
        *_receipt_results(smspoh, nusasms),
        idle,
        *_poll_results("list", counts.kinds["nomsa"]),
        *_poll_results("get", counts.kinds["whatsapp"]),
    ]


def _send_results(usage: MessageUsage, naive: Usage) -> Iterator[Result]:
    for size, sent in usage.send.items():
        statements = (ceil(size / MAX_STATEMENTS), ceil(2 * size / MAX_STATEMENTS))
        yield Result(
            key=f"calls.send.dynamodb.batch-{size}",
            label=f"DynamoDB requests for a batch of {size}",
            value=round(sent[REQUESTS] * size, 6),
            unit="",
            floor=2 * statements[0],
            goal=sum(statements),
            note=f"naive: {naive[REQUESTS] * size:.0f}",
        )
    sent = usage.send[BATCH]
    yield _result("send.write-units", "write units of a send, including the index", sent, WRITE_UNITS, floor=4)
    yield _result("send.vendor", "vendor calls of a send", sent, VENDOR_CALLS, goal=1)
    yield _result("send.sqs.batch-10", "SQS requests of a message, batch of 10", sent, SQS, floor=2 / BATCH)
    yield _result("send.events", "events of a send", sent, EVENTS)
    yield _result("send.naive.write-units", "write units of a naive send, without an index", naive, WRITE_UNITS)


def _receipt_results(by_reference: MessageUsage, by_vendor_id: MessageUsage) -> Iterator[Result]:
    (first,), (second,) = by_reference.receipts, by_vendor_id.receipts
    repeat = by_vendor_id.repeat
    yield _result("receipt.writes", "writes of a receipt with a new status", second, WRITES, goal=1)
    yield _result("receipt.repeat.writes", "writes of a receipt with a known status", repeat, WRITES, goal=0)
    yield _result("receipt.write-units", "write units of a receipt", second, WRITE_UNITS, floor=2)
    label = "DynamoDB requests of a receipt with"
    yield _result("receipt.dynamodb.reference", f"{label} our reference", first, REQUESTS)
    yield _result("receipt.dynamodb.vendor-id", f"{label} only the vendor's id", second, REQUESTS)


def _poll_results(how: str, usage: MessageUsage) -> Iterator[Result]:
    early, label = usage.early_poll, f"a poll without news ({how}, {DUE} due)"
    yield _result(f"poll.{how}.dynamodb", f"DynamoDB requests of {label}", early, REQUESTS)
    yield _result(f"poll.{how}.vendor", f"vendor calls of {label}", early, VENDOR_CALLS)
    yield _result(f"poll.{how}.read-units", f"read units of {label}", early, READ_UNITS)
    yield _result(f"poll.{how}.write-units", f"write units of {label}", early, WRITE_UNITS)
    final = "write units of a poll that finds the final status"
    yield _result(f"poll.{how}.final.write-units", final, usage.final_poll, WRITE_UNITS)


def _result(
    key: str, label: str, usage: Usage, *resources: str, floor: float | None = None, goal: float | None = None
) -> Result:
    value = round(sum(usage[resource] for resource in resources), 6)
    return Result(key=f"calls.{key}", label=label, value=value, unit="", floor=floor, goal=goal)
