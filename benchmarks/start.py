"""Cold start: instructions beside an ordinary set-up, time beside a handler that does nothing, memory, byte-code.

What is measured is what `sam build` makes, in the interpreter that the local stack has its functions in.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from benchmarks import runtime
from benchmarks.harness import Stage, batch_of, staged
from benchmarks.results import Figure
from benchmarks.runtime import INTERPRETER, ColdStart
from local.stack import deployment
from local.stack.config import LOCAL, REGION, ROOT
from tests.functional.sandbox import Deployment, read_event

GOALS: Final[Mapping[str, float | None]] = {
    "webhook": 1.10,
    "publish": 1.10,
    "send": 1.70,
    "follow_up": 1.70,
    "monitor": None,
}
MADE: Final = {
    "webhook": ("webhook_service", "dynamodb"),
    "publish": ("publish_service", "events"),
    "send": ("send_service", "dynamodb"),
    "follow_up": ("follow_up_service", "dynamodb"),
    "monitor": ("monitor_service", "dynamodb"),
}
"""What a function has the bootstrap make before its first work, and the client that it then uses first."""

ROUNDS: Final = 5
FOLDER: Final = LOCAL / "bench"
BUILT: Final = LOCAL / "build"
"""Where the local stack builds."""
DATA: Final = Path(sysconfig.get_path("purelib")) / "botocore" / "data"
"""Botocore's, of the same version as in the layer and as it comes."""
ORDINARY: Final = Path(__file__).with_name("ordinary.py")

_COUNT: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_READY: Final = (
    "import app; from sampai import bootstrap; bootstrap.telemetry(); bootstrap.{}(); bootstrap._aws().client('{}')"
)


def measure() -> list[Figure]:
    """Build for the local stack and for Lambda, and measure. Without valgrind instructions become CPU time."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    deployment.build()
    figures = list(_byte_code())
    with staged() as stage:
        figures += _imports(stage)
        if runtime.is_available():
            runtime.install()
            figures += _cold_starts(stage)
        else:
            figures += [Figure(key="start.cold", what="cold start", value=0, unit="", note="not measured: no Linux")]
    return figures


def layers_of(built: Path) -> list[Path]:
    """Return the folders of a build's layers that are on a function's path."""
    return [built / "DependenciesLayer" / "python", built / "SampaiLayer" / "python"]


def function_in(built: Path, name: str) -> Path:
    return built / f"{name.title().replace('_', '')}Function"


# --- byte-code ------------------------------------------------------------------------------------------------------


def without_byte_code(folder: Path, tag: str) -> list[Path]:
    """Return the modules in a folder that have no .pyc of a version, such as `cpython-313`."""
    return [
        source
        for source in sorted(folder.rglob("*.py"))
        if not (source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc").exists()
    ]


def _byte_code() -> Iterator[Figure]:
    tag = sys.implementation.cache_tag
    yield _lacking("local", "modules without byte-code, built for the local stack", BUILT, str(tag))
    built = FOLDER / "build"
    _build_for_lambda(built)
    yield _lacking("lambda", "modules without byte-code, plain `sam build`", built, "cpython-313")


def _lacking(key: str, what: str, built: Path, tag: str) -> Figure:
    modules = len(list(built.rglob("*.py")))
    lacking = len(without_byte_code(built, tag))
    return Figure(key=f"start.pyc.{key}", what=what, value=lacking, unit="", goal=0, note=f"of {modules}")


def _build_for_lambda(built: Path) -> None:
    """Build as whoever deploys does: with no word about Python's version or place."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAMPAI_", "PYTHON"))}
    # Before this program's own virtual environment, whose Python is whatever was there.
    path = ours["PATH"].removeprefix(f"{Path(sys.executable).parent}{os.pathsep}")
    environment = {
        **ours,
        "PATH": path,
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(LOCAL / "sam"),
    }
    command = [str(Path(sys.executable).with_name("sam")), "build", "--build-dir", str(built), "--parallel"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"sam build: {done.stderr[-2000:]}")


# --- imports --------------------------------------------------------------------------------------------------------


def instructions_in(told: str) -> int:
    """Return the instructions that valgrind tells of: `==1== I   refs:      893,459,575`."""
    found = re.search(r"^==\d+== I\s+refs:\s+([\d,]+)$", told, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"valgrind: {told[-2000:]}")
    return int(found[1].replace(",", ""))


