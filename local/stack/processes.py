"""Start and stop the local stack's servers and no other process: a pid file and the command line identify each."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local import ports
from local.stack.config import LOCAL, ROOT, PortTakenError, StackError

START_SECONDS: Final = 60.0
"""Start of a server on a busy computer. On an idle one it takes about a second."""
STOP_SECONDS: Final = 2.0
"""Time to end by itself. A busy emulator would need longer, for long polls whose results nobody reads any more."""

TRASH: Final = LOCAL / "trash"

_WORKER: Final = re.compile(r"/ministack-lambda-\w+-(?P<function>\w+Function)-[^/\s]*/_worker\.py\s*$")
"""ministack starts one process per function, from a script in a folder named after the function."""

DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens local URLs, and ignores the proxies of the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of our servers: `python -m module arguments`, with its own home and without the caller's environment."""

    name: str
    python: Path
    module: str
    port: int
    health_path: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str]

    @property
    def pid_file(self) -> Path:
        return LOCAL / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return LOCAL / f"{self.name}.log"

    @property
    def home(self) -> Path:
        return LOCAL / f"{self.name}.home"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server, wait until it is healthy, and return its process. Raises StackError with the reason."""
        require_free(self.port)
        discard(self.home)
        self.home.mkdir(parents=True)
        home = str(self.home)
        folders = {"HOME": home, "TMPDIR": home, "STATE_DIR": home}  # STATE_DIR is ministack's, by default in /tmp
        environment = {"PATH": "/usr/bin:/bin", "TZ": "UTC", **folders, **self.environment}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [str(self.python), "-m", self.module, *self.arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its workers end with it, and Ctrl-C reaches it only through us
            )
            self.pid_file.write_text(f"{process.pid}\n")
        if not _wait_until(lambda: self.is_healthy() or process.poll() is not None, START_SECONDS):
            raise StackError(f"{self.name} does not respond on port {self.port}; see {self.log}")
        if process.poll() is not None:
            raise StackError(f"{self.name} ended at once; the end of {self.log}:\n{read_end(self.log)}")
        return process

    def is_healthy(self) -> bool:
        try:
            with DIRECT.open(f"http://127.0.0.1:{self.port}{self.health_path}", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def pid(self) -> int | None:
        """Return the process id of the server, or None if it does not run or the pid now belongs to another program."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if self.module in _command_of(pid).split() else None

    def terminate(self) -> bool:
        """Ask the server and its workers to end, and return whether it runs."""
        pid = self.pid()
        if pid is not None:
            _signal_group(pid, signal.SIGTERM)
        return pid is not None

    def stop(self) -> bool:
        """Stop the server and its workers, delete its files, and return whether it ran."""
        pid = self.pid()
        if pid is not None:
            _signal_group(pid, signal.SIGTERM)
            _wait_until(lambda: not _command_of(pid), STOP_SECONDS)
            _signal_group(pid, signal.SIGKILL)
            _wait_until(lambda: not _command_of(pid), STOP_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        discard(self.home)
        return pid is not None


def discard(folder: Path) -> None:
    """Delete a folder, if it exists, in the background.

    The emulator unpacks thousands of files there, and a slow disk needs ten seconds to delete them.
    """
    if not folder.exists():
        return
    TRASH.mkdir(exist_ok=True)
    folder.rename(TRASH / f"{folder.name}-{time.monotonic_ns()}")
    # The shell ends at once. Its child is in a session of its own, so that Ctrl-C does not reach it.
    quiet = subprocess.DEVNULL
    command = ["sh", "-c", 'rm -rf "$0"/* &', str(TRASH)]
    subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=False)


def children_of(parent: int) -> dict[int, str]:
    """Return the command lines of the running child processes of a process, by process id."""
    if Path("/proc/self").exists():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        children = [pid for pid in pids if _parent_of(pid) == parent]
    else:
        shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = (line.split() for line in shown.splitlines())
        children = [int(pid) for pid, its_parent in pairs if int(its_parent) == parent]
    return {pid: command for pid in children if (command := _command_of(pid))}


def function_of(command: str) -> str | None:
    """Return the logical id of the function that a worker's command line names, or None for other commands."""
    found = _WORKER.search(command)
    return found["function"] if found else None


def kill(pid: int) -> bool:
    """Send SIGKILL to one process. Return whether the process existed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def silenced(pid: int) -> Iterator[None]:
    """Stop a process, and continue it at the end: connections to it open meanwhile, and requests wait."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def run(command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
    """Run a command, write its output to the log, and wait. Raises StackError with the end of the log if it fails."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:  # Ctrl-C: the command and its children must end
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code != 0:
        raise StackError(f"`{Path(command[0]).name} {command[1]}` failed; the end of {log}:\n{read_end(log)}")


def read_end(log: Path) -> str:
    """Return the last 15 lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def require_free(*numbers: int) -> None:
    """Raise PortTakenError if a program listens on one of the ports."""
    if complaint := ports.complaint(*numbers):
        raise PortTakenError(complaint)


def _command_of(pid: int) -> str:
    """Return the command line of a running process; empty if there is none, or it is a zombie."""
    if Path("/proc/self").exists():  # container images without ps have /proc; macOS has ps
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return "" if "<defunct>" in shown else shown


def _parent_of(pid: int) -> int | None:
    try:
        # The second field is the program's name in parentheses, and may contain any character.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _wait_until(claim: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not (done := claim()) and time.monotonic() < until:
        time.sleep(0.05)
    return done
