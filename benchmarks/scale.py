"""`python -m benchmarks.scale`: what is in the way at 10, 1,000 and 100,000 messages a second, and what moves it.

For each rate the simulation runs twice: with everything as it is deployed, which tells what goes out and what waits;
and with what is moved, which tells how much of each resource the rate wants. The one divided by the other is how hot a
resource gets. What the product's code or template says is read there; what AWS says stands in `QUOTAS`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import model
from benchmarks.model import Plan, Run, Simulation
from sampai.adapters.items import DUE_SHARDS
from sampai.services.follow_up.service import PASS_SECONDS, PASS_SIZE
from sampai.services.send.dispatch import THREADS
from sampai.services.send.pacer import AHEAD, MAX_INLINE_WAIT_SECONDS
from tests.template import default, template

READ_ON: Final = "2026-11-21"
"""When the pages of AWS were looked up, in stored copies. Service Quotas of your account has the last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit of AWS, for an account in ap-southeast-1 unless the name says otherwise."""

    name: str
    value: float
    page: str
    """The title of the page of AWS's documentation that has it."""
    can_be_raised: bool = True


QUOTAS: Final[Mapping[str, Quota]] = {
    "pollers": Quota(
        name="batches of a queue at a time, to begin with",
        value=5,
        page="Lambda: Configuring scaling behavior for SQS event source mappings",
        can_be_raised=False,
    ),
    "pollers_per_minute": Quota(
        name="batches of a queue at a time, more in each minute",
        value=300,
        page="Lambda: Configuring scaling behavior for SQS event source mappings",
        can_be_raised=False,
    ),
    "mapping": Quota(
        name="batches of a queue at a time, in all (MaximumConcurrency: 1,000)",
        value=1250,
        page="Lambda: Configuring scaling behavior for SQS event source mappings",
    ),
    "concurrency": Quota(name="Lambda: concurrent executions (new accounts: fewer)", value=1000, page="Lambda quotas"),
    "burst": Quota(
        name="Lambda: environments of a function, more in each 10 s",
        value=1000,
        page="Lambda scaling behavior",
        can_be_raised=False,
    ),
    "in_flight": Quota(
        name="SQS: messages of a queue in flight", value=120_000, page="Amazon SQS standard queue quotas"
    ),
    "partition": Quota(
        name="DynamoDB: write units of a partition a second (read units: 3,000)",
        value=1000,
        page="DynamoDB: Understanding warm throughput in different scenarios",
        can_be_raised=False,
    ),
    "new_table": Quota(
        name="DynamoDB: write units of a new on-demand table a second",
        value=4000,
        page="DynamoDB on-demand capacity mode",
    ),
    "table": Quota(name="DynamoDB: write units of a table a second", value=40_000, page="Quotas in Amazon DynamoDB"),
    "lanes": Quota(
        name="Lambda: batches of a stream's shard at a time (ParallelizationFactor; default 1)",
        value=10,
        page="Lambda: Using AWS Lambda with Amazon DynamoDB",
        can_be_raised=False,
    ),
    "readers": Quota(
        name="DynamoDB Streams: readers of a shard",
        value=2,
        page="DynamoDB: Change data capture for DynamoDB Streams",
        can_be_raised=False,
    ),
    "put_events": Quota(
        name="EventBridge: PutEvents requests a second", value=1200, page="Amazon EventBridge endpoints and quotas"
    ),
    "deliveries": Quota(
        name="EventBridge: deliveries to targets a second", value=2250, page="Amazon EventBridge quotas"
    ),
    "api": Quota(name="API Gateway: requests a second", value=10_000, page="Amazon API Gateway quotas"),
    "secret": Quota(
        name="Secrets Manager: GetSecretValue a second",
        value=10_000,
        page="What's New: Secrets Manager increases API requests per second (March 2025)",
        can_be_raised=False,
    ),
    "parameter": Quota(
        name="Parameter Store: GetParameter a second, standard throughput",
        value=40,
        page="AWS Systems Manager endpoints and quotas",
    ),
}

HOT: Final = 0.8
"""From this share on a resource is hot: what is left is for the uneven seconds."""


