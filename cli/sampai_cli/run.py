"""One run of a command: its stack, its output, and the decorator that makes a command of a function."""

import csv
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, wraps
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sampai_cli.errors import EXPECTED, CliError, explain
from sampai_cli.stack import Stack, find_stack

Find = Callable[[str | None], Stack]

WIDTH: Final = 200
"""Columns of output that no person sees in a terminal: a pipe or a file."""

StackOption = Annotated[
    str | None,
    typer.Option("--stack", envvar="SAMPAI_STACK", help="Name of a stack on AWS. Default: the local stack."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", envvar="YES", help="Do not ask for confirmation.")]


@dataclass(slots=True, kw_only=True)
class Globals:
    """The options before the name of the command, and the way to a stack, which tests replace."""

    find: Find = find_stack
    stack: str | None = None
    as_json: bool = False


@dataclass(kw_only=True)
class Run:
    find: Callable[[], Stack]
    as_json: bool = False
    out: Console = field(default_factory=lambda: _console(stderr=False))
    err: Console = field(default_factory=lambda: _console(stderr=True))

    @cached_property
    def stack(self) -> Stack:
        """The stack, which is looked up by the first command that needs it."""
        return self.find()

    def client(self, service: str) -> Any:
        return self.stack.client(service)

    def say(self, text: str) -> None:
        """Print a sentence for a person. With `--json` it goes to standard error."""
        (self.err if self.as_json else self.out).print(Text(text), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a remark beside the output, such as a price, to standard error."""
        self.err.print(Text(text), style="dim", soft_wrap=True)

    def write(self, text: str) -> None:
        """Print a text as it is, for a program or a file."""
        self.out.print(Text(text), soft_wrap=True)

    def print_json(self, document: Any) -> None:
        """Print a document with indentation."""
        self.write(json.dumps(document, indent=2, ensure_ascii=False))

    def print_line(self, document: Mapping[str, Any]) -> None:
        """Print one document of a stream of them, on one line."""
        self.write(json.dumps(document, ensure_ascii=False))

    def show(self, rows: Sequence[Mapping[str, Any]], *columns: str, title: str | None = None) -> None:
        """Print rows as a table with these columns, or all of their fields as JSON."""
        if self.as_json:
            self.print_json(list(rows))
            return
        table = Table(*columns, title=title, title_justify="left", title_style="bold")
        for row in rows:
            table.add_row(*(Text(_cell(row.get(column))) for column in columns))
        self.out.print(table)

    def show_fields(self, fields: Mapping[str, Any], *, title: str | None = None) -> None:
        """Print the fields of one thing, one on a line; those without a value only as JSON."""
        if self.as_json:
            self.print_json(fields)
            return
        table = Table(show_header=False, title=title, title_justify="left", title_style="bold")
        for name, value in fields.items():
            if value not in (None, "", [], {}):
                table.add_row(name, Text(_cell(value)))
        self.out.print(table)

    def print_csv(self, rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
        writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before anything that cannot be undone. Raises CliError unless the answer is yes."""
        if yes:
            return
        try:
            answer = self.err.input(Text(f"{question} [y/N] "))
        except EOFError:
            raise CliError("Nothing was changed: there is nobody to ask. Repeat the command with --yes.") from None
        if answer.strip().lower() not in ("y", "yes"):
            raise CliError("Nothing was changed.")


def now() -> datetime:
    """Return the present instant as finely as the store keeps it, in milliseconds."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


PERMISSIONS: Final[dict[Callable[..., Any], tuple[str, ...]]] = {}
"""The least permissions of each command, for the reference page."""


def command(group: typer.Typer, *permissions: str, name: str | None = None) -> Callable[[Callable[..., None]], Any]:
    """Make a command of a function that takes a Run and the command's own parameters.

    The options `--stack` and `--json` are added. Every expected error becomes one sentence and an exit status.
    `permissions` are the IAM actions on the stack, each with its resource: `dynamodb:GetItem MessagesTable`.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(*, stack: str | None, as_json: bool, **parameters: Any) -> None:
            # typer brings its own click, without a public way to the context of a command.
            context: typer.Context = parameters.pop("context")
            given = context.find_object(Globals) or Globals()
            path = context.command_path.partition(" ")[2]
            this_run = Run(find=lambda: given.find(stack or given.stack), as_json=as_json or given.as_json)
            try:
                function(this_run, **parameters)
            except EXPECTED as error:
                explained = explain(error, command=path)
                this_run.err.print(Text(str(explained)), soft_wrap=True)
                raise typer.Exit(explained.status) from None

        own = list(inspect.signature(function).parameters.values())[1:]
        added = {"context": typer.Context, "stack": StackOption, "as_json": JsonOption}
        defaults = {"stack": None, "as_json": False}
        own += [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hint,
                default=defaults.get(name, inspect.Parameter.empty),
            )
            for name, hint in added.items()
        ]
        del run.__dict__["__wrapped__"]
        run.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
        PERMISSIONS[run] = permissions
        group.command(name)(run)
        return run

    return decorate


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else WIDTH)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
