"""`python -m benchmarks.scale`: the bottlenecks at 10, 1,000, 10,000 and 100,000 messages per second, and remedies.

For each rate the simulation runs twice. The first run, as deployed, shows the throughput and the waiting messages. The
second run, with changed settings, shows the needed amount of each resource; needed ÷ available is the share in use. The
values as deployed come from the product's code and template, the limits of AWS from `QUOTAS`. With `--write` the
command also writes its tables into the page `SCALE_PAGE`. The exit status is 1 if a backlog grows after the changes.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Final

from rich.table import Table

from benchmarks import model
from benchmarks.model import Plan, Run, Simulation, looks_per_second
from benchmarks.page import SCALE_PAGE, markdown_table, write_blocks
from benchmarks.results import new_console, new_table
from sampai.adapters.items import DUE_SHARDS
from sampai.services.follow_up.due import PASS_SECONDS, PASS_SIZE
from sampai.services.send.dispatch import THREADS
from sampai.services.send.pacer import AHEAD, MAX_INLINE_WAIT_SECONDS
from tests.template import default, template

READ_ON: Final = "2026-11-21"
"""The date of the quotas, which come from stored copies of the AWS pages. The valid values are in Service Quotas."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of AWS in ap-southeast-1: of an account, or as the name says."""

    name: str
    value: float
    page: str
    """The title of its page in the AWS documentation."""
    can_be_raised: bool = True


_SQS_SCALING: Final = "Lambda: Configuring scaling behavior for SQS event source mappings"

QUOTAS: Final[Mapping[str, Quota]] = {
    "pollers": Quota("concurrent batches of a queue, at first", 5, _SQS_SCALING, can_be_raised=False),
    "pollers_per_minute": Quota(
        "concurrent batches of a queue, more per minute", 300, _SQS_SCALING, can_be_raised=False
    ),
    "mapping": Quota("concurrent batches of a queue, in total (MaximumConcurrency: 1,000)", 1250, _SQS_SCALING),
    "concurrency": Quota("Lambda: concurrent executions (new accounts: fewer)", 1000, "Lambda quotas"),
    "burst": Quota(
        "Lambda: new environments of a function per 10 s", 1000, "Lambda scaling behavior", can_be_raised=False
    ),
    "in_flight": Quota("SQS: messages of a queue in flight", 120_000, "Amazon SQS standard queue quotas"),
    "partition": Quota(
        "DynamoDB: write units of a partition per second (read units: 3,000)",
        1000,
        "DynamoDB: Understanding warm throughput in different scenarios",
        can_be_raised=False,
    ),
    "new_table": Quota(
        "DynamoDB: write units of a new on-demand table per second", 4000, "DynamoDB on-demand capacity mode"
    ),
    "table": Quota("DynamoDB: write units of a table per second", 40_000, "Quotas in Amazon DynamoDB"),
    "parallelization": Quota(
        "Lambda: concurrent batches of a stream's shard (ParallelizationFactor; default 1)",
        10,
        "Lambda: Using AWS Lambda with Amazon DynamoDB",
        can_be_raised=False,
    ),
    "readers": Quota(
        "DynamoDB Streams: readers of a shard",
        2,
        "DynamoDB: Change data capture for DynamoDB Streams",
        can_be_raised=False,
    ),
    "put_events": Quota("EventBridge: PutEvents requests per second", 1200, "Amazon EventBridge endpoints and quotas"),
    "deliveries": Quota("EventBridge: deliveries to targets per second", 2250, "Amazon EventBridge quotas"),
    "api": Quota("API Gateway: requests per second", 10_000, "Amazon API Gateway quotas"),
    "secret": Quota(
        "Secrets Manager: GetSecretValue per second",
        10_000,
        "What's New: Secrets Manager increases API requests per second (March 2025)",
        can_be_raised=False,
    ),
    "parameter": Quota(
        "Parameter Store: GetParameter per second, standard throughput", 40, "AWS Systems Manager endpoints and quotas"
    ),
}

