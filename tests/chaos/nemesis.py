"""Plan kills from a seed and carry them out, and stop the store. Jepsen calls whatever injects faults the nemesis."""

import os
import threading
import time
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Final

from local.stack.config import StackError
from local.stack.processes import Server, children_of, function_of, kill, silenced

KILL_COUNT: Final = 64
KILL_PERIOD_SECONDS: Final = 80.0
MIN_PROCESS_AGE_SECONDS: Final = 5.0
"""Age from which a process of a function may be killed. If a process dies while it starts, the emulator ends the other
processes of the function too. If some of those are starting, this repeats and may never stop."""
EXIT_DETECTION_SECONDS: Final = 0.3
"""Time in which the emulator detects that a process ended. It loses an invocation that comes earlier."""
RETRY_SECONDS: Final = 1.0
RETRY_DEADLINE_SECONDS: Final = KILL_PERIOD_SECONDS + 20
"""Time until which a planned kill is repeated if its target has no process."""


class Target(StrEnum):
    """A target of a kill: the processes of a function, or a server."""

    SEND = "send function"
    WEBHOOK = "webhook function"
    PUBLISH = "publish function"
    FOLLOW_UP = "follow_up function"
    DYNAMODB = "DynamoDB proxy"
    SIMULATORS = "vendor simulators"


TARGET_WEIGHTS: Final[Mapping[Target, int]] = {
    Target.SEND: 8,
    Target.WEBHOOK: 4,
    Target.PUBLISH: 3,
    Target.FOLLOW_UP: 3,
    Target.DYNAMODB: 4,
    Target.SIMULATORS: 3,
}
FUNCTIONS: Final = {
    "SendFunction": Target.SEND,
    "WebhookFunction": Target.WEBHOOK,
    "PublishFunction": Target.PUBLISH,
    "FollowUpFunction": Target.FOLLOW_UP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStop:
    """One outage of DynamoDB: its length, and whether it is silent (requests wait) or refuses connections."""

    seconds: float
    is_silent: bool

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, {'silent' if self.is_silent else 'unreachable'}"


STORE_STOPS: Final = (StoreStop(seconds=10, is_silent=True), StoreStop(seconds=60, is_silent=False))
"""The silent one is shorter than an invocation, because a request that waited for a minute would be carried out at its
end, which DynamoDB does not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedKill:
    """One kill: seconds after the start, the target, and a number from 0 to 1 that selects one of its processes."""

    at_seconds: float
    target: Target
    choice: float


def plan_kills(seed: int, count: int = KILL_COUNT, seconds: float = KILL_PERIOD_SECONDS) -> list[PlannedKill]:
    """Return the kills in order of time. Every target occurs."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    targets = [
        *Target,
        *random.choices(list(TARGET_WEIGHTS), list(TARGET_WEIGHTS.values()), k=count - len(Target)),
    ]
    random.shuffle(targets)
    times = sorted(random.uniform(0, seconds) for _ in targets)
    return [PlannedKill(at_seconds=at, target=v, choice=random.random()) for at, v in zip(times, targets, strict=True)]


def find_function_processes(children: Mapping[int, str]) -> dict[Target, list[int]]:
    """Return the process ids of each function. `children` are the command lines of the emulator's child processes."""
    found: dict[Target, list[int]] = {}
    for pid, command in sorted(children.items()):
        if (target := FUNCTIONS.get(function_of(command) or "")) is not None:
            found.setdefault(target, []).append(pid)
    return found


@dataclass(kw_only=True)
class Nemesis:
    """Carries out a plan in a thread. It restarts each of the `servers` right after the kill."""

    planned_kills: list[PlannedKill]
    emulator: Server
    servers: Mapping[Target, Server]
    run_follow_up: Callable[[], None]
    min_process_age_seconds: float = MIN_PROCESS_AGE_SECONDS
    kills: Counter[Target] = field(default_factory=Counter)
    failure: Exception | None = None
    _first_seen: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raise the error of the thread, if any."""
        if self.failure is not None:
            raise self.failure

    def finish(self) -> None:
        """Wait for the end of the plan; raise the error of the thread, if any."""
        self._thread.join()
        self.check()

    def _run(self) -> None:
        started_at, pending = time.monotonic(), list(self.planned_kills)
        try:
            self.run_follow_up()
            while pending:
                planned = pending.pop(0)
                time.sleep(max(0.0, started_at + planned.at_seconds - time.monotonic()))
                is_killed = self._kill(planned)
                self.kills[planned.target] += is_killed
                again = replace(planned, at_seconds=planned.at_seconds + RETRY_SECONDS)
                if not is_killed and again.at_seconds <= RETRY_DEADLINE_SECONDS:
                    insort(pending, again, key=lambda each: each.at_seconds)
        except Exception as error:
            self.failure = error

    def _kill(self, planned: PlannedKill) -> bool:
        if (server := self.servers.get(planned.target)) is not None:
            return _kill_server(server)
        pids = self._find_killable().get(planned.target, [])
        if not pids:
            return False
        pid = pids[int(planned.choice * len(pids))]
        return self._kill_while_working(pid, planned.choice / 2) if planned.target is Target.FOLLOW_UP else kill(pid)

    def _kill_while_working(self, pid: int, seconds: float) -> bool:
        """Run the follow-up function and kill its process in the middle: it works only for a moment each minute."""
        self.run_follow_up()
        time.sleep(seconds)
        killed = kill(pid)
        time.sleep(EXIT_DETECTION_SECONDS)
        self.run_follow_up()  # starts a new process for the next kill
        return killed

    def _find_killable(self) -> dict[Target, list[int]]:
        """Return the processes of each function that are older than the minimum age."""
        born_before = time.monotonic() - self.min_process_age_seconds
        found = find_function_processes(children_of(self.emulator.pid() or 0))
        for pid in (pid for pids in found.values() for pid in pids):
            self._first_seen.setdefault(pid, time.monotonic())
        return {target: [pid for pid in pids if self._first_seen[pid] <= born_before] for target, pids in found.items()}


@contextmanager
def stopped(server: Server, stop: StoreStop) -> Iterator[None]:
    """Keep a server of the stack out of order."""
    pid = server.pid()
    if pid is None:
        raise StackError(f"{server.name} does not run")
    if stop.is_silent:
        with silenced(pid):
            yield
        return
    _end(pid)
    try:
        yield
    finally:
        server.start()


def _kill_server(server: Server) -> bool:
    pid = server.pid()
    killed = pid is not None and _end(pid)
    server.start()
    return killed


def _end(pid: int) -> bool:
    """Kill a child process. Its port is free after this."""
    killed = kill(pid)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return killed
