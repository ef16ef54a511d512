"""The reference page of the tool, from its help and the permissions that its commands declare."""

from collections.abc import Iterator
from typing import Any, Final

import typer
from typer.main import get_command

from sampai_cli.app import app
from sampai_cli.run import PERMISSIONS

ABOUT: Final = """\
`sampai` is in `.venv/bin` after `make up`. Elsewhere: `pipx install ./cli` in a copy of this repository, or
`pip install ./cli`.

Without `--stack` a command works on the local stack, and never uses the credentials of an account. With `--stack NAME`,
or `SAMPAI_STACK`, it finds the stack on AWS by its name, with your own credentials: `AWS_PROFILE` and `AWS_REGION`
count as for the AWS CLI. Every command takes `--stack` and `--json`. Both may stand before the name of the command.

No command prints a text, a full number or a credential. Only `webhooks urls` prints secrets: the addresses have tokens.
Before anything that cannot be undone a command asks; `--yes` answers.

| exit status | |
|---|---|
| 0 | done |
| 1 | not done, or something is wrong with the stack. The sentence on standard error names the cause and the next step |
| 2 | the command line or a file is wrong. Nothing was done |

On AWS every command needs `cloudformation:DescribeStacks` on the stack, and the permissions that are listed with it. If
the stack has a KMS key of its own, add `kms:Decrypt` with that key, and `kms:GenerateDataKey` for commands that put
something on a queue."""


def parts() -> Iterator[str]:
    """Yield the parts of the page: the introduction, and a section for each command."""
    yield ABOUT
    for path, command, permissions in _commands(app, get_command(app), "sampai"):
        yield f"## {path}"
        yield str(command.help)
        yield f"```console\n$ {path}{''.join(map(_usage, _own(command)))}\n```"
        if described := [_describe(parameter) for parameter in _own(command)]:
            yield "\n".join(described)
        if permissions != ("none",):
            yield "Permissions:\n\n" + "\n".join(f"- {each}" for each in permissions)


def _commands(group: typer.Typer, command: Any, path: str) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Yield each command with its path and its permissions, in the order of the help."""
    for info in group.registered_commands:
        assert info.callback is not None  # noqa: S101 - a decorator registered it with one
        name = info.name or info.callback.__name__.replace("_", "-")
        yield f"{path} {name}", command.commands[name], PERMISSIONS[info.callback]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None  # noqa: S101 - it was added with one
        yield from _commands(inner.typer_instance, command.commands[inner.name], f"{path} {inner.name}")


def _own(command: Any) -> list[Any]:
    """Return the parameters of a command, without those of all commands."""
    return [each for each in command.params if not {"--stack", "--json", "--help"} & set(each.opts)]


def _usage(parameter: Any) -> str:
    if parameter.param_type_name != "argument":
        return ""
    name = _name(parameter)
    return f" {name}" if parameter.required else f" [{name}]"


def _name(parameter: Any) -> str:
    name: str = parameter.metavar or parameter.name.upper()
    return f"{name} …" if parameter.nargs == -1 else name


def _describe(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = _name(parameter)
    else:
        shown = ", ".join([*parameter.opts, *parameter.secondary_opts]) + (
            "" if parameter.is_flag else f" {parameter.name.upper()}"
        )
    return f"- `{shown}`: {parameter.help}{_default(parameter)}"


def _default(parameter: Any) -> str:
    if parameter.default in (None, False):
        return ""
    if parameter.default is True:
        return f" Default: {parameter.opts[0]}."
    shown = f"{parameter.default:,}" if isinstance(parameter.default, int) else parameter.default
    return f" Default: {shown}."
