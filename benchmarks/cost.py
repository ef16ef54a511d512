"""`python -m benchmarks.cost`: the cost of a million messages, from counted calls, measured CPU time and public prices.

Two inputs are assumptions: a vCPU of Lambda is as fast as one of this machine, and AWS and the vendors respond after
the times of `RESPONSE_MS`. `prices.json` contains the source of each price. With `--write` the command also writes its
tables into the page `COST_PAGE`. The exit status is 1 if a goal was missed.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from rich.table import Table

from benchmarks.alternatives import ALTERNATIVES, HOURS_PER_MONTH, VOLUMES
from benchmarks.billing import (
    API,
    EVENTS,
    INDEX_WRITES,
    LOG_BYTES,
    PARAMETERS,
    PLATFORM_LOG_BYTES,
    READ_UNITS,
    SECRETS,
    SQS,
    STORED,
    VENDOR_BYTES,
    VENDOR_CALLS,
    WRITE_UNITS,
    Usage,
    invocations,
    records_of,
    waits,
)
from benchmarks.calls import BATCH, DUE, SIZES, Counts, count_all
from benchmarks.cpu import cpu_seconds, peak_mb
from benchmarks.harness import Harness, Sandbox, batch_of, measure_medians, receipt_event, start_harness
from benchmarks.lives import DELIVERY_SECONDS, LIVES, Life, LifeUsage, count_lives
from benchmarks.page import COST_PAGE, markdown_table, write_blocks
from benchmarks.results import Result, new_console, new_table, results_table, save
from tests.functional.sandbox import read_event
from tests.template import template

PRICES: Final = Path(__file__).with_name("prices.json")

MILLION: Final = 1_000_000
GB: Final = 10**9
FULL_CPU_MB: Final = 1769
"""The memory at which Lambda gives one vCPU; less memory gives so much less of it, in proportion."""

MEMORIES: Final = (128, 256, 512, 1024, FULL_CPU_MB)
HEADROOM: Final = 1.3
"""The memory of a function ÷ its measured peak, at least."""

NOISE: Final = 0.05
"""The relative difference between runs. Closer scores count as equal."""

RESPONSE_MS: Final = {"DynamoDB": 8.0, "EventBridge": 20.0, "vendor": 200.0}
"""Assumptions."""

DAYS_PER_MONTH: Final = 30.4
MINUTES: Final = DAYS_PER_MONTH * 24 * 60
"""The minutes of a month."""
RETENTION_DAYS: Final = 90
"""The time to live of items."""
LOG_RETENTION_DAYS: Final = 30
LOG_COMPRESSION: Final = 0.15
"""Stored ÷ ingested bytes, the ratio in the examples of CloudWatch's price page."""

POLLERS: Final = 5
POLL_SECONDS: Final = 20
"""The requests with which Lambda waits at an empty queue, and the duration of each. Assumptions."""

CALLBACK_REQUESTS: Final = {
    "sqs.request": 3,  # EventBridge's, Lambda's receive and its deletion
    "lambda.request": 1,
    "dynamodb.write-unit": 2,
    "dynamodb.read-unit": 1,
}
"""The requests for one callback, by price."""

SMS: Final = {"otp": "nomsa", "smsnoc": "smsnoc", "smspoh": "smspoh", "nusasms": "nusasms"}
"""The lives whose mean is the price of an SMS, with the kind of `KINDS` that is sent in the same way."""

MAX_RATIO: Final = 1.05
"""Goal: dollars ÷ floor, for each life."""

NAT_BYTES: Final = 6_000
"""Bytes of a vendor call through a NAT gateway, both ways, with its share of a TLS handshake. An assumption."""

KMS_CACHE_MINUTES: Final = 5
"""DynamoDB and SQS keep a data key for so long."""

NAIVE_EVENTS: Final = Usage({EVENTS: 2, waits("naive", "EventBridge"): 2})
"""The naive baseline only sends. These events tell its callers as much as ours do, one request per change."""

