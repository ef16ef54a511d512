"""The paths, ports and addresses of the local stack."""

import os
from pathlib import Path
from typing import Final

from local import ports

ROOT: Final = Path(__file__).resolve().parents[2]
LOCAL: Final = ports.LOCAL
OUTPUTS: Final = LOCAL / "outputs.json"
ENV_VARS: Final = LOCAL / "env-vars.json"
CONTAINER_ENV_VARS: Final = LOCAL / "container-env-vars.json"
"""Environments for `sam local` and `local.invoke`; samconfig.toml names both files."""

STACK_NAME: Final = "sampai"
REGION: Final = "ap-southeast-1"
PORT: Final = ports.PORT
SIMULATOR_PORT: Final = ports.SIMULATOR_PORT
DYNAMODB_PORT: Final = ports.DYNAMODB_PORT
RUDE: Final = os.environ.get("SAMPAI_RUDE") == "1"
"""Whether the vendor simulators answer as rudely as real servers."""
CALLBACK_URL: Final = os.environ.get("SAMPAI_CALLBACK_URL", "")
"""The receiver of callbacks. Without one the stack has no resource for callbacks."""
ENDPOINT_URL: Final = f"http://127.0.0.1:{PORT}"
SIMULATORS_URL: Final = f"http://localhost:{SIMULATOR_PORT}"
"""By name, because the name can be given a second address in a container: see `local.relay`."""

EMULATOR_PYTHON: Final = ROOT / ".venv-emulator" / "bin" / "python"
"""The functions run in the emulator's interpreter, so the layers are built for it."""


class StackError(Exception):
    """The local stack cannot run a command. The text has the reason and a solution."""

    exit_status = 1


class PortTakenError(StackError):
    """Another program listens on a port of the local stack."""

    exit_status = 2
