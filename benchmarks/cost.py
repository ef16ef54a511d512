"""`python -m benchmarks.cost`: what a million messages cost, from counted calls, measured CPU and public prices.

Two things are assumed: that a vCPU of Lambda works as fast as one of this machine, and how long AWS and a vendor take
to answer (`WAIT_MS`). Everything else is counted, measured or looked up; `prices.json` says where each price is from.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.calls import (
    API,
    BATCH,
    DUE,
    EVENTS,
    KINDS,
    LOG_BYTES,
    PARAMETERS,
    PLATFORM_LOG_BYTES,
    READ_UNITS,
    SECRETS,
    SIZES,
    SQS,
    STORED,
    VENDOR_BYTES,
    VENDOR_CALLS,
    WRITE_UNITS,
    Counted,
    Use,
    added,
    count_all,
    count_naive,
    counting,
    invocations,
    records_of,
    times,
    waits,
)
from benchmarks.harness import YARDSTICKS, Sandbox, Stage, batch_of, staged
from benchmarks.results import Figure, save
from tests.functional.sandbox import read_event
from tests.template import template

PRICES: Final = Path(__file__).with_name("prices.json")

MILLION: Final = 1_000_000
GB: Final = 10**9
FULL_CPU_MB: Final = 1769
"""The memory at which Lambda gives one vCPU; less memory gives so much less of it, in proportion."""

MEMORIES: Final = (128, 256, 512, 1024, FULL_CPU_MB)
CONVERSATION: Final = 1.3
"""Memory that a function should have ÷ the most that it was seen to use."""

NOISE: Final = 0.05
"""Scores closer than this are equal: runs differ by as much."""

WAIT_MS: Final = {"DynamoDB": 8.0, "EventBridge": 20.0, "vendor": 200.0}
"""Assumed."""

DAYS: Final = 30.4
"""Of a month."""
KEPT_DAYS: Final = 90
"""Items, by their `ttl`."""
LOGS_KEPT_DAYS: Final = 30
LOGS_COMPRESSED: Final = 0.15
"""Of what was taken in; what CloudWatch's own examples reckon with."""

KNOWN_AFTER: Final = 30
"""Seconds until a vendor that is polled knows of the end: a handset that is on."""

POLLERS: Final = 5
POLL_SECONDS: Final = 20
"""So many requests does Lambda keep waiting at an empty queue, each for so long: assumed."""

SMS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")

FLOOR_READS: Final = {"nomsa": 1, "smsnoc": 1, "smspoh": 0, "nusasms": 1, "whatsapp": 2}
"""To poll, the message must be read for the vendor's id; a report under the vendor's id must find its message."""

NAIVE_EVENTS: Final[Use] = {EVENTS: 2, waits("naive", "EventBridge"): 2}
"""The yardstick only sends. That it tells its callers as much as we do, each change at once, comes on top."""