NAIVE_POLL: Final = Usage(
    {
        VENDOR_CALLS: 1,
        VENDOR_BYTES: 200,
        READ_UNITS: 0.5,
        WRITE_UNITS: 3,
        EVENTS: 1,
        records_of("naive"): 1,
        waits("naive", "vendor"): 1,
        waits("naive", "DynamoDB"): 2,
        waits("naive", "EventBridge"): 1,
    }
)
"""The common approach: an index of open messages (a put and a delete), one GET and one update for each, one event."""

NAIVE_RECEIPT: Final = Usage(
    {
        API: 1,
        READ_UNITS: 0.5,
        WRITE_UNITS: 2,
        EVENTS: 1,
        LOG_BYTES: 400,
        PLATFORM_LOG_BYTES: 440,
        invocations("webhook"): 1,
        records_of("webhook"): 1,
        waits("webhook", "DynamoDB"): 2,
        waits("webhook", "EventBridge"): 1,
    }
)
"""The common approach: a query of an index by the vendor's id (and its put), one update, one event, two log lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """CPU time of an invocation on a full vCPU: a fixed part, and a part for each record."""

    fixed_ms: float
    record_ms: float

    @classmethod
    def between(cls, few: tuple[int, float], many: tuple[int, float]) -> "Cpu":
        """Return the line through two points of records and milliseconds. No part is negative."""
        record_ms = max(0.0, (many[1] - few[1]) / (many[0] - few[0]))
        return cls(fixed_ms=max(0.0, few[1] - few[0] * record_ms), record_ms=record_ms)


@cache
def prices() -> dict[str, float]:
    """Return the price of one unit of each resource, in dollars."""
    document = json.loads(PRICES.read_text())["prices"]
    return {name: price["usd"] / price["per"] for name, price in document.items()}


# --- arithmetic -------------------------------------------------------------------------------------------------------


def duration_ms(function: str, usage: Usage, cpu: Cpu, memory: int) -> float:
    """Return the duration of a function for a usage. Less memory makes computing slower, but not waiting."""
    computing = usage[invocations(function)] * cpu.fixed_ms + usage[records_of(function)] * cpu.record_ms
    waiting = sum(usage[waits(function, service)] * milliseconds for service, milliseconds in RESPONSE_MS.items())
    return computing * max(1.0, FULL_CPU_MB / memory) + waiting


def dollars(
    usage: Usage, cpus: Mapping[str, Cpu], *, memory: int = 512, architecture: str = "x86_64"
) -> dict[str, float]:
    """Return the cost of a usage, by service. `cpus` has the CPU time of each function."""
    price = prices()
    seconds = sum(duration_ms(function, usage, cpu, memory) for function, cpu in cpus.items()) / 1000
    logged = (usage[LOG_BYTES] + usage[PLATFORM_LOG_BYTES]) / GB
    stored = usage[STORED] / GB * RETENTION_DAYS / DAYS_PER_MONTH
    log_storage = LOG_COMPRESSION * LOG_RETENTION_DAYS / DAYS_PER_MONTH * price["logs.gb-month"]
    return {
        "DynamoDB: writes": usage[WRITE_UNITS] * price["dynamodb.write-unit"],
        "DynamoDB: reads": usage[READ_UNITS] * price["dynamodb.read-unit"],
        "DynamoDB: storage for 90 days": stored * price["dynamodb.gb-month"],
        "DynamoDB: point-in-time recovery": stored * price["dynamodb.backup-gb-month"],
        "EventBridge: events": usage[EVENTS] * price["eventbridge.event"],
        "Lambda: time": seconds * memory / 1024 * price[f"lambda.gb-second.{architecture}"],
        "Lambda: requests": sum(usage[invocations(f)] for f in cpus) * price["lambda.request"],
        "API Gateway": usage[API] * price["api.request"],
        "Logs": logged * (price["logs.gb"] + log_storage),
        "SQS": usage[SQS] * price["sqs.request"],
        "Secrets": usage[SECRETS] * price["secrets.read"] + usage[PARAMETERS] * price["ssm.read"],
        "Data to vendors": usage[VENDOR_BYTES] / GB * price["transfer.gb-out"],
    }


def floor_of(life: Life, usage: Usage) -> Usage:
    """Return the smallest usage for a life that still keeps the promises.

    The write and read units, and the events, are those of `Life`. No promise needs a log line.
    """
    units = {WRITE_UNITS: life.writes, READ_UNITS: life.reads, EVENTS: life.events}
    return Usage({**usage, **units, LOG_BYTES: 0, PLATFORM_LOG_BYTES: 0})


def scores(costs: Mapping[int, float], durations: Mapping[int, float]) -> dict[int, float]:
    """Return cost ÷ smallest cost + duration ÷ smallest duration, by memory. The best possible score is 2."""
    least_cost, least_duration = min(costs.values()), min(durations.values())
    return {memory: costs[memory] / least_cost + durations[memory] / least_duration for memory in costs}


def choose_memory(score_of: Mapping[int, float]) -> int:
    """Return the smallest memory with a score that equals the best, within the noise of the measurement."""
    return min(memory for memory, score in score_of.items() if score <= min(score_of.values()) * (1 + NOISE))


# --- CPU time ---------------------------------------------------------------------------------------------------------

ROUNDS: Final = 7


def measure_cpu() -> tuple[dict[str, Cpu], dict[str, float], dict[str, float]]:
    """Return the CPU time of each function, the CPU milliseconds of its start, and its peak memory in MiB."""
    measurements = {
        "naive": _measure_send,
        "webhook": _measure_webhook,
        "follow_up": _measure_follow_up,
        "publish": _measure_publish,
        "send": _measure_send,
    }
    cpus, starts, peaks = {}, {}, {}
    with start_harness() as harness:
        for name, measure in measurements.items():
            with harness.baseline(name) if name == "naive" else harness.sandbox(name) as sandbox:
                sandbox.invoke()  # returns once the handler is imported
                starts[name] = cpu_seconds(sandbox.pid) * 1000
                cpus[name] = measure(harness, sandbox)
                peaks[name] = peak_mb(sandbox.pid)
    return cpus, starts, peaks


def _measure_batches(sandbox: Sandbox, batch: Callable[[int], Any]) -> Cpu:
    """Measure 20 records, one by one and in batches of `BATCH`."""

    def invoke(size: int) -> float:
        events = [batch(size) for _ in range(20 // size)]
        return sandbox.invoke(*events).cpu_seconds * 1000 / len(events)

    spent = measure_medians({size: partial(invoke, size) for size in (1, BATCH)}, rounds=ROUNDS)
    return Cpu.between((1, spent[1]), (BATCH, spent[BATCH]))


def _measure_send(harness: Harness, sandbox: Sandbox) -> Cpu:
    return _measure_batches(sandbox, batch_of)


def _measure_publish(harness: Harness, sandbox: Sandbox) -> Cpu:
    insert, change, *_ = read_event("publish/life-of-a-message")["Records"]
    return _measure_batches(sandbox, lambda size: {"Records": ([insert, change] * size)[:size]})


def _measure_webhook(harness: Harness, sandbox: Sandbox) -> Cpu:
    """Measure receipts with a new status."""
    with harness.sandbox("send") as send:
        send.invoke(*(batch_of(BATCH) for _ in range(ROUNDS + 1)))
    receipts = [
        receipt_event("smspoh-receipt-get", message_id=message_id, provider_message_id=item["provider_message_id"]["S"])
        for message_id, item in _read_accepted(harness).items()
    ]
    groups = [receipts[i : i + BATCH] for i in range(0, len(receipts), BATCH)]
    spent = [sandbox.invoke(*group).cpu_seconds * 1000 / len(group) for group in groups]
    return Cpu(fixed_ms=median(spent[1:]), record_ms=0)


def _measure_follow_up(harness: Harness, sandbox: Sandbox) -> Cpu:
    """Measure runs with due messages, and without."""

    def poll() -> float:
        with harness.sandbox("send") as send:
            send.invoke(batch_of(DUE, "nomsa"))
        for message_id in _read_accepted(harness):
            harness.deployment.make_due(message_id)
        return sandbox.invoke({}).cpu_seconds * 1000

    sandbox.invoke({})
    idle = median(sandbox.invoke({}).cpu_seconds * 1000 for _ in range(ROUNDS))
    return Cpu.between((0, idle), (DUE, median(poll() for _ in range(3))))


def _read_accepted(harness: Harness) -> dict[str, Any]:
    items = harness.deployment.items(harness.deployment.messages)
    return {item["message_id"]["S"]: item for item in items if item["status"]["S"] == "accepted"}


# --- costs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """All counts and measurements, and the costs that follow from them."""

    lives: Mapping[str, LifeUsage]
    counts: Counts
    cpus: Mapping[str, Cpu]
    starts_ms: Mapping[str, float]
    """The CPU time of a cold start's INIT phase. Lambda gives it a full vCPU and bills it."""
    peaks_mb: Mapping[str, float]

    @classmethod
    def measure(cls) -> "CostModel":
        cpus, starts_ms, peaks_mb = measure_cpu()
        return cls(lives=count_lives(), counts=count_all(), cpus=cpus, starts_ms=starts_ms, peaks_mb=peaks_mb)

    def life(self, name: str, *, batch: int = BATCH) -> Usage:
        """Return the usage of a message from its request to its end. Other batch sizes are counted for `SMS` only."""
        usage = self.lives[name].usage
        if batch == BATCH:
            return usage
        sent = self.counts.kinds[SMS[name]].send
        return usage - sent[BATCH] + sent[batch]

    def by_service(self, usage: Usage, memory: int = 512, architecture: str = "x86_64") -> dict[str, float]:
        """Return dollars per million of a usage, by service."""
        return dollars(usage * MILLION, self.cpus, memory=memory, architecture=architecture)

    def per_million(self, usage: Usage, memory: int = 512, architecture: str = "x86_64") -> float:
        """Return dollars per million of a usage."""
        return sum(self.by_service(usage, memory, architecture).values())

    def cost(self, name: str, *, batch: int = BATCH, memory: int = 512, architecture: str = "x86_64") -> float:
        """Return dollars per million messages of a life."""
        return self.per_million(self.life(name, batch=batch), memory, architecture)

    def mean_cost(self, **options: Any) -> float:
        """Return dollars per million SMS, the mean of the four vendors."""
        return mean(self.cost(name, **options) for name in SMS)

    def floor(self, name: str) -> float:
        """Return dollars per million messages for the smallest usage, with waiting but no computing."""
        no_cpu = dict.fromkeys(self.cpus, Cpu(fixed_ms=0, record_ms=0))
        return MILLION * sum(dollars(floor_of(LIVES[name], self.life(name)), no_cpu).values())

    def starts_cost(self, usage: Usage, memory: int = 512) -> float:
        """Return dollars per million of a usage for the INIT phases, if every invocation is a cold start."""
        seconds = sum(usage[invocations(name)] * start for name, start in self.starts_ms.items()) / 1000
        return MILLION * seconds * memory / 1024 * prices()["lambda.gb-second.x86_64"]

    def naive_cost(self, name: str, batch: int = BATCH) -> float:
        """Return dollars per million messages of a kind in the naive baseline."""
        receipts = self.counts.kinds[name].receipts
        reports = NAIVE_RECEIPT * len(receipts) if receipts else NAIVE_POLL
        return self.per_million(self.counts.naive[batch] + NAIVE_EVENTS + reports)

    def batch_ms(self, memory: int, batch: int = BATCH, function: str = "send") -> float:
        """Return the duration of a batch: the longest time that a message waits for its result."""
        usage = self.counts.naive[batch] if function == "naive" else self.counts.kinds["smspoh"].send[batch]
        return duration_ms(function, usage * batch, self.cpus[function], memory)

    def memory_scores(self) -> dict[int, float]:
        """Return the scores of the memory sizes that are large enough."""
        sizes = [memory for memory in MEMORIES if memory >= self.peaks_mb["send"] * HEADROOM]
        costs = {memory: self.mean_cost(memory=memory) for memory in sizes}
        return scores(costs, {memory: self.batch_ms(memory) for memory in sizes})

    def logged_bytes(self) -> float:
        """Return the logged bytes of an SMS, the mean of the four vendors."""
        lives = [self.life(name) for name in SMS]
        return mean(life[LOG_BYTES] + life[PLATFORM_LOG_BYTES] for life in lives)

    def monthly(self) -> dict[str, float]:
        """Return the dollars of a month without messages, for resources and for scheduled work."""
        price = prices()
        types = _types()
        polls = POLLERS * MINUTES * 60 / POLL_SECONDS
        metrics = len(frozenset().union(*(life.metrics for life in self.lives.values())))
        return {
            f"{metrics} custom metrics": metrics * price["cloudwatch.metric"],
            f"{types.count('AWS::CloudWatch::Alarm')} alarms": types.count("AWS::CloudWatch::Alarm")
            * price["cloudwatch.alarm"],
            "dashboard": types.count("AWS::CloudWatch::Dashboard") * price["cloudwatch.dashboard"],
            "secrets": types.count("AWS::SecretsManager::Secret") * price["secrets.secret"],
            "follow_up, every minute, one worker": MINUTES * self.per_million(self.counts.idle_run) / MILLION,
            "polls of the queues by Lambda": _sources("SQS") * polls * price["sqs.request"],
            "follow_up reads the secret": MINUTES * price["secrets.read"],
        }

    def options(self) -> dict[str, tuple[float, float]]:
        """Return what each option adds: dollars per month, and per million SMS."""
        price = prices()
        types = _types()
        cached = (types.count("AWS::DynamoDB::Table") + types.count("AWS::SQS::Queue")) * MINUTES / KMS_CACHE_MINUTES
        nat_hours = HOURS_PER_MONTH * (price["nat.hour"] + price["ipv4.hour"])
        calls = mean(self.life(name)[VENDOR_CALLS] for name in SMS)
        return {
            "a fixed outgoing address (`SubnetIds`): NAT gateway and Elastic IP": (
                nat_hours,
                calls * MILLION * NAT_BYTES / GB * price["nat.gb"],
            ),
            "a key of your own (`KmsKeyArn`)": (price["kms.key"] + (cached + MINUTES) * price["kms.request"], 0.0),
            "each further worker of follow_up (`FollowUpWorkers`)": (
                MINUTES * self.per_million(self.counts.idle_run) / MILLION,
                0.0,
            ),
            "callbacks (`CallbackUrl`), each event alone in its batch, without Lambda's time": (
                _types("HasCallbacks").count("AWS::CloudWatch::Alarm") * price["cloudwatch.alarm"]
                + price["cloudwatch.metric"]
                + _sources("SQS", "HasCallbacks") * POLLERS * MINUTES * 60 / POLL_SECONDS * price["sqs.request"],
                mean(self.life(name)[EVENTS] for name in SMS)
                * MILLION
                * sum(number * price[name] for name, number in CALLBACK_REQUESTS.items()),
            ),
            "every invocation is a cold start: INIT": (
                0.0,
                mean(self.starts_cost(self.life(name, batch=1)) for name in SMS),
            ),
        }

    def in_a_month(self, messages: int, *, batch: int, is_cold: bool = False) -> float:
        """Return the dollars of a month with so many SMS, in batches of a size."""
        per_million = self.mean_cost(batch=batch)
        if is_cold:
            per_million += mean(self.starts_cost(self.life(name, batch=batch)) for name in SMS)
        return sum(self.monthly().values()) + messages / MILLION * per_million


