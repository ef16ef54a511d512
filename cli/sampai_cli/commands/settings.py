"""`sampai settings`, `stop` and `start`: the settings of a stack."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sampai_cli.configuration import (
    changes,
    check_settings,
    load,
    read_document,
    write_document,
)
from sampai_cli.errors import CliError, read_text
from sampai_cli.run import Run, YesOption, command

READ = "ssm:GetParameter on the settings"
WRITE = "ssm:PutParameter on the settings"

FileArgument = Annotated[Path, typer.Argument(help="A file with the whole document.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The settings: routes, providers, limits, switches.", no_args_is_help=True)
    app.add_typer(group, name="settings")
    _add_reads(group)
    _add_writes(group)
    _add_switches(app)


def _add_reads(group: typer.Typer) -> None:
    @command(group, READ)
    def show(
        run: Run,
        version: Annotated[int | None, typer.Option(min=1, help="An older version of the history.")] = None,
        effective: Annotated[bool, typer.Option("--effective", help="Together with the defaults.")] = False,
    ) -> None:
        """Print the stored document, as `settings set` takes it."""
        document = read_document(run, version=version)
        if document == "{}":
            run.note("Nothing is set: the defaults apply. See them: sampai settings show --effective.")
        if effective:
            run.print_json(
                check_settings(document, origin="The stored document").model_dump(mode="json", by_alias=True)
            )
            return
        # As it is stored, also if it is broken.
        run.write(json.dumps(found, indent=2, ensure_ascii=False) if (found := load(document)) else document)

    @command(group, "none")
    def check(run: Run, file: FileArgument) -> None:
        """Check a file, as the functions check the settings. Needs no stack."""
        check_settings(read_text(file), origin=file.name)
        run.say(f"{file.name} is valid.")

    @command(group, READ)
    def diff(run: Run, file: FileArgument) -> None:
        """Show the fields in which a file differs from the stored document."""
        document = read_text(file)
        check_settings(document, origin=file.name)
        _show_changes(run, changes(load(read_document(run)), load(document)))

    @command(group, "ssm:GetParameterHistory on the settings")
    def history(run: Run) -> None:
        """List the versions, each with its author and the fields that it changed."""
        pages = run.client("ssm").get_paginator("get_parameter_history")
        name = run.stack.output("SettingsParameterName")
        found = [entry for page in pages.paginate(Name=name) for entry in page["Parameters"]]
        rows: list[dict[str, Any]] = []
        before: dict[str, Any] = {}
        for entry in found:
            after = load(entry["Value"])
            rows.append(
                {
                    "version": entry["Version"],
                    "at": entry["LastModifiedDate"].isoformat(timespec="seconds"),
                    "by": entry.get("LastModifiedUser", "").rpartition("/")[2],
                    "changed": ", ".join(change["field"] for change in changes(before, after)),
                }
            )
            before = after
        run.show(rows[::-1], "version", "at", "by", "changed")


def _add_writes(group: typer.Typer) -> None:
    @command(group, READ, WRITE, name="set")
    def set_document(run: Run, file: FileArgument, yes: YesOption = False) -> None:
        """Check a file, show its changes, and store it. A broken one is never stored. In force within a minute."""
        document = read_text(file)
        check_settings(document, origin=file.name)
        changed = changes(load(read_document(run)), load(document))
        if not changed:
            run.say("No difference: nothing was stored.")
            return
        _show_changes(run, changed)
        run.confirm(f"Store these settings in {run.stack.name}?", yes=yes)
        version = write_document(run, document)
        back = f" Back: sampai settings show --version {version - 1} > FILE, then set FILE." if version > 1 else ""
        run.say(f"Stored as version {version}, in force within a minute.{back}")


def _add_switches(app: typer.Typer) -> None:
    @command(app, READ, WRITE)
    def stop(run: Run) -> None:
        """Stop all sending: every message waits, and none is lost."""
        _switch(run, sending=False, done="Sending stops within a minute. Messages wait: `sampai start` sends them.")

    @command(app, READ, WRITE)
    def start(run: Run) -> None:
        """Start sending again: the waiting messages go out."""
        _switch(run, sending=True, done="Sending starts within a minute; the waiting messages go out.")


def _switch(run: Run, *, sending: bool, done: str) -> None:
    document = read_document(run)
    before = load(document)
    try:
        check_settings(document, origin="The stored document")
    except CliError as error:
        raise CliError(f"{error} Correct it first: sampai settings set FILE.") from None
    if before.get("sending_enabled", True) is sending:
        run.say(f"Sending is {'on' if sending else 'stopped'} already.")
        return
    write_document(run, json.dumps(before | {"sending_enabled": sending}, indent=2, ensure_ascii=False))
    run.say(done)


def _show_changes(run: Run, found: list[dict[str, Any]]) -> None:
    if found or run.as_json:
        run.show(found, "field", "before", "after")
    else:
        run.say("No difference.")
