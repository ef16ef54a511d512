"""`python -m local.stage STAGE COMMAND`: run a command of the tool on a stage, for the targets of the Makefile."""

import os
import sys
import tomllib
from typing import Final

from local.stack.config import ROOT
from sampai_cli.app import app
from sampai_cli.errors import CliError
from sampai_cli.stack import Stack, find_stack, stack_on_aws

LOCAL: Final = "local"


def find(stage: str) -> Stack:
    """Return the stack of a stage of samconfig.toml, or the local stack for `local`.

    Raises CliError, and botocore's ClientError and BotoCoreError.
    """
    if stage == LOCAL:
        return find_stack(None)
    stack_name, region = _parameters(stage)
    return stack_on_aws(stack_name, region=region)


def _parameters(stage: str) -> tuple[str, str]:
    """Return the name and the region of the stack of a stage."""
    try:
        parameters = tomllib.loads((ROOT / "samconfig.toml").read_text())[stage]["global"]["parameters"]
    except KeyError:
        raise CliError(f"samconfig.toml has no stage {stage}.", status=2) from None
    return parameters["stack_name"], parameters["region"]


def main(arguments: list[str]) -> None:
    """Run the tool with the stack and the region of a stage."""
    stage, *command = arguments
    os.environ.pop("SAMPAI_STACK", None)
    if stage != LOCAL:
        try:
            os.environ["SAMPAI_STACK"], os.environ["AWS_REGION"] = _parameters(stage)
        except CliError as error:
            sys.exit(str(error))
    app(command)


if __name__ == "__main__":
    main(sys.argv[1:])