def _resources(condition: str | None = None) -> list[Any]:
    """Return the resources of the template that always exist, or those under a condition."""
    return [r for r in template()["Resources"].values() if r.get("Condition") == condition]


def _types(condition: str | None = None) -> list[str]:
    return [resource["Type"] for resource in _resources(condition)]


def _sources(kind: str, condition: str | None = None) -> int:
    """Return the number of event sources of a type in the template."""
    functions = [r for r in _resources(condition) if r["Type"] == "AWS::Serverless::Function"]
    return [event["Type"] for f in functions for event in f["Properties"].get("Events", {}).values()].count(kind)


# --- tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table for the terminal and, if it has a name, for the page."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    name: str = ""

    def to_rich(self) -> Table:
        table = new_table(self.title, *self.columns)
        for row in self.rows:
            table.add_row(*(cell.replace("**", "") for cell in row))
        return table

    def to_markdown(self) -> str:
        return markdown_table(self.columns, self.rows)


def _lives_section(costs: CostModel) -> Section:
    columns = ("", "DynamoDB", "storage", "events", "Lambda", "API", "logs", "other", "total", "floor", "ratio")
    rows = []
    for name, life in LIVES.items():
        bill, cost, floor = costs.by_service(costs.life(name)), costs.cost(name), costs.floor(name)
        groups = [sum(bill[service] for service in services) for services in _GROUPS]
        other = cost - sum(groups)
        rows.append([life.label, *map(_usd, (*groups, other)), f"**{_usd(cost)}**", _usd(floor), f"{cost / floor:.2f}"])
    return Section(
        title="Dollars per million messages, batches of 10, 512 MB, x86", columns=columns, rows=rows, name="lives"
    )


