"""The local stack: the local AWS with the unchanged template, and the vendor simulators."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.stack import deployment, environment
from local.stack.config import (
    CALLBACK_URL,
    CONTAINER_ENV_VARS,
    DYNAMODB_PORT,
    EMULATOR_PYTHON,
    ENDPOINT_URL,
    ENV_VARS,
    LOCAL,
    OUTPUTS,
    PORT,
    REGION,
    SIMULATOR_PORT,
    SIMULATORS_URL,
    StackError,
)
from local.stack.processes import Server, discard, require_free

__all__ = ["StackError", "down", "up"]

EMULATOR: Final = Server(
    name="emulator",
    python=EMULATOR_PYTHON,
    module="ministack",
    port=PORT,
    health_path="/_ministack/health",
    environment={
        "GATEWAY_PORT": str(PORT),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        # Off, because their ports are fixed and two stacks would collide.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # The functions inherit it; see local.emulator.partiql_proxy.
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{DYNAMODB_PORT}",
    },
)
DYNAMODB: Final = Server(
    name="dynamodb",
    python=Path(sys.executable),
    module="local.emulator.partiql_proxy",
    arguments=("--port", str(DYNAMODB_PORT), "--upstream", ENDPOINT_URL),
    port=DYNAMODB_PORT,
    health_path="/_health",
    environment={},
)
SIMULATORS: Final = Server(
    name="simulators",
    python=Path(sys.executable),
    module="local.simulators",
    arguments=("--port", str(SIMULATOR_PORT)),
    port=SIMULATOR_PORT,
    health_path="/_health",
    environment={},
)
SERVERS: Final = (EMULATOR, DYNAMODB, SIMULATORS)


def up(servers: Sequence[Server] = SERVERS, *, callback_url: str = CALLBACK_URL) -> dict[str, Any]:
    """Start the local stack if it is not running, and return its outputs. Tests may pass their own servers.

    Without an address for callbacks, the stack has no resource for them. Raises StackError. On any error or interrupt,
    all started servers are stopped again.
    """
    if any(server.pid() for server in servers):
        return _read_running_outputs()
    require_free(*(server.port for server in servers))
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    try:
        return _start(servers, callback_url)
    except BaseException:
        down()
        raise


def down() -> bool:
    """Stop the servers of `up`, delete their files except logs and build caches, and return whether any ran."""
    running = [server for server in SERVERS if server.terminate()]
    if running:
        print("Stopping the local stack, up to 10 s ...", flush=True)
    for server in SERVERS:
        server.stop()
    for file in (OUTPUTS, ENV_VARS, CONTAINER_ENV_VARS):
        file.unlink(missing_ok=True)
    discard(LOCAL / "build")
    return bool(running)


def _read_running_outputs() -> dict[str, Any]:
    if not (OUTPUTS.exists() and all(server.pid() and server.is_healthy() for server in SERVERS)):
        raise StackError("The local stack is half up. `make down` stops the rest of it.")
    found: dict[str, Any] = json.loads(OUTPUTS.read_text())
    print(f"The local stack is already up at {found['endpoint_url']}.")
    return found


def _start(servers: Sequence[Server], callback_url: str) -> dict[str, Any]:
    began = time.monotonic()
    print(f"Starting the local AWS at {ENDPOINT_URL} and the vendor simulators at {SIMULATORS_URL} ...", flush=True)
    for server in servers:
        server.start()
    print("Building (the first time takes longer) ...", flush=True)
    deployment.build()
    print("Deploying template.yaml ...", flush=True)
    deployment.deploy(**(deployment.callbacks_to(callback_url) if callback_url else {}))
    found = deployment.read_outputs()
    deployment.enable_ttl()
    deployment.configure(found)
    environment.write()
    OUTPUTS.write_text(json.dumps(found, indent=2) + "\n")
    print(f"Up after {time.monotonic() - began:.0f} s. Its addresses and names are in {OUTPUTS}.")
    return found
