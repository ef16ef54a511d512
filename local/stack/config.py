"""The paths, ports and addresses of the local stack."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCAL: Final = ROOT / ".local"
OUTPUTS: Final = LOCAL / "outputs.json"
ENV_VARS: Final = LOCAL / "env-vars.json"
CONTAINER_ENV_VARS: Final = LOCAL / "container-env-vars.json"
"""Environments for `sam local` and `local.invoke`; samconfig.toml names both files."""

STACK_NAME: Final = "sampai"
REGION: Final = "ap-southeast-1"
PORT: Final = int(os.environ.get("SAMPAI_PORT", "4566"))
SIMULATOR_PORT: Final = int(os.environ.get("SAMPAI_SIMULATOR_PORT", str(PORT + 14)))
DYNAMODB_PORT: Final = SIMULATOR_PORT + 1
RUDE: Final = os.environ.get("SAMPAI_RUDE") == "1"
"""Whether the vendor simulators answer as rudely as real servers."""
ENDPOINT_URL: Final = f"http://127.0.0.1:{PORT}"
SIMULATORS_URL: Final = f"http://localhost:{SIMULATOR_PORT}"
"""By name, because the name can be given a second address in a container: see `local.relay`."""

EMULATOR_PYTHON: Final = ROOT / ".venv-emulator" / "bin" / "python"
"""The functions run in the emulator's interpreter, so the layers are built for it."""


class StackError(Exception):
    """The local stack cannot run a command. The text has the reason and a solution."""
