"""Cold start: instructions next to the baseline imports, time next to an empty handler, memory, byte-code.

The measured code is the output of `sam build`, in the interpreter of the local stack's functions.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from benchmarks import runtime
from benchmarks.harness import Harness, batch_of, measure_medians, start_harness
from benchmarks.results import Result
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
SERVICES: Final = {
    "webhook": ("webhook_service", "dynamodb"),
    "publish": ("publish_service", "events"),
    "send": ("send_service", "dynamodb"),
    "follow_up": ("follow_up_service", "dynamodb"),
    "monitor": ("monitor_service", "dynamodb"),
}
"""The object that the bootstrap creates for a function before its first work, and the first AWS client that it uses."""

ROUNDS: Final = 5
FOLDER: Final = LOCAL / "bench"
BUILD: Final = LOCAL / "build"
"""The build folder of the local stack."""
BOTOCORE_DATA: Final = Path(sysconfig.get_path("purelib")) / "botocore" / "data"
"""The complete data of botocore, in the layer's version."""
BASELINE: Final = Path(__file__).with_name("baseline_imports.py")

_VALGRIND: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_READY: Final = (
    "import app; from sampai import bootstrap; bootstrap.telemetry(); bootstrap.{}(); bootstrap._aws().client('{}')"
)


def measure() -> list[Result]:
    """Build for the local stack and for Lambda, and measure. Without valgrind, CPU time replaces instructions."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    deployment.build()
    results = list(_count_missing_byte_code())
    with start_harness() as harness:
        results += _measure_imports(harness)
        if runtime.is_available():
            runtime.install()
            results += _measure_cold_starts(harness)
        else:
            results += [Result(key="start.cold", label="cold start", value=0, unit="", note="not measured: no Linux")]
    return results


def function_path(build: Path, name: str) -> list[Path]:
    """Return the folders on the path of a function: its own and those of the layers."""
    function = build / f"{name.title().replace('_', '')}Function"
    return [function, build / "DependenciesLayer" / "python", build / "SampaiLayer" / "python"]


# --- byte-code ------------------------------------------------------------------------------------------------------


def modules_without_byte_code(folder: Path, tag: str) -> list[Path]:
    """Return the modules in a folder without a .pyc of a Python version, for example `cpython-313`."""
    return [
        source
        for source in sorted(folder.rglob("*.py"))
        if not (source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc").exists()
    ]


def _count_missing_byte_code() -> Iterator[Result]:
    for_lambda = FOLDER / "build"
    _build_for_lambda(for_lambda)
    builds = {
        "local": ("built for the local stack", BUILD, str(sys.implementation.cache_tag)),
        "lambda": ("built by a plain `sam build`", for_lambda, "cpython-313"),
    }
    for key, (label, build, tag) in builds.items():
        yield Result(
            key=f"start.pyc.{key}",
            label=f"modules without byte-code, {label}",
            value=len(modules_without_byte_code(build, tag)),
            unit="",
            goal=0,
            note=f"of {len(list(build.rglob('*.py')))}",
        )


def _build_for_lambda(build: Path) -> None:
    """Build as for a deployment, with default settings. Raises RuntimeError with the output of sam."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAMPAI_", "PYTHON"))
    }
    environment = {
        **inherited,
        # Without this program's virtual environment, so that sam finds the Python of the machine.
        "PATH": inherited["PATH"].removeprefix(f"{Path(sys.executable).parent}{os.pathsep}"),
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(LOCAL / "sam"),
    }
    command = [str(Path(sys.executable).with_name("sam")), "build", "--build-dir", str(build), "--parallel"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"sam build: {done.stderr[-2000:]}")


# --- imports --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python program with nothing but some folders on its path."""

    folders: Sequence[Path]
    source: str
    environment: Mapping[str, str]

    def run(self, *, wrapper: Sequence[str] = (), prefix: str = "") -> str:
        """Run the program, with code before it or in a wrapper such as valgrind, and return its standard error.

        Python writes no byte-code, because /var/task is read-only on Lambda.
        """
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, self.folders)),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environment,
        }
        command = [*wrapper, INTERPRETER, "-S", "-c", prefix + self.source]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr


