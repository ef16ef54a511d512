"""`python -m benchmarks.cost`: the cost of a million messages, from counted calls, measured CPU time and public prices.

Two inputs are assumptions: a vCPU of Lambda is as fast as one of this machine, and AWS and the vendors respond after
the times of `RESPONSE_MS`. `prices.json` contains the source of each price.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from rich.table import Table

from benchmarks.billing import (
    API,
    EVENTS,
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
from benchmarks.calls import BATCH, DUE, KINDS, SIZES, Counts, MessageUsage, count_all
from benchmarks.cpu import peak_mb
from benchmarks.harness import Harness, Sandbox, batch_of, measure_medians, receipt_event, start_harness
from benchmarks.results import Result, new_console, new_table, save
from sampai.contract.settings import parse_settings
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
RETENTION_DAYS: Final = 90
"""The time to live of items."""
LOG_RETENTION_DAYS: Final = 30
LOG_COMPRESSION: Final = 0.15
"""Stored ÷ ingested bytes, the ratio in the examples of CloudWatch's price page."""

DELIVERY_SECONDS: Final = 30
"""The time until a polled vendor reports the final status, for a phone that is on."""

POLLERS: Final = 5
POLL_SECONDS: Final = 20
"""The requests with which Lambda waits at an empty queue, and the duration of each. Assumptions."""

SMS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")

FLOOR_READS: Final = {"nomsa": 1, "smsnoc": 1, "smspoh": 0, "nusasms": 1, "whatsapp": 2}
"""Read units: a poll needs the vendor's id from the message, a receipt with that id must find its message."""

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


def count_polls(poll_seconds: Sequence[int], delivery_seconds: float, *, period: float = 60) -> int:
    """Return the number of polls until a message is delivered, some seconds after its acceptance.

    follow_up runs once per period, so a poll is half a period late on average.
    """
    polled_at, number = 0.0, 0
    while number == 0 or polled_at < delivery_seconds:
        polled_at += poll_seconds[min(number, len(poll_seconds) - 1)] + period / 2
        number += 1
    return number


def floor_of(name: str, usage: MessageUsage, life: Usage) -> Usage:
    """Return the smallest usage for a life that still keeps the promises.

    The writes are: the claim and its entry in the due index, the vendor's response in place, the correlation, each
    report, the delete of the entry. The reads are `FLOOR_READS`. Every change is an event. No promise needs a log line.
    """
    reports = max(1, len(usage.receipts))
    units = {WRITE_UNITS: 2 + 1 + 1 + reports + 1, READ_UNITS: FLOOR_READS[name]}
    return Usage({**life, **units, LOG_BYTES: 0, PLATFORM_LOG_BYTES: 0})


def scores(costs: Mapping[int, float], durations: Mapping[int, float]) -> dict[int, float]:
    """Return cost ÷ smallest cost + duration ÷ smallest duration, by memory. The best possible score is 2."""
    least_cost, least_duration = min(costs.values()), min(durations.values())
    return {memory: costs[memory] / least_cost + durations[memory] / least_duration for memory in costs}


def choose_memory(score_of: Mapping[int, float]) -> int:
    """Return the smallest memory with a score that equals the best, within the noise of the measurement."""
    return min(memory for memory, score in score_of.items() if score <= min(score_of.values()) * (1 + NOISE))


# --- CPU time ---------------------------------------------------------------------------------------------------------

ROUNDS: Final = 7


