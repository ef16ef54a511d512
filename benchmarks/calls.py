"""What the handlers ask of AWS and of vendors, counted: per send, look and receipt, and for a message's whole life.

The real handlers run against a local AWS. What DynamoDB bills is computed from the items before and after each write,
by its published rules; what Lambda's own pollers ask of SQS and of the stream is added as Lambda's documentation
has it.
"""

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from benchmarks.results import Figure
from sampai import bootstrap
from sampai.domain.http import HttpRequest
from sampai.domain.status import Status
from tests.emulator import Emulator
from tests.emulator import running as running_emulator
from tests.functional.sandbox import ENVIRONMENTS, Context, Deployment, handler_of, new_vendors, read_event
from tests.harness.vendors import FakeVendors, base_urls, serving

Use = dict[str, float]
"""How much of what was used, by the names below."""

REQUESTS: Final = "DynamoDB requests"
WRITES: Final = "writes made"
REFUSED: Final = "writes refused"
WRITE_UNITS: Final = "write units"
READ_UNITS: Final = "read units"
STORED: Final = "bytes stored"
SQS: Final = "SQS requests"
SECRETS: Final = "secret reads"
PARAMETERS: Final = "parameter reads"
EVENTS: Final = "events"
EVENT_REQUESTS: Final = "PutEvents requests"
VENDOR_CALLS: Final = "vendor calls"
VENDOR_BYTES: Final = "bytes to vendors"
API: Final = "API requests"
LOG_BYTES: Final = "log bytes"
PLATFORM_LOG_BYTES: Final = "log bytes of Lambda itself"

CHUNK: Final = 64 * 1024
"""What SQS and EventBridge bill as one."""

LOG_LINE_OVERHEAD: Final = 26
"""Bytes that CloudWatch Logs adds to each line."""