NAIVE_LOOK: Final[Use] = {
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
"""By habit: an index of open messages (an entry, and its removal), one GET and one update for each, one event."""

NAIVE_RECEIPT: Final[Use] = {
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
"""By habit: a query of an index by the vendor's id (and its entry), one update, one event, a line in each log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """CPU of one vCPU that an invocation takes, and what each of its records adds."""

    fixed_ms: float
    record_ms: float

    @classmethod
    def between(cls, few: tuple[int, float], many: tuple[int, float]) -> "Cpu":
        """Return the line through two measurements: records, and milliseconds."""
        record_ms = max(0.0, (many[1] - few[1]) / (many[0] - few[0]))
        return cls(fixed_ms=max(0.0, few[1] - few[0] * record_ms), record_ms=record_ms)


@cache
def prices() -> dict[str, float]:
    """Return the price of one of each, in dollars."""
    given = json.loads(PRICES.read_text())["prices"]
    return {name: price["usd"] / price["per"] for name, price in given.items()}


# --- arithmetic -------------------------------------------------------------------------------------------------------


def duration_ms(function: str, use: Mapping[str, float], cpu: Cpu, memory: int) -> float:
    """Return how long a function runs for a use: CPU, slower with little memory, and waiting, which is not."""
    worked = use.get(invocations(function), 0) * cpu.fixed_ms + use.get(records_of(function), 0) * cpu.record_ms
    waited = sum(use.get(waits(function, whom), 0) * milliseconds for whom, milliseconds in WAIT_MS.items())
    return worked * max(1.0, FULL_CPU_MB / memory) + waited


def dollars(
    use: Mapping[str, float], cpus: Mapping[str, Cpu], *, memory: int = 512, architecture: str = "x86_64"
) -> dict[str, float]:
    """Return what a use costs, by service."""
    price = prices()
    ran = sum(duration_ms(function, use, cpu, memory) for function, cpu in cpus.items()) / 1000
    logged = (use.get(LOG_BYTES, 0) + use.get(PLATFORM_LOG_BYTES, 0)) / GB
    months = KEPT_DAYS / DAYS
    return {
        "DynamoDB: writes": use.get(WRITE_UNITS, 0) * price["dynamodb.write-unit"],
        "DynamoDB: reads": use.get(READ_UNITS, 0) * price["dynamodb.read-unit"],
        "DynamoDB: kept 90 days": use.get(STORED, 0) / GB * months * price["dynamodb.gb-month"],
        "DynamoDB: point-in-time recovery": use.get(STORED, 0) / GB * months * price["dynamodb.backup-gb-month"],
        "EventBridge: events": use.get(EVENTS, 0) * price["eventbridge.event"],
        "Lambda: time": ran * memory / 1024 * price[f"lambda.gb-second.{architecture}"],
        "Lambda: requests": sum(use.get(invocations(f), 0) for f in cpus) * price["lambda.request"],
        "API Gateway": use.get(API, 0) * price["api.request"],
        "Logs": logged * (price["logs.gb"] + LOGS_COMPRESSED * LOGS_KEPT_DAYS / DAYS * price["logs.gb-month"]),
        "SQS": use.get(SQS, 0) * price["sqs.request"],
        "Secrets": use.get(SECRETS, 0) * price["secrets.read"] + use.get(PARAMETERS, 0) * price["ssm.read"],
        "Data to vendors": use.get(VENDOR_BYTES, 0) / GB * price["transfer.gb-out"],
    }


def looks(poll_seconds: Sequence[int], known_after: float, *, period: float = 60) -> int:
    """Return how often a message is looked at until the vendor knows of its end, so many seconds after it took it.

    follow_up comes once in a period: on average half a period after a message is due.
    """
    looked_at, number = 0.0, 0
    while number == 0 or looked_at < known_after:
        looked_at += poll_seconds[min(number, len(poll_seconds) - 1)] + period / 2
        number += 1
    return number


def floor_of(name: str, counted: Counted, life: Mapping[str, float]) -> Use:
    """Return the fewest calls that the promises allow for a life.

    Record first: a claim, with an entry in the index that lets nothing be forgotten. The result, in place. The meeting
    point. Each report once; the final one takes the entry out. Every change is an event. Nothing says that a line must
    be logged.
    """
    reports = max(1, len(counted.receipts))
    return {
        **life,
        WRITE_UNITS: 2 + 1 + 1 + reports + 1,
        READ_UNITS: FLOOR_READS[name],
        LOG_BYTES: 0,
        PLATFORM_LOG_BYTES: 0,
    }


def scores(costs: Mapping[int, float], waited: Mapping[int, float]) -> dict[int, float]:
    """Return by memory the cost ÷ the least cost plus the time ÷ the least time: 2 would be the best in both."""
    return {memory: costs[memory] / min(costs.values()) + waited[memory] / min(waited.values()) for memory in costs}


def choice_of(found: Mapping[int, float]) -> int:
    """Return the smallest memory of which the score is as good as the best, as far as that can be measured."""
    return min(memory for memory, score in found.items() if score <= min(found.values()) * (1 + NOISE))


# --- CPU --------------------------------------------------------------------------------------------------------------

ROUNDS: Final = 7


def measure_cpu() -> tuple[dict[str, Cpu], dict[str, float]]:
    """Return by function the CPU that it takes, and the most memory, in MB, that its process had."""
    with staged() as stage:
        measured, peaks = {}, {}
        for name, handler, work in (
            ("naive", f"{YARDSTICKS}naive", _sends),
            ("webhook", "webhook", _receipts),
            ("follow_up", "follow_up", _looks),
            ("publish", "publish", _changes),
            ("send", "send", _sends),
        ):
            with stage.sandbox(handler) as sandbox:
                measured[name] = work(stage, sandbox)
                peaks[name] = _peak_mb(sandbox)
        return measured, peaks


def _peak_mb(sandbox: Sandbox) -> float:
    """Return the most memory that a sandbox has had. Its own `ru_maxrss` begins with that of the process before it."""
    status = Path(f"/proc/{sandbox._process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _line(sandbox: Sandbox, events_of: Callable[[int], list[Any]], few: int, many: int) -> Cpu:
    """Measure invocations of two sizes in turn, and draw a line through them."""
    for size in (few, many):
        sandbox.call(*events_of(size))
    spent: dict[int, list[float]] = {few: [], many: []}
    for _ in range(ROUNDS):
        for size, found in spent.items():
            events = events_of(size)
            found.append(sandbox.call(*events).cpu_seconds * 1000 / len(events))
    return Cpu.between((few, median(spent[few])), (many, median(spent[many])))


def _sends(stage: Stage, sandbox: Sandbox) -> Cpu:
    return _line(sandbox, lambda size: [batch_of(size) for _ in range(20 // size)], 1, BATCH)


def _receipts(stage: Stage, sandbox: Sandbox) -> Cpu:
    """Measure receipts that change something."""
    with stage.sandbox("send") as send:
        send.call(*(batch_of(BATCH) for _ in range(ROUNDS + 1)))
    waiting = [item for item in stage.deployment.items(stage.deployment.messages) if item["status"]["S"] == "accepted"]
    spent = []
    for group in (waiting[i : i + BATCH] for i in range(0, len(waiting), BATCH)):
        events = [_receipt(item["message_id"]["S"], item["provider_message_id"]["S"]) for item in group]
        spent.append(sandbox.call(*events).cpu_seconds * 1000 / len(events))
    return Cpu(fixed_ms=median(spent[1:]), record_ms=0)


def _receipt(message_id: str, vendor_id: str) -> Any:
    event = read_event("webhook/smspoh-receipt-get")
    event["queryStringParameters"] |= {"messageId": vendor_id, "clientReference": message_id}
    event["rawQueryString"] = "&".join(f"{name}={value}" for name, value in event["queryStringParameters"].items())
    return event


def _looks(stage: Stage, sandbox: Sandbox) -> Cpu:
    """Measure runs with messages that are due, and without."""

    def run(due: int) -> float:
        with stage.sandbox("send") as send:
            send.call(batch_of(due, provider="nomsa"))
        items = stage.deployment.items(stage.deployment.messages)
        for item in items:
            if item["status"]["S"] == "accepted":
                stage.deployment.make_due(item["message_id"]["S"])
        return sandbox.call({}).cpu_seconds * 1000

    sandbox.call({})
    rest = median(sandbox.call({}).cpu_seconds * 1000 for _ in range(ROUNDS))
    return Cpu.between((0, rest), (DUE, median(run(DUE) for _ in range(3))))


def _changes(stage: Stage, sandbox: Sandbox) -> Cpu:
    insert, change, *_ = read_event("publish/life-of-a-message")["Records"]
    return _line(
        sandbox, lambda size: [{"Records": ([insert, change] * size)[:size]} for _ in range(20 // size)], 1, BATCH
    )


# --- what is shown ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that was counted and measured, and the prices of lives by it."""

    counted: Mapping[str, Counted]
    naive: Mapping[int, Use]
    rest: Use
    """A run of follow_up that finds nothing."""
    cpus: Mapping[str, Cpu]
    peaks_mb: Mapping[str, float]

    @classmethod
    def run(cls) -> "Bench":
        with counting() as scene_of:
            rest = scene_of("nomsa").rest()
        cpus, peaks_mb = measure_cpu()
        return cls(counted=count_all(), naive=count_naive(), rest=rest, cpus=cpus, peaks_mb=peaks_mb)

    def life(self, name: str, *, batch: int = BATCH, known_after: float = KNOWN_AFTER) -> Use:
        return self.counted[name].life(batch=batch, looks=looks(_poll_seconds(), known_after))

    def cost(self, name: str, *, batch: int = BATCH, memory: int = 512, architecture: str = "x86_64") -> float:
        """Return dollars per million."""
        return MILLION * sum(self.by_service(self.life(name, batch=batch), memory, architecture).values())

    def mean_cost(self, **how: Any) -> float:
        """Return the mean of the four vendors' SMS, as if each had a quarter."""
        return mean(self.cost(name, **how) for name in SMS)

    def by_service(self, use: Mapping[str, float], memory: int = 512, architecture: str = "x86_64") -> dict[str, float]:
        return dollars(use, self.cpus, memory=memory, architecture=architecture)

    def floor(self, name: str) -> float:
        """Return dollars per million of the fewest calls, waiting only."""
        idle = dict.fromkeys(self.cpus, Cpu(fixed_ms=0, record_ms=0))
        use = floor_of(name, self.counted[name], self.life(name))
        return MILLION * sum(dollars(use, idle).values())

    def naive_cost(self, name: str, batch: int = BATCH) -> float:
        receipts = self.counted[name].receipts
        reports = times(NAIVE_RECEIPT, len(receipts)) if receipts else NAIVE_LOOK
        return MILLION * sum(self.by_service(added(self.naive[batch], NAIVE_EVENTS, reports)).values())

    def batch_ms(self, memory: int, batch: int = BATCH, function: str = "send") -> float:
        """Return how long a batch takes: what the last of its messages waits for its result."""
        use = self.naive[batch] if function == "naive" else self.counted["smspoh"].send[batch]
        return duration_ms(function, times(use, batch), self.cpus[function], memory)

    def choice(self) -> tuple[dict[int, float], int]:
        """Return the scores of the memory sizes that hold the functions, and the best one."""
        fitting = [memory for memory in MEMORIES if memory >= self.peaks_mb["send"] * CONVERSATION]
        costs = {memory: self.mean_cost(memory=memory) for memory in fitting}
        found = scores(costs, {memory: self.batch_ms(memory) for memory in fitting})
        return found, choice_of(found)


@cache
def _poll_seconds() -> tuple[int, ...]:
    from sampai.contract.settings import parse_settings

    return parse_settings("{}").poll_seconds


def _by_vendor(bench: Bench) -> Table:
    table = _table("Dollars per million messages, batches of 10, 512 MB, x86", "", *KINDS, "mean SMS", "share")
    bills = {name: bench.by_service(bench.life(name)) for name in KINDS}
    total = mean(sum(bills[name].values()) for name in SMS)
    for service in next(iter(bills.values())):
        costs = [MILLION * bill[service] for bill in bills.values()]
        share = mean(bills[name][service] for name in SMS)
        table.add_row(service, *(_usd(cost) for cost in costs), _usd(MILLION * share), f"{share / total:.0%}")
    table.add_section()
    for what, cost in (("total", bench.cost), ("floor", bench.floor), ("naive", bench.naive_cost)):
        costs = [cost(name) for name in KINDS]
        table.add_row(what, *(_usd(each) for each in costs), _usd(mean(cost(name) for name in SMS)), style="bold")
    return table


def _by_memory(bench: Bench) -> Table:
    table = _table(
        "Memory: dollars per million (mean SMS), and how long a batch of 10 takes",
        *("MB", "x86", "of it Lambda's time", "arm64", "batch ms", "naive batch ms", "cost + time"),
    )
    found, best = bench.choice()
    for memory in MEMORIES:
        time = mean(MILLION * bench.by_service(bench.life(name), memory)["Lambda: time"] for name in SMS)
        score = f"{found[memory]:.2f}{' ← choose' if memory == best else ''}" if memory in found else "too small"
        arm = bench.mean_cost(memory=memory, architecture="arm64")
        cells = [bench.mean_cost(memory=memory), time, arm]
        waited = (bench.batch_ms(memory), bench.batch_ms(memory, function="naive"))
        table.add_row(f"{memory:,}", *map(_usd, cells), *(f"{each:,.0f}" for each in waited), score)
    return table


def _by_function(bench: Bench) -> Table:
    title = "Functions: Lambda's time in dollars per million (mean SMS) · ms of an invocation; send of 10, publish of 1"
    table = _table(title, "", *(f"{memory:,} MB" for memory in MEMORIES), "peak MB")
    typical = {
        "send": times(bench.counted["smspoh"].send[BATCH], BATCH),
        "webhook": bench.counted["smspoh"].receipts[0],
        "publish": bench.counted["smspoh"].receipts[0],
        "follow_up": bench.rest,
    }
    for function, use in typical.items():
        cells = []
        for memory in MEMORIES:
            lives = [duration_ms(function, bench.life(name), bench.cpus[function], memory) for name in SMS]
            paid = mean(lives) / 1000 * memory / 1024 * prices()["lambda.gb-second.x86_64"] * MILLION
            cells.append(f"{paid:.2f} · {duration_ms(function, use, bench.cpus[function], memory):,.0f}")
        table.add_row(function, *cells, f"{bench.peaks_mb[function]:.0f}")
    return table


def _by_batch(bench: Bench) -> Table:
    table = _table("Batch size: dollars per million at 512 MB", "", *KINDS, "mean SMS", "batch ms", "naive SMS")
    for size in SIZES:
        costs = [bench.cost(name, batch=size) for name in KINDS]
        naive = mean(bench.naive_cost(name, size) for name in SMS)
        waited = f"{bench.batch_ms(512, size):.0f}"
        table.add_row(str(size), *map(_usd, costs), _usd(bench.mean_cost(batch=size)), waited, _usd(naive))
    return table


def _extras(bench: Bench) -> Table:
    table = _table("What else there is, dollars per million of it", "", "$")
    for name, seconds in (("10 minutes", 600), ("a day", 86_400)):
        late = MILLION * sum(bench.by_service(bench.life("nomsa", known_after=seconds)).values())
        number = looks(_poll_seconds(), seconds)
        what = f"Nomsa, arriving after {name}: {number} looks instead of {looks(_poll_seconds(), KNOWN_AFTER)}"
        table.add_row(what, f"+{_usd(late - bench.cost('nomsa'))}")
    repeat = bench.counted["nusasms"].repeat
    table.add_row("a receipt that says what is known", _usd(MILLION * sum(bench.by_service(repeat).values())))
    room = 1024 - max(bench.counted[name].largest for name in SMS)
    larger = 3 * MILLION * prices()["dynamodb.write-unit"]
    table.add_row(f"an item of more than 1 KB: {room} more bytes of text and metadata", f"+{_usd(larger)}")
    table.add_row("bytes logged for a message, mean SMS", f"{_logged(bench):,.0f} B")
    return table


def _logged(bench: Bench) -> float:
    lives = [bench.life(name) for name in SMS]
    return mean(life[LOG_BYTES] + life[PLATFORM_LOG_BYTES] for life in lives)


def monthly(bench: Bench) -> dict[str, float]:
    """Return what a month costs without a message: what is there, and what runs by the clock."""
    price, minutes = prices(), DAYS * 24 * 60
    kinds = [resource["Type"] for resource in template()["Resources"].values()]
    sources = [
        event["Type"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
    ]
    receives = sources.count("SQS") * POLLERS * minutes * 60 / POLL_SECONDS
    metrics = len(frozenset().union(*(counted.metrics for counted in bench.counted.values())))
    return {
        f"custom metrics, {metrics} came up": metrics * price["cloudwatch.metric"],
        "alarms": kinds.count("AWS::CloudWatch::Alarm") * price["cloudwatch.alarm"],
        "secrets": kinds.count("AWS::SecretsManager::Secret") * price["secrets.secret"],
        "follow_up, every minute": minutes * sum(bench.by_service(bench.rest).values()),
        "Lambda waiting at the queues": receives * price["sqs.request"],
        "the secret read again, for each busy sandbox": minutes * price["secrets.read"],
    }


def _fixed(bench: Bench) -> Table:
    table = _table("Dollars a month, without a message (monitor's four runs an hour not counted)", "", "$")
    costs = monthly(bench)
    for what, cost in costs.items():
        table.add_row(what, _usd(cost))
    table.add_row("total", _usd(sum(costs.values())), style="bold")
    return table


def _figures(bench: Bench) -> Iterator[Figure]:
    for name in KINDS:
        yield Figure(
            key=f"cost.{name}",
            what=f"{name}: a million messages",
            value=bench.cost(name),
            unit="$",
            floor=bench.floor(name),
            note=f"naive: {bench.naive_cost(name):.2f}",
        )
    yield Figure(key="cost.sms", what="SMS, mean of four vendors: a million", value=bench.mean_cost(), unit="$")
    yield Figure(key="cost.memory", what="memory to choose", value=bench.choice()[1], unit="MB")
    yield Figure(key="cost.log-bytes", what="bytes logged for a message", value=_logged(bench), unit="bytes")
    yield Figure(key="cost.month", what="a month without a message", value=sum(monthly(bench).values()), unit="$")


def _notes(bench: Bench) -> Iterator[str]:
    document = json.loads(PRICES.read_text())
    yield f"Prices: {document['region']}, {document['date']}, {document['currency']}."
    unchecked = {name: price["from"] for name, price in document["prices"].items() if price["checked"] is None}
    yield "Not checked for this region: " + "; ".join(f"{name} ({source})" for name, source in unchecked.items()) + "."
    cpus = " · ".join(f"{name} {cpu.fixed_ms:.1f} + {cpu.record_ms:.2f}/record" for name, cpu in bench.cpus.items())
    yield f"CPU in ms, measured here; one vCPU of Lambda is taken for one of this machine: {cpus}."
    answers = ", ".join(f"{whom} {milliseconds:.0f} ms" for whom, milliseconds in WAIT_MS.items())
    yield f"Assumed to answer in: {answers}. No cold starts, no TLS, one vCPU at {FULL_CPU_MB:,} MB."
    yield f"Polled vendors know of the end after {KNOWN_AFTER} s, vendors with webhooks report before we would look."
    yield (
        "Floor: a claim and its entry in the due index, the result in place, the meeting point, each report once, the "
        "entry's removal; every change an event; requests in batches; waiting for one vendor call; no CPU, no log line."
    )
    yield "Naive: its sends are counted; as many events, and learning what became of messages, are reckoned."


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _usd(cost: float) -> str:
    return f"{cost:,.2f}"


def main() -> int:
    """Count, measure, print, and leave the figures in .local/bench.json."""
    console = Console(width=140) if not sys.stdout.isatty() else Console()
    bench = Bench.run()
    for show in (_by_vendor, _by_memory, _by_function, _by_batch, _extras, _fixed):
        console.print(show(bench))
    for note in _notes(bench):
        console.print(note, style="dim", highlight=False)
    save(_figures(bench))
    return 0


if __name__ == "__main__":
    sys.exit(main())