def deployed(per_second: float) -> Plan:
    """Return the plan of a stack as the template makes it, at so many messages a second."""
    parameters, resources = template()["Parameters"], template()["Resources"]
    throttle = parameters["WebhookRateLimit"]["Default"]
    changes = resources["PublishFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    follow_up = resources["FollowUpFunction"]["Properties"]["Timeout"]
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
        shards=round(QUOTAS["new_table"].value / QUOTAS["partition"].value),
        lanes=int(default(changes["ParallelizationFactor"])),
        records=changes["BatchSize"],
        puts_per_second=QUOTAS["put_events"].value,
        deliveries_per_second=QUOTAS["deliveries"].value,
        webhooks_per_second=throttle,
        pass_size=PASS_SIZE,
        follow_up_seconds=follow_up - PASS_SECONDS,
        ahead=AHEAD.total_seconds(),
        patience=MAX_INLINE_WAIT_SECONDS,
        turns_per_second=QUOTAS["partition"].value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A rate, over how many stacks it is spread, and what is moved in each of them."""

    per_second: int
    stacks: int = 1
    moved: Mapping[str, float]
    quotas: Mapping[str, float]
    """Quotas of the account that are raised: concurrency, parameter."""


SCALES: Final = (
    Scale(per_second=10, moved={}, quotas={}),
    Scale(
        per_second=1000,
        moved={
            "concurrency": 60,
            "webhooks_per_second": 2500,
            "lanes": 4,
            "table_units": 8000,
            "shards": 8,
            "deliveries_per_second": 5000,
        },
        quotas={},
    ),
    Scale(
        per_second=100_000,
        stacks=10,
        moved={
            "concurrency": 500,
            "webhooks_per_second": 20_000,
            "lanes": 10,
            "table_units": 80_000,
            "shards": 80,
            "index_units": 64_000,
            "due_shards": 64,
            "puts_per_second": 6_000,
            "deliveries_per_second": 50_000,
        },
        quotas={"concurrency": 2000},
    ),
)

MOVERS: Final[Mapping[str, str]] = {
    model.WORKERS: "`SendConcurrency`",
    model.FUNCTIONS: "quota: Lambda concurrent executions",
    model.TABLE: "warm throughput of the table; its quota",
    model.INDEX: "`DueShards`",
    model.PUBLISH: "`ParallelizationFactor`",
    model.PUTS: "quota: EventBridge PutEvents",
    model.DELIVERIES: "quota: EventBridge invocations",
    model.WEBHOOKS: "`WebhookRateLimit`",
    model.FOLLOW_UP: "`poll_seconds`; vendors that report",
    model.TURNS: "no `max_per_second`; more vendors",
    model.SETTINGS: "Parameter Store: higher throughput",
}
"""What moves each resource."""


def capacities(plan: Plan, quotas: Mapping[str, float]) -> dict[str, float]:
    """Return how much there is of each resource, in its own unit."""
    return {
        model.WORKERS: plan.concurrency,
        model.FUNCTIONS: quotas.get("concurrency", QUOTAS["concurrency"].value),
        model.TABLE: plan.table_units,
        model.INDEX: plan.index_units,
        model.PUBLISH: plan.shards * plan.lanes,
        model.PUTS: plan.puts_per_second,
        model.DELIVERIES: plan.deliveries_per_second,
        model.WEBHOOKS: plan.webhooks_per_second,
        model.FOLLOW_UP: plan.follow_up_seconds,
        model.TURNS: plan.turns_per_second,
        model.SETTINGS: quotas.get("parameter", QUOTAS["parameter"].value),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One resource at one rate: how much is wanted, how much there is as deployed and when moved."""

    name: str
    wanted: float
    there: float
    moved: float
    per_second: float
    """The rate at which so much is wanted."""

    @property
    def used(self) -> float:
        return self.wanted / self.there

    @property
    def hot_from(self) -> float:
        """From how many messages a second on it is hot as deployed, if it is wanted in proportion."""
        return HOT * self.per_second / self.used

    @property
    def used_then(self) -> float:
        return self.wanted / self.moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found at one rate; the lines are in order, the hottest first."""

    scale: Scale
    lines: list[Line]
    as_deployed: Run
    moved: Run


def look_at(scale: Scale, seed: int = 1) -> Finding:
    """Simulate a rate, as deployed and with what is moved."""
    plan = deployed(scale.per_second)
    before = Simulation(plan, seed).run()
    fields = {name: int(value) if name in WHOLE else value for name, value in scale.moved.items()}
    share = replace(plan, per_second=scale.per_second / scale.stacks, seconds=240.0, warm_up=180.0, **fields)  # type: ignore[arg-type]
    after = Simulation(share, seed).run()
    there, then = capacities(plan, {}), capacities(share, scale.quotas)
    lines = [
        Line(
            name=name,
            wanted=wanted * scale.stacks,
            there=there[name],
            moved=then[name] * scale.stacks,
            per_second=scale.per_second,
        )
        for name, wanted in after.asked.items()
    ]
    lines.sort(key=lambda line: -line.used)
    return Finding(scale=scale, lines=lines, as_deployed=before, moved=after)


WHOLE: Final = ("concurrency", "lanes", "shards", "due_shards")


def report(finding: Finding) -> Table:
    """Return what was found as a table."""
    scale, before, after = finding.scale, finding.as_deployed, finding.moved
    stacks = f" in {scale.stacks} stacks" if scale.stacks > 1 else ""
    waits = f"{before.left:,} wait after three minutes" if before.left > scale.per_second else "none waits"
    title = (
        f"{scale.per_second:,} messages a second. As deployed {before.per_second:,.0f} go out, {waits}. "
        f"Moved{stacks}: {after.per_second * scale.stacks:,.0f}, half within {after.waited_median:.1f} s, "
        f"99 % within {after.waited_99:.1f} s."
    )
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("resource", "wanted", "there", "used", "hot from", "moved by", "to", "used then"):
        table.add_column(heading, justify="left" if heading in ("resource", "moved by") else "right")
    for line in finding.lines:
        is_moved = line.moved != line.there
        table.add_row(
            line.name,
            _number(line.wanted),
            _number(line.there),
            f"[{'red' if line.used > HOT else 'green'}]{_share(line.used)}[/]",
            _number(line.hot_from),
            MOVERS[line.name] if line.used > HOT or is_moved else "",
            _number(line.moved) if is_moved else "",
            _share(line.used_then) if is_moved else "",
        )
    return table


def quotas() -> Table:
    """Return the quotas of AWS that the simulation knows."""
    table = Table(title=f"Quotas of AWS, as read on {READ_ON}", title_justify="left", title_style="bold")
    for heading in ("quota", "value", "can be raised", "page"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for quota in QUOTAS.values():
        table.add_row(quota.name, _number(quota.value), "yes" if quota.can_be_raised else "no", quota.page)
    return table


def _number(value: float) -> str:
    if value == inf:
        return "∞"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _share(value: float) -> str:
    return f"{value:,.0%}" if value < 10 else f"{value:,.0f} ×"


def main() -> int:
    """Print the tables. Returns the exit status."""
    console = Console(width=170) if not sys.stdout.isatty() else Console()
    for scale in SCALES:
        console.print(report(look_at(scale)))
    console.print(quotas())
    return 0


if __name__ == "__main__":
    sys.exit(main())
