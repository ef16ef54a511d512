"""The process of one handler: `python -m benchmarks.sandbox HANDLER`.

HANDLER is a function of the product (`send`) or an attribute of a module (`benchmarks.baselines:naive`). Each line on
standard input contains a list of events as JSON. The process invokes the handler with one event after another, and
prints a line of JSON with the fields of `benchmarks.harness.Timing`. Output of the handler is discarded. The
environment variable BENCHMARK_CA_BUNDLE replaces the bundle of certifi.
"""

import importlib
import importlib.util
import json
import os
import resource
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that the handlers and the baselines use."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    function_name: str = "benchmark"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:ap-southeast-1:000000000000:function:benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class LoadCounter:
    """Counts the CA bundles that this process reads, by a patch of the ssl module."""

    def __init__(self) -> None:
        self.count = 0
        load = ssl.SSLContext.load_verify_locations

        def count_load(context: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
            self.count += cafile is not None
            load(context, cafile, capath, cadata)

        patched: Any = ssl.SSLContext
        patched.load_verify_locations = count_load


def import_handler(name: str) -> Callable[[Any, Any], Any]:
    module, _, attribute = name.partition(":")
    if attribute:
        handler: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), attribute)
        return handler
    spec = importlib.util.spec_from_file_location("app", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    own: Callable[[Any, Any], Any] = app.handler
    return own


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(name: str) -> None:
    timings = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    loads = LoadCounter()
    if bundle := os.environ.get("BENCHMARK_CA_BUNDLE"):
        import certifi

        certifi.where = lambda: bundle
    handler, context = import_handler(name), Context()
    for line in sys.stdin:
        events = json.loads(line)
        cpu, wall = cpu_seconds(), time.perf_counter()
        responses = [handler(event, context) for event in events]
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
        timing = {"cpu_seconds": cpu, "wall_seconds": wall, "responses": responses, "ca_loads": loads.count}
        print(json.dumps(timing), file=timings, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