_GROUPS: Final = (
    ("DynamoDB: writes", "DynamoDB: reads"),
    ("DynamoDB: storage for 90 days", "DynamoDB: point-in-time recovery"),
    ("EventBridge: events",),
    ("Lambda: time", "Lambda: requests"),
    ("API Gateway",),
    ("Logs",),
)


def _units_section(costs: CostModel) -> Section:
    columns = (
        "",
        "write units",
        "floor",
        "in the index",
        "read units",
        "floor",
        "looks",
        "at most",
        "bytes logged",
        "item",
    )
    rows = []
    for name, life in LIVES.items():
        counted = costs.lives[name]
        usage = counted.usage
        logged = usage[LOG_BYTES] + usage[PLATFORM_LOG_BYTES]
        rows.append(
            [
                life.label,
                _units(usage[WRITE_UNITS]),
                _units(life.writes),
                _units(usage[INDEX_WRITES]),
                _units(usage[READ_UNITS]),
                _units(life.reads),
                str(counted.looks),
                str(life.looks),
                f"{logged:,.0f}",
                f"{counted.largest:,}",
            ]
        )
    return Section(title="Units of one message", columns=columns, rows=rows, name="units")


def _memory_section(costs: CostModel) -> Section:
    score_of = costs.memory_scores()
    best = choose_memory(score_of)
    rows = []
    for memory in MEMORIES:
        time = mean(costs.by_service(costs.life(name), memory)["Lambda: time"] for name in SMS)
        score = f"{score_of[memory]:.2f}{' ← choose' if memory == best else ''}" if memory in score_of else "too small"
        arm = costs.mean_cost(memory=memory, architecture="arm64")
        durations = (costs.batch_ms(memory), costs.batch_ms(memory, function="naive"))
        cells = [*map(_usd, (costs.mean_cost(memory=memory), time, arm)), *(f"{each:,.0f}" for each in durations)]
        rows.append([f"{memory:,}", *cells, score])
    columns = ("MB", "x86", "Lambda's time alone", "arm64", "batch ms", "naive batch ms", "cost + duration")
    title = "Memory: dollars per million (mean SMS), and the duration of a batch of 10"
    return Section(title=title, columns=columns, rows=rows, name="memory")


