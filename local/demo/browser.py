"""The console of the demo's stack, to watch the messages in a browser."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.stack.config import ROOT


@contextmanager
def console_beside(folder: Path = ROOT) -> Iterator[str | None]:
    """Serve `sampai console` for the local stack of a folder, and yield its address, or None if it does not start."""
    environment = {name: value for name, value in os.environ.items() if name != "SAMPAI_STACK"}
    command = [sys.executable, "-m", "sampai_cli", "console", "--no-open", "--json"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a Ctrl-C ends the demo, which ends the console
    ) as program:
        try:
            line = program.stdout.readline() if program.stdout else ""
            yield json.loads(line)["address"] if line else None
        finally:
            program.terminate()
