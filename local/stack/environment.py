"""Environments of functions that run on this computer but outside the local AWS: `sam local` and `local.invoke`."""

import json
from collections.abc import Callable
from typing import Any, Final

from local.stack.config import CONTAINER_ENV_VARS, DYNAMODB_PORT, ENV_VARS, PORT, REGION, STACK_NAME
from local.stack.deployment import client

CONTAINER: Final = {
    "AWS_ENDPOINT_URL": f"http://localhost:{PORT}",
    # Writes through this port reach the stream: local.emulator.partiql_proxy.
    "AWS_ENDPOINT_URL_DYNAMODB": f"http://localhost:{DYNAMODB_PORT}",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    # sam passes on the caller's credentials. These replace them.
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "",
    "NO_PROXY": "localhost",
    "no_proxy": "localhost",
}
"""Variables that are not in the template: sam sets them for all functions alike, from `--container-env-vars`."""


def write(new_client: Callable[[str], Any] = client) -> None:
    """Write both files for the deployed stack."""
    ENV_VARS.write_text(json.dumps(function_variables(new_client), indent=2) + "\n")
    CONTAINER_ENV_VARS.write_text(json.dumps(CONTAINER, indent=2) + "\n")


def function_variables(new_client: Callable[[str], Any] = client) -> dict[str, dict[str, str]]:
    """Return the environment of each deployed function by its logical id, for `--env-vars`."""
    resources = new_client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    functions = [r for r in resources if r["ResourceType"] == "AWS::Lambda::Function"]
    return {f["LogicalResourceId"]: _variables_of(f["PhysicalResourceId"], new_client) for f in functions}


def _variables_of(name: str, new_client: Callable[[str], Any]) -> dict[str, str]:
    configuration = new_client("lambda").get_function_configuration(FunctionName=name)
    return dict(configuration["Environment"]["Variables"])