def _functions_section(costs: CostModel) -> Section:
    smspoh = costs.counts.kinds["smspoh"]
    typical = {
        "send": smspoh.send[BATCH] * BATCH,
        "webhook": smspoh.receipts[0],
        "publish": smspoh.receipts[0],
        "follow_up": costs.counts.idle_run,
    }
    rows = []
    for function, usage in typical.items():
        cpu, cells = costs.cpus[function], []
        for memory in MEMORIES:
            seconds = mean(duration_ms(function, costs.life(name), cpu, memory) for name in SMS) / 1000
            cost = seconds * memory / 1024 * prices()["lambda.gb-second.x86_64"] * MILLION
            cells.append(f"{cost:.2f} · {duration_ms(function, usage, cpu, memory):,.0f}")
        rows.append([function, *cells, f"{costs.starts_ms[function]:.0f}", f"{costs.peaks_mb[function]:.0f}"])
    columns = ("", *(f"{memory:,} MB" for memory in MEMORIES), "INIT ms", "peak MB")
    title = "Functions: dollars per million for Lambda's time (mean SMS) · ms per invocation; send of 10, publish of 1"
    return Section(title=title, columns=columns, rows=rows)


def _batch_section(costs: CostModel) -> Section:
    rows = []
    for size in SIZES:
        naive = mean(costs.naive_cost(name, size) for name in SMS.values())
        duration = f"{costs.batch_ms(512, size):.0f}"
        cells = [costs.cost(name, batch=size) for name in SMS]
        rows.append([str(size), *map(_usd, cells), f"**{_usd(costs.mean_cost(batch=size))}**", duration, _usd(naive)])
    columns = ("batch", *(LIVES[name].label.split(",")[1].strip() for name in SMS), "mean", "batch ms", "naive")
    return Section(title="Batch size: dollars per million SMS at 512 MB", columns=columns, rows=rows, name="batch")