_REQUEST_ID: Final = "00000000-0000-4000-8000-000000000000"
_TIME: Final = "2026-11-21T10:00:00.000Z"
PLATFORM_LINES: Final = (
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
"""What Lambda itself logs of an invocation, with JSON logs at level INFO: its two lines as far as we remember them."""

ACCESS_LINE: Final = {
    "requestId": "AbCdEfGhIjKlMnO=",
    "routeKey": "POST /webhooks/{provider}/{kind}/{token}",
    "status": "200",
    "latency": "25",
}
"""The API's line in its access log, as the template formats it."""

ITEM_OVERHEAD: Final = 100
"""Bytes that DynamoDB adds to each stored item."""

DUE: Final = 20
"""Messages that are due in one run of follow_up."""

BATCH: Final = 10
LARGE: Final = 100
SIZES: Final = (1, 5, BATCH)
"""Messages in a batch: what SendBatchSize may be set to. SQS hands out larger ones too."""

THREADS: Final = {"send": 32, "follow_up": 16}
"""Calls of vendors that a function makes side by side."""

_ids = count(1)


def invocations(function: str) -> str:
    """Return the name under which a function's invocations are counted."""
    return f"invocations of {function}"


def records_of(function: str) -> str:
    """Return the name under which what a function's invocations worked through is counted."""
    return f"records of {function}"


def waits(function: str, whom: str) -> str:
    """Return the name under which is counted how often a function waits for AWS or a vendor, one after the other."""
    return f"{function} waits for {whom}"


def added(*uses: Mapping[str, float]) -> Use:
    total: Use = {}
    for use in uses:
        for name, much in use.items():
            total[name] = total.get(name, 0) + much
    return total


def times(use: Mapping[str, float], factor: float) -> Use:
    return {name: much * factor for name, much in use.items()}


def between(less: Mapping[str, float], more: Mapping[str, float]) -> Use:
    """Return what the second use has more than the first."""
    return {name: much for name, much in added(more, times(less, -1)).items() if much}


# --- the rules of DynamoDB's bill -------------------------------------------------------------------------------------

Item = Mapping[str, Any]
"""An item in DynamoDB's own JSON."""


def size_of(item: Item) -> int:
    """Return the bytes of an item that units are counted by: names and values."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "N":
            digits = str(content).lstrip("-").replace(".", "").strip("0") or "0"
            return ceil(len(digits) / 2) + 1 + str(content).startswith("-")
        case "B":
            return len(bytes(content))
        case "L":
            return 3 + sum(1 + _size_of_value(entry) for entry in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size_of_value(entry) for name, entry in content.items())
    return 1


def write_units(before: Item | None, after: Item | None) -> int:
    """Return the units of a write of one item, from what was there to what is there; also those of a refused one."""
    larger = max(size_of(before or {}), size_of(after or {}))
    return max(1, ceil(larger / 1024))


def index_units(before: Item | None, after: Item | None, keys: Sequence[str]) -> int:
    """Return the units that a write costs in a sparse index that holds keys alone: a move is a removal and an entry."""
    was, now = _entry(before, keys), _entry(after, keys)
    return 0 if was == now else (was is not None) + (now is not None)


def _entry(item: Item | None, keys: Sequence[str]) -> list[Any] | None:
    return [item[key] for key in keys] if item and all(key in item for key in keys) else None


def read_units(items: Sequence[Item], *, asked: int) -> float:
    """Return the units of a strongly consistent read by key; what does not exist costs one too."""
    return sum(max(1, ceil(size_of(item) / 4096)) for item in items) + max(0, asked - len(items))


def query_units(items: Sequence[Item]) -> float:
    """Return the units of one eventually consistent query."""
    return max(1, ceil(sum(size_of(item) for item in items) / 4096)) / 2


def polling_requests(bodies: int) -> int:
    """Return the SQS requests by which Lambda takes a batch of so many bytes and deletes it."""
    return max(1, ceil(bodies / CHUNK)) + 1


def line_bytes(line: str) -> int:
    """Return what CloudWatch Logs bills for a line."""
    return len(line.encode()) + LOG_LINE_OVERHEAD


def _json_bytes(*lines: Mapping[str, Any]) -> int:
    return sum(line_bytes(json.dumps(line, separators=(",", ":"))) for line in lines)


# --- counting ---------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Meter:
    """Counts what a handler asks of AWS while it runs in this process."""

    emulator: Emulator
    news: list[dict[str, Item]] = field(default_factory=list)
    """What was written to tables that have a stream, as the stream tells it; the reader takes it away."""
    largest: int = 0
    """Bytes of the largest item that was written."""
    metrics: set[str] = field(default_factory=set)
    """The custom metrics that were written, each with its dimensions."""
    _use: Use = field(default_factory=dict)
    _tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    _printed: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self._reader = self.emulator.client("dynamodb")

    def of(self, work: Callable[[], object]) -> Use:
        """Return what the work used; what it prints are its log lines."""
        self._use = {}
        # The one place that a sandbox's logger writes to from its first line on.
        self._printed.seek(0)
        self._printed.truncate()
        patched: Any = BaseClient
        call = patched._make_api_call
        meter = self

        def counted(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if client is meter._reader:
                return call(client, operation, params)
            return meter._counted(client, operation, params, lambda: call(client, operation, params))

        with pytest.MonkeyPatch.context() as patch, redirect_stdout(self._printed):
            patch.setattr(BaseClient, "_make_api_call", counted)
            work()
        lines = self._printed.getvalue().splitlines()
        self._add(LOG_BYTES, sum(line_bytes(line) for line in lines))
        self.metrics |= {name for line in lines for name in _metrics_in(line)}
        return self._use

    def _add(self, name: str, much: float) -> None:
        self._use[name] = self._use.get(name, 0) + much

    def _counted(self, client: Any, operation: str, params: dict[str, Any], call: Callable[[], Any]) -> Any:
        match client.meta.service_model.service_name:
            case "dynamodb":
                return self._dynamodb(operation, params, call)
            case "sqs":
                entries = params.get("Entries", ())
                bodies = sum(len(entry.get("MessageBody", "").encode()) for entry in entries)
                self._add(SQS, max(1, ceil(bodies / CHUNK)))
            case "secretsmanager":
                self._add(SECRETS, 1)
            case "ssm":
                self._add(PARAMETERS, 1)
            case "events":
                self._add(EVENT_REQUESTS, 1)
                self._add(EVENTS, sum(ceil(len(entry["Detail"].encode()) / CHUNK) for entry in params["Entries"]))
        return call()

    def _dynamodb(self, operation: str, params: dict[str, Any], call: Callable[[], Any]) -> Any:
        self._add(REQUESTS, 1)
        if operation in _READS:
            answer = call()
            self._add(READ_UNITS, _READS[operation](params, answer))
            return answer
        places = self._places(operation, params)
        before = [self._read(*place) for place in places]
        try:
            answer = call()
        except ClientError:
            self._write_result(places, before, [True] * len(places))
            raise
        failed = [bool(response.get("Error")) for response in answer.get("Responses", ())]
        self._write_result(places, before, failed or [False] * len(places))
        return answer

    def _write_result(
        self, places: Sequence[tuple[str, Item]], before: Sequence[Item | None], failed: Sequence[bool]
    ) -> None:
        for place, was, is_refused in zip(places, before, failed, strict=True):
            now = was if is_refused else self._read(*place)
            self._add(REFUSED if is_refused else WRITES, 1)
            self._add(WRITE_UNITS, write_units(was, now))
            self.largest = max(self.largest, size_of(now or {}))
            for keys in self._indexes(place[0]):
                self._add(WRITE_UNITS, index_units(was, now, keys))
            if not is_refused and now is not None and "StreamSpecification" in self._table(place[0]):
                self.news.append({"NewImage": now, **({"OldImage": was} if was else {})})

    def _read(self, table: str, key: Item) -> Item | None:
        item: Item | None = self._reader.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return item

    def _places(self, operation: str, params: Mapping[str, Any]) -> list[tuple[str, Item]]:
        """Return the tables and keys that a request writes to."""
        if operation == "BatchExecuteStatement":
            return [self._place(statement) for statement in params["Statements"]]
        table = params["TableName"]
        given = _in_json(params["Item"] if operation == "PutItem" else params["Key"])
        return [(table, {name: given[name] for name in self._keys(table)})]

    def _place(self, statement: Mapping[str, Any]) -> tuple[str, Item]:
        text, parameters = statement["Statement"], statement["Parameters"]
        table = text.split('"')[1]
        (key,) = self._keys(table)
        if text.startswith("INSERT"):
            return table, {key: parameters[re.findall(r"'([^']+)': \?", text).index(key)]}
        head, _, where = text.partition(" WHERE ")
        place = head.count("?") + where[: where.index(f'"{key}" = ?')].count("?")
        return table, {key: parameters[place]}

    def _keys(self, table: str) -> list[str]:
        return [key["AttributeName"] for key in self._table(table)["KeySchema"]]

    def _indexes(self, table: str) -> list[list[str]]:
        indexes = self._table(table).get("GlobalSecondaryIndexes", ())
        return [[key["AttributeName"] for key in index["KeySchema"]] for index in indexes]

    def _table(self, table: str) -> dict[str, Any]:
        if table not in self._tables:
            self._tables[table] = self._reader.describe_table(TableName=table)["Table"]
        return self._tables[table]


def _metrics_in(line: str) -> Iterator[str]:
    """Yield the metrics that a line of the embedded metric format makes."""
    if '"_aws"' not in line:
        return
    document = json.loads(line)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            values = [str(document[name]) for name in names]
            yield from (" ".join([metric["Name"], *values]) for metric in directive["Metrics"])


def _in_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in DynamoDB's JSON; boto3's resources give plain ones."""
    is_json = all(isinstance(value, dict) and len(value) == 1 and set(value) <= _KINDS for value in values.values())
    return dict(values) if is_json else {name: TypeSerializer().serialize(value) for name, value in values.items()}


def _units_of_batch_get(params: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    return sum(
        read_units(answer["Responses"].get(table, ()), asked=len(wanted["Keys"]))
        for table, wanted in params["RequestItems"].items()
    )


def _units_of_get(params: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    units = read_units([_in_json(answer["Item"])] if "Item" in answer else [], asked=1)
    return units if params.get("ConsistentRead") else units / 2


_KINDS: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
_READS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], float]]] = {
    "BatchGetItem": _units_of_batch_get,
    "GetItem": _units_of_get,
    "Query": lambda _, answer: query_units(answer["Items"]),
}


