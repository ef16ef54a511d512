"""The check of the ports, before anything is installed."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports
from tests.template import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which this process listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a fresh checkout with the check alone: no virtual environment, no package, no stack."""
    (tmp_path / "local").mkdir()
    for name in ("__init__.py", "ports.py"):
        shutil.copy(ROOT / "local" / name, tmp_path / "local")
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: object) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        arguments,
        cwd=folder,
        env={name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def check(folder: Path, **environment: object) -> "subprocess.CompletedProcess[str]":
    """Run the check with an interpreter that has no packages."""
    return run(folder, sys.executable, "-I", "-S", "-c", RUN_CHECK, **environment)


RUN_CHECK = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_module('local.ports', run_name='__main__')"


def test_a_port_that_is_taken_is_named_with_its_process_and_another_choice(taken: int, folder: Path) -> None:
    checked = check(folder, SAMPAI_PORT=taken)

    sentence, *_, choice = checked.stderr.splitlines()
    holder = rf"process {os.getpid()} \(.+\)" if ports.PROC.joinpath("self").exists() else "another program"
    assert (checked.returncode, checked.stdout) == (2, "")
    assert re.fullmatch(rf"Port {taken} is taken by {holder}\.", sentence)
    assert re.fullmatch(r"Choose other ports: export SAMPAI_PORT=\d+", choice)
    assert check(folder, SAMPAI_PORT=choice.rpartition("=")[2]).returncode == 0


@pytest.mark.parametrize("target", ["demo", "up"])
def test_make_looks_at_the_ports_before_it_installs(target: str, taken: int, folder: Path) -> None:
    made = run(folder, "/usr/bin/env", "make", target, f"PYTHON={sys.executable}", SAMPAI_PORT=taken)

    assert made.returncode == 2
    assert f"Port {taken} is taken by" in made.stderr
    assert made.stdout == ""
    assert not (folder / ".venv").exists()


def test_the_port_of_each_server_is_checked(taken: int, folder: Path) -> None:
    found = [
        check(folder, SAMPAI_PORT=ports.free_port(), SAMPAI_SIMULATOR_PORT=simulators)
        for simulators in (taken, taken - 1)
    ]

    assert [run.returncode for run in found] == [2, 2]
    assert all(f"Port {taken} is taken" in run.stderr for run in found)
    assert all(re.search(r"export SAMPAI_PORT=\d+ SAMPAI_SIMULATOR_PORT=\d+$", run.stderr.strip()) for run in found)


@pytest.mark.parametrize("server", ports.PORTS)
def test_ports_of_the_stack_that_runs_already_are_its_own(server: str, taken: int, folder: Path) -> None:
    (folder / ".local").mkdir()
    pid_file = folder / ".local" / f"{server}.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    own = check(folder, SAMPAI_PORT=taken)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    pid_file.write_text(f"{ended.pid}\n")

    assert (own.returncode, own.stderr) == (0, "")
    assert check(folder, SAMPAI_PORT=taken).returncode == 2


@pytest.mark.parametrize("value", ["x", "0", "65530", "-1", "４５６６"])
def test_a_value_that_is_no_port_is_refused_in_a_sentence(value: str, folder: Path) -> None:
    checked = check(folder, SAMPAI_PORT=value, PYTHONUTF8=1)

    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [f"SAMPAI_PORT is {value!r}. It must be a port: a number from 1 to 65520."]


@pytest.mark.parametrize("program", [("local.stack", "up"), ("local.demo",)])
def test_a_program_that_starts_the_stack_looks_at_the_ports_first(
    program: tuple[str, ...], taken: int, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "local", tmp_path / "local")
    for name in ("layers", "cli", "template.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)

    started = run(tmp_path, sys.executable, "-m", *program, SAMPAI_PORT=ports.free_port(), SAMPAI_SIMULATOR_PORT=taken)

    assert (started.returncode, started.stdout) == (2, "")
    assert f"Port {taken} is taken by" in started.stderr
    assert not (tmp_path / ".local").exists()
