"""A function's process: `python -m benchmarks.sandbox HANDLER`, spoken to in lines of JSON.

HANDLER is a function of the product (`send`) or a module's attribute (`benchmarks.baselines:client_seq`). Each line
on standard input holds a list of events; the answer tells what handling them, one after the other, has taken. What
the handler prints goes nowhere. With BENCH_CA_BUNDLE everybody who asks certifi for its bundle gets that one.
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
    """What handlers, the yardsticks' among them, use of Lambda's context."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    function_name: str = "bench"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:ap-southeast-1:000000000000:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Loads:
    """Counts how often this process reads a CA bundle."""

    def __init__(self) -> None:
        self.count = 0
        load = ssl.SSLContext.load_verify_locations

        def counted(context: ssl.SSLContext, *args: Any, **options: Any) -> None:
            self.count += 1
            load(context, *args, **options)

        patched: Any = ssl.SSLContext
        patched.load_verify_locations = counted


def handler_of(name: str) -> Callable[[Any, Any], Any]:
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
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    loads = Loads()
    if bundle := os.environ.get("BENCH_CA_BUNDLE"):
        import certifi

        certifi.where = lambda: bundle
    handler, context = handler_of(name), Context()
    for line in sys.stdin:
        events = json.loads(line)
        cpu, wall = cpu_seconds(), time.perf_counter()
        returned = [handler(event, context) for event in events]
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
        usage = {"cpu_seconds": cpu, "wall_seconds": wall, "answers": returned}
        print(json.dumps({**usage, "ca_loads": loads.count}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