# --- the life of a message --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of message, and how its vendor tells what became of it."""

    sample: str
    """Of events/send."""
    receipts: tuple[tuple[str, dict[str, str]], ...] = ()
    """Samples of events/webhook, with the query that makes them those of a message; none: it is asked about."""
    is_asked: bool = False
    """Whether the vendor can be asked about what it has just taken."""
    sizes: tuple[int, ...] = SIZES
    """Batches that are counted."""


KINDS: Final = {
    "nomsa": Kind(sample="send/nomsa", is_asked=True),
    "smsnoc": Kind(sample="send/smsnoc", is_asked=True),
    "smspoh": Kind(
        sample="send/smspoh",
        sizes=(*SIZES, LARGE),
        receipts=(("webhook/smspoh-receipt-get", {"messageId": "{vendor_id}", "clientReference": "{message_id}"}),),
    ),
    "nusasms": Kind(
        sample="send/nusasms",
        receipts=(("webhook/nusasms-receipt-get", {"ref_no": "{vendor_id}"}),),
    ),
    "whatsapp": Kind(
        sample="send/whatsapp-text",
        is_asked=True,
        receipts=(
            ("webhook/nusasms-whatsapp-receipt", {"ref_no": "{vendor_id}", "status": "D"}),
            ("webhook/nusasms-whatsapp-receipt", {"ref_no": "{vendor_id}", "status": "R"}),
        ),
    ),
}
"""The four vendors' plain messages, and WhatsApp. Receipts come before follow_up would look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a message uses, step by step, its share of publishing included."""

    send: dict[int, Use]
    """By the messages in a batch."""
    receipts: tuple[Use, ...] = ()
    repeat: Use = field(default_factory=dict)
    """A receipt that says what is known."""
    vain: Use = field(default_factory=dict)
    """A look that finds nothing new, among `DUE` in one run; the run itself is not in it."""
    final: Use = field(default_factory=dict)
    """A look that finds the end."""
    stored: Use = field(default_factory=dict)
    """What is kept of the message."""
    largest: int = 0
    """Bytes of the item at its largest."""
    metrics: frozenset[str] = frozenset()
    """The custom metrics that came up."""

    def life(self, *, batch: int = BATCH, looks: int = 1) -> Use:
        """Return what a message uses until its end; one that is polled is looked at so often."""
        if self.receipts:
            return added(self.send[batch], *self.receipts, self.stored)
        return added(self.send[batch], times(self.vain, looks - 1), self.final, self.stored)


