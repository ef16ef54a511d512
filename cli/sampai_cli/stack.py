"""The stack that a command works on: one on AWS, by its name, or the local stack."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from sampai_cli.errors import CliError

OUTPUTS: Final = Path(".local") / "outputs.json"
"""The file that `make up` writes, below the folder of the repository."""

_CONFIG: Final = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
_LOCAL_CONFIG: Final = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 1}, proxies={})

LOCAL_CREDENTIALS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""The local AWS takes any. With these, a command without `--stack` never uses the credentials of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    name: str
    outputs: Mapping[str, Any]
    client: Callable[[str], Any]
    """Returns a client of a service."""
    is_local: bool = False

    def output(self, name: str) -> str:
        """Return an output. Raises CliError if the stack has none of this name."""
        try:
            return str(self.outputs[name])
        except KeyError:
            raise CliError(
                f"The stack {self.name} has no output {name}: it is no stack of Sampai, or of an older release. "
                "Deploy the present one, or choose another stack with --stack."
            ) from None

    def resource(self, logical_id: str) -> str:
        """Return the physical id of a resource that no output names."""
        answer = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])


def find_stack(name: str | None) -> Stack:
    """Return the stack of a name in the account and region of the caller, or the local stack without a name.

    Raises CliError, and botocore's ClientError and BotoCoreError.
    """
    return _local_stack() if name is None else stack_on_aws(name)


def stack_on_aws(name: str, *, region: str | None = None) -> Stack:
    """Return a stack of the caller's account. boto3 finds the credentials, and the region if none is given."""
    # boto3 does not read AWS_REGION, which the AWS CLI prefers.
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))

    @cache
    def client(service: str) -> Any:
        new_client: Any = session.client
        return new_client(service, config=_CONFIG)

    stack = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Stack(name=name, outputs=outputs, client=client)


def _local_stack() -> Stack:
    here = Path.cwd()
    file = next((folder / OUTPUTS for folder in (here, *here.parents) if (folder / OUTPUTS).is_file()), None)
    if file is None:
        raise CliError(
            "No local stack here: `make up` starts one, in the folder of the repository. "
            "For a stack on AWS, name it: --stack NAME."
        )
    outputs = json.loads(file.read_text())
    session = boto3.Session(region_name=outputs["region"])

    @cache
    def client(service: str) -> Any:
        new_client: Any = session.client
        return new_client(service, endpoint_url=outputs["endpoint_url"], config=_LOCAL_CONFIG, **LOCAL_CREDENTIALS)

    return Stack(name="sampai", outputs=outputs, client=client, is_local=True)
