"""The plan of kills, which depends only on the seed, and the thread that carries it out."""

import os
import threading
import time
from bisect import insort
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Final

from local.stack.processes import Server, children_of, function_of, kill

STRIKES: Final = 64
SECONDS: Final = 80.0
GROWN_SECONDS: Final = 5.0
"""The minimum age of a function's process before a kill. If a process dies while it starts, the emulator ends the other
processes of the function too, even those that are starting. It may then never start one again."""
REAPED_SECONDS: Final = 0.3
"""Until the emulator sees that a process has ended; an invocation before that is lost."""
AGAIN_SECONDS: Final = 1.0
LAST_SECONDS: Final = SECONDS + 20
"""Until then a strike without a target is repeated."""


class Victim(StrEnum):
    """A target of kills: the processes of a function, or a server."""

    SEND = "send function"
    WEBHOOK = "webhook function"
    PUBLISH = "publish function"
    FOLLOW_UP = "follow_up function"
    DYNAMODB = "way to DynamoDB"
    SIMULATORS = "vendors"


WEIGHTS: Final[Mapping[Victim, int]] = {
    Victim.SEND: 8,
    Victim.WEBHOOK: 4,
    Victim.PUBLISH: 3,
    Victim.FOLLOW_UP: 3,
    Victim.DYNAMODB: 4,
    Victim.SIMULATORS: 3,
}
FUNCTIONS: Final = {
    "SendFunction": Victim.SEND,
    "WebhookFunction": Victim.WEBHOOK,
    "PublishFunction": Victim.PUBLISH,
    "FollowUpFunction": Victim.FOLLOW_UP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One kill: seconds from the start, the victim, and a number from 0 to 1 that selects a process."""

    at_seconds: float
    victim: Victim
    choice: float


def plan(seed: int, strikes: int = STRIKES, seconds: float = SECONDS) -> list[Strike]:
    """Return the kills in order. Every victim occurs for every seed."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    victims = [*Victim, *random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=strikes - len(Victim))]
    random.shuffle(victims)
    times = sorted(random.uniform(0, seconds) for _ in victims)
    return [Strike(at_seconds=at, victim=v, choice=random.random()) for at, v in zip(times, victims, strict=True)]


def workers(children: Mapping[int, str]) -> dict[Victim, list[int]]:
    """Return the processes of each function among the emulator's children, given their command lines."""
    found: dict[Victim, list[int]] = {}
    for pid, command in sorted(children.items()):
        if (victim := FUNCTIONS.get(function_of(command) or "")) is not None:
            found.setdefault(victim, []).append(pid)
    return found


@dataclass(kw_only=True)
class Nemesis:
    """Carries out the plan in a thread of its own. `servers` are restarted after a kill."""

    strikes: list[Strike]
    emulator: Server
    servers: Mapping[Victim, Server]
    run_follow_up: Callable[[], None]
    grown_seconds: float = GROWN_SECONDS
    kills: Counter[Victim] = field(default_factory=Counter)
    failure: Exception | None = None
    _seen: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raise the error of the thread, if there is one."""
        if self.failure is not None:
            raise self.failure

    def finish(self) -> None:
        """Wait until the plan is done. Raise the error of the thread, if there is one."""
        self._thread.join()
        self.check()

    def _run(self) -> None:
        began, coming = time.monotonic(), list(self.strikes)
        try:
            self.run_follow_up()
            while coming:
                strike = coming.pop(0)
                time.sleep(max(0.0, began + strike.at_seconds - time.monotonic()))
                has_hit = self._strike(strike)
                self.kills[strike.victim] += has_hit
                again = replace(strike, at_seconds=strike.at_seconds + AGAIN_SECONDS)
                if not has_hit and again.at_seconds <= LAST_SECONDS:
                    insort(coming, again, key=lambda each: each.at_seconds)
        except Exception as error:
            self.failure = error

    def _strike(self, strike: Strike) -> bool:
        if (server := self.servers.get(strike.victim)) is not None:
            return _kill_server(server)
        pids = self._grown().get(strike.victim, [])
        if not pids:
            return False
        pid = pids[int(strike.choice * len(pids))]
        return self._kill_at_work(pid, strike.choice / 2) if strike.victim is Victim.FOLLOW_UP else kill(pid)

    def _kill_at_work(self, pid: int, seconds: float) -> bool:
        """Kill a process of the follow-up while it works. It works only for a moment in each minute."""
        self.run_follow_up()
        time.sleep(seconds)
        killed = kill(pid)
        time.sleep(REAPED_SECONDS)
        self.run_follow_up()  # so that there is another to kill
        return killed

    def _grown(self) -> dict[Victim, list[int]]:
        """Return the processes of each function that were seen some time ago."""
        born_before = time.monotonic() - self.grown_seconds
        found = workers(children_of(self.emulator.pid() or 0))
        for pid in (pid for pids in found.values() for pid in pids):
            self._seen.setdefault(pid, time.monotonic())
        return {victim: [pid for pid in pids if self._seen[pid] <= born_before] for victim, pids in found.items()}


def _kill_server(server: Server) -> bool:
    pid = server.pid()
    killed = pid is not None and kill(pid)
    if pid is not None:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)  # until then its port is taken
    server.start()
    return killed
