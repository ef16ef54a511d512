"""`python -m local.sam_local`: follow the page in a real Docker engine, and see that its events come over the bus."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import docker  # type: ignore[import-untyped]  # a dependency of aws-sam-cli
from docker.errors import DockerException  # type: ignore[import-untyped]
from rich.console import Console
from rich.markup import escape

from local.relay import NO_ENGINE
from local.sam_local.page import Command, commands_of, names_after
from local.sam_local.shell import Shell
from local.stack.config import OUTPUTS, ROOT
from local.stack.deployment import client
from sampai_cli.listener import Event, Listener, listening

PAGE: Final = ROOT / "docs" / "how-to" / "invoke-locally.md"
COMMAND_SECONDS: Final = 600
"""The first `sam build` downloads packages, and the first `sam local invoke` an image."""
EVENT_SECONDS: Final = 30
LAST_LINES: Final = 25


def has_engine() -> bool:
    """Say whether a Docker engine answers."""
    try:
        return bool(docker.from_env(timeout=10).ping())
    except DockerException:
        return False


def main() -> int:
    """Follow the page. Returns 0 if all went as it says, 1 if not, and 3 if there is no Docker engine."""
    if not has_engine():
        print("No Docker engine answers, so `sam local` cannot run here.", file=sys.stderr)
        return NO_ENGINE
    if not OUTPUTS.exists():
        print("The local stack is not up; `make up` starts it.", file=sys.stderr)
        return 1
    outputs = json.loads(OUTPUTS.read_text())
    commands = commands_of(PAGE.read_text(encoding="utf-8"))
    message_ids = _message_ids(commands)
    for message_id in message_ids:  # sent before, it would not be sent again
        key = {"message_id": {"S": message_id}}
        client("dynamodb").delete_item(TableName=outputs["MessagesTableName"], Key=key)
    console = Console(highlight=False, soft_wrap=True)
    with listening(client, name="sam-local", bus=outputs["EventBusName"], pattern={"source": ["sampai"]}) as listener:
        is_followed = _follow(commands, console)
        are_published = _await_events(message_ids, listener, console)
    return 0 if is_followed and are_published else 1


def _follow(commands: Sequence[Command], console: Console) -> bool:
    """Run the commands and print how each went. Stop at the first that fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with Shell(folder=ROOT, environment=environment, patience_seconds=COMMAND_SECONDS) as shell:
        for command in commands:
            console.print(f"$ {escape(command.text)}")
            finding = shell.run(command)
            if finding is not None:
                console.print(f"[red]FAILED[/red]: {escape(finding.why)}")
                console.print(escape("\n".join(finding.output.strip().splitlines()[-LAST_LINES:])))
                return False
            for line in command.expected:
                console.print(f"[green]✓[/green] {escape(line)}")
    return True


def _await_events(message_ids: Sequence[str], listener: Listener, console: Console) -> bool:
    """Wait for the events that the page causes, print which of them come, and say whether all do."""
    wanted: dict[str, Callable[[Event], bool]] = {f"{m} was claimed": partial(_is_claimed, m) for m in message_ids}
    wanted["a message was received"] = lambda event: event["detail-type"] == "Message Received"
    missing = 0
    for what, tells in wanted.items():
        if listener.wait_for(tells, seconds=EVENT_SECONDS) is None:
            missing += 1
            console.print(f"[red]FAILED[/red]: no event says that {what}")
        else:
            console.print(f"[green]✓[/green] event: {what}")
    return not missing


def _is_claimed(message_id: str, event: Event) -> bool:
    """Say whether an event follows from the first write of a send: the functions of the stack cause the later ones."""
    detail = event["detail"]
    return bool(detail.get("message_id") == message_id and detail.get("status") == "sending")


def _message_ids(commands: Sequence[Command]) -> list[str]:
    """Return the ids of the messages that the page sends."""
    files = [*names_after("--event", commands), *names_after("local.invoke send", commands)]
    events: list[Any] = [json.loads((ROOT / file).read_text()) for file in files if file.startswith("events/send/")]
    return [json.loads(record["body"])["message_id"] for event in events for record in event["Records"]]


if __name__ == "__main__":
    sys.exit(main())
