"""Lambda's runtime without Docker: the runtime interface emulator from aws-sam-cli, and awslambdaric, its client."""

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

from benchmarks.cpu import cpu_seconds, peak_mb
from local.stack.config import LOCAL, ROOT
from local.stack.processes import DIRECT, children_of

INTERPRETER: Final = str(Path(sys.executable).resolve())
"""The interpreter without its virtual environment: a function has no packages except its layers."""

_REQUIREMENTS: Final = ROOT / "requirements" / "bench.txt"
_CLIENT: Final = LOCAL / "bench" / "awslambdaric"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """The usage of the first invocation in a new sandbox, including the start of its process."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


def is_available() -> bool:
    """Return whether the emulator runs on this machine: it is a program for Linux."""
    return sys.platform == "linux" and _emulator().exists()


def install() -> None:
    """Install the pinned client of the runtime interface into .local, unless it is already there."""
    pins = _CLIENT / "pins"
    if pins.exists() and pins.read_text() == _REQUIREMENTS.read_text():
        return
    shutil.rmtree(_CLIENT, ignore_errors=True)
    pip = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    options = ["--only-binary=:all:", "--target", str(_CLIENT), "--requirement", str(_REQUIREMENTS)]
    subprocess.run([sys.executable, *pip, *options], check=True)
    pins.write_text(_REQUIREMENTS.read_text())


def start_cold(folders: Sequence[Path], event: Any, environment: Mapping[str, str]) -> ColdStart:
    """Invoke `app.handler` of the first folder in a new sandbox. Raises RuntimeError if the handler fails."""
    with _start_emulator(folders, environment) as (emulator_pid, port):
        started_at = time.perf_counter()
        response = _invoke(port, event)
        wall_seconds = time.perf_counter() - started_at
        if isinstance(response, dict) and ("errorMessage" in response or response.get("batchItemFailures")):
            raise RuntimeError(f"{folders[0]}: {response}")
        (pid,) = children_of(emulator_pid)
        return ColdStart(cpu_seconds=cpu_seconds(pid), wall_seconds=wall_seconds, peak_mb=peak_mb(pid))


def _emulator() -> Path:
    """Return the path of the emulator for this machine."""
    package = importlib.util.find_spec("samcli")
    assert package is not None
    assert package.origin is not None
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    return Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"


@contextmanager
def _start_emulator(folders: Sequence[Path], environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Start the emulator for `app.handler`, and yield its process id and port. Kill it with the block."""
    port, own_port = _find_free_ports()
    addresses = [
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{own_port}"),
    ]
    function = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(map(str, [*folders, _CLIENT])),
        "LAMBDA_TASK_ROOT": str(folders[0]),
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
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
        yield process.pid, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _invoke(port: int, event: Any) -> Any:
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    with DIRECT.open(urllib.request.Request(url, data=json.dumps(event).encode()), timeout=60) as response:
        return json.load(response)


def _find_free_ports() -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        ports = []
        for probe in (first, second):
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
