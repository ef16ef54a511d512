"""Run a function on a sample event, in this process, against the running local stack; no Docker.

`python -m local.invoke send events/send/nomsa.json` prints the log lines of the function, then its result.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.stack.config import CONTAINER_ENV_VARS, ENV_VARS, ROOT

FUNCTIONS: Final = {
    "send": "SendFunction",
    "webhook": "WebhookFunction",
    "follow_up": "FollowUpFunction",
    "monitor": "MonitorFunction",
    "publish": "PublishFunction",
    "callback": "CallbackFunction",
}
"""Logical ids in the template, by folder."""

USAGE: Final = f"usage: python -m local.invoke {{{','.join(FUNCTIONS)}}} EVENT.json"


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that the functions use. Time does not run out."""

    aws_request_id: str = "local-invoke"
    function_name: str = "local-invoke"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def invoke(function: str, event: Any, environment: Mapping[str, str]) -> Any:
    """Run a function's handler in this process and return its result. The environment stays changed afterwards."""
    os.environ.update(environment)
    spec = importlib.util.spec_from_file_location("app", ROOT / "functions" / function / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(function)
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app.handler(event, Context())


def main(arguments: list[str]) -> int:
    """Invoke the function that the arguments name. Returns the exit status."""
    match arguments:
        case [function, file] if function in FUNCTIONS:
            return _run(function, Path(file))
    print(USAGE, file=sys.stderr)
    return 2


def _run(function: str, file: Path) -> int:
    try:
        environment = _read(ENV_VARS)[FUNCTIONS[function]] | _read(CONTAINER_ENV_VARS)
    except FileNotFoundError:
        print("The local stack is not up; `make up` starts it.", file=sys.stderr)
        return 1
    except KeyError:
        print("The local stack has no receiver of callbacks: start it with SAMPAI_CALLBACK_URL.", file=sys.stderr)
        return 1
    try:
        event = _read(file)
    except (OSError, ValueError) as error:
        print(f"The event cannot be read: {error}", file=sys.stderr)
        return 1
    print(json.dumps(invoke(function, event, environment)))
    return 0


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
