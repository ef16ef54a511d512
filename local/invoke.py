"""Run a function on a sample event, in this process, against the running local stack; no Docker.

`python -m local.invoke send events/send/nomsa.json` prints what the handler returns, below what it logs.
`python -m local.invoke --env-vars` prints the environments of the functions, for `sam local invoke --env-vars`.
`python -m local.invoke --webhook-token` prints the token that the stack generated, to put into a webhook event.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from local.stack.config import ENDPOINT_URL, REGION, ROOT, STACK_NAME
from local.stack.deployment import client

FUNCTIONS: Final = {
    "send": "SendFunction",
    "webhook": "WebhookFunction",
    "follow_up": "FollowUpFunction",
    "monitor": "MonitorFunction",
    "publish": "PublishFunction",
}
"""Logical ids in the template, by folder."""

LOCAL_AWS: Final = {
    "AWS_ENDPOINT_URL": ENDPOINT_URL,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}

USAGE: Final = f"usage: python -m local.invoke {{{','.join(FUNCTIONS)}}} EVENT.json | --env-vars | --webhook-token"


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the functions use. Time does not run out."""

    aws_request_id: str = "local-invoke"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def env_vars(new_client: Callable[[str], Any] = client) -> dict[str, dict[str, str]]:
    """Return the environment of each deployed function by its logical id."""
    stack, functions = new_client("cloudformation"), new_client("lambda")
    environments = {}
    for logical_id in FUNCTIONS.values():
        resource = stack.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        configuration = functions.get_function_configuration(FunctionName=name)
        environments[logical_id] = dict(configuration["Environment"]["Variables"])
    return environments


def webhook_token(new_client: Callable[[str], Any] = client) -> str:
    """Return the first webhook token of the stack."""
    arn = env_vars(new_client)["WebhookFunction"]["PROVIDER_SECRET_ARN"]
    secret = json.loads(new_client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return str(secret["webhook_tokens"][0])


def invoke(function: str, event: Any, environment: Mapping[str, str]) -> Any:
    """Run a function's handler in this process, whose environment changes for good, and return its answer."""
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT / "layers" / "sampai"))
    spec = importlib.util.spec_from_file_location("app", ROOT / "functions" / function / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(function)
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app.handler(event, Context())


def main(arguments: list[str]) -> int:
    """Do what the arguments say. Returns the exit status."""
    try:
        match arguments:
            case ["--env-vars"]:
                print(json.dumps(env_vars(), indent=2))
            case ["--webhook-token"]:
                print(webhook_token())
            case [function, file] if function in FUNCTIONS:
                return _run(function, Path(file))
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except (BotoCoreError, ClientError) as error:
        print(f"The local stack does not answer; `make up` starts it. ({type(error).__name__})", file=sys.stderr)
        return 1
    return 0


def _run(function: str, file: Path) -> int:
    try:
        event = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"The event cannot be read: {error}", file=sys.stderr)
        return 1
    answer = invoke(function, event, {**env_vars()[FUNCTIONS[function]], **LOCAL_AWS})
    print(json.dumps(answer, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