def instructions_in(output: str) -> int:
    """Return the instructions in the output of valgrind: `==1== I   refs:      893,459,575`."""
    found = re.search(r"^==\d+== I\s+refs:\s+([\d,]+)$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"valgrind: {output[-2000:]}")
    return int(found[1].replace(",", ""))


def _measure_imports(harness: Harness) -> Iterator[Result]:
    _, dependencies, _ = function_path(BUILD, "send")
    environment, source = harness.deployment.environment("send"), BASELINE.read_text()
    complete = [_copy_complete_botocore(dependencies), dependencies]
    programs = {
        "baseline": Program(folders=complete, source=source, environment=environment),
        "trimmed": Program(folders=[dependencies], source=source, environment=environment),
    }
    for name, created in SERVICES.items():
        folders, environment = function_path(BUILD, name), harness.deployment.environment(name)
        ready = _READY.format(*created)
        programs[f"import {name}"] = Program(folders=folders, source="import app", environment=environment)
        programs[f"ready {name}"] = Program(folders=folders, source=ready, environment=environment)

    if shutil.which("valgrind"):
        costs: Mapping[str, float] = _count_instructions(programs)
        note = f"baseline: {costs['baseline'] / 1e6:,.0f} million instructions"
    else:
        costs = _measure_cpu_seconds(programs)
        note = f"CPU time, because valgrind is missing; baseline: {costs['baseline'] * 1000:.0f} ms"
    yield Result(
        key="start.baseline-on-layer",
        label="baseline imports with the layer's trimmed botocore ÷ baseline imports",
        value=costs["trimmed"] / costs["baseline"],
        note=note,
    )
    for name, goal in GOALS.items():
        yield Result(
            key=f"start.ready.{name}",
            label=f"{name}: import and creation of the service ÷ baseline imports",
            value=costs[f"ready {name}"] / costs["baseline"],
            floor=1.0,
            goal=goal,
            note=f"import alone {costs[f'import {name}'] / costs['baseline']:.2f}",
        )


def _copy_complete_botocore(dependencies: Path) -> Path:
    """Copy the layer's botocore, with the untrimmed data of its services, and return the folder.

    Without other services: botocore reads the list of all services for each client, which would double the baseline.
    """
    folder = FOLDER / "baseline"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dependencies / "botocore", folder / "botocore")
    data = folder / "botocore" / "data"
    for path in data.rglob("*.json*"):
        shutil.copyfile(BOTOCORE_DATA / path.relative_to(data), path)
    return folder


def _count_instructions(programs: Mapping[str, Program]) -> dict[str, int]:
    # Other load does not change the number of instructions, so use all processors.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = pool.map(lambda program: program.run(wrapper=_VALGRIND), programs.values())
        return dict(zip(programs, map(instructions_in, outputs), strict=True))


def _measure_cpu_seconds(programs: Mapping[str, Program]) -> dict[str, float]:
    prefix = "import atexit, os, sys; atexit.register(lambda: print(sum(os.times()[:2]), file=sys.stderr))\n"

    def run(program: Program) -> float:
        return float(program.run(prefix=prefix).splitlines()[-1])

    tasks: dict[str, Callable[[], float]] = {name: partial(run, program) for name, program in programs.items()}
    return measure_medians(tasks, rounds=ROUNDS)


# --- complete cold starts -------------------------------------------------------------------------------------------


def _measure_cold_starts(harness: Harness) -> Iterator[Result]:
    """Start each function in Lambda's runtime and give it a typical event, in turn with an empty handler."""
    empty = FOLDER / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "app.py").write_text("def handler(event, context):\n    return None\n")

    # follow_up has other tables, without due messages.
    urls = harness.vendor.base_urls
    idle = Deployment(emulator=harness.emulator, base_urls=urls, monkeypatch=pytest.MonkeyPatch())
    starts: dict[str, list[ColdStart]] = {name: [] for name in ("empty", *GOALS)}
    for _ in range(ROUNDS):
        starts["empty"].append(runtime.start_cold([empty], {}, {}))
        for name in GOALS:
            deployed = idle if name == "follow_up" else harness.deployment
            # Without byte-code of an earlier start, because the task root is read-only on Lambda.
            environment = {**deployed.environment(name), "PYTHONDONTWRITEBYTECODE": "1"}
            starts[name].append(runtime.start_cold(function_path(BUILD, name), _typical_event(name), environment))

    cpu = {name: median(start.cpu_seconds for start in each) for name, each in starts.items()}
    wall = {name: median(start.wall_seconds for start in each) for name, each in starts.items()}
    for name in GOALS:
        yield Result(
            key=f"start.cold.{name}",
            label=f"{name}: CPU time of a cold start with its first event ÷ an empty handler",
            value=cpu[name] / cpu["empty"],
            note=f"{cpu[name] * 1000:.0f} ms; wall time × {wall[name] / wall['empty']:.1f}",
        )
    for name in GOALS:
        peak = median(start.peak_mb for start in starts[name])
        yield Result(key=f"start.memory.{name}", label=f"{name}: peak memory, cold start", value=peak, unit="MiB")


def _typical_event(name: str) -> Any:
    samples = {
        "webhook": "webhook/smspoh-receipt-get",
        "publish": "publish/life-of-a-message",
        "follow_up": "follow_up/every-minute",
        "monitor": "monitor/every-quarter-hour",
    }
    return read_event(samples[name]) if name in samples else batch_of(10)
