"""Run a command of the tool in this process, on any stack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner, Result

from sampai_cli.app import app
from sampai_cli.run import Globals
from sampai_cli.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeStack(Stack):
    """A stack whose resources a test names, because no CloudFormation has them."""

    resources: Mapping[str, str]

    def resource(self, logical_id: str) -> str:
        return self.resources[logical_id]


def sampai(stack: Stack | Callable[[str | None], Stack], *arguments: str, **options: Any) -> Result:
    """Run `sampai` with arguments on a stack, or with a function that finds one by the name after `--stack`.

    Options are those of typer's `CliRunner.invoke`: `input`, `env`.
    """
    find = (lambda name: stack) if isinstance(stack, Stack) else stack
    options["env"] = {"SAMPAI_STACK": None, "NUMBER": None, "YES": None} | options.get("env", {})
    result = CliRunner().invoke(app, arguments, obj=Globals(find=find), **options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