HOT: Final = 0.8
"""A resource is hot above this share of its capacity. The rest is for bursts."""


def deployed_plan(per_second: float) -> Plan:
    """Return the plan of a stack with the template's defaults, at some messages per second."""
    parameters, resources = template()["Parameters"], template()["Resources"]
    changes = resources["PublishFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    return Plan(
        per_second=per_second,
        seconds=180.0,
        warm_up=60.0,
        batch=parameters["SendBatchSize"]["Default"],
        concurrency=parameters["SendConcurrency"]["Default"],
        pollers=QUOTAS["pollers"].value,
        pollers_per_minute=QUOTAS["pollers_per_minute"].value,
        threads=THREADS,
        table_units=QUOTAS["new_table"].value,
        index_units=DUE_SHARDS * QUOTAS["partition"].value,
        due_shards=DUE_SHARDS,
        follow_up_workers=parameters["FollowUpWorkers"]["Default"],
        shards=round(QUOTAS["new_table"].value / QUOTAS["partition"].value),
        parallelization=int(default(changes["ParallelizationFactor"])),
        stream_batch=changes["BatchSize"],
        puts_per_second=QUOTAS["put_events"].value,
        deliveries_per_second=QUOTAS["deliveries"].value,
        webhooks_per_second=parameters["WebhookRateLimit"]["Default"],
        pass_size=PASS_SIZE,
        follow_up_seconds=resources["FollowUpFunction"]["Properties"]["Timeout"] - PASS_SECONDS,
        ahead=AHEAD.total_seconds(),
        max_inline_wait=MAX_INLINE_WAIT_SECONDS,
        reservations_per_second=QUOTAS["partition"].value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A rate, the number of stacks that share it, and the changes in each of them."""

    per_second: int
    stacks: int = 1
    changes: Mapping[str, float]
    """Fields of the plan."""
    quotas: Mapping[str, float]
    """Raised quotas of the account: concurrency, parameter."""


_LARGE_STACK: Final = {
    "concurrency": 200,
    "webhooks_per_second": 8000,
    "parallelization": 4,
    "table_units": 24_000,
    "shards": 24,
    "index_units": 64_000,
    "due_shards": 64,
    "follow_up_workers": 64,
    "puts_per_second": 4000,
    "deliveries_per_second": 20_000,
}
"""A stack for 3,333 messages per second. 64 workers of follow_up are the maximum."""

SCALES: Final = (
    Scale(per_second=10, changes={}, quotas={}),
    Scale(
        per_second=1000,
        changes={
            "concurrency": 60,
            "webhooks_per_second": 2500,
            "parallelization": 4,
            "table_units": 8000,
            "shards": 8,
            "deliveries_per_second": 5000,
            "due_shards": 16,
            "index_units": 16_000,
            "follow_up_workers": 16,
        },
        quotas={},
    ),
    Scale(per_second=10_000, stacks=3, changes=_LARGE_STACK, quotas={}),
    Scale(per_second=100_000, stacks=30, changes=_LARGE_STACK, quotas={}),
)

REMEDIES: Final[Mapping[str, str]] = {
    model.WORKERS: "`SendConcurrency`",
    model.FUNCTIONS: "quota: Lambda concurrent executions",
    model.TABLE: "warm throughput of the table; its quota",
    model.INDEX: "`DueShards`",
    model.PUBLISH: "`ParallelizationFactor`",
    model.PUTS: "quota: EventBridge PutEvents",
    model.DELIVERIES: "quota: EventBridge invocations",
    model.WEBHOOKS: "`WebhookRateLimit`",
    model.FOLLOW_UP: "`FollowUpWorkers`",
    model.LOOKUPS: "the vendor's limit on look-ups",
    model.RESERVATIONS: "no `max_per_second`; more vendors",
    model.SETTINGS: "Parameter Store: higher throughput",
}
"""The setting or quota that changes the capacity of each resource."""


def capacities(plan: Plan, quotas: Mapping[str, float]) -> dict[str, float]:
    """Return the capacity of each resource, in its own unit."""
    return {
        model.WORKERS: plan.concurrency,
        model.FUNCTIONS: quotas.get("concurrency", QUOTAS["concurrency"].value),
        model.TABLE: plan.table_units,
        model.INDEX: plan.index_units,
        model.PUBLISH: plan.shards * plan.parallelization,
        model.PUTS: plan.puts_per_second,
        model.DELIVERIES: plan.deliveries_per_second,
        model.WEBHOOKS: plan.webhooks_per_second,
        model.FOLLOW_UP: plan.follow_up_seconds * plan.follow_up_workers,
        model.LOOKUPS: plan.max_lookups_per_second,
        model.RESERVATIONS: plan.reservations_per_second,
        model.SETTINGS: quotas.get("parameter", QUOTAS["parameter"].value),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One resource at one rate: its needed amount, and its capacity as deployed and after the changes."""

    name: str
    needed: float
    capacity: float
    changed_capacity: float

    @property
    def used(self) -> float:
        return self.needed / self.capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result for one rate. The lines are sorted, the hottest first."""

    scale: Scale
    lines: list[Line]
    as_deployed: Run
    changed: Run
    growing: tuple[str, ...]
    """The backlogs that grow after the changes."""


SECONDS: Final = 535.0
WARM_UP: Final = 240.0
"""After four minutes the looks that found nothing new are repeated as often as they will ever be."""


def simulate(scale: Scale, seed: int = 1) -> Finding:
    """Simulate a rate, as deployed and with the changes."""
    plan = deployed_plan(scale.per_second)
    as_deployed = Simulation(plan, seed).run()
    changes = {"per_second": scale.per_second / scale.stacks, "seconds": SECONDS, "warm_up": WARM_UP, **scale.changes}
    share = replace(plan, **changes)  # type: ignore[arg-type]
    changed = _run(share, seed)
    before, after = capacities(plan, {}), capacities(share, scale.quotas)
    lines = [
        Line(
            name=name,
            needed=needed * scale.stacks,
            capacity=before[name],
            changed_capacity=after[name] * scale.stacks,
        )
        for name, needed in changed.needed.items()
    ]
    lines.sort(key=lambda line: -line.used)
    growing = tuple(growing_backlogs(share, changed))
    return Finding(scale=scale, lines=lines, as_deployed=as_deployed, changed=changed, growing=growing)


@cache
def _run(plan: Plan, seed: int) -> Run:
    """Simulate a plan, once."""
    return Simulation(plan, seed).run()


def growing_backlogs(plan: Plan, run: Run) -> Iterator[str]:
    """Yield the names of the backlogs that grow during a run, or hold the messages of more than three seconds."""
    some = 3 * plan.per_second
    if run.waiting > some:
        yield "messages in the queue"
    if run.unpublished > some * run.needed[model.DELIVERIES] / max(run.per_second, 1e-9):
        yield "changes without an event"
    early, late = run.left_over[:3], run.left_over[-3:]
    if late and max(late) > max(early) + some:
        yield "due messages"


COLUMNS: Final = ("resource", "needed", "available", "used", "hot from", "change", "to", "then used")


def finding_rows(finding: Finding) -> Iterator[list[str]]:
    """Yield the rows of a finding, the hottest resource first."""
    for line in finding.lines:
        is_changed = line.changed_capacity != line.capacity
        yield [
            line.name,
            _number(line.needed),
            _number(line.capacity),
            _share(line.used),
            _number(HOT * finding.scale.per_second / line.used) if line.used else "",  # the need grows with the rate
            REMEDIES[line.name] if line.used > HOT or is_changed else "",
            _number(line.changed_capacity) if is_changed else "",
            _share(line.needed / line.changed_capacity) if is_changed else "",
        ]


def summary_of(finding: Finding) -> str:
    """Return the throughput and the backlogs of a finding, as sentences."""
    scale, before, after = finding.scale, finding.as_deployed, finding.changed
    waiting = "none wait" if before.waiting <= scale.per_second else f"{before.waiting:,} wait after three minutes"
    text = f"{scale.per_second:,} messages per second. As deployed, {before.per_second:,.0f} are sent and {waiting}. "
    stacks = f" in {scale.stacks} stacks" if scale.stacks > 1 else ""
    if scale.changes:
        text += f"After the changes{stacks}, {after.per_second * scale.stacks:,.0f} are sent. "
    text += f"Half reach the vendor within {after.wait_median:.1f} s, 99 % within {after.wait_99:.1f} s. "
    return text + (f"These backlogs grow: {', '.join(finding.growing)}." if finding.growing else "No backlog grows.")


def finding_table(finding: Finding) -> Table:
    table = new_table(summary_of(finding), *COLUMNS, left=("change",))
    for line, row in zip(finding.lines, finding_rows(finding), strict=True):
        row[3] = f"[{'red' if line.used > HOT else 'green'}]{row[3]}[/]"
        table.add_row(*row)
    return table


def blocks_of(findings: Sequence[Finding]) -> dict[str, str]:
    """Return the tables of the page by name."""
    tables = {
        f"scale-{finding.scale.per_second}": f"{summary_of(finding)}\n\n{_markdown(finding)}" for finding in findings
    }
    return {**tables, "workers": markdown_table(WORKER_COLUMNS, worker_rows()), "quotas": _quota_markdown()}


def _markdown(finding: Finding) -> str:
    return markdown_table(COLUMNS, finding_rows(finding), left=("change",))


WORKER_COLUMNS: Final = ("`FollowUpWorkers`", "looks per second", "messages per second, half of them polled")


def worker_rows() -> Iterator[list[str]]:
    """Yield the capacity of follow_up by the number of its workers, up to the share that is not hot."""
    plan = deployed_plan(1.0)
    for workers in (1, 2, 4, 8, 16, 32, 64):
        shards = max(DUE_SHARDS, workers)
        looks = workers * looks_per_second(replace(plan, follow_up_workers=workers, due_shards=shards))
        per_second = HOT * looks / (plan.polled * plan.looks + plan.silent)
        yield [str(workers), _number(looks), _number(per_second)]


def _quota_markdown() -> str:
    rows = [[q.name, _number(q.value), "yes" if q.can_be_raised else "no", q.page] for q in QUOTAS.values()]
    return markdown_table(("quota", "value", "can be raised", "page"), rows, left=("can be raised", "page"))


def quota_table() -> Table:
    columns = ("quota", "value", "can be raised", "page")
    table = new_table(f"Quotas of AWS, read on {READ_ON}", *columns, left=("can be raised", "page"))
    for quota in QUOTAS.values():
        table.add_row(quota.name, _number(quota.value), "yes" if quota.can_be_raised else "no", quota.page)
    return table


def _number(value: float) -> str:
    if value == inf:
        return "∞"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _share(value: float) -> str:
    return f"{value:,.0%}" if value < 10 else f"{value:,.0f} ×"


def main(arguments: list[str]) -> int:
    """Simulate, print the tables, and return the exit status."""
    console = new_console(170)
    findings = [simulate(scale) for scale in SCALES]
    for finding in findings:
        console.print(finding_table(finding))
    workers = new_table("follow_up at 512 MB, a vendor that answers in 0.2 s", *WORKER_COLUMNS)
    for row in worker_rows():
        workers.add_row(*row)
    console.print(workers)
    console.print(quota_table())
    if "--write" in arguments:
        write_blocks(SCALE_PAGE, blocks_of(findings))
    return 1 if any(finding.growing for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
