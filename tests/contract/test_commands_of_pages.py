"""The commands in the pages exist, and a newcomer needs few of them."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Final

import pytest

from sampai_cli.errors import CliError
from sampai_cli.stack import Stack
from tests.harness.cli import sampai
from tests.template import ROOT

GENERATED: Final = ROOT / "docs" / "reference" / "cli.md"
PAGES: Final = [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - {GENERATED})]
FIRST_STEPS: Final = ("README.md", "docs/tutorial/first-message.md")
MOST_COMMANDS: Final = 4


def commands(page: str) -> list[str]:
    """Return the commands in the console examples of a page, without the shell's prompt and comments."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[2:].partition("  #")[0].strip() for line in lines if line.startswith("$ ")]


def calls_of_the_tool(page: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of the tool in the examples of a page."""
    for command in commands(page):
        for call in re.findall(r"(?:^|\$\()(?:\.venv/bin/)?sampai ([^|>)]*)", command):
            yield shlex.split(call)


CALLS: Final = [
    pytest.param(call, id=f"{page.name}: {' '.join(call)}")
    for page in PAGES
    for call in calls_of_the_tool(page.read_text(encoding="utf-8"))
]


def no_stack(_: str | None) -> Stack:
    raise CliError("no stack")


@pytest.mark.parametrize("call", CALLS)
def test_call_of_the_tool_in_a_page_is_valid(call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.json").write_text("{}")  # the file that the pages name

    assert "Usage:" not in sampai(no_stack, *call).output


@pytest.mark.parametrize("call", [["stories"], ["story"], ["send", "--too", "+855"], ["dlq", "lists"]])
def test_invalid_call_of_the_tool_is_noticed(call: list[str]) -> None:
    assert "Usage:" in sampai(no_stack, *call).output


@pytest.mark.parametrize("page", FIRST_STEPS)
def test_newcomer_sees_a_delivered_message_its_events_and_its_story_after_few_commands(page: str) -> None:
    """From the folder of a fresh clone."""
    given = list(dropwhile(lambda command: command != "make up", commands((ROOT / page).read_text(encoding="utf-8"))))
    before = list(takewhile(lambda command: " story " not in command, given))

    first, *others = [*before, given[len(before)]]
    sent, told = (next(c for c in others if f"sampai {name} " in c) for name in ("send", "story"))
    assert first == "make up"
    assert len(others) + 1 <= MOST_COMMANDS
    assert "--follow" in sent
    assert re.findall(r"--id (\S+)", sent) == re.findall(r"story (\S+)", told)


def test_command_is_found_in_an_example_and_not_in_its_output() -> None:
    example = ["$ make up   # starts it", "Up after 3 s.", '$ eval "$(.venv/bin/sampai env)"', "$ a \\", "  b"]
    page = "\n".join(["`$ none`", "```console", *example, "```", ""])

    assert commands(page) == ["make up", 'eval "$(.venv/bin/sampai env)"', "a    b"]
    assert list(calls_of_the_tool(page)) == [["env"]]
