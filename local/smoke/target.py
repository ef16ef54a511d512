"""The stack under test: a stage on AWS, by its section in samconfig.toml, or the local stack."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import botocore.session

from local.stack import deployment
from local.stack.config import OUTPUTS, ROOT, STACK_NAME

LOCAL: Final = "local"


class TargetError(Exception):
    """There is no such stack. The text says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    stack_name: str
    outputs: Mapping[str, str]
    client: Callable[[str], Any]
    """Returns a botocore client of a service."""
    is_local: bool = False

    def resource(self, logical_id: str) -> str:
        """Return the physical id of a resource that no output names."""
        answer = self.client("cloudformation").describe_stack_resource(
            StackName=self.stack_name, LogicalResourceId=logical_id
        )
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])


def find(stage: str) -> Target:
    """Return the stack of a stage, or the local stack for `local`.

    Raises TargetError, and botocore's ClientError and BotoCoreError.
    """
    return _local_stack() if stage == LOCAL else _stack_on_aws(stage)


def _local_stack() -> Target:
    if not OUTPUTS.exists():
        raise TargetError("The local stack is not up; `make up` starts it.")
    return Target(
        stack_name=STACK_NAME, outputs=json.loads(OUTPUTS.read_text()), client=cache(deployment.client), is_local=True
    )


def _stack_on_aws(stage: str) -> Target:
    try:
        parameters = tomllib.loads((ROOT / "samconfig.toml").read_text())[stage]["global"]["parameters"]
    except KeyError:
        raise TargetError(f"samconfig.toml has no stage {stage}.") from None
    session, stack_name = botocore.session.get_session(), parameters["stack_name"]

    @cache
    def client(service: str) -> Any:
        return session.create_client(service, parameters["region"])

    stack = client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return Target(stack_name=stack_name, outputs=outputs, client=client)
