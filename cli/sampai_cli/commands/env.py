"""`sampai env`: the outputs of a stack as variables of a shell."""

import re
from shlex import quote

import typer

from sampai_cli.run import Run, command
from sampai_cli.stack import LOCAL_CREDENTIALS, Stack


def variables(stack: Stack) -> dict[str, str]:
    """Return the outputs by the names of variables; for the local stack also those that lead the AWS CLI to it."""
    found = {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): value
        for name, value in stack.outputs.items()
        if isinstance(value, str) and name[0].isupper()
    }
    if stack.is_local:
        found |= {"AWS_ENDPOINT_URL": stack.outputs["endpoint_url"]}
        found |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), stack.outputs["region"])
        found |= {name.upper(): value for name, value in LOCAL_CREDENTIALS.items()}
    return found


def add_to(app: typer.Typer) -> None:
    @command(app, "none")
    def env(run: Run) -> None:
        """Print the stack outputs as variables: `eval "$(sampai env)"`."""
        found = variables(run.stack)
        if run.as_json:
            run.print_json(found)
            return
        for name, value in found.items():
            run.write(f"export {name}={quote(value)}")
