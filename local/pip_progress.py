"""Run pip and show how far it is, in lines that read well on a terminal and in a log file.

`python -m local.pip_progress -m pip install ... LOCK`: the arguments are for the interpreter, and the last is the lock.
It runs in a new virtual environment, so this module needs the standard library alone.
"""

import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

PAUSE_SECONDS: Final = 2.0
"""Time between two lines about the packages so far."""
LARGE_MB: Final = 5.0
"""Size from which the download of one file has a line of its own."""
MEGABYTES: Final = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
TAIL: Final = 20
"""Lines of pip's output that explain a failure."""

_FILE: Final = re.compile(
    r"\s*(?:Downloading (?P<name>\S+(?<!\.metadata)) \((?P<size>[\d.]+) (?P<unit>\w+)\)"
    r"|Using cached \S+(?<!\.metadata) |Processing |Requirement already satisfied)"
)
"""A package that pip has, or downloads now. Newer releases also fetch its metadata alone."""


def main(arguments: list[str]) -> int:
    """Run the interpreter with the arguments and return its exit status. Print pip's last lines if it fails."""
    lock = Path(arguments[-1]).read_text()
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        last = deque[str](maxlen=TAIL)
        for line in progress(_remembered(process.stdout or (), last), packages=lock.count("==")):
            print(f"  {line}", flush=True)
    if process.returncode:
        print("".join(last), end="", file=sys.stderr)
    return process.returncode


def progress(lines: Iterable[str], *, packages: int, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Yield a line now and then while pip writes its lines: packages so far, and megabytes that were downloaded."""
    began = said = clock()
    fetched, megabytes = 0, 0.0
    for line in lines:
        packages -= line.startswith("Ignoring ")  # one for another platform
        if line.startswith("Installing collected packages"):
            yield f"{fetched} of {packages} packages, {megabytes:.0f} MB downloaded; now unpacking, about a minute ..."
        elif line.startswith("Successfully installed"):
            yield f"installed after {clock() - began:.0f} s"
        elif file := _FILE.match(line):
            size = float(file["size"] or 0) * MEGABYTES.get(file["unit"], 0.0)
            fetched, megabytes = fetched + 1, megabytes + size
            if size >= LARGE_MB:
                yield f"downloading {file['name']}, {size:.0f} MB"
            if clock() - said >= PAUSE_SECONDS:
                said = clock()
                yield f"{fetched} of {packages} packages, {megabytes:.0f} MB downloaded"


def _remembered(lines: Iterable[str], last: "deque[str]") -> Iterator[str]:
    for line in lines:
        last.append(line)
        yield line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
