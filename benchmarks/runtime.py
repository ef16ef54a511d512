"""Lambda's own runtime without Docker: the emulator of its interface that aws-sam-cli ships, and awslambdaric."""

import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.stack.config import LOCAL, ROOT
from local.stack.processes import DIRECT, children_of

INTERPRETER: Final = str(Path(sys.executable).resolve())
"""Without a virtual environment: a function has its layers and nothing else."""

_REQUIREMENTS: Final = ROOT / "requirements" / "bench.txt"
_CLIENT: Final = LOCAL / "bench" / "awslambdaric"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """What the first invocation of a new sandbox took, from its process on."""

    cpu_seconds: float
    wall_seconds: float
    peak_kib: int


def is_available() -> bool:
    """Whether the emulator runs on this machine: it is a program for Linux."""
    return sys.platform == "linux" and _emulator().exists()


def install() -> None:
    """Put the pinned client of the runtime interface into .local, unless it is there."""
    pins = _CLIENT / "pins"
    if pins.exists() and pins.read_text() == _REQUIREMENTS.read_text():
        return
    shutil.rmtree(_CLIENT, ignore_errors=True)
    pip = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    options = ["--only-binary=:all:", "--target", str(_CLIENT), "--requirement", str(_REQUIREMENTS)]
    subprocess.run([sys.executable, *pip, *options], check=True)
    pins.write_text(_REQUIREMENTS.read_text())


def start_cold(folders: Sequence[Path], event: Any, environment: Mapping[str, str]) -> ColdStart:
    """Invoke `app.handler`, which is in the first of the folders, in a new sandbox. RuntimeError if it fails."""
    with _emulated(folders, environment) as (emulator, port):
        began = time.perf_counter()
        answer = _invoke(port, event)
        wall = time.perf_counter() - began
        if isinstance(answer, dict) and ("errorMessage" in answer or answer.get("batchItemFailures")):
            raise RuntimeError(f"{folders[0]}: {answer}")
        (pid,) = children_of(emulator.pid)
        return ColdStart(
            cpu_seconds=cpu_ticks_in(Path(f"/proc/{pid}/stat").read_text()) / _TICKS,
            wall_seconds=wall,
            peak_kib=peak_kib_in(Path(f"/proc/{pid}/status").read_text()),
        )


def cpu_ticks_in(stat: str) -> int:
    """Return the clock ticks, user's and system's, in a process's /proc/PID/stat. Its name may hold blanks."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def peak_kib_in(status: str) -> int:
    """Return the most memory that a process has had, of its /proc/PID/status."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _emulator() -> Path:
    package = importlib.util.find_spec("samcli")
    assert package is not None
    assert package.origin is not None
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    return Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


@contextmanager
def _emulated(
    folders: Sequence[Path], environment: Mapping[str, str]
) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    port, own_port = _free_ports()
    addresses = [
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{own_port}"),
    ]
    function = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(map(str, [*folders, _CLIENT])),
        "LAMBDA_TASK_ROOT": str(folders[0]),
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        **environment,
    }
    process = subprocess.Popen(
        [str(_emulator()), "--log-level", "error", *addresses, INTERPRETER, "-S", "-m", "awslambdaric", "app.handler"],
        cwd=folders[0],
        env=function,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(port)
        yield process, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _invoke(port: int, event: Any) -> Any:
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    with DIRECT.open(urllib.request.Request(url, data=json.dumps(event).encode()), timeout=60) as answer:
        return json.load(answer)


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
        return ports


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the runtime interface emulator does not listen")
