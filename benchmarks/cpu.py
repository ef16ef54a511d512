"""CPU time and memory of processes, from Linux's /proc."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.stack.processes import Server, children_of

PROCESSORS: Final = os.cpu_count() or 1
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """Return the CPU time of a process, optionally with that of its ended children. Raises OSError without process."""
    return cpu_ticks_in(Path(f"/proc/{pid}/stat").read_text(), with_children=with_children) / _TICKS_PER_SECOND


def cpu_ticks_in(stat: str, *, with_children: bool = False) -> int:
    """Return user and system time, in clock ticks, from the text of /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()  # the name before the parenthesis can contain spaces
    return sum(map(int, fields[11 : 15 if with_children else 13]))


def peak_mb(pid: int) -> float:
    """Return the maximum memory of a process in MiB. Its own `ru_maxrss` would include that of its parent."""
    return peak_kib_in(Path(f"/proc/{pid}/status").read_text()) / 1024


def peak_kib_in(status: str) -> int:
    """Return the maximum memory in KiB from the text of /proc/PID/status."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The clock and the CPU time used until then, by some servers and by the whole machine. All in seconds."""

    at: float
    servers: float
    machine: float

    @classmethod
    def read(cls, servers: Sequence[Server]) -> "Reading":
        """Read the servers and their child processes, including the ended ones."""
        pids = [pid for server in servers if (pid := server.pid()) is not None]
        pids += [child for pid in pids for child in children_of(pid)]
        return cls(at=time.monotonic(), servers=sum(map(_cpu_seconds_or_zero, pids)), machine=_machine_cpu_seconds())

    def used_until(self, later: "Reading") -> float:
        """Return the mean number of processors that the servers used."""
        return (later.servers - self.servers) / (later.at - self.at)

    def available_until(self, later: "Reading") -> float:
        """Return the mean number of processors that other programs left to the servers."""
        others = (later.machine - self.machine) - (later.servers - self.servers)
        return max(0.1, PROCESSORS - others / (later.at - self.at))


def _cpu_seconds_or_zero(pid: int) -> float:
    try:
        return cpu_seconds(pid, with_children=True)
    except OSError:  # it has ended, and its parent includes its time
        return 0.0


def _machine_cpu_seconds() -> float:
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND
