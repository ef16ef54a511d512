"""Plant each defect in a copy of the tree, one at a time, and see which test notices it.

    python -m tests.mutants [words of titles]

Exit status 1 if a defect goes unnoticed. The test that noticed must fail twice with the defect and pass without it:
one that is red anyway, or now and then, has noticed nothing.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final

from tests.mutants.defects import DEFECTS, Defect

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2
REST: Final = (Path("tests/unit"), Path("tests/conformance"))
RUN_SECONDS: Final = 150
_LEFT_OUT: Final = (".venv*", ".git", ".local", ".aws-sam", ".*_cache", ".hypothesis", "__pycache__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    defect: Defect
    noticed_by: str | None
    seconds: float
    why_not: str = ""


def main(words: Sequence[str]) -> int:
    chosen = [defect for defect in DEFECTS if all(word in defect.title for word in words)]
    width = max((len(defect.title) for defect in chosen), default=0)
    began = time.monotonic()
    missed = 0
    with TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(WORKERS) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(WORKERS):
            trees.put(_copy(Path(folder) / str(number)))
        print(f"{'defect':{width}}  seconds  caught by")
        for verdict in pool.map(lambda defect: _judge(defect, trees), chosen):
            missed += verdict.noticed_by is None
            found = verdict.noticed_by or f"NOT CAUGHT: {verdict.why_not}"
            print(f"{verdict.defect.title:{width}}  {verdict.seconds:7.1f}  {found}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} defects caught in {time.monotonic() - began:.0f} s")
    return 1 if missed or not chosen else 0


def _copy(tree: Path) -> Path:
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    for environment in (".venv", ".venv-emulator"):
        (tree / environment).symlink_to(ROOT / environment)
    return tree


def _judge(defect: Defect, trees: "SimpleQueue[Path]") -> Verdict:
    tree, began = trees.get(), time.monotonic()
    try:
        with _planted(defect, tree):
            found = _first_failure(tree, defect.likely) or _first_failure(tree, REST, without=defect.likely)
            is_steady = found is not None and _first_failure(tree, [found]) is not None
        why_not = "every test passes" if found is None else f"{found} fails now and then"
        if is_steady and found is not None and _first_failure(tree, [found]) is not None:
            is_steady, why_not = False, f"{found} fails without the defect as well"
        found = found if is_steady else None
    except (ValueError, subprocess.TimeoutExpired) as error:
        found, why_not = None, str(error)
    finally:
        trees.put(tree)
    return Verdict(defect=defect, noticed_by=found, seconds=time.monotonic() - began, why_not=why_not)


@contextmanager
def _planted(defect: Defect, tree: Path) -> Iterator[None]:
    sources = {edit.file: (tree / edit.file).read_text() for edit in defect.edits}
    changed = dict(sources)
    for edit in defect.edits:
        changed[edit.file] = edit.apply(changed[edit.file])
    try:
        _write(tree, changed)
        yield
    finally:
        _write(tree, sources)


def _write(tree: Path, sources: dict[Path, str]) -> None:
    for file, source in sources.items():
        (tree / file).write_text(source)
        # A change within the second that keeps the size would leave the old bytecode in force.
        shutil.rmtree((tree / file).parent / "__pycache__", ignore_errors=True)


def _first_failure(tree: Path, tests: Sequence[Path | str], *, without: Sequence[Path] = ()) -> str | None:
    """Return the id of the first test that fails, or None if all pass."""
    ignored = [f"--ignore={file}" for file in without]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--cache-clear", *ignored, *map(str, tests)]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if run.returncode == 0:
        return None
    failed = tree / ".pytest_cache/v/cache/lastfailed"
    if run.returncode not in (1, 2) or not failed.exists():
        raise ValueError(f"pytest ended with {run.returncode}: {run.stdout[-300:]}{run.stderr[-300:]}")
    return str(next(iter(json.loads(failed.read_text()))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