@dataclass(kw_only=True)
class Scene:
    """The template's resources for one kind of message, with a meter."""

    kind: Kind
    deployment: Deployment
    meter: Meter
    vendors: FakeVendors
    _reported: Item | None = None
    """The message that all receipts are about."""

    @classmethod
    @contextmanager
    def running(cls, kind: Kind, emulator: Emulator, vendors: FakeVendors, address: str) -> "Iterator[Scene]":
        with pytest.MonkeyPatch.context() as patch:
            urls = base_urls(address)
            deployment = Deployment(emulator=emulator, vendors=vendors, base_urls=urls, monkeypatch=patch)
            yield cls(kind=kind, deployment=deployment, meter=Meter(emulator=emulator), vendors=vendors)

    def count(self) -> Counted:
        """Count every step."""
        send = {size: self._sent(size) for size in self.kind.sizes}
        largest = self.meter.largest
        looks = self._looks() if self.kind.is_asked else ({}, {})
        receipts = [self._received(receipt) for receipt in self.kind.receipts]
        repeat = self._received(self.kind.receipts[-1]) if receipts else {}
        return Counted(
            send=send,
            receipts=tuple(receipts),
            repeat=repeat,
            vain=looks[0],
            final=looks[1],
            stored=self._stored(),
            largest=largest,
            metrics=frozenset(self.meter.metrics),
        )

    def _looks(self) -> tuple[Use, Use]:
        """Return what a look uses that is in vain, and one that is not."""
        for _ in range(DUE // BATCH - 1):
            self._sent(BATCH)
        rest = self._followed_up(0)
        with _not_yet(self.vendors):
            vain = self._followed_up(DUE)
        return tuple(times(between(rest, run), 1 / DUE) for run in (vain, self._followed_up(DUE)))  # type: ignore[return-value]

    def configuration(self) -> Use:
        """Return what a fresh sandbox of send reads before it can work, and again every minute but for one secret."""
        self._enter("send")
        return self.meter.of(self._configured)

    def rest(self) -> Use:
        """Return what a run of follow_up uses that finds nothing."""
        return self._followed_up(0)

    def _enter(self, function: str) -> None:
        self.deployment.enter(function)
        self.deployment.monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")

    def _configured(self, function: str = "send") -> None:
        """Have the configuration read, as in any sandbox that has worked before."""
        environment = ENVIRONMENTS[function].load()
        secret = bootstrap._secret(environment)
        secret.current()
        if function != "webhook":
            bootstrap._settings(environment).current()
        if function == "send":
            secret.fingerprint_key()

    def _invoked(self, function: str, *events: Any) -> Use:
        """Return what invocations of a warm sandbox use, with what Lambda adds to each."""
        self._enter(function)
        if function != "publish":
            self.meter.of(lambda: self._configured(function))
        handler, context = handler_of(function), Context(remaining_milliseconds=50_000)
        return self.metered(function, handler, *((event, context) for event in events))

    def metered(self, function: str, handler: Callable[[Any, Any], object], *calls: tuple[Any, Any]) -> Use:
        """Return what calls of a handler use, with what Lambda adds to each."""
        self.vendors.requests.clear()
        use = self.meter.of(lambda: [handler(*call) for call in calls])
        asked = len(self.vendors.requests)
        lambdas = {
            invocations(function): len(calls),
            PLATFORM_LOG_BYTES: len(calls) * _json_bytes(*PLATFORM_LINES),
            waits(function, "DynamoDB"): use.get(REQUESTS, 0),
            waits(function, "EventBridge"): use.get(EVENT_REQUESTS, 0),
            waits(function, "vendor"): ceil(asked / THREADS.get(function, 1)),
        }
        return added(use, lambdas, _asked(self.vendors.requests))

    def _published(self, per_invocation: int) -> Use:
        """Publish what has changed since the last time."""
        news, self.meter.news = self.meter.news, []
        groups = [news[i : i + per_invocation] for i in range(0, len(news), per_invocation)]
        events = [{"Records": [{"dynamodb": images} for images in group]} for group in groups]
        return added(self._invoked("publish", *events), {records_of("publish"): len(news)})

    def _sent(self, size: int) -> Use:
        event = self.batch(size)
        bodies = sum(len(record["body"].encode()) for record in event["Records"])
        sent = added(self._invoked("send", event), {records_of("send"): size, SQS: polling_requests(bodies)})
        return times(added(sent, self._published(size)), 1 / size)

    def batch(self, size: int) -> dict[str, Any]:
        (record,) = read_event(self.kind.sample)["Records"]
        request = json.loads(record["body"])
        records = []
        for number in (next(_ids) for _ in range(size)):
            # Ids as long as a UUID, and no number that the vendors turn away at first.
            own = {"message_id": f"00000000-0000-4000-8000-{number:012}", "recipient": _number(request, number)}
            body = json.dumps({**request, **own, "content": _TEXT, "metadata": {"order": f"{number:08}"}})
            records.append({**record, "messageId": f"record-{number}", "body": body})
        return {"Records": records}

    def _received(self, receipt: tuple[str, dict[str, str]]) -> Use:
        name, query = receipt
        item = self._reported = self._reported or self._accepted()[0]
        known = {"message_id": item["message_id"]["S"], "vendor_id": item["provider_message_id"]["S"]}
        event = read_event(name)
        event["queryStringParameters"] |= {field: value.format(**known) for field, value in query.items()}
        event["rawQueryString"] = "&".join(f"{k}={v}" for k, v in event["queryStringParameters"].items())
        api = {API: 1, LOG_BYTES: _json_bytes(ACCESS_LINE), records_of("webhook"): 1}
        return added(self._invoked("webhook", event), api, self._published(1))

    def _followed_up(self, due: int) -> Use:
        """Return what a run uses that finds so many messages due, without its invocation."""
        accepted = self._accepted()
        for item in accepted:
            # Everything else waits for longer than this takes.
            self._set_due(item, "2999-01-01T00:00:00.000Z")
        for item in accepted[:due]:
            self._set_due(item, "2020-01-01T00:00:00.000Z")
        run = added(self._invoked("follow_up", {}), {records_of("follow_up"): due})
        published = self._published(max(due, 1))
        return added(run, published)

    def _accepted(self) -> list[Item]:
        return [i for i in self.deployment.items(self.deployment.messages) if i["status"]["S"] == "accepted"]

    def _set_due(self, item: Mapping[str, Any], at: str) -> None:
        self.deployment.client("dynamodb").update_item(
            TableName=self.deployment.messages,
            Key={"message_id": item["message_id"]},
            UpdateExpression="SET due_at = :at",
            ExpressionAttributeValues={":at": {"S": at}},
        )

    def _stored(self) -> Use:
        """Return the bytes that are kept of the messages that have come furthest, and of their meeting points."""
        items = self.deployment.items(self.deployment.messages)
        longest = max(size_of(item) for item in items if item["status"]["S"] != "accepted")
        correlations = self.deployment.items(self.deployment.environment("send")["CORRELATIONS_TABLE"])
        return {STORED: longest + size_of(correlations[0]) + 2 * ITEM_OVERHEAD}


_TEXT: Final = {"type": "text", "text": "Your code is 1234. It is valid for five minutes. Do not tell it to anybody."}


def _number(request: Mapping[str, Any], number: int) -> str:
    return f"{request['recipient'][:-5]}{number % 1000:03}51"


def _asked(requests: Sequence[HttpRequest]) -> Use:
    """Return the calls of vendors and their bytes: the line, the headers, the body."""
    sizes = [
        len(f"{r.method} {urlsplit(r.url).path} HTTP/1.1\r\n\r\n")
        + sum(len(name) + len(value) + 4 for name, value in r.headers.items())
        + len(r.body)
        for r in requests
    ]
    return {VENDOR_CALLS: len(requests), VENDOR_BYTES: sum(sizes)}


@contextmanager
def _not_yet(vendors: FakeVendors) -> Iterator[None]:
    """Have no message arrive until the block ends."""
    statuses = [row.status for row in vendors.ledger]
    for row in vendors.ledger:
        row.status = Status.ACCEPTED
    yield
    for row, status in zip(vendors.ledger, statuses, strict=True):
        row.status = status


@contextmanager
def counting() -> "Iterator[Callable[[str], Scene]]":
    """Run a local AWS and vendors until the block ends, and yield what sets a scene for a kind of message."""
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator())
        vendors = new_vendors()
        address = stack.enter_context(serving(vendors))
        yield lambda name: stack.enter_context(Scene.running(KINDS[name], emulator, vendors, address))