def _imports(stage: Stage) -> Iterator[Figure]:
    dependencies, _ = layers_of(BUILT)
    environment = stage.deployment.environment("send")
    works: dict[str, tuple[Sequence[Path], tuple[str, ...], Mapping[str, str]]] = {
        "ordinary": ([_untrimmed(dependencies), dependencies], (str(ORDINARY),), environment),
        "trimmed": ([dependencies], (str(ORDINARY),), environment),
    }
    for name, made in MADE.items():
        folders = [function_in(BUILT, name), *layers_of(BUILT)]
        environment = stage.deployment.environment(name)
        works[f"import {name}"] = (folders, ("-c", "import app"), environment)
        works[f"ready {name}"] = (folders, ("-c", _READY.format(*made)), environment)

    costs = _instructions(works) if shutil.which("valgrind") else _cpu_seconds(works)
    s1 = costs["ordinary"]
    if isinstance(s1, int):
        note = f"S1: {s1 / 1e6:,.0f} million instructions"
    else:
        note = f"CPU time, because valgrind is missing; S1: {s1 * 1000:.0f} ms"
    yield Figure(
        key="start.s1-on-layer",
        what="S1 on the layer's trimmed botocore ÷ S1",
        value=costs["trimmed"] / s1,
        note=note,
    )
    for name, goal in GOALS.items():
        alone = costs[f"import {name}"] / s1
        yield Figure(
            key=f"start.ready.{name}",
            what=f"{name}: import and service made ÷ S1",
            value=costs[f"ready {name}"] / s1,
            floor=1.0,
            goal=goal,
            note=f"import alone {alone:.2f}",
        )


def _untrimmed(dependencies: Path) -> Path:
    """Return a folder with botocore as it is in the layer, byte-code and all, and its services' data as they come.

    Only of those: the list of all services alone, which botocore reads for each client, would double S1.
    """
    folder = FOLDER / "ordinary"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dependencies / "botocore", folder / "botocore")
    for path in (folder / "botocore" / "data").rglob("*.json*"):
        shutil.copyfile(DATA / path.relative_to(folder / "botocore" / "data"), path)
    return folder


def _instructions(works: Mapping[str, tuple[Sequence[Path], tuple[str, ...], Mapping[str, str]]]) -> dict[str, int]:
    # Instructions stay the same, whatever else the machine does: as many at a time as it likes.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(lambda work: _python(_COUNT, *work).stderr, works.values())
        return dict(zip(works, map(instructions_in, told), strict=True))


def _cpu_seconds(works: Mapping[str, tuple[Sequence[Path], tuple[str, ...], Mapping[str, str]]]) -> dict[str, float]:
    tell = "import atexit, os, sys; atexit.register(lambda: print(sum(os.times()[:2]), file=sys.stderr));"
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, (folders, code, environment) in works.items():
            source = code[1] if code[0] == "-c" else f"import runpy; runpy.run_path({code[0]!r})"
            told = _python((), folders, ("-c", f"{tell} {source}"), environment).stderr
            found[name].append(float(told.splitlines()[-1]))
    return {name: median(values) for name, values in found.items()}


def _python(
    before: Sequence[str], folders: Sequence[Path], code: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run Python with nothing but these folders on its path. It writes no byte-code: /var/task is read-only."""
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    return subprocess.run([*before, INTERPRETER, "-S", *code], env=own, capture_output=True, text=True, check=True)


# --- the whole cold start -------------------------------------------------------------------------------------------


def _cold_starts(stage: Stage) -> Iterator[Figure]:
    """Have each function start and do its usual work in Lambda's own runtime, in turn with one that does nothing."""
    nothing = FOLDER / "nothing"
    nothing.mkdir(exist_ok=True)
    (nothing / "app.py").write_text("def handler(event, context):\n    return None\n")

    # Tables of its own, so that nothing is ever due.
    quiet = Deployment(emulator=stage.emulator, base_urls=stage.vendor.base_urls, monkeypatch=pytest.MonkeyPatch())
    deployments = {name: quiet if name == "follow_up" else stage.deployment for name in GOALS}
    found: dict[str, list[ColdStart]] = {name: [] for name in ("nothing", *GOALS)}
    for _ in range(ROUNDS):
        found["nothing"].append(runtime.start_cold([nothing], {}, {}))
        for name, deployed in deployments.items():
            folders = [function_in(BUILT, name), *layers_of(BUILT)]
            # Byte-code comes with the build or not at all, as where the task root is read-only.
            environment = {**deployed.environment(name), "PYTHONDONTWRITEBYTECODE": "1"}
            found[name].append(runtime.start_cold(folders, _event_of(name), environment))

    nothing_takes = {kind: median(getattr(each, kind) for each in found["nothing"]) for kind in _KINDS}
    for name in GOALS:
        takes = {kind: median(getattr(each, kind) for each in found[name]) for kind in _KINDS}
        yield Figure(
            key=f"start.cold.{name}",
            what=f"{name}: CPU of a cold start with its first work ÷ one that does nothing",
            value=takes["cpu_seconds"] / nothing_takes["cpu_seconds"],
            note=f"{takes['cpu_seconds'] * 1000:.0f} ms; by the wall × "
            f"{takes['wall_seconds'] / nothing_takes['wall_seconds']:.1f}",
        )
    for name in GOALS:
        peak = median(each.peak_kib for each in found[name]) / 1024
        yield Figure(
            key=f"start.memory.{name}", what=f"{name}: most memory, cold start and first work", value=peak, unit="MiB"
        )


_KINDS: Final = ("cpu_seconds", "wall_seconds")


def _event_of(name: str) -> Any:
    match name:
        case "send":
            return batch_of(10)
        case "webhook":
            return read_event("webhook/smspoh-receipt-get")
        case "publish":
            return read_event("publish/life-of-a-message")
        case "follow_up":
            return read_event("follow_up/every-minute")
    return read_event("monitor/every-quarter-hour")