def measure_cpu() -> tuple[dict[str, Cpu], dict[str, float]]:
    """Return the CPU time of each function, and the peak memory of its process in MiB."""
    measurements = {
        "naive": _measure_send,
        "webhook": _measure_webhook,
        "follow_up": _measure_follow_up,
        "publish": _measure_publish,
        "send": _measure_send,
    }
    cpus, peaks = {}, {}
    with start_harness() as harness:
        for name, measure in measurements.items():
            with harness.baseline(name) if name == "naive" else harness.sandbox(name) as sandbox:
                cpus[name] = measure(harness, sandbox)
                peaks[name] = peak_mb(sandbox.pid)
    return cpus, peaks


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

    counts: Counts
    cpus: Mapping[str, Cpu]
    peaks_mb: Mapping[str, float]

    @classmethod
    def measure(cls) -> "CostModel":
        cpus, peaks_mb = measure_cpu()
        return cls(counts=count_all(), cpus=cpus, peaks_mb=peaks_mb)

    def life(self, name: str, *, batch: int = BATCH, delivery_seconds: float = DELIVERY_SECONDS) -> Usage:
        return self.counts.kinds[name].life(batch=batch, polls=count_polls(_poll_seconds(), delivery_seconds))

    def by_service(self, usage: Usage, memory: int = 512, architecture: str = "x86_64") -> dict[str, float]:
        """Return dollars per million of a usage, by service."""
        return dollars(usage * MILLION, self.cpus, memory=memory, architecture=architecture)

    def per_million(self, usage: Usage, memory: int = 512, architecture: str = "x86_64") -> float:
        """Return dollars per million of a usage."""
        return sum(self.by_service(usage, memory, architecture).values())

    def cost(self, name: str, *, batch: int = BATCH, memory: int = 512, architecture: str = "x86_64") -> float:
        """Return dollars per million messages of a kind."""
        return self.per_million(self.life(name, batch=batch), memory, architecture)

    def mean_cost(self, **options: Any) -> float:
        """Return dollars per million SMS, the mean of the four vendors."""
        return mean(self.cost(name, **options) for name in SMS)

    def floor(self, name: str) -> float:
        """Return dollars per million messages for the smallest usage, with waiting but no computing."""
        no_cpu = dict.fromkeys(self.cpus, Cpu(fixed_ms=0, record_ms=0))
        usage = floor_of(name, self.counts.kinds[name], self.life(name))
        return MILLION * sum(dollars(usage, no_cpu).values())

    def naive_cost(self, name: str, batch: int = BATCH) -> float:
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
        price, minutes = prices(), DAYS_PER_MONTH * 24 * 60
        resources = template()["Resources"].values()
        types = [resource["Type"] for resource in resources]
        functions = [resource for resource in resources if resource["Type"] == "AWS::Serverless::Function"]
        sources = [event["Type"] for f in functions for event in f["Properties"].get("Events", {}).values()]
        receives = sources.count("SQS") * POLLERS * minutes * 60 / POLL_SECONDS
        metrics = len(frozenset().union(*(usage.metrics for usage in self.counts.kinds.values())))
        return {
            f"custom metrics, {metrics} of them seen": metrics * price["cloudwatch.metric"],
            "alarms": types.count("AWS::CloudWatch::Alarm") * price["cloudwatch.alarm"],
            "secrets": types.count("AWS::SecretsManager::Secret") * price["secrets.secret"],
            "follow_up, every minute": minutes * self.per_million(self.counts.idle_run) / MILLION,
            "polls of the queues by Lambda": receives * price["sqs.request"],
            "repeated reads of the secret, per busy sandbox": minutes * price["secrets.read"],
        }


@cache
def _poll_seconds() -> tuple[int, ...]:
    return parse_settings("{}").poll_seconds


# --- tables -----------------------------------------------------------------------------------------------------------


def _kinds_table(costs: CostModel) -> Table:
    table = new_table("Dollars per million messages, batches of 10, 512 MB, x86", "", *KINDS, "mean SMS", "share")
    bills = {name: costs.by_service(costs.life(name)) for name in KINDS}
    total = costs.mean_cost()
    for service in next(iter(bills.values())):
        share = mean(bills[name][service] for name in SMS)
        table.add_row(service, *(_usd(bill[service]) for bill in bills.values()), _usd(share), f"{share / total:.0%}")
    table.add_section()
    for label, cost in (("total", costs.cost), ("floor", costs.floor), ("naive", costs.naive_cost)):
        table.add_row(label, *(_usd(cost(name)) for name in KINDS), _usd(mean(map(cost, SMS))), style="bold")
    return table


def _memory_table(costs: CostModel) -> Table:
    table = new_table(
        "Memory: dollars per million (mean SMS), and the duration of a batch of 10",
        *("MB", "x86", "Lambda's time alone", "arm64", "batch ms", "naive batch ms", "cost + duration"),
    )
    score_of = costs.memory_scores()
    best = choose_memory(score_of)
    for memory in MEMORIES:
        time = mean(costs.by_service(costs.life(name), memory)["Lambda: time"] for name in SMS)
        score = f"{score_of[memory]:.2f}{' ← choose' if memory == best else ''}" if memory in score_of else "too small"
        arm = costs.mean_cost(memory=memory, architecture="arm64")
        durations = (costs.batch_ms(memory), costs.batch_ms(memory, function="naive"))
        cells = [*map(_usd, (costs.mean_cost(memory=memory), time, arm)), *(f"{each:,.0f}" for each in durations)]
        table.add_row(f"{memory:,}", *cells, score)
    return table