def count_naive() -> dict[int, Use]:
    """Return what the naive yardstick uses for a message, by the messages in a batch. It publishes nothing."""
    with counting() as scene_of:
        scene = scene_of("smspoh")
        scene.deployment.enter("send")
        for name, key in (("YARDSTICK_TABLE", "message_id"), ("IDEMPOTENCY_TABLE", "id")):
            scene.deployment.monkeypatch.setenv(name, _new_table(scene.deployment, name, key))
        scene.deployment.monkeypatch.setenv("VENDOR_URL", f"{scene.deployment.base_urls['smspoh']}/send")
        from benchmarks.baselines import naive

        return {size: _naive_send(scene, naive, size) for size in SIZES}


def _naive_send(scene: Scene, naive: Callable[[Any, Any], object], size: int) -> Use:
    event = scene.batch(size)
    bodies = sum(len(record["body"].encode()) for record in event["Records"])
    sent = scene.metered("naive", naive, (event, _NaiveContext()))
    stored = {STORED: sum(size_of(item) + ITEM_OVERHEAD for item in _items(scene, "YARDSTICK_TABLE")[:1])}
    whole = added(sent, {records_of("naive"): size, SQS: polling_requests(bodies)})
    return added(times(whole, 1 / size), stored)


def _items(scene: Scene, variable: str) -> list[Item]:
    return list(scene.deployment.items(os.environ[variable]))