def _monthly_section(costs: CostModel) -> Section:
    monthly = costs.monthly()
    rows = [[label, _usd(cost)] for label, cost in monthly.items()]
    rows.append(["**total**", f"**{_usd(sum(monthly.values()))}**"])
    title = "Dollars per month without messages (the monitor's four runs per hour not included)"
    return Section(title=title, columns=("", "$"), rows=rows, name="month")


def _options_section(costs: CostModel) -> Section:
    rows = [[label, _usd(fixed), _usd(per_million)] for label, (fixed, per_million) in costs.options().items()]
    repeat = costs.per_million(costs.counts.kinds["nusasms"].repeat)
    rows.append(["a receipt that repeats a known status", _usd(0), _usd(repeat)])
    rows.append(
        ["a look that finds nothing new", _usd(0), _usd(costs.per_million(costs.counts.kinds["nomsa"].early_poll))]
    )
    title = "What is added, in dollars"
    return Section(title=title, columns=("", "per month", "per million"), rows=rows, name="options")


def _comparison_section(costs: CostModel) -> Section:
    volumes = [f"{volume:,} a month" for volume in VOLUMES]
    address = costs.options()["a fixed outgoing address (`SubnetIds`): NAT gateway and Elastic IP"]
    singly = [costs.in_a_month(volume, batch=1, is_cold=volume == VOLUMES[0]) for volume in VOLUMES]
    together = [costs.in_a_month(volume, batch=BATCH) for volume in VOLUMES]
    fixed = [cost + address[0] + volume / MILLION * address[1] for cost, volume in zip(singly, VOLUMES, strict=True)]
    rows = [
        ["**Sampai**, messages one at a time", *map(_whole, singly)],
        ["**Sampai**, messages in batches of ten", *map(_whole, together)],
        ["Sampai one at a time, with a fixed outgoing address", *map(_whole, fixed)],
    ]
    for other in ALTERNATIVES:
        rows.append([other.label, *(_whole(other.monthly(prices(), volume)) for volume in VOLUMES)])
    title = "Dollars per month, without the vendors' prices"
    return Section(title=title, columns=("", *volumes), rows=rows, name="comparison")


