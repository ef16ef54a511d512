"""The permissions that a command declares are those of its calls."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from sampai_cli.app import app
from sampai_cli.run import PERMISSIONS
from tests.unit.cli.conftest import World
from tests.unit.cli.console.conftest import browser
from tests.unit.cli.test_messages import WAITING
from tests.unit.cli.test_replay import life

NUMBER = "+6281234567810"
ACTIONS: Final = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
"""Actions by call, if the names differ."""
FAKED: Final = frozenset({"cloudformation:DescribeStackResource"})
"""The stack of these tests answers it by itself."""
NOT_HERE: Final = {
    # moto has no PartiQL; tests/functional/test_erase.py compares the calls of erase.
    "erase": {"dynamodb:PartiQLUpdate", "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:Query"},
    "dlq redrive": {"sqs:GetQueueUrl"},  # moto does not tell the source of a dead letter
    "tail": {"sqs:DeleteMessage"},  # no event comes
    "start": {"ssm:PutParameter"},  # sending is on already
}

COMMANDS: Final[dict[str, list[list[str]]]] = {
    "env": [[]],
    "send": [["--to", NUMBER, "--text", "Hello"]],
    "story": [["otp-1"]],
    "list": [[], ["--status", "open"]],
    "report": [[]],
    "dashboard": [["--once"]],
    "tail": [["--seconds", "1"]],
    "replay": [["--ids", "otp-1", "--yes"], ["--since", "2026-01-01T00:00:00Z", "--yes"], ["--gaps", "--yes"]],
    "stop": [[]],
    "start": [[]],
    "providers": [[]],
    "opt-out": [[NUMBER]],
    "opt-in": [[NUMBER]],
    "consent": [[NUMBER]],
    "erase": [["nobody@example.com", "--yes"]],
    "dlq list": [[]],
    "dlq show": [["otp-2"]],
    "dlq redrive": [["--yes"]],
    "settings show": [[]],
    "settings check": [["new.json"]],
    "settings diff": [["new.json"]],
    "settings history": [[]],
    "settings set": [["new.json", "--yes"]],
    "secret check": [[]],
    "webhooks urls": [[]],
    "webhooks check": [[]],
}


def declared(group: typer.Typer = app, path: str = "") -> dict[str, set[str]]:
    """Return the declared actions of each command."""
    found: dict[str, set[str]] = {}
    for info in group.registered_commands:
        assert info.callback is not None
        name = info.name or info.callback.__name__.replace("_", "-")
        text = " ".join(PERMISSIONS[info.callback])
        found[f"{path}{name}"] = set(re.findall(r"\b[a-z]+:[A-Z]\w+", text))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        found |= declared(inner.typer_instance, f"{inner.name} ")
    return found


CONSOLE: Final = "console"
"""The only command that runs until Ctrl-C: its pages are read without it."""


def test_every_command_is_here() -> None:
    assert declared().keys() == COMMANDS.keys() | {CONSOLE}


def test_the_pages_of_the_console_call_what_it_declares(world: World) -> None:
    calls: set[str] = set()
    world.put(WAITING)
    _fill_failure_queues(world)
    client = browser(replace(world.stack, client=_recording(world.stack.client, calls)))

    for path in ("/", "/messages/otp-2", "/charts", "/dead-letters"):
        assert client.get(path).status_code == 200

    # Only the open messages of a large table are read again by themselves: console/test_reader.py.
    assert calls == declared()[CONSOLE] - {"dynamodb:BatchGetItem"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_calls_what_it_declares(
    name: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.json").write_text('{"public_base_url": "http://127.0.0.1:9"}')
    calls: set[str] = set()
    world.put(life()[0], WAITING)
    ssm, name_of_settings = world.client("ssm"), world.stack.output("SettingsParameterName")
    ssm.put_parameter(Name=name_of_settings, Value='{"public_base_url": "http://127.0.0.1:8"}', Type="String")
    _fill_failure_queues(world)
    world.stack = replace(world.stack, client=_recording(world.stack.client, calls))

    for arguments in COMMANDS[name]:
        world(*name.split(), *arguments)

    assert calls == declared()[name] - FAKED - NOT_HERE.get(name, set())


def _fill_failure_queues(world: World) -> None:
    sqs = world.client("sqs")
    cancel = json.dumps({"cancel": "otp-2"})
    sqs.send_message(QueueUrl=world.stack.output("DeadLetterQueueUrl"), MessageBody=cancel)
    times = {f"approximateArrivalOf{end}Record": "2026-11-21T10:00:00Z" for end in ("First", "Last")}
    body = json.dumps({"DDBStreamBatchInfo": times})
    sqs.send_message(QueueUrl=world.stack.resource("PublishFailures"), MessageBody=body)


def _recording(new_client: Callable[[str], Any], calls: set[str]) -> Callable[[str], Any]:
    def client(service: str) -> Any:
        found = new_client(service)

        def note(model: Any, **_: Any) -> None:
            call = f"{service}:{model.name}"
            calls.add(ACTIONS.get(call, call))

        found.meta.events.register("before-call", note)
        return found

    return client
