"""The written log lines and metrics."""

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest

from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.status import Status
from tests.covers import covers


@pytest.fixture
def output() -> StringIO:
    return StringIO()


@pytest.fixture
def telemetry(output: StringIO, request: pytest.FixtureRequest) -> PowertoolsTelemetry:
    # Powertools keeps one configured logger for each service name.
    return PowertoolsTelemetry(service=f"sampai-{request.node.name}", level="INFO", namespace="Sampai", stream=output)


def lines(output: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def fields(output: StringIO) -> dict[str, Any]:
    """Return the fields of a line that not every line has."""
    (line,) = lines(output)
    return {name: line[name] for name in line.keys() - {"level", "message", "timestamp", "service"}}


def test_a_line_is_json_with_level_words_and_fields(telemetry: PowertoolsTelemetry, output: StringIO) -> None:
    telemetry.info("message accepted", message_id="otp-1", attempt=2)
    telemetry.warning("lease expired")
    telemetry.error("settings broken")

    assert [(line["level"], line["message"]) for line in lines(output)] == [
        ("INFO", "message accepted"),
        ("WARNING", "lease expired"),
        ("ERROR", "settings broken"),
    ]
    assert (lines(output)[0]["message_id"], lines(output)[0]["attempt"]) == ("otp-1", 2)


def test_field_may_have_the_name_of_a_log_record_s_attribute(telemetry: PowertoolsTelemetry, output: StringIO) -> None:
    telemetry.info("provider off", name="nomsa", message="m", module="x", args=1)

    assert fields(output) == {"name_": "nomsa", "message_": "m", "module_": "x", "args_": 1}


@dataclass
class Recipient:
    number: str


@covers("I11")
@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("+85591234511", "+855*****511"),
        ("to +85591234511, from +62811222333", "to +855*****511, from +62******333"),
        (["+85591234511", 7], ["+855*****511", 7]),
        (("+85591234511",), ["+855*****511"]),
        ({"recipient": {"number": "+85591234511"}}, {"recipient": {"number": "+855*****511"}}),
        ({"+85591234511": True}, {"+855*****511": True}),
        (Recipient("+85591234511"), "Recipient(number='+855*****511')"),
        ("+0000000", "+****000"),
        ("+123456", "+123456"),
        ("to sok.dara@example.com, <x+1@a-b.kh>", "to s***@example.com, <x***@a-b.kh>"),
        ("+85591234511@example.com", "+***@example.com"),
        pytest.param("a" * 1_000_000, "a" * 1_000_000, id="a word of a megabyte"),
        ({"recipient": ["sok@example.com"]}, {"recipient": ["s***@example.com"]}),
        ("otp-85591234511", "otp-85591234511"),
        (Status.SENT, "sent"),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_a_whole_number_or_address_is_never_logged(
    telemetry: PowertoolsTelemetry, output: StringIO, value: object, logged: object
) -> None:
    telemetry.info("seen", value=value)

    assert fields(output).get("value") == logged


def metrics(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the metric lines that were written, without their times."""
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in written:
        del line["_aws"]["Timestamp"]
    return written


def described(*names: str, dimensions: list[list[str]]) -> dict[str, Any]:
    units = [{"Name": name, "Unit": "Count"} for name in names]
    return {"CloudWatchMetrics": [{"Namespace": "Sampai", "Dimensions": dimensions, "Metrics": units}]}


def test_counts_are_summed_by_provider_and_written_once(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    for provider in ("nomsa", "smspoh", "nomsa"):
        telemetry.count("Accepted", provider=provider)
    telemetry.count("Throttled", provider="nomsa")
    telemetry.count("SettingsBroken")

    telemetry.flush()
    telemetry.flush()

    assert metrics(capsys) == [
        {
            "_aws": described("Accepted", "Throttled", dimensions=[[], ["provider"]]),
            "provider": "nomsa",
            "Accepted": [2.0],
            "Throttled": [1.0],
        },
        {"_aws": described("Accepted", dimensions=[[], ["provider"]]), "provider": "smspoh", "Accepted": [1.0]},
        {"_aws": described("SettingsBroken", dimensions=[[]]), "SettingsBroken": [1.0]},
    ]


def test_measurement_has_the_dimension_of_its_account(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.measure("Balance", 1092.0, provider="smsnoc", account="credit")

    telemetry.flush()
    telemetry.flush()

    unit = {"Name": "Balance", "Unit": "None"}
    scope = {"Namespace": "Sampai", "Dimensions": [["provider", "account"]], "Metrics": [unit]}
    (written,) = metrics(capsys)
    assert written == {
        "_aws": {"CloudWatchMetrics": [scope]},
        "provider": "smsnoc",
        "account": "credit",
        "Balance": [1092.0],
    }


def test_values_of_a_provider_and_category_are_one_line(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.observe("VendorLatency", 0.25, provider="nomsa", category="otp")
    telemetry.observe("VendorLatency", 1.23456, provider="nomsa", category="otp")
    telemetry.observe("Delivered", 1, provider="nomsa", category="otp", unit="Count")
    telemetry.observe("Delivered", 0, provider="nomsa", category="otp", unit="Count")
    telemetry.observe("Delivered", 0, provider=None, category="promotional", unit="Count")

    telemetry.flush()
    telemetry.flush()

    seconds, count = {"Name": "VendorLatency", "Unit": "Seconds"}, {"Name": "Delivered", "Unit": "Count"}
    scope = {"Namespace": "Sampai", "Dimensions": [["provider", "category"]]}
    assert metrics(capsys) == [
        {
            "_aws": {"CloudWatchMetrics": [scope | {"Metrics": [seconds, count]}]},
            "provider": "nomsa",
            "category": "otp",
            "VendorLatency": [0.25, 1.235],
            "Delivered": [1.0, 0.0],
        },
        {
            "_aws": {"CloudWatchMetrics": [scope | {"Metrics": [count]}]},
            "provider": "none",
            "category": "promotional",
            "Delivered": [0.0],
        },
    ]


@pytest.mark.parametrize(("values", "lines"), [(99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_a_line_has_at_most_100_values_of_a_metric(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str], values: int, lines: list[int]
) -> None:
    for _ in range(values):
        telemetry.observe("AcceptLatency", 0.5, provider="nomsa", category="otp")

    telemetry.flush()

    assert [(line["provider"], len(line["AcceptLatency"])) for line in metrics(capsys)] == [
        ("nomsa", count) for count in lines
    ]


def test_measurements_without_an_account_are_one_line(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.measure("OldestDueAge", 12.5)
    telemetry.measure("DueMessages", 3)

    telemetry.flush()

    (written,) = metrics(capsys)
    assert (written["OldestDueAge"], written["DueMessages"]) == ([12.5], [3.0])


def test_without_counts_nothing_is_written(telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.flush()

    assert capsys.readouterr().out == ""


def test_the_environment_adds_no_dimension(
    telemetry: PowertoolsTelemetry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "other")
    telemetry.count("Accepted")

    telemetry.flush()

    assert metrics(capsys) == [{"_aws": described("Accepted", dimensions=[[]]), "Accepted": [1.0]}]


def test_each_stack_has_its_own_namespace(output: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = PowertoolsTelemetry(service="sampai-other", level="INFO", namespace="Sampai/other", stream=output)
    telemetry.count("Accepted")

    telemetry.flush()

    assert [m["_aws"]["CloudWatchMetrics"][0]["Namespace"] for m in metrics(capsys)] == ["Sampai/other"]


def test_the_level_decides_which_lines_are_written(output: StringIO) -> None:
    telemetry = PowertoolsTelemetry(service="sampai-quiet", level="ERROR", namespace="Sampai", stream=output)

    telemetry.warning("lease expired")
    telemetry.error("settings broken")

    assert [line["message"] for line in lines(output)] == ["settings broken"]
