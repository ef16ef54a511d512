"""Let containers reach the local stack on Linux: `python -m local.relay`, until it is interrupted.

The local stack listens on 127.0.0.1 alone, and in a container that address is the container itself. samconfig.toml
gives the name localhost a second address there: host-gateway, the address of this computer. Docker Desktop forwards
connections from there to 127.0.0.1. Docker on Linux does not, so the relay does.
"""

import asyncio
import errno
import sys
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from typing import Final

import docker  # type: ignore[import-untyped]  # a dependency of aws-sam-cli
from docker.errors import DockerException  # type: ignore[import-untyped]

from local.stack.config import DYNAMODB_PORT, PORT, SIMULATOR_PORT

PORTS: Final = (PORT, DYNAMODB_PORT, SIMULATOR_PORT)
NO_ENGINE: Final = 3
"""Exit status where no Docker engine answers."""


def bridge_address() -> str:
    """Return the address that the name host-gateway has in containers. Raises DockerException without an engine."""
    network = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
    return str(network.get("Gateway") or next(ip_network(network["Subnet"]).hosts()))  # Docker 20 may leave it out


async def listen(address: str, port: int, *, target_port: int) -> asyncio.Server:
    """Listen on an address and forward each connection to a port of 127.0.0.1. Raises OSError."""
    return await asyncio.start_server(partial(_forward, target_port), address, port)


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))
    for used in (writer, target_writer):
        used.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _serve(address: str) -> None:
    servers = [await listen(address, port, target_port=port) for port in PORTS]
    print(f"Containers reach the local stack at {address}.", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> int:
    """Forward until interrupted. Returns the exit status."""
    try:
        asyncio.run(_serve(bridge_address()))
    except DockerException:
        print("No Docker engine answers.", file=sys.stderr)
        return NO_ENGINE
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        print("Containers reach the local stack without a relay: this is Docker Desktop.")
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
