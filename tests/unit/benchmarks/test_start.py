"""The input of the cold start benchmark: valgrind's output, /proc, the folders of a build."""

from pathlib import Path

import pytest

from benchmarks.cpu import cpu_ticks_in, peak_kib_in
from benchmarks.start import BASELINE, GOALS, SERVICES, instructions_in, modules_without_byte_code
from sampai import bootstrap

VALGRIND = """==8480== Cachegrind, a cache and branch-prediction profiler
--8480-- warning: L3 cache found, using its data for the LL simulation.
==8480==
==8480== I   refs:      891,225,288
"""


def test_instructions_are_read_from_the_output_of_valgrind() -> None:
    assert instructions_in(VALGRIND) == 891_225_288


def test_a_run_without_a_count_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="No module named app"):
        instructions_in("ModuleNotFoundError: No module named app")


@pytest.mark.parametrize("name", ["python", "a (strange) name"])
def test_ticks_of_a_process_are_user_and_system_time(name: str) -> None:
    stat = f"42 ({name}) S 1 42 42 0 -1 4194304 900 0 0 0 17 5 3 2 20 0 1 0 100 8192 250"

    assert cpu_ticks_in(stat) == 17 + 5


def test_the_peak_of_a_process_is_its_high_water_mark() -> None:
    assert peak_kib_in("Name:\tpython\nVmPeak:\t  9000 kB\nVmHWM:\t   41328 kB\nVmRSS:\t   40000 kB\n") == 41_328


def test_module_without_byte_code_of_the_version_is_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    compiled = package / "__pycache__"
    compiled.mkdir(parents=True)
    for name in ("good", "other_version", "none"):
        (package / f"{name}.py").touch()
    (compiled / "good.cpython-313.pyc").touch()
    (compiled / "other_version.cpython-311.pyc").touch()

    assert modules_without_byte_code(tmp_path, "cpython-313") == [package / "none.py", package / "other_version.py"]


def test_every_measured_function_names_a_service_of_the_bootstrap_and_the_baseline_exists() -> None:
    assert SERVICES.keys() == GOALS.keys()
    assert [name for name, _ in SERVICES.values() if not hasattr(bootstrap, name)] == []
    assert BASELINE.is_file()
