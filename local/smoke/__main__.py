"""`python -m local.smoke STAGE`: check a deployed stage in at most five minutes, without a vendor."""

import sys
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.smoke.checks import Result, Smoke
from local.stage import find
from sampai_cli.errors import CliError


def main(arguments: list[str]) -> int:
    """Check the stage that the argument names and print a table. Returns the exit status: 0 only if all checks hold."""
    if len(arguments) != 1:
        print("usage: python -m local.smoke STAGE (a stage of samconfig.toml, or local)", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    try:
        target = find(arguments[0])
    except (CliError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    results: list[Result] = []
    try:
        with console.status("Checking; the wake-up takes two minutes ..."):
            holds = Smoke(target, now=datetime.now(UTC)).run(results.append)
    except KeyboardInterrupt:
        return 130
    finally:
        console.print(_table(target.name, results))
    return 0 if holds else 1


def _table(stack_name: str, results: list[Result]) -> Table:
    table = Table("check", "", "", title=f"Smoke test of {stack_name}", title_justify="left")
    for result in results:
        table.add_row(
            result.check, "[green]holds[/green]" if result.holds else "[red]FAILS[/red]", escape(result.detail)
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
