"""`sampai dlq`: requests that Sampai failed to process."""

from typing import Annotated, Any, Final

import typer

from sampai.domain.times import to_text
from sampai_cli.dead_letters import Letter, body_of, held, row_of
from sampai_cli.errors import CliError
from sampai_cli.run import Run, YesOption, command, now

READ: Final = "sqs:ReceiveMessage, sqs:ChangeMessageVisibility on DeadLetterQueue"
LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="The most letters to look at.")]
COLUMNS: Final = ("sqs_id", "kind", "message_id", "sent_at", "caller", "remark")


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The dead-letter queue: requests that failed five times.", no_args_is_help=True)
    app.add_typer(group, name="dlq")
    _add_reads(group)
    _add_redrive(group)


def _add_reads(group: typer.Typer) -> None:
    @command(group, READ, name="list")
    def list_letters(run: Run, limit: LimitOption = 100) -> None:
        """List the letters. All stay in the queue; while the command runs, other readers do not see them."""
        with held(run.client("sqs"), run.stack.output("DeadLetterQueueUrl"), limit=limit) as letters:
            run.show([row_of(letter, now=now()) for letter in letters], *COLUMNS)

    @command(group, READ)
    def show(
        run: Run,
        letter_id: Annotated[str, typer.Argument(metavar="ID", help="The sqs_id or message_id of a letter.")],
        limit: LimitOption = 1000,
    ) -> None:
        """Show the body of a letter, with masked numbers and without texts."""
        with held(run.client("sqs"), run.stack.output("DeadLetterQueueUrl"), limit=limit) as letters:
            found = [letter for letter in letters if letter_id in (letter.sqs_id, letter.message_id)]
        if not found:
            raise CliError(f"No letter {letter_id} among {len(letters)}. `sampai dlq list` shows the ids.")
        shown = [row_of(letter, now=now()) | {"body": body_of(letter)} for letter in found]
        if run.as_json:
            run.print_json(shown)
            return
        for fields in shown:
            body = fields.pop("body")
            run.show_fields(fields)
            run.print_json(body)


def _add_redrive(group: typer.Typer) -> None:
    @command(
        group,
        READ,
        "sqs:DeleteMessage on DeadLetterQueue",
        "sqs:GetQueueUrl, sqs:SendMessage on SendQueue, UrgentQueue",
    )
    def redrive(
        run: Run,
        ids: Annotated[
            list[str] | None, typer.Argument(help="The sqs_id or message_id of letters. Default: all.")
        ] = None,
        limit: LimitOption = 1000,
        yes: YesOption = False,
    ) -> None:
        """Put letters back on the queues that they came from. A message that was sent is not sent again.

        An opt-in without `at` stays, because it would overrule a later opt-out. A request that never became a message
        gets you as its caller.
        """
        sqs, instant = run.client("sqs"), now()
        url = run.stack.output("DeadLetterQueueUrl")
        with held(sqs, url, limit=limit) as letters:
            chosen = [letter for letter in letters if not ids or {letter.sqs_id, letter.message_id} & set(ids)]
            movable = [letter for letter in chosen if letter.objection(now=instant) is None]
            for letter in chosen:
                if remark := letter.objection(now=instant) or letter.warning(now=instant):
                    run.note(f"{letter.message_id or letter.sqs_id}: {remark}")
            if not movable:
                raise CliError(f"Nothing to redrive among {len(letters)} letters: {len(chosen)} stay.")
            oldest = to_text(min(letter.sent_at for letter in movable))
            run.confirm(f"Redrive {len(movable)} letters, the oldest of {oldest}? They will be sent.", yes=yes)
            for letter in movable:
                _move(sqs, url, letter, default_url=run.stack.output("SendQueueUrl"))
        left = len(chosen) - len(movable)
        if run.as_json:
            run.print_json({"redriven": len(movable), "left": left})
        else:
            run.say(f"Redrove {len(movable)} letters." + (f" {left} stay in the queue." if left else ""))


def _move(sqs: Any, url: str, letter: Letter, *, default_url: str) -> None:
    """Send a letter to its source, and then delete it: after an interruption it is there twice, which does no harm."""
    target = default_url
    if letter.source_arn is not None:
        target = sqs.get_queue_url(QueueName=letter.source_arn.rpartition(":")[2])["QueueUrl"]
    group = {} if letter.group is None else {"MessageGroupId": letter.group}
    sqs.send_message(QueueUrl=target, MessageBody=letter.body, **group)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.handle)
