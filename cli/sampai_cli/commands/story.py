"""`sampai story`: all that is known about one message."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import ClientError
from rich.text import Text

from sampai_cli.errors import CliError
from sampai_cli.lines import STYLES
from sampai_cli.messages import facts_of, history_of, is_final, plain, read_item
from sampai_cli.run import Run, command

ATTEMPTS: Final = (
    "attempt",
    "provider",
    "began_at",
    "ended_at",
    "outcome",
    "http_status",
    "provider_code",
    "reason",
    "vendor_words",
)
"""The columns of the table of attempts."""

POLL_SECONDS: Final = 1.0
ARRIVAL_SECONDS: Final = 60
"""How long `--follow` waits for a message that is still in the queue."""


def attempts_of(run: Run, message_id: str) -> list[dict[str, Any]] | None:
    """Return the attempts of a message with the vendors' words, or None if the stack or the caller has no access."""
    table = run.stack.outputs.get("AttemptsTableName")
    if table is None:
        return None
    try:
        answer = run.client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="message_id = :id",
            ExpressionAttributeValues={":id": {"S": message_id}},
        )
    except ClientError as error:
        if error.response["Error"].get("Code") == "AccessDeniedException":
            run.note("The vendors' words are not shown: they need dynamodb:Query on the table of attempts.")
            return None
        raise
    rows = [{name: plain(item[name]) if name in item else None for name in ATTEMPTS} for item in answer["Items"]]
    return sorted(rows, key=lambda row: (row["began_at"] or "", row["attempt"] or 0))


def add_to(app: typer.Typer) -> None:
    @command(app, "dynamodb:GetItem on MessagesTable", "dynamodb:Query on AttemptsTable (optional: the vendors' words)")
    def story(
        run: Run,
        message_id: Annotated[str, typer.Argument(help="The message_id.")],
        follow: Annotated[bool, typer.Option("--follow", help="Show each status until the message ends.")] = False,
        timeout: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds, with --follow.")] = 600,
    ) -> None:
        """Show one message: its facts, each status, and each attempt with the vendor's answer."""
        if follow:
            _follow(run, message_id, seconds=timeout)
        item = read_item(run, message_id)
        if item is None:
            raise CliError(_unknown(run, message_id))
        facts, history, attempts = facts_of(item), history_of(item), attempts_of(run, message_id)
        if run.as_json:
            run.print_json(facts | {"history": history, "attempts": attempts})
            return
        run.show_fields(facts, title=message_id)
        if not follow:
            _show_history(run, history)
        if attempts:
            run.show(attempts, *ATTEMPTS, title="Attempts")


def _show_history(run: Run, history: Sequence[dict[str, Any]]) -> None:
    for entry in history:
        status = str(entry["status"])
        run.out.print(
            Text.assemble((f"{entry['at']}  ", "dim"), (status, STYLES.get(status, "")), f" by {entry['source']}")
        )


def _follow(run: Run, message_id: str, *, seconds: int) -> None:
    """Print each status when it comes, until the message is final. Raises CliError if it is not in time."""
    began, shown, status = time.monotonic(), 0, None
    while (passed := time.monotonic() - began) < seconds:
        item = read_item(run, message_id)
        if item is None and passed > ARRIVAL_SECONDS:
            raise CliError(_unknown(run, message_id))
        if item is not None:
            history, status = history_of(item), facts_of(item)["status"]
            if not run.as_json:
                _show_history(run, history[shown:])
            shown = len(history)
            if is_final(status):
                return
        time.sleep(POLL_SECONDS)
    raise CliError(
        f"{message_id} is still {status or 'in the queue'} after {seconds} seconds. To wait longer, raise --timeout."
    )


def _unknown(run: Run, message_id: str) -> str:
    return (
        f"There is no message {message_id} in {run.stack.name}. Its request may still be in a queue, was never sent, "
        "or is older than the retention. `sampai dlq list` shows requests that failed."
    )