def _functions_table(costs: CostModel) -> Table:
    title = "Functions: dollars per million for Lambda's time (mean SMS) · ms per invocation; send of 10, publish of 1"
    table = new_table(title, "", *(f"{memory:,} MB" for memory in MEMORIES), "peak MB")
    smspoh = costs.counts.kinds["smspoh"]
    typical = {
        "send": smspoh.send[BATCH] * BATCH,
        "webhook": smspoh.receipts[0],
        "publish": smspoh.receipts[0],
        "follow_up": costs.counts.idle_run,
    }
    for function, usage in typical.items():
        cpu, cells = costs.cpus[function], []
        for memory in MEMORIES:
            seconds = mean(duration_ms(function, costs.life(name), cpu, memory) for name in SMS) / 1000
            cost = seconds * memory / 1024 * prices()["lambda.gb-second.x86_64"] * MILLION
            cells.append(f"{cost:.2f} · {duration_ms(function, usage, cpu, memory):,.0f}")
        table.add_row(function, *cells, f"{costs.peaks_mb[function]:.0f}")
    return table


def _batch_table(costs: CostModel) -> Table:
    columns = (*KINDS, "mean SMS", "batch ms", "naive SMS")
    table = new_table("Batch size: dollars per million at 512 MB", "", *columns)
    for size in SIZES:
        cells = [costs.cost(name, batch=size) for name in KINDS]
        naive = mean(costs.naive_cost(name, size) for name in SMS)
        duration = f"{costs.batch_ms(512, size):.0f}"
        table.add_row(str(size), *map(_usd, cells), _usd(costs.mean_cost(batch=size)), duration, _usd(naive))
    return table


def _extras_table(costs: CostModel) -> Table:
    table = new_table("Additional costs, dollars per million", "", "$")
    usual = count_polls(_poll_seconds(), DELIVERY_SECONDS)
    for label, seconds in (("10 minutes", 600), ("a day", 86_400)):
        late = costs.per_million(costs.life("nomsa", delivery_seconds=seconds))
        polls = count_polls(_poll_seconds(), seconds)
        table.add_row(
            f"Nomsa, delivered after {label}: {polls} polls instead of {usual}", f"+{_usd(late - costs.cost('nomsa'))}"
        )
    table.add_row("a receipt with a known status", _usd(costs.per_million(costs.counts.kinds["nusasms"].repeat)))
    left = 1024 - max(costs.counts.kinds[name].largest for name in SMS)
    larger = 3 * MILLION * prices()["dynamodb.write-unit"]
    table.add_row(f"an item above 1 KB: {left} more bytes of text and metadata", f"+{_usd(larger)}")
    table.add_row("logged bytes of a message, mean SMS", f"{costs.logged_bytes():,.0f} B")
    return table


def _monthly_table(costs: CostModel) -> Table:
    table = new_table("Dollars per month without messages (the monitor's four runs per hour not included)", "", "$")
    monthly = costs.monthly()
    for label, cost in monthly.items():
        table.add_row(label, _usd(cost))
    table.add_row("total", _usd(sum(monthly.values())), style="bold")
    return table


def _results(costs: CostModel) -> Iterator[Result]:
    for name in KINDS:
        yield Result(
            key=f"cost.{name}",
            label=f"{name}: a million messages",
            value=costs.cost(name),
            unit="$",
            floor=costs.floor(name),
            note=f"naive: {costs.naive_cost(name):.2f}",
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
    yield f"Polled vendors report the final status after {DELIVERY_SECONDS} s, receipts arrive before the first poll."
    yield (
        "Floor: the claim and its entry in the due index, the response in place, the correlation, each report, the "
        "delete of the entry; an event per change; requests in batches; waiting for one vendor call; no CPU, no logs."
    )
    yield "Naive: the sends are counted; equally many events, and the polls and receipts, are calculated."


def _usd(cost: float) -> str:
    return f"{cost:,.2f}"


def main() -> None:
    """Count, measure, print the tables, and save the results."""
    console = new_console(140)
    costs = CostModel.measure()
    tables = (_kinds_table, _memory_table, _functions_table, _batch_table, _extras_table, _monthly_table)
    for table in tables:
        console.print(table(costs))
    for explanation in _explanations(costs):
        console.print(explanation, style="dim", highlight=False)
    save(_results(costs))


if __name__ == "__main__":
    main()
