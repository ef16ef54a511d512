"""Each command of the tool on the local stack, as a person sees it."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import Result

from local.stack.config import ROOT
from sampai_cli.stack import find_stack
from tests.contract.test_commands_of_pages import calls_of_the_tool
from tests.e2e.conftest import Stack, client, wait_until
from tests.harness.cli import sampai

PREFIX = "sampai-tail-"


def run(*arguments: str, **options: Any) -> Result:
    result = sampai(find_stack, *arguments, **options)
    assert (result.exit_code, "Traceback" in result.output) == (0, False), result.output
    return result


def table(result: Result) -> list[list[str]]:
    """Return the cells of a printed table."""
    lines = [line for line in result.stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


@pytest.fixture(scope="module")
def delivered(local_stack: Stack) -> tuple[dict[str, Any], Result]:
    """Send a message and follow its events until its end."""
    request = local_stack.request("smspoh", category="otp")
    arguments = ["--to", request["recipient"], "--text", request["content"]["text"], "--id", request["message_id"]]
    return request, run("send", *arguments, "--category", "otp", "--follow")


def test_send_follows_the_events_of_a_message(local_stack: Stack, delivered: tuple[dict[str, Any], Result]) -> None:
    request, result = delivered

    lines = [line.split("  ", 1)[1] for line in result.stdout.splitlines()]
    assert [line for line in lines if not line.startswith(f"{request['message_id']} #")] == []
    assert (lines[0].split()[2], lines[-1].split()[2]) == ("sending", "delivered")
    assert len(local_stack.ledger(request)) == 1


def test_first_commands_of_the_tutorial_print_what_the_page_says(local_stack: Stack) -> None:
    page = (ROOT / "docs" / "tutorial" / "first-message.md").read_text(encoding="utf-8")
    send, story = list(calls_of_the_tool(page))[:2]
    events = re.compile(r"^\d{4}-\S+Z  (first-1) #\d+ (.+)$", re.MULTILINE)

    shown, told = run(*send).stdout, run(*story).stdout

    first, *_, last = events.findall(page)
    assert [events.findall(shown)[place] for place in (0, -1)] == [first, last] != [first, first]
    assert "delivered by webhook" in told


def test_story_shows_the_message_without_its_number_and_text(delivered: tuple[dict[str, Any], Result]) -> None:
    request, _ = delivered

    result = run("story", request["message_id"], "--follow")

    assert ["status", "delivered"] in table(result)
    assert "delivered by webhook" in result.stdout
    assert request["recipient"] not in result.output
    assert request["content"]["text"] not in result.output


def test_story_of_an_unknown_message_is_one_sentence(local_stack: Stack) -> None:
    result = sampai(find_stack, "story", "nobody")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("There is no message nobody in sampai.")


def test_list_and_report_find_the_message(delivered: tuple[dict[str, Any], Result]) -> None:
    message_id = delivered[0]["message_id"]

    listed = run("list", "--status", "delivered", "--provider", "smspoh", "--since", "1h", "--limit", "10000")
    report = run("report", "--since", "1h", "--by", "provider,category")

    assert message_id in [row[0] for row in table(listed)]
    assert "read units, about $" in listed.stderr
    assert ["smspoh", "otp"] in [row[:2] for row in table(report)]
    assert message_id not in run("list", "--status", "open", "--limit", "10000").stdout


def test_dashboard_shows_the_figures_of_the_message(delivered: tuple[dict[str, Any], Result]) -> None:
    result = run("dashboard", "--once", "--since", "1h")
    (row,) = [row for row in table(result) if row[:2] == ["smspoh", "otp"]]

    assert (int(row[3]) > 0, int(row[4]) > 0) == (True, True)
    assert [" / " in cell for cell in row[-2:]] == [True, True]
    assert "dead letters: " in result.stdout
    assert delivered[0]["recipient"] not in result.output


def test_tail_shows_events_and_leaves_nothing_behind(local_stack: Stack) -> None:
    request = local_stack.request("smspoh")
    with ThreadPoolExecutor(1) as pool:
        tail = pool.submit(run, "tail", "--id", request["message_id"], "--count", "1", "--seconds", "120")
        wait_until(lambda: client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) != [])
        rules = client("events")
        bus = local_stack.outputs["EventBusName"]
        wait_until(lambda: any(_targets(rules, bus)))
        local_stack.put(request)
        assert f"{request['message_id']} #" in tail.result().stdout

    assert client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) == []
    assert rules.list_rules(EventBusName=bus, NamePrefix=PREFIX)["Rules"] == []


def _targets(rules: Any, bus: str) -> list[Any]:
    found = rules.list_rules(EventBusName=bus, NamePrefix=PREFIX)["Rules"]
    return [rules.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"] for rule in found]


def test_replay_publishes_the_same_events_again(local_stack: Stack, delivered: tuple[dict[str, Any], Result]) -> None:
    message_id = delivered[0]["message_id"]
    first = local_stack.events_of(message_id, until="delivered")

    run("replay", "--ids", message_id, "--yes")

    def heard() -> list[dict[str, Any]]:
        local_stack._receive_events()
        return [event["detail"] for event in local_stack.events if event["detail"].get("message_id") == message_id]

    wait_until(lambda: len(heard()) >= 2 * len(first), lambda: heard())
    again = {detail["sequence"]: detail for detail in heard()[len(first) :]}
    assert [_without_time(again[detail["sequence"]]) for detail in first] == list(map(_without_time, first))
    assert again[first[-1]["sequence"]] == first[-1]
    assert run("replay", "--gaps", "--yes").stdout == "No gaps: the queue PublishFailures is empty.\n"


def _without_time(detail: dict[str, Any]) -> dict[str, Any]:
    """Return an event without its time: the vendor's own is not stored for an earlier status."""
    return {name: value for name, value in detail.items() if name != "occurred_at"}


