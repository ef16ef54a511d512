"""The ports of the local stack.

`python -m local.ports` checks them before anything is installed, so this module needs the standard library alone.
"""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

LOCAL: Final = Path(__file__).resolve().parents[1] / ".local"
PROC: Final = Path("/proc")
LISTENS: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""
STEP: Final = 200
"""Distance between the ports of two stacks."""
LAST: Final = 65535
DEFAULT: Final = 4566


def _read_port(name: str, default: int) -> int:
    """Return the port in a variable of the environment. The program ends if it is no port with free ones after it."""
    value = os.environ.get(name) or str(default)
    if not (value.isascii() and value.isdecimal() and 0 < int(value) <= LAST - 15):
        sys.exit(f"{name} is {value!r}. It must be a port: a number from 1 to {LAST - 15}.")
    return int(value)


PORT: Final = _read_port("SAMPAI_PORT", DEFAULT)
SIMULATOR_PORT: Final = _read_port("SAMPAI_SIMULATOR_PORT", PORT + 14)
DYNAMODB_PORT: Final = SIMULATOR_PORT + 1
PORTS: Final = {"emulator": PORT, "simulators": SIMULATOR_PORT, "dynamodb": DYNAMODB_PORT}
"""The port of each server; the name is that of its pid file."""


def main() -> int:
    """Print the ports that other programs have, and a choice. Return the exit status: 2 if there is one, else 0.

    The ports of a stack of this folder that runs already are its own.
    """
    found = "" if any(map(_is_running, PORTS)) else complaint(*PORTS.values())
    if found:
        print(found, file=sys.stderr)
    return 2 if found else 0


def complaint(*ports: int) -> str:
    """Return a line for each port on which a program listens, and one with a solution; empty if all are free."""
    taken = [f"Port {port} is taken by {_describe_holder(port)}." for port in ports if not is_free(port)]
    if not taken:
        return ""
    other = free_port()
    choice = f"SAMPAI_PORT={other}"
    if "SAMPAI_SIMULATOR_PORT" in os.environ:
        choice += f" SAMPAI_SIMULATOR_PORT={other + 14}"
    return "\n".join([*taken, f"Choose other ports: export {choice}"])


def is_free(port: int) -> bool:
    """Return whether a server can listen on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a value for SAMPAI_PORT with which all ports of a stack are free at present."""
    candidates = [*range(PORT + STEP, LAST - 15, STEP), *range(DEFAULT, LAST - 15, STEP)]
    found: int = next(port for port in candidates if all(is_free(port + offset) for offset in (0, 14, 15)))
    return found


def _is_running(name: str) -> bool:
    """Return whether the process in a pid file of this folder runs."""
    try:
        os.kill(int((LOCAL / f"{name}.pid").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _describe_holder(port: int) -> str:
    """Name the process that listens on a port, as far as /proc tells. It hides the processes of other users."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(descriptor) in inodes for descriptor in (folder / "fd").iterdir()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {folder.name} ({command[:80]})"
    return "another program"


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = [line.split() for line in (PROC / "net" / table).read_text().splitlines()[1:]]
            found |= {row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port}
    return found


if __name__ == "__main__":
    sys.exit(main())
