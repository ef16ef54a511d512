"""Runs commands as a reader of the page would: one after another, servers beside them."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from local.sam_local.page import Command

POLL_SECONDS: Final = 0.2
STOP_SECONDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason why a command does not do what the page says."""

    why: str
    output: str


class Shell:
    """Runs commands in a folder and ends the servers among them with its `with` block."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str], patience_seconds: float) -> None:
        self._folder = folder
        self._environment = environment
        self._patience_seconds = patience_seconds
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self._servers):
            _stop(server)

    def run(self, command: Command) -> Finding | None:
        """Run a command to its end, or a server until it has said what the page expects. Return what is wrong."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                ["bash", "-c", command.text],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            if command.is_server:
                self._servers.append(process)
            try:
                in_time = self._wait(process, command, stdout, stderr)
            finally:
                if not command.is_server:
                    _stop(process)
            return _judge(process, command, in_time=in_time, output=_read(stdout) + _read(stderr))

    def _wait(self, process: "subprocess.Popen[bytes]", command: Command, *outputs: Any) -> bool:
        until = time.monotonic() + self._patience_seconds
        while process.poll() is None:
            if command.is_server and not command.missing("".join(map(_read, outputs))):
                return True
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True


def _judge(process: "subprocess.Popen[bytes]", command: Command, *, in_time: bool, output: str) -> Finding | None:
    if not in_time:
        return Finding(why="it takes too long", output=output)
    if process.returncode:
        return Finding(why=f"exit status {process.returncode}", output=output)
    if missing := command.missing(output):
        return Finding(why=f"the page also shows: {missing[0]}", output=output)
    return None


def _read(file: Any) -> str:
    return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace") + "\n"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process and its children: as Ctrl-C does, and after a while by force."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
