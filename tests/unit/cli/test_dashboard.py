"""`sampai dashboard` shows the figures of the messages and the queues."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from sampai.adapters.items import to_item
from sampai.domain.message import Category, HistoryEntry, Message
from sampai.domain.status import Source, Status
from sampai_cli.commands.dashboard import Reading, show_live
from sampai_cli.run import Run
from tests.unit.cli.conftest import World

NOW = datetime.now(UTC)


def message(message_id: str, *history: tuple[Status, float], **changes: Any) -> Message:
    """Return a message with each status and its second, counted from two minutes ago."""
    times = [NOW + timedelta(seconds=seconds - 120) for _, seconds in history]
    values: dict[str, Any] = {
        "status": history[-1][0],
        "category": Category.OTP,
        "provider": "nomsa",
        "recipient": "+85591234510",
        "created_at": times[0],
        "updated_at": times[-1],
        "occurred_at": times[-1],
        "history": tuple(
            HistoryEntry(status=status, at=at, source=Source.SEND)
            for (status, _), at in zip(history, times, strict=True)
        ),
    }
    return Message(message_id=message_id, **(values | changes))


S = Status
MESSAGES = (
    message("a", (S.SENDING, 0), (S.ACCEPTED, 0.25), (S.DELIVERED, 12.25)),
    message("b", (S.SENDING, 0), (S.ACCEPTED, 0.5), (S.DELIVERED, 60.5)),
    message("c", (S.SENDING, 0), (S.ACCEPTED, 2), (S.UNDELIVERED, 7)),
    message("d", (S.SENDING, 0), (S.ACCEPTED, 1), provider="smspoh", due_at=NOW - timedelta(hours=5)),
    message("e", (S.FAILED, 0), provider=None, category=Category.PROMOTIONAL),
)


@pytest.fixture
def filled(world: World) -> World:
    world.put(*MESSAGES)
    sqs = world.client("sqs")
    for queue in ("UrgentQueueUrl", "DeadLetterQueueUrl"):
        sqs.send_message(QueueUrl=world.stack.output(queue), MessageBody="{}")
    sqs.send_message(QueueUrl=world.stack.output("SendQueueUrl"), MessageBody="{}", DelaySeconds=600)
    return world


def words(line: str) -> list[str]:
    return [cell.strip().replace("\N{NO-BREAK SPACE}", " ") for cell in line.strip("│\n").split("│")]


def test_a_person_sees_each_provider_and_category_the_total_and_the_backlog(filled: World) -> None:
    result = filled("dashboard", "--once")

    lines = result.stdout.splitlines()
    assert [words(line) for line in lines if line.startswith("│")] == [
        ["nomsa", "otp", "3", "3", "2", "1", "0", "66.7%", "0.5 s / 2 s", "12 s / 60 s"],
        ["smspoh", "otp", "1", "1", "0", "0", "1", "–", "1 s / 1 s", "–"],
        ["none", "promotional", "1", "0", "0", "1", "0", "0.0%", "–", "–"],
        ["all", "", "5", "4", "2", "2", "1", "50.0%", "0.5 s / 2 s", "12 s / 60 s"],
    ]
    assert [line.split()[0::2] for line in lines[-4:-1]] == [["accepted", "4"], ["delivered", "2"], ["failed", "2"]]
    assert lines[-1].startswith("due messages: 1, the oldest for 5")
    assert "h · urgent: 1 · send: 0 (1 delayed) · dead letters: 1 · lost events: 0" in lines[-1]
    assert "read units, about $" in result.stderr


def test_the_same_figures_are_printed_as_json(filled: World) -> None:
    found = json.loads(filled("dashboard", "--json", "--since", "30m").stdout)

    span = datetime.fromisoformat(found["now"]) - datetime.fromisoformat(found["since"])
    assert span == timedelta(minutes=30)
    assert found["groups"][0] == {
        "provider": "nomsa",
        "category": "otp",
        "requested": 3,
        "accepted": 3,
        "delivered": 2,
        "undelivered": 1,
        "failed": 0,
        "unconfirmed": 0,
        "canceled": 0,
        "open": 0,
        "delivery_ratio": pytest.approx(2 / 3),
        "accept": {"count": 3, "p50": 0.5, "p95": 2.0},
        "delivery": {"count": 2, "p50": 12.0, "p95": 60.0},
    }
    assert (found["due"], found["oldest_due_seconds"] >= 5 * 3600, found["unreadable"]) == (1, True, 0)
    assert found["statuses"] == {"delivered": 2, "undelivered": 1, "accepted": 1, "failed": 1}
    assert len(found["buckets"]) == 30
    assert sum(bucket["accepted"] for bucket in found["buckets"]) == 4
    nothing = {"waiting": 0, "in_flight": 0, "delayed": 0}
    assert found["queues"] == {
        "urgent": nothing | {"waiting": 1},
        "send": nothing | {"delayed": 1},
        "dead letters": nothing | {"waiting": 1},
        "lost events": nothing,
    }


def test_only_events_since_the_time_count(filled: World) -> None:
    result = filled("dashboard", "--once", "--since", "1s")

    assert [words(line)[:7] for line in result.stdout.splitlines() if line.startswith("│")] == [
        ["smspoh", "otp", "0", "0", "0", "0", "1"],
        ["all", "", "0", "0", "0", "0", "1"],
    ]


def test_an_item_of_a_newer_release_is_named_and_skipped(filled: World) -> None:
    item = to_item(replace(MESSAGES[0], message_id="x")) | {"status": {"S": "teleported"}}
    filled.client("dynamodb").put_item(TableName="MessagesTable", Item=item)

    assert "1 items cannot be read by this release." in filled("dashboard", "--once").stdout


def test_without_messages_there_are_no_figures_and_no_error(world: World) -> None:
    result = world("dashboard")

    assert [words(line) for line in result.stdout.splitlines() if line.startswith("│")] == [
        ["all", "", "0", "0", "0", "0", "0", "–", "–", "–"]
    ]


@pytest.mark.parametrize(
    ("since", "problem"),
    [
        ("2999-01-01T00:00:00Z", "--since lies in the future. Use 30m, 2h, 3d, or an earlier time.\n"),
        ("soon", "'soon' is no time. Use 30m, 2h, 3d, or an RFC 3339 time such as 2026-11-21T10:00:00Z.\n"),
    ],
)
def test_a_wrong_time_is_one_sentence(world: World, since: str, problem: str) -> None:
    result = world("dashboard", "--since", since)

    assert (result.exit_code, result.stderr) == (2, problem)


def test_on_a_terminal_the_figures_are_read_again_until_ctrl_c(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=200)
    run = Run(find=lambda: world.stack, out=terminal)
    reading = Reading(run, since="1h", max_units=1)
    pauses = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 1:
            raise KeyboardInterrupt
        world.put(*MESSAGES)

    monkeypatch.setattr(time, "sleep", sleep)
    show_live(run, reading, 7)

    screens = terminal.file.getvalue().split("requested")  # type: ignore[attr-defined]
    assert pauses == [7, 7]
    assert len(screens) == 3
    assert ("50.0%" in screens[1], "50.0%" in screens[2]) == (False, True)
    assert reading.search.is_complete
