"""Plant each defect, one at a time, and name the test that finds it.

    python -m tests.defects [words of titles]

Exit status 1 if a defect is not found. The test that finds it must fail twice with the defect and pass without it: a
test that is red anyway, or now and then, has found nothing.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.defects.catalogue import DEFECTS
from tests.defects.planting import Defect

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2
ALL_TESTS: Final = ("tests/unit", "tests/conformance")
RUN_SECONDS: Final = 240
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    defect: Defect
    found_by: str | None
    seconds: float
    reason: str = ""


def main(words: Sequence[str]) -> int:
    """Print a line for each defect. Return 1 if one is not found."""
    chosen = [defect for defect in DEFECTS.values() if defect.tests and all(word in defect.title for word in words)]
    width = max((len(defect.title) for defect in chosen), default=0)
    began = time.monotonic()
    missed = 0
    print(f"{'defect':{width}}  seconds  found by")
    with ThreadPoolExecutor(WORKERS) as pool:
        for verdict in pool.map(_judge, chosen):
            missed += verdict.found_by is None
            found_by = verdict.found_by or f"NOT FOUND: {verdict.reason}"
            print(f"{verdict.defect.title:{width}}  {verdict.seconds:7.1f}  {found_by}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} defects found in {time.monotonic() - began:.0f} s")
    return 1 if missed or not chosen else 0


def _judge(defect: Defect) -> Verdict:
    began = time.monotonic()
    found, reason = None, ""
    try:
        files = [str(file) for file in defect.test_files()]
        found = _first_failure(defect, files) or _first_failure(defect, ALL_TESTS)
        if found is None:
            reason = "every test passes"
        elif _first_failure(defect, [found]) is None:
            found, reason = None, f"{found} fails now and then"
        elif _first_failure(None, [found]) is not None:
            found, reason = None, f"{found} fails without the defect as well"
    except (ValueError, subprocess.TimeoutExpired) as error:
        found, reason = None, str(error)
    return Verdict(defect=defect, found_by=found, seconds=time.monotonic() - began, reason=reason)


def _first_failure(defect: Defect | None, tests: Sequence[str]) -> str | None:
    """Return the id of the first test that fails, or None if all pass."""
    plugin = ("-p", "tests.defects.plugin") if defect else ()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", *plugin, *tests]
    environment = {**os.environ, "DEFECT": defect.title if defect else "", "COLUMNS": "500"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    if run.returncode == 0:
        return None
    failed = _FAILED.search(run.stdout)
    if run.returncode not in (1, 2) or failed is None:
        raise ValueError(f"pytest ended with {run.returncode}: {run.stdout[-300:]}{run.stderr[-300:]}")
    return failed[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
