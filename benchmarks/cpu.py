"""How much of this machine's processors a stack uses, and how much everybody else leaves. Linux: reads /proc."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.stack.processes import Server, children_of

TICKS: Final = os.sysconf("SC_CLK_TCK")
COUNT: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Seconds at one moment: of the clock, of processor time used by the servers, and of all that was used."""

    at: float
    own: float
    everybodys: float

    @classmethod
    def of(cls, servers: Sequence[Server]) -> "Reading":
        """Read the servers with the processes that they started, those that have ended among them."""
        pids = [pid for server in servers if (pid := server.pid()) is not None]
        pids += [child for pid in pids for child in children_of(pid)]
        return cls(at=time.monotonic(), own=sum(map(_used_by, pids)), everybodys=_used_by_all())

    def used_until(self, later: "Reading") -> float:
        """Return the processors that the servers used, on average."""
        return (later.own - self.own) / (later.at - self.at)

    def left_until(self, later: "Reading") -> float:
        """Return the processors that others left to the servers, on average."""
        others = (later.everybodys - self.everybodys) - (later.own - self.own)
        return max(0.1, COUNT - others / (later.at - self.at))


def _used_by(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended, and is counted with its parent
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS  # user and system time, its own and that of children that have ended


def _used_by_all() -> float:
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS
