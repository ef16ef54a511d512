"""The commands of a page are run as they stand, and a page that is wrong is noticed."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.invoke import FUNCTIONS
from local.relay import NO_ENGINE
from local.sam_local.__main__ import PAGE
from local.sam_local.page import Command, commands_of, names_after
from local.sam_local.shell import Shell
from local.stack.config import CONTAINER_ENV_VARS, ENV_VARS, ROOT

EXAMPLE = """\
Text with `$ no command`.

```console
$ first --option \\
    value
it says …, always

$ second &
ready
```

```json
$ third
```
"""


def test_commands_are_read_with_the_output_that_the_page_shows() -> None:
    assert commands_of(EXAMPLE) == [
        Command(text="first --option \\\n    value", expected=("it says …, always",)),
        Command(text="second", expected=("ready",), is_server=True),
    ]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Shell(folder=tmp_path, environment={"PATH": os.environ["PATH"]}, patience_seconds=10) as shell:
        yield shell


@pytest.mark.parametrize("expected", [("one",), ("tw…",), ("one", "two words"), ("… words",), ()])
def test_output_may_be_more_than_the_page_shows(shell: Shell, expected: tuple[str, ...]) -> None:
    assert shell.run(Command(text="echo ' one'; echo two words >&2", expected=expected)) is None


@pytest.mark.parametrize("expected", ["tw", "words", "two … words", "three"])
def test_output_that_is_missing_is_found(shell: Shell, expected: str) -> None:
    finding = shell.run(Command(text="echo one; echo two words", expected=("one", expected)))

    assert finding is not None
    assert finding.why == f"the page also shows: {expected}"
    assert "two words" in finding.output


def test_a_command_that_fails_is_found(shell: Shell) -> None:
    finding = shell.run(Command(text="echo one; exit 7", expected=("one",)))

    assert finding is not None
    assert finding.why == "exit status 7"


def test_a_command_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    with Shell(folder=tmp_path, environment={"PATH": os.environ["PATH"]}, patience_seconds=0.5) as shell:
        finding = shell.run(Command(text="sleep 600"))

    assert finding is not None
    assert finding.why == "it takes too long"


def test_a_server_runs_beside_the_commands_that_follow_and_no_longer(tmp_path: Path) -> None:
    serve = "trap 'echo stopped > end; exit' INT; echo ready; while true; do sleep 0.1; done"
    with Shell(folder=tmp_path, environment={"PATH": os.environ["PATH"]}, patience_seconds=10) as shell:
        assert shell.run(Command(text=serve, expected=("ready",), is_server=True)) is None
        assert shell.run(Command(text="test ! -e end")) is None

    assert (tmp_path / "end").read_text() == "stopped\n"


def test_a_server_that_ends_before_it_is_ready_is_found(shell: Shell) -> None:
    finding = shell.run(Command(text="echo no port; exit 1", expected=("ready",), is_server=True))

    assert finding is not None
    assert finding.why == "exit status 1"


@pytest.mark.parametrize("module", ["local.sam_local", "local.relay"])
def test_without_an_engine_there_is_one_sentence_and_a_status_of_its_own(module: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}

    done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == NO_ENGINE == 3
    assert re.fullmatch(r"No Docker engine answers.*\.\n", done.stderr)


def test_the_page_invokes_every_function_with_and_without_docker() -> None:
    commands = commands_of(PAGE.read_text())

    assert names_after("sam local invoke", commands) == list(FUNCTIONS.values())
    assert names_after("local.invoke", commands) == list(FUNCTIONS)
    assert names_after("sam local", commands)[-2:] == ["start-api", "start-lambda"]
    assert all((ROOT / file).is_file() for file in names_after("--event", commands))


@pytest.mark.parametrize("command", ["local_invoke", "local_start_api", "local_start_lambda"])
def test_each_command_of_sam_local_is_told_the_environment(command: str) -> None:
    options = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"][command]["parameters"]

    assert ROOT / options["env_vars"] == ENV_VARS
    assert ROOT / options["container_env_vars"] == CONTAINER_ENV_VARS
    assert options["add_host"] == ["localhost:host-gateway"]
    assert options["debug_port"], "sam ignores container_env_vars without it"
