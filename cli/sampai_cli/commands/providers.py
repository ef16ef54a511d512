"""`sampai providers`: the health of each provider."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from sampai.contract.settings import ProviderSettings, Settings
from sampai.providers.registry import load
from sampai.services.ports.configuration import Secret
from sampai_cli.configuration import read_secret, read_settings
from sampai_cli.run import Run, command, now

COUNTS: Final = {
    "accepted": "SendAccepted",
    "rejected": "SendRejected",
    "unknown": "SendUnknown",
    "polls failed": "StatusPollFailed",
    "account refused": "AccountRefused",
}
"""The columns, and the metrics that they add up."""
CIRCUIT: Final = "CircuitOpened"
BALANCE: Final = "Balance"
BALANCE_AGE: Final = timedelta(hours=1)
"""The monitor measures balances every quarter of an hour."""

COLUMNS: Final = ("provider", "state", "routes", *COUNTS, "balance")


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "ssm:GetParameter on the settings",
        "secretsmanager:GetSecretValue on ProviderSecret",
        "cloudwatch:ListMetrics, cloudwatch:GetMetricData",
    )
    def providers(
        run: Run, hours: Annotated[int, typer.Option(min=1, max=168, help="The time that the counts cover.")] = 1
    ) -> None:
        """Show each provider: state, routes, outcomes of the last hour, and the latest balances.

        A circuit breaker lives in the memory of each sandbox. The metric of all of them together tells whether one
        opened.
        """
        settings, secret = read_settings(run), read_secret(run)
        counts = _counts(run, tuple(settings.providers), span=timedelta(hours=hours))
        balances = _balances(run)
        rows = [
            {
                "provider": name,
                "state": state_of(name, provider, secret),
                "routes": ", ".join(_routes(name, settings)),
                **{column: counts.get((name, metric)) for column, metric in COUNTS.items()},
                "balance": ", ".join(balances.get(name, [])) or None,
            }
            for name, provider in settings.providers.items()
        ]
        run.show(rows, *COLUMNS)
        if not settings.sending_enabled:
            run.note("All sending is stopped: `sampai start` starts it again.")
        if opened := counts.get((None, CIRCUIT)):
            run.note(f"Circuits opened {opened} times: docs/how-to/operate.md#an-open-circuit.")
        if not counts:
            run.note("No metrics of this time: nothing was sent, or the local AWS keeps none.")


def state_of(name: str, provider: ProviderSettings, secret: Secret) -> str:
    """Return whether a provider can be used, by the settings and the names of its credentials."""
    if not provider.enabled:
        return "off: disabled in the settings"
    if name not in secret.credentials:
        return "off: not in the secret"
    usable = secret.credentials[name]
    lacking = {c for api in load(provider.type) for c in api.capabilities.credentials} - usable.keys()
    return f"unusable: {', '.join(sorted(lacking))}" if lacking else "on"


def _routes(name: str, settings: Settings) -> Iterator[str]:
    for channel, routes in settings.routes.items():
        for country, route in routes.items():
            if name in route:
                yield f"{channel} {country} {route.index(name) + 1}/{len(route)}"


def _counts(run: Run, names: tuple[str, ...], *, span: timedelta) -> dict[tuple[str | None, str], int]:
    """Return the sums of the counts by provider and metric. Those without a value are left out."""
    wanted: list[tuple[str | None, str]] = [(name, metric) for name in names for metric in COUNTS.values()]
    wanted.append((None, CIRCUIT))
    queries = [
        _query(run, f"m{index}", metric, "Sum", span, {} if name is None else {"provider": name})
        for index, (name, metric) in enumerate(wanted)
    ]
    found = _values(run, queries, span)
    return {key: int(sum(found[f"m{i}"])) for i, key in enumerate(wanted) if found.get(f"m{i}")}


def _balances(run: Run) -> dict[str, list[str]]:
    """Return the latest balance of each account, by provider."""
    pages = run.client("cloudwatch").get_paginator("list_metrics")
    listed = pages.paginate(Namespace=_namespace(run), MetricName=BALANCE)
    accounts = [{d["Name"]: d["Value"] for d in m["Dimensions"]} for page in listed for m in page["Metrics"]]
    queries = [
        _query(run, f"b{index}", BALANCE, "Minimum", BALANCE_AGE / 4, dimensions)
        for index, dimensions in enumerate(accounts)
    ]
    found = _values(run, queries, BALANCE_AGE)
    balances: dict[str, list[str]] = {}
    for index, dimensions in enumerate(accounts):
        if values := found.get(f"b{index}"):
            shown = f"{dimensions.get('account', '')} {values[0]:g}".strip()
            balances.setdefault(dimensions.get("provider", ""), []).append(shown)
    return balances


def _query(
    run: Run, query_id: str, metric: str, statistic: str, period: timedelta, dimensions: Mapping[str, str]
) -> dict[str, Any]:
    described = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    named = {"Namespace": _namespace(run), "MetricName": metric, "Dimensions": described}
    seconds = int(period.total_seconds())
    return {"Id": query_id, "MetricStat": {"Metric": named, "Period": seconds, "Stat": statistic}}


def _values(run: Run, queries: list[dict[str, Any]], span: timedelta) -> dict[str, list[float]]:
    """Return the values of each query, the latest first."""
    found: dict[str, list[float]] = {}
    for start in range(0, len(queries), 500):  # the most of one call
        answer = run.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries[start : start + 500],
            StartTime=now() - span,
            EndTime=now(),
            ScanBy="TimestampDescending",
        )
        found |= {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    return found


def _namespace(run: Run) -> str:
    return f"Sampai/{run.stack.name}"