SECTIONS: Final = (
    _lives_section,
    _units_section,
    _memory_section,
    _functions_section,
    _batch_section,
    _monthly_section,
    _options_section,
    _comparison_section,
)


# --- goals ------------------------------------------------------------------------------------------------------------


def _goals(costs: CostModel) -> Iterator[Result]:
    for name, life in LIVES.items():
        cost, floor = costs.cost(name), costs.floor(name)
        note = f"{cost:.2f} and {floor:.2f} $ per million"
        yield Result(
            key=f"cost.{name}.ratio", label=life.label, value=round(cost / floor, 3), goal=MAX_RATIO, note=note
        )
    for name, life in LIVES.items():
        yield Result(
            key=f"cost.{name}.looks",
            label=f"{life.label}: looks",
            value=costs.lives[name].looks,
            unit="",
            goal=life.looks,
        )
    otp, no_receipt = costs.lives["otp"].usage, costs.lives["no-receipt"].usage
    yield Result(
        key="cost.otp.writes",
        label=f"{LIVES['otp'].label}: write units ÷ floor",
        value=otp[WRITE_UNITS] / LIVES["otp"].writes,
        goal=1.0,
        note=f"{otp[WRITE_UNITS]:.1f} and {LIVES['otp'].writes}",
    )
    yield Result(
        key="cost.otp.index", label=f"{LIVES['otp'].label}: index writes", value=otp[INDEX_WRITES], unit="", goal=2
    )
    yield Result(
        key="cost.no-receipt.writes",
        label=f"{LIVES['no-receipt'].label}: write units",
        value=no_receipt[WRITE_UNITS],
        unit="",
        goal=10,
    )


