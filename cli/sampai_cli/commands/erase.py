"""`sampai erase`: remove a person from every table."""

import typer

from sampai.adapters.attempts import DynamoAttempts
from sampai.adapters.encryption_keys import DynamoEncryptionKeys
from sampai.adapters.personal_data import DynamoPersonalData
from sampai.adapters.store import DynamoStore
from sampai.domain.recipient import mask
from sampai.services.erase import EraseService
from sampai_cli.errors import CliError
from sampai_cli.person import NumberArgument, recipient_of
from sampai_cli.run import Run, YesOption, command, now
from sampai_cli.telemetry import Notes


def erase_service(run: Run) -> EraseService:
    stack, dynamodb = run.stack, run.client("dynamodb")
    messages = stack.output("MessagesTableName")
    return EraseService(
        personal_data=DynamoPersonalData(
            dynamodb,
            messages_table=messages,
            inbox_table=stack.resource("InboxTable"),
            directory_table=stack.resource("DirectoryTable"),
            media_table=stack.resource("MediaTable"),
        ),
        messages=DynamoStore(
            dynamodb,
            messages_table=messages,
            correlations_table=stack.resource("CorrelationsTable"),
            clock=now,
            telemetry=Notes(run),
        ),
        encryption_keys=DynamoEncryptionKeys(dynamodb, table=stack.output("EncryptionKeysTableName")),
        attempts=DynamoAttempts(dynamodb, table=stack.output("AttemptsTableName")),
        clock=now,
    )


def add_to(app: typer.Typer) -> None:
    @command(
        app,
        "cloudformation:DescribeStackResource on the stack",
        "dynamodb:Scan on MessagesTable, InboxTable, DirectoryTable, MediaTable",
        "dynamodb:BatchGetItem, dynamodb:PartiQLUpdate on MessagesTable",
        "dynamodb:DeleteItem on InboxTable, DirectoryTable, MediaTable, EncryptionKeysTable, AttemptsTable",
        "dynamodb:Query on AttemptsTable",
    )
    def erase(run: Run, number: NumberArgument = None, yes: YesOption = False) -> None:
        """Erase a person from every table: number or address, texts, files and metadata.

        Reads four tables from the first item to the last: docs/how-to/erase-a-person.md names the price.
        """
        recipient = recipient_of(run, number)
        name = f"{mask(recipient)} from {run.stack.name}"
        run.confirm(f"Erase {name}? This cannot be undone.", yes=yes)
        with run.err.status("Reading all tables ..."):
            erased = erase_service(run).erase(recipient)
        counts = {
            "messages (their ids and statuses stay)": erased.messages,
            "parts of files": erased.files,
            "inbound messages": erased.inbound,
            "conversations": erased.conversations,
            "quota counters": erased.quota_counters,
        }
        rows = [{"items": items, "count": count} for items, count in counts.items()]
        run.show(rows, "items", "count", title=f"Erased {name}")
        if erased.ids_with_number:
            run.say(f"The message_id of {erased.ids_with_number} of these messages contains the number, and stays.")
        if erased.unreadable:
            raise CliError(
                f"{erased.unreadable} messages are unreadable to this release, and stay. Update and run again."
            )
