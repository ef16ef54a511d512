"""`sampai opt-out`, `opt-in` and `consent`: the wishes of a recipient."""

from datetime import datetime
from typing import Annotated, Any

import typer

from sampai.adapters.aws import unavailable
from sampai.adapters.directory import NUMBER
from sampai.domain.recipient import keyed_digest, mask
from sampai.domain.times import to_text
from sampai_cli.commands.send import client_of
from sampai_cli.errors import CliError
from sampai_cli.lines import since
from sampai_cli.person import NumberArgument, recipient_of
from sampai_cli.run import Run, command, now

AtOption = Annotated[
    str | None,
    typer.Option("--at", help="Time of the wish: 30m or 2h ago, or an RFC 3339 time. Default: now. The newest counts."),
]


def read_consent(run: Run, recipient: str) -> dict[str, Any] | None:
    """Return `opted_out` and `changed_at` of a recipient, or None. Raises UnavailableError."""
    secret_id = run.stack.resource("FingerprintSecret")
    with unavailable("fingerprint key"):
        key = run.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
    table = run.stack.resource("DirectoryTable")
    entry = {"directory_key": {"S": f"{NUMBER}{keyed_digest(recipient, key.encode())}"}}
    with unavailable("directory"):
        item = run.client("dynamodb").get_item(TableName=table, Key=entry, ConsistentRead=True).get("Item")
    return item and {"opted_out": item["opted_out"]["BOOL"], "changed_at": item["changed_at"]["S"]}


def _put_wish(run: Run, wish: str, number: str | None, at: str | None) -> None:
    recipient = recipient_of(run, number)
    instant: datetime = now() if at is None else since(at, now=now())
    # The urgent queue, because a campaign in the other one must not go out before the wish is known. The time is
    # always given, so that the request stays true if it is redriven from the dead-letter queue.
    if refused := client_of(run).send([{wish: recipient, "at": to_text(instant)}], urgent=True):
        raise CliError(f"SQS did not take the request ({refused[0].code}). It is safe to repeat the command.")
    run.say(f"{mask(recipient)} opts {'out' if wish == 'opt_out' else 'in'}: the request is on the queue.")


def add_to(app: typer.Typer) -> None:
    @command(app, "sqs:SendMessage on UrgentQueue", name="opt-out")
    def opt_out(run: Run, number: NumberArgument = None, at: AtOption = None) -> None:
        """Send a person no more promotional messages."""
        _put_wish(run, "opt_out", number, at)

    @command(app, "sqs:SendMessage on UrgentQueue", name="opt-in")
    def opt_in(run: Run, number: NumberArgument = None, at: AtOption = None) -> None:
        """Allow promotional messages to a person again."""
        _put_wish(run, "opt_in", number, at)

    @command(
        app,
        "cloudformation:DescribeStackResource on the stack",
        "dynamodb:GetItem on DirectoryTable",
        "secretsmanager:GetSecretValue on FingerprintSecret",
    )
    def consent(run: Run, number: NumberArgument = None) -> None:
        """Show whether a person has opted out, and when."""
        recipient = recipient_of(run, number)
        found = read_consent(run, recipient)
        if run.as_json:
            run.print_json(found)
        elif found is None:
            run.say(f"{mask(recipient)} has neither opted out nor in.")
        else:
            run.say(f"{mask(recipient)} opted {'out' if found['opted_out'] else 'in'} at {found['changed_at']}.")