def _results(costs: CostModel) -> Iterator[Result]:
    for name in LIVES:
        yield Result(
            key=f"cost.{name}", label=LIVES[name].label, value=costs.cost(name), unit="$", floor=costs.floor(name)
        )
    best = choose_memory(costs.memory_scores())
    yield Result(key="cost.sms", label="a million SMS, mean of four vendors", value=costs.mean_cost(), unit="$")
    yield Result(key="cost.memory", label="memory to choose", value=best, unit="MB")
    yield Result(key="cost.log-bytes", label="logged bytes of a message", value=costs.logged_bytes(), unit="bytes")
    yield Result(key="cost.month", label="a month without messages", value=sum(costs.monthly().values()), unit="$")


def _explanations(costs: CostModel) -> Iterator[str]:
    document = json.loads(PRICES.read_text())
    yield f"Prices: {document['region']}, {document['date']}, {document['currency']}."
    unchecked = {name: price["from"] for name, price in document["prices"].items() if price["checked"] is None}
    yield "Not verified for this region: " + "; ".join(f"{name} ({source})" for name, source in unchecked.items()) + "."
    cpus = " · ".join(f"{name} {cpu.fixed_ms:.1f} + {cpu.record_ms:.2f}/record" for name, cpu in costs.cpus.items())
    yield f"CPU time in ms, measured here; assumption: a vCPU of Lambda is as fast: {cpus}."
    responses = ", ".join(f"{service} {milliseconds:.0f} ms" for service, milliseconds in RESPONSE_MS.items())
    yield f"Assumed response times: {responses}. No cold starts, no TLS, one vCPU at {FULL_CPU_MB:,} MB."
    yield f"Polled vendors report the final status after {DELIVERY_SECONDS:.0f} s."
    yield (
        "Floor: the claim and its entry in the due index, the response in place, the correlation, each report, the "
        "delete of the entry; an event per status; requests in batches; waiting for one vendor call; no CPU, no logs."
    )
    yield "Naive: the sends are counted; equally many events, and the polls and receipts, are calculated."


def _usd(cost: float) -> str:
    return f"{cost:,.2f}"


def _whole(cost: float) -> str:
    return f"{cost:,.0f}"


def _units(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0")


def main(arguments: list[str]) -> int:
    """Count, measure, print the tables, and save the results. Return the exit status."""
    console = new_console(170)
    costs = CostModel.measure()
    sections = [section(costs) for section in SECTIONS]
    for section in sections:
        console.print(section.to_rich())
    for explanation in _explanations(costs):
        console.print(explanation, style="dim", highlight=False)
    goals = list(_goals(costs))
    console.print(results_table("Goals: dollars ÷ floor, looks, write units", goals))
    save([*_results(costs), *goals])
    if "--write" in arguments:
        write_blocks(COST_PAGE, {section.name: section.to_markdown() for section in sections if section.name})
    missed = [goal for goal in goals if not goal.is_reached]
    console.print(f"{len(goals) - len(missed)} of {len(goals)} goals reached.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