def test_a_dead_letter_is_listed_shown_and_redriven(local_stack: Stack) -> None:
    request = local_stack.request("smspoh")
    local_stack.put(request, queue="DeadLetterQueueUrl")

    assert request["message_id"] in [row[2] for row in table(run("dlq", "list"))]
    shown = run("dlq", "show", request["message_id"])
    run("dlq", "redrive", request["message_id"], "--yes")

    assert request["recipient"] not in shown.output
    assert request["content"]["text"] not in shown.output
    local_stack.wait_for((request["message_id"], "delivered"))


def test_settings_are_shown_compared_stored_and_switched(local_stack: Stack, tmp_path: Path) -> None:
    before = json.loads(run("settings", "show").stdout)
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(before | {"expiry_warning_days": 8}))

    assert run("settings", "check", str(file)).stdout == "settings.json is valid.\n"
    assert table(run("settings", "diff", str(file)))[-1] == ["expiry_warning_days", "–", "8"]
    run("settings", "set", str(file), "--yes")
    run("stop")
    stopped = json.loads(run("settings", "show").stdout)["sending_enabled"]
    run("start")
    history = run("settings", "history")
    file.write_text(json.dumps(before))
    run("settings", "set", str(file), "--yes")

    assert stopped is False
    assert [row[-1] for row in table(history)[:3]] == ["sending_enabled", "sending_enabled", "expiry_warning_days"]
    assert json.loads(run("settings", "show").stdout) == before


def test_secret_providers_and_webhooks_are_checked(local_stack: Stack) -> None:
    assert ["nomsa", "api_key", "sms, email", "ok"] in table(run("secret", "check"))
    assert ["nomsa", "on"] in [row[:2] for row in table(run("providers"))]
    urls = run("webhooks", "urls").stdout.splitlines()
    checked = table(run("webhooks", "check"))
    assert {row[2] for row in checked} == {"reachable, and the token is valid"}
    assert len(checked) == len(urls) >= 7


def test_a_person_opts_out_and_in_and_is_erased(local_stack: Stack) -> None:
    request = local_stack.request("nusasms")
    number = request["recipient"]
    local_stack.put(request)
    local_stack.wait_for((request["message_id"], "delivered"))

    for wish in ("out", "in"):
        run(f"opt-{wish}", number)
        wait_until(partial(_has_opted, wish, number))
    erased = run("erase", number, "--yes")

    assert ["messages (their ids and statuses stay)", "1"] in table(erased)
    assert ["recipient", number] not in table(run("story", request["message_id"]))
    assert number not in erased.output


def _has_opted(wish: str, number: str) -> bool:
    return f"opted {wish} at" in run("consent", number).stdout


def test_env_names_the_outputs(local_stack: Stack) -> None:
    assert f"export SEND_QUEUE_URL={local_stack.outputs['SendQueueUrl']}" in run("env").stdout.splitlines()


@pytest.mark.slow
def test_a_file_of_a_thousand_rows_sent_twice_is_accepted_a_thousand_times(local_stack: Stack, tmp_path: Path) -> None:
    text = f"Private {uuid4().hex}"
    file = tmp_path / f"campaign-{uuid4().hex[:8]}.csv"
    rows = "\n".join(f"+95977{row:05d}10,{text}" for row in range(1000))
    file.write_text(f"recipient,text\n{rows}\n")

    said = [run("send", "--csv", str(file)).stdout for _ in range(2)]

    assert said == [f"1000 requests are on the queue, {file.stem}-2 to {file.stem}-1001.\n"] * 2
    wait_until(lambda: _is_empty(local_stack.outputs["SendQueueUrl"]))
    accepted = local_stack.accepted_with_text(text)
    assert (len(accepted), len({entry["recipient"] for entry in accepted})) == (1000, 1000)


def _is_empty(url: str) -> bool:
    """Return whether a queue has no message, and none that a function works on."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return not any(int(count) for count in counts.values())
