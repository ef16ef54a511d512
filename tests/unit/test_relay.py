"""The relay passes bytes both ways and outlives a local stack that is down."""

import asyncio
import socket

from local import relay


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"echo: " + await reader.read(-1))
    writer.close()


async def _ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    return answer


def _port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def test_bytes_pass_in_both_directions_until_each_side_ends() -> None:
    async def exchange() -> bytes:
        async with (
            await asyncio.start_server(_echo, "127.0.0.1", 0) as target,
            await relay.listen("127.0.0.1", 0, target_port=_port_of(target)) as listening,
        ):
            return await _ask(_port_of(listening), b"x" * 200_000)

    assert asyncio.run(exchange()) == b"echo: " + b"x" * 200_000


def test_a_connection_ends_while_nothing_listens_behind_the_relay() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        async def exchange() -> bytes:
            port = unused.getsockname()[1]
            async with await relay.listen("127.0.0.1", 0, target_port=port) as listening:
                return await _ask(_port_of(listening), b"anybody?")

        assert asyncio.run(exchange()) == b""
