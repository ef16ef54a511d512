"""The dashboard, the alarms and the saved queries ask only for metrics and log lines that exist."""

import json
import re
from typing import Any, Final

import pytest

from sampai_cli.commands.providers import BALANCE, CIRCUIT, COUNTS
from tests.harness.metrics import PACKAGE, emitted
from tests.template import ROOT, template

RESOURCES: Final[dict[str, Any]] = template()["Resources"]
BODY: Final[str] = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS: Final[list[dict[str, Any]]] = json.loads(BODY)["widgets"]
QUERIES: Final = {
    resource["Properties"]["Name"]["Fn::Sub"].partition("/")[2]: resource["Properties"]
    for resource in template("queries.yaml")["Resources"].values()
}
OWN: Final = "Sampai/${AWS::StackName}"

SEARCH: Final = re.compile(r"""SEARCH\('\{"([^"]+)",([a-z,]+)\} MetricName="(\w+)"', '(\w+)', (60|300|900|3600)\)""")
STATISTICS: Final = {"Sum", "Average", "Maximum", "Minimum", "SampleCount", "p50", "p95", "p99"}

Metric = tuple[str, str, tuple[str, ...]]
"""Namespace, name and names of the dimensions."""


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [widget["properties"] for widget in WIDGETS if widget["type"] == kind]


def metrics_of(entry: list[Any]) -> list[Metric]:
    """Return the metrics of one line of a widget."""
    match entry:
        case [{"expression": str(expression)}]:
            found = [(m[1], m[3], tuple(m[2].split(","))) for m in SEARCH.finditer(expression)]
            assert SEARCH.sub("", expression) in ("", "SUM()"), expression
            return found
        case [str(namespace), str(name), *dimensions]:
            return [(namespace, name, tuple(dimensions[:-1:2]))]
    raise ValueError(f"no line of a widget: {entry}")


SHOWN: Final = {metric for widget in of_kind("metric") for entry in widget["metrics"] for metric in metrics_of(entry)}
ALARMED: Final = {
    (
        alarm["Properties"]["Namespace"]["Fn::Sub"],
        alarm["Properties"]["MetricName"],
        tuple(dimension["Name"] for dimension in alarm["Properties"].get("Dimensions", [])),
    )
    for alarm in RESOURCES.values()
    if alarm["Type"] == "AWS::CloudWatch::Alarm" and isinstance(alarm["Properties"]["Namespace"], dict)
}


def test_the_functions_emit_every_metric_of_the_dashboard_and_the_alarms_with_its_dimensions() -> None:
    own = {metric for metric in SHOWN | ALARMED if not metric[0].startswith("AWS/")}

    assert {metric for metric in own if metric[0] != OWN or metric[2] not in emitted().get(metric[1], set())} == set()
    assert len(own) > 30


def test_the_tool_asks_for_metrics_that_exist() -> None:
    asked = {(name, ("provider",)) for name in COUNTS.values()} | {(CIRCUIT, ()), (BALANCE, ("provider", "account"))}

    assert {(name, dimensions) for name, dimensions in asked if dimensions not in emitted().get(name, set())} == set()


def test_the_dashboard_shows_every_metric_by_provider_and_category() -> None:
    distributions = {name for name, dimensions in emitted().items() if ("provider", "category") in dimensions}

    assert {name for _, name, dimensions in SHOWN if dimensions == ("provider", "category")} == distributions
    assert distributions >= {"AcceptLatency", "VendorLatency", "DeliveryLatency", "Delivered"}


@pytest.mark.parametrize("metric", ["AcceptLatency", "VendorLatency", "DeliveryLatency"])
def test_a_latency_is_shown_by_three_percentiles(metric: str) -> None:
    statistics = [found[4] for found in searches() if found[3] == metric and found[4].startswith("p")]

    assert statistics == ["p50", "p95", "p99"]


def searches() -> list[re.Match[str]]:
    entries = [entry[0] for widget in of_kind("metric") for entry in widget["metrics"]]
    expressions = [entry["expression"] for entry in entries if isinstance(entry, dict)]
    return [found for expression in expressions for found in SEARCH.finditer(expression)]


def test_the_metrics_of_aws_are_those_of_resources_of_the_stack() -> None:
    dimensions = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "AWS/ApiGateway": "ApiId"}
    entries = [entry for widget in of_kind("metric") for entry in widget["metrics"] if str(entry[0]).startswith("AWS/")]
    names = {entry[3].removeprefix("${").removesuffix("}").partition(".")[0] for entry in entries}

    assert [entry for entry in entries if entry[2] != dimensions[entry[0]]] == []
    assert names - RESOURCES.keys() == set()


def test_every_alarm_function_and_queue_that_each_stack_has_is_on_the_dashboard() -> None:
    shown = ("AWS::CloudWatch::Alarm", "AWS::Serverless::Function", "AWS::SQS::Queue")
    missing = {
        name
        for name, resource in RESOURCES.items()
        if resource["Type"] in shown and "Condition" not in resource
        if f"${{{name}}}" not in BODY and f"${{{name}." not in BODY
    }

    assert missing == set()


def test_a_widget_has_a_title_a_place_of_its_own_and_known_statistics() -> None:
    cells = [
        (column, row)
        for widget in WIDGETS
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]
    entries = [entry for widget in of_kind("metric") for entry in widget["metrics"]]
    statistics = {entry[-1]["stat"] for entry in entries if "stat" in entry[-1]}
    statistics |= {found[4] for found in searches()}

    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24
    assert [widget for widget in WIDGETS if not widget["properties"]["title"]] == []
    assert statistics <= STATISTICS


LINES: Final = set(
    re.findall(
        r'telemetry\.(?:info|warning|error)\(\s*"([^"]+)"', "\n".join(p.read_text() for p in PACKAGE.rglob("*.py"))
    )
)


def queries() -> dict[str, str]:
    logs = {widget["title"]: widget["query"] for widget in of_kind("log")}
    return logs | {name: properties["QueryString"] for name, properties in QUERIES.items()}


@pytest.mark.parametrize("name", queries())
def test_a_query_looks_for_log_lines_that_the_functions_write(name: str) -> None:
    wanted = set(re.findall(r'message = "([^"]+)"', queries()[name]))

    assert wanted <= LINES
    assert wanted or "level in" in queries()[name] or "message_id" in queries()[name]


def test_the_queries_read_the_log_groups_of_the_functions() -> None:
    groups = {
        resource["Properties"]["LogGroupName"]["Fn::Sub"].replace("AWS::StackName", "SampaiStack")
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }
    read = {group["Fn::Sub"] for properties in QUERIES.values() for group in properties["LogGroupNames"]}
    sources = {name for widget in of_kind("log") for name in re.findall(r"SOURCE '\$\{(\w+)\}'", widget["query"])}

    assert read <= groups
    assert {RESOURCES[name]["Type"] for name in sources} == {"AWS::Logs::LogGroup"}
    assert {query["LogGroupNames"][0]["Fn::Sub"] for query in QUERIES.values()} == {"/aws/lambda/${SampaiStack}/send"}


def test_every_metric_has_a_line_in_the_table_of_metrics() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    rows = {
        name: row[1]
        for row in re.findall(r"^\| (.+?) \| (.+?) \|", page, re.M)
        for name in re.findall(r"`(\w+)`", row[0])
    }
    named = {name: {tuple(re.findall(r"`(\w+)`", part)) for part in cell.split(";")} for name, cell in rows.items()}

    assert named == emitted()
