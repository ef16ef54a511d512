"""`sampai story`: all that is known about one message."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from sampai.adapters.attempts import DynamoAttempts
from sampai.domain.times import to_text
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.runtime import UnavailableError
from sampai_cli.errors import CliError
from sampai_cli.lines import STYLES
from sampai_cli.messages import facts_of, history_of, is_final, read_item
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
    "detail",
    "vendor_words",
)
"""The columns of the failed attempts."""

POLL_SECONDS: Final = 1.0
ARRIVAL_SECONDS: Final = 60
"""How long `--follow` waits for a message that is still in the queue."""


NOT_SHOWN: Final = "The vendors' words are not shown: they need dynamodb:Query on the table of attempts."


def read_attempts(run: Run, message_id: str) -> list[AttemptRecord] | None:
    """Return the failed attempts of a message with the vendors' words.

    None if the stack is older than their table, or if the caller has no permission to read it.
    """
    if "AttemptsTableName" not in run.stack.outputs:
        return None
    attempts = DynamoAttempts(run.client("dynamodb"), table=run.stack.output("AttemptsTableName"))
    try:
        return attempts.read(message_id)
    except UnavailableError as error:
        if "AccessDenied" not in str(error):
            raise
        run.note(NOT_SHOWN)
        return None


def row_of_attempt(record: AttemptRecord) -> dict[str, Any]:
    """Return an attempt with the columns of `ATTEMPTS`."""
    return {name: _shown(getattr(record, name)) for name in ATTEMPTS}


def _shown(value: Any) -> Any:
    return to_text(value) if isinstance(value, datetime) else value


def add_to(app: typer.Typer) -> None:
    @command(app, "dynamodb:GetItem on MessagesTable", "dynamodb:Query on AttemptsTable (optional: the vendors' words)")
    def story(
        run: Run,
        message_id: Annotated[str, typer.Argument(help="The message_id.")],
        follow: Annotated[bool, typer.Option("--follow", help="Show each status until the message ends.")] = False,
        timeout: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds, with --follow.")] = 600,
    ) -> None:
        """Show one message: its facts, each status, and each failed attempt with the vendor's words."""
        if follow:
            _follow(run, message_id, seconds=timeout)
        item = read_item(run, message_id)
        if item is None:
            raise CliError(unknown(run, message_id))
        facts, history, records = facts_of(item), history_of(item), read_attempts(run, message_id)
        attempts = None if records is None else [row_of_attempt(record) for record in records]
        if run.as_json:
            run.print_json(facts | {"history": history, "attempts": attempts})
            return
        run.show_fields(facts, title=message_id)
        if not follow:
            _show_history(run, history)
        if attempts:
            run.show(attempts, *ATTEMPTS, title="Failed attempts")


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
            raise CliError(unknown(run, message_id))
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


def unknown(run: Run, message_id: str) -> str:
    """Return the sentence about an id that no message has."""
    return (
        f"There is no message {message_id} in {run.stack.name}. Its request may still be in a queue, was never sent, "
        "or is older than the retention. `sampai dlq list` shows requests that failed."
    )
