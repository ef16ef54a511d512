"""Send: CPU time of a message next to the baselines, wall time of a batch, connections, reads of CA bundles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import ceil
from typing import Final

from benchmarks.harness import Harness, Sandbox, batch_of, measure_medians, start_harness
from benchmarks.results import Result, milliseconds
from sampai.services.send.dispatch import THREADS

LATENCY_MS: Final = 200

MESSAGES: Final = 200
"""Messages of each handler per round."""

ROUNDS: Final = 5

QUICK_MS: Final = 20
"""Latency of a quick vendor, for the goals of CPU time. No vendor answers at once: then the threads would contend for
the interpreter's lock all the time, and the sequential baseline would never sleep."""

COLD_STARTS: Final = 5
WARM_BATCHES: Final = 3
"""Batches after each cold start."""

GOALS: Final = {10: (0.40, 0.50), 100: (0.29, 0.45)}
"""Floor and goal of the CPU time ÷ `baselines.sequential`, by batch size."""

WARM_GOALS: Final = {10: 1.15, 100: 1.30}
COLD_GOAL: Final = 1.30
"""Goals of the wall time ÷ the vendor's latency."""


def measure() -> list[Result]:
    with start_harness() as harness:
        return [*_measure_cpu(harness), *_measure_wall(harness)]


# --- CPU time -------------------------------------------------------------------------------------------------------


def _measure_cpu(harness: Harness) -> Iterator[Result]:
    """Measure warm handlers, with a vendor that responds at once and with a quick one, over plain HTTP."""
    with ExitStack() as stack:
        ours = stack.enter_context(harness.sandbox("send"))
        sequential = stack.enter_context(harness.baseline("sequential"))
        naive = stack.enter_context(harness.baseline("naive"))
        for size, (floor, goal) in GOALS.items():
            tasks = {"ours": _task(ours, size), "sequential": _task(sequential, size)}
            label = f"CPU time of a message, batch of {size}"
            harness.vendor.set_latency(QUICK_MS)
            spent = measure_medians(tasks, rounds=ROUNDS)
            yield Result(
                key=f"send.cpu.batch-{size}",
                label=f"{label} ÷ client calls in sequence, on urllib3; vendor at {QUICK_MS} ms",
                value=spent["ours"] / spent["sequential"],
                floor=floor,
                goal=goal,
                note=milliseconds(spent),
            )
            harness.vendor.set_latency(0)
            spent = measure_medians({**tasks, "naive": _task(naive, size)}, rounds=ROUNDS)
            yield Result(
                key=f"send.cpu-at-once.batch-{size}",
                label=f"{label} ÷ client calls in sequence, on urllib3; vendor at 0 ms",
                value=spent["ours"] / spent["sequential"],
                note=milliseconds(spent),
            )
            yield Result(
                key=f"send.cpu-naive.batch-{size}",
                label=f"{label} ÷ naive; vendor at 0 ms",
                value=spent["ours"] / spent["naive"],
            )


def _task(sandbox: Sandbox, size: int) -> Callable[[], float]:
    """Return a task that sends `MESSAGES` in batches, and returns the CPU time per message in seconds."""

    def send() -> float:
        return sandbox.invoke(*(batch_of(size) for _ in range(MESSAGES // size))).cpu_seconds / MESSAGES

    return send


# --- wall time ------------------------------------------------------------------------------------------------------


def _measure_wall(harness: Harness) -> Iterator[Result]:
    """Measure with a vendor that responds after `LATENCY_MS`. All calls use TLS, also those to AWS."""
    harness.vendor.set_latency(LATENCY_MS)
    for size in GOALS:
        yield from _measure_batch(harness, size)


def _measure_batch(harness: Harness, size: int) -> Iterator[Result]:
    cold, warm, connections, loads = [], [], [], 0
    for _ in range(COLD_STARTS):
        with harness.sandbox("send", tls=True) as send:
            send.invoke()  # returns after the import of the app
            harness.vendor.reset_counts()
            cold.append(send.invoke(batch_of(size)).wall_seconds)
            connections.append(harness.vendor.connections())
            for _ in range(WARM_BATCHES):
                timing = send.invoke(batch_of(size))
                warm.append(timing.wall_seconds)
                loads = max(loads, timing.ca_loads)
    # Other load on the machine can only add to a wall time, so take the minimum.
    shortest, cold_shortest = min(warm), min(cold)
    least = ceil(size / THREADS) * LATENCY_MS / 1000
    label = f"wall time of a batch of {size} ÷ {least * 1000:.0f} ms"
    yield Result(
        key=f"send.wall-warm.batch-{size}",
        label=f"{label}, warm",
        value=shortest / least,
        floor=1.05,
        goal=WARM_GOALS[size],
        note=f"minimum of {len(warm)}: {shortest * 1000:.0f} ms, TLS to vendor and AWS",
    )
    yield Result(
        key=f"send.wall-cold.batch-{size}",
        label=f"{label}, cold",
        value=cold_shortest / least,
        floor=1.05,
        goal=COLD_GOAL,
        note=f"minimum of {COLD_STARTS}: {cold_shortest * 1000:.0f} ms, after the import of the app",
    )
    yield Result(
        key=f"send.connections.batch-{size}",
        label=f"connections to the vendor, batch of {size}, cold",
        value=max(connections),
        unit="",
        goal=min(THREADS, size),
    )
    yield Result(
        key=f"send.ca-loads.batch-{size}",
        label=f"reads of a CA bundle, process with {1 + WARM_BATCHES} batches of {size}",
        value=loads,
        unit="times",
        goal=0,
    )
