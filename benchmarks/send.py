"""Send: the CPU of a message beside what others would write, the wall of a batch, connections and CA bundles."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import ceil
from typing import Final

from benchmarks.harness import YARDSTICKS, Sandbox, Stage, batch_of, medians, staged
from benchmarks.results import Figure

THREADS: Final = 32
"""Calls that send makes side by side."""

LATENCY_MS: Final = 200

MESSAGES: Final = 200
"""In a round, of each handler."""

ROUNDS: Final = 7
COLD_STARTS: Final = 5
WARM_BATCHES: Final = 3
"""In each of the processes."""

GOALS: Final = {10: (0.40, 0.50), 100: (0.29, 0.45)}
"""Floor and goal of the CPU ÷ `client_seq`, by messages in a batch."""

WARM_GOALS: Final = {10: 1.15, 100: 1.30}
COLD_GOAL: Final = 1.30
"""Of the wall ÷ the vendor's latency."""


def measure() -> list[Figure]:
    with staged() as stage:
        return [*_cpu(stage), *_walls(stage)]


# --- CPU ------------------------------------------------------------------------------------------------------------


def _cpu(stage: Stage) -> Iterator[Figure]:
    """Vendor at 0 ms over plain HTTP; every handler warm."""
    with ExitStack() as stack:
        ours = stack.enter_context(stage.sandbox("send"))
        careful = stack.enter_context(stage.sandbox(f"{YARDSTICKS}client_seq"))
        naive = stack.enter_context(stage.sandbox(f"{YARDSTICKS}naive"))
        for size, (floor, goal) in GOALS.items():
            works = {"ours": _work(ours, size), "careful": _work(careful, size), "naive": _work(naive, size)}
            medians(works, rounds=1)
            spent = medians(works, rounds=ROUNDS)
            note = " · ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in spent.items()) + " ms"
            yield Figure(
                key=f"send.cpu.batch-{size}",
                what=f"CPU of a message, batch of {size} ÷ client calls in sequence, on urllib3",
                value=spent["ours"] / spent["careful"],
                floor=floor,
                goal=goal,
                note=note,
            )
            yield Figure(
                key=f"send.cpu-naive.batch-{size}",
                what=f"CPU of a message, batch of {size} ÷ naive",
                value=spent["ours"] / spent["naive"],
            )


def _work(sandbox: Sandbox, size: int) -> Callable[[], float]:
    """Return what sends some batches and tells the CPU seconds of a message."""
    batches = MESSAGES // size

    def work() -> float:
        return sandbox.call(*(batch_of(size) for _ in range(batches))).cpu_seconds / (batches * size)

    return work


# --- wall -----------------------------------------------------------------------------------------------------------


def _walls(stage: Stage) -> Iterator[Figure]:
    """Vendor at 200 ms, over TLS, AWS too."""
    stage.vendor.wait(LATENCY_MS)
    try:
        for size in GOALS:
            yield from _wall(stage, size)
    finally:
        stage.vendor.wait(0)


def _wall(stage: Stage, size: int) -> Iterator[Figure]:
    cold, warm, connections, loads = [], [], [], 0
    for _ in range(COLD_STARTS):
        with stage.sandbox("send", tls=True) as send:
            send.call()  # answers once the app is imported
            stage.vendor.forget()
            cold.append(send.call(batch_of(size)).wall_seconds)
            connections.append(stage.vendor.connections())
            for _ in range(WARM_BATCHES):
                spent = send.call(batch_of(size))
                warm.append(spent.wall_seconds)
                loads = max(loads, spent.ca_loads)
    # The least of several: whatever else the machine does can only add to a wall.
    shortest, cold_shortest = min(warm), min(cold)
    least = ceil(size / THREADS) * LATENCY_MS / 1000
    what = f"wall of a batch of {size} ÷ {least * 1000:.0f} ms"
    yield Figure(
        key=f"send.wall-warm.batch-{size}",
        what=f"{what}, warm",
        value=shortest / least,
        floor=1.05,
        goal=WARM_GOALS[size],
        note=f"least of {len(warm)}: {shortest * 1000:.0f} ms, TLS to vendor and AWS",
    )
    yield Figure(
        key=f"send.wall-cold.batch-{size}",
        what=f"{what}, cold",
        value=cold_shortest / least,
        floor=1.05,
        goal=COLD_GOAL,
        note=f"least of {COLD_STARTS}: {cold_shortest * 1000:.0f} ms, from the first event after the import of the app",
    )
    yield Figure(
        key=f"send.connections.batch-{size}",
        what=f"connections to the vendor, batch of {size}, cold",
        value=max(connections),
        unit="",
        goal=min(THREADS, size),
    )
    yield Figure(
        key=f"send.ca-loads.batch-{size}",
        what=f"CA bundle loaded, process with {1 + WARM_BATCHES} batches of {size}",
        value=loads,
        unit="times",
        goal=2,
    )