def _new_table(deployment: Deployment, name: str, key: str) -> str:
    table = f"{name}-{next(_ids)}"
    deployment.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
    )
    return table


@dataclass(frozen=True)
class _NaiveContext(Context):
    function_name: str = "naive"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:ap-southeast-1:000000000000:function:naive"


# --- the section ------------------------------------------------------------------------------------------------------


def count_all() -> dict[str, Counted]:
    """Count every kind of message."""
    with counting() as scene_of:
        return {name: scene_of(name).count() for name in KINDS}


def measure() -> list[Figure]:
    """Count the calls of sends, receipts and looks, and of whole lives."""
    counted = count_all()
    with counting() as scene_of:
        scene = scene_of("nomsa")
        configuration, rest = scene.configuration(), scene.rest()
    smspoh, naive = counted["smspoh"], count_naive()
    return [
        *_of_sends(smspoh, naive[BATCH]),
        _figure("send.config", "secrets and parameters that a fresh sandbox reads", configuration, SECRETS, PARAMETERS),
        *_of_receipts(smspoh, counted["nusasms"]),
        _figure("follow-up.rest", "DynamoDB requests of a run that finds nothing due", rest, REQUESTS),
        *_of_looks("list", counted["nomsa"]),
        *_of_looks("get", counted["whatsapp"]),
        *(figure for name, each in counted.items() for figure in _of_life(name, each)),
    ]


def _of_sends(counted: Counted, naive: Use) -> Iterator[Figure]:
    for size, use in counted.send.items():
        statements = (ceil(size / 25), ceil(2 * size / 25))
        yield Figure(
            key=f"calls.send.dynamodb.batch-{size}",
            what=f"DynamoDB requests for {size} good messages",
            value=round(use[REQUESTS] * size, 6),
            unit="",
            floor=2 * statements[0],
            goal=sum(statements),
            note=f"naive: {naive[REQUESTS] * size:.0f}",
        )
    sent = counted.send[BATCH]
    yield _figure("send.write-units", "write units of a send, index included", sent, WRITE_UNITS, floor=4)
    yield _figure("send.vendor", "vendor calls of a send", sent, VENDOR_CALLS, goal=1)
    yield _figure("send.sqs.batch-10", "SQS requests of a message, batch of 10", sent, SQS, floor=2 / BATCH)
    yield _figure("send.events", "events of a send", sent, EVENTS)
    yield _figure("send.naive.write-units", "write units of a naive send, without an index", naive, WRITE_UNITS)


def _of_receipts(by_reference: Counted, by_vendor_id: Counted) -> Iterator[Figure]:
    (receipt,), (other,) = by_reference.receipts, by_vendor_id.receipts
    yield _figure("receipt.writes", "writes of a receipt that changes something", other, WRITES, goal=1)
    yield _figure(
        "receipt.repeat.writes", "writes of a receipt that changes nothing", by_vendor_id.repeat, WRITES, goal=0
    )
    yield _figure("receipt.write-units", "write units of a receipt", other, WRITE_UNITS, floor=2)
    for name, use in (("our reference", receipt), ("the vendor's id", other)):
        key = f"receipt.dynamodb.{'reference' if use is receipt else 'vendor-id'}"
        yield _figure(key, f"DynamoDB requests of a receipt found by {name}", use, REQUESTS)


def _of_looks(how: str, counted: Counted) -> Iterator[Figure]:
    what = f"a look in vain ({how}, {DUE} due)"
    yield _figure(f"poll.{how}.dynamodb", f"DynamoDB requests of {what}", counted.vain, REQUESTS)
    yield _figure(f"poll.{how}.vendor", f"vendor calls of {what}", counted.vain, VENDOR_CALLS)
    yield _figure(f"poll.{how}.read-units", f"read units of {what}", counted.vain, READ_UNITS)
    yield _figure(f"poll.{how}.write-units", f"write units of {what}", counted.vain, WRITE_UNITS)
    final = counted.final
    yield _figure(f"poll.{how}.final.write-units", "write units of a look that finds the end", final, WRITE_UNITS)


def _of_life(name: str, counted: Counted) -> Iterator[Figure]:
    life = counted.life()
    for key in (WRITE_UNITS, READ_UNITS, VENDOR_CALLS, EVENTS):
        yield _figure(f"{name}.{key.replace(' ', '-')}", f"{name}, whole life: {key}", life, key)
    runs = sum(much for key, much in life.items() if key.startswith("invocations"))
    yield Figure(key=f"calls.{name}.invocations", what=f"{name}, whole life: invocations", value=runs, unit="")
    logged = life[LOG_BYTES] + life[PLATFORM_LOG_BYTES]
    note = f"{life[PLATFORM_LOG_BYTES]:.0f} of them Lambda's own"
    yield Figure(
        key=f"calls.{name}.log-bytes", what=f"{name}, whole life: logged", value=logged, unit="bytes", note=note
    )
    yield Figure(
        key=f"calls.{name}.largest-item",
        what=f"{name}: item at its largest",
        value=counted.largest,
        unit="bytes",
        goal=1024,
        note=f"with {len(_TEXT['text'])} bytes of text; each write of a larger one costs another unit",
    )


def _figure(
    key: str, what: str, use: Mapping[str, float], *names: str, floor: float | None = None, goal: float | None = None
) -> Figure:
    value = round(sum(use.get(name, 0) for name in names), 6)
    return Figure(key=f"calls.{key}", what=what, value=value, unit="", floor=floor, goal=goal)
