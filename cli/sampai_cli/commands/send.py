"""`sampai send`: put requests on a queue."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer
from rich.progress import Progress

from sampai_cli.csv_file import read_rows
from sampai_cli.errors import CliError, InputError, read_text
from sampai_cli.lines import show_event
from sampai_cli.listener import listening, new_name
from sampai_cli.run import Run, command, now
from sampai_client import Client
from sampai_client.client import check_body, to_body

FINAL: Final = frozenset({"unconfirmed", "canceled", "failed", "undelivered", "delivered", "read"})
FOLLOW_SECONDS: Final = 600


def client_of(run: Run) -> Client:
    return Client(
        run.client("sqs"),
        send_queue_url=run.stack.output("SendQueueUrl"),
        urgent_queue_url=run.stack.output("UrgentQueueUrl"),
        clock=now,
    )


def add_to(app: typer.Typer) -> None:
    @command(app, "sqs:SendMessage on SendQueue, UrgentQueue", "with --follow: as `tail`")
    def send(
        run: Run,
        to: Annotated[str | None, typer.Option(help="E.164 number with +, or an e-mail address.")] = None,
        text: Annotated[str | None, typer.Option(help="The text; with --csv, of the rows without one.")] = None,
        message_id: Annotated[str | None, typer.Option("--id", help="The message_id. Default: a new one.")] = None,
        channel: Annotated[str | None, typer.Option(help="sms (default), whatsapp, …")] = None,
        sender: Annotated[str | None, typer.Option(help="Sender id or label.")] = None,
        category: Annotated[str | None, typer.Option(help="otp, transactional (default) or promotional.")] = None,
        provider: Annotated[str | None, typer.Option(help="Name of a provider. Default: the route decides.")] = None,
        request: Annotated[
            Path | None, typer.Option(help="A file with one whole request in JSON, of any kind; - is standard input.")
        ] = None,
        csv: Annotated[
            Path | None, typer.Option("--csv", help="A CSV file: a header with names of fields, a message on each row.")
        ] = None,
        prefix: Annotated[
            str | None, typer.Option(help="With --csv: begins the ids of rows without one. Default: the file's name.")
        ] = None,
        urgent: Annotated[bool, typer.Option("--urgent", help="Use the queue that never waits behind others.")] = False,
        follow: Annotated[bool, typer.Option("--follow", help="Show the events of the message until it ends.")] = False,
    ) -> None:
        """Validate one message or a whole file, and put it on a queue.

        It is safe to repeat: one message_id is one message. The rows of a CSV file get ids from the name of the file
        and the number of the row, so the same file is never sent twice. For a new campaign use a new file name.
        """
        fields = {"channel": channel, "sender": sender, "category": category, "provider": provider}
        given = {name: value for name, value in fields.items() if value is not None}
        if csv is not None:
            _refuse_beside(csv=True, to=to, id=message_id, request=request, follow=follow)
            defaults = given | ({"text": text} if text is not None else {})
            _send_file(run, csv, prefix=prefix, defaults=defaults, urgent=urgent)
            return
        if request is not None:
            _refuse_beside(request=True, to=to, text=text, id=message_id, **given)
            document = _read_request(request)
        elif to is None or text is None:
            raise InputError("Nothing to send: give --to and --text, or --request FILE, or --csv FILE.")
        else:
            content = {"type": "text", "text": text}
            document = {"message_id": message_id or f"cli-{uuid4().hex}", "recipient": to, "content": content} | given
        _send_one(run, document, urgent=urgent, follow=follow)


def _refuse_beside(**options: Any) -> None:
    first, *others = [name for name, value in options.items() if value]
    if others:
        raise InputError(f"--{others[0]} does not go together with --{first}. Nothing was sent.")


def _read_request(file: Path) -> dict[str, Any]:
    text = sys.stdin.read() if str(file) == "-" else read_text(file)
    try:
        document = json.loads(text)
    except ValueError as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{file.name} is not JSON{where}. Nothing was sent.") from None
    if not isinstance(document, dict):
        raise InputError(f"{file.name} is no JSON object. A request begins with {{. Nothing was sent.")
    return document


def _send_one(run: Run, document: Mapping[str, Any], *, urgent: bool, follow: bool) -> None:
    if (detail := check_body(to_body(document), now=now())) is not None:
        raise InputError(f"The request is invalid, and nothing was sent. {detail}.")
    if follow:
        _send_and_follow(run, document, urgent=urgent)
        return
    _put(run, document, urgent=urgent)
    message_id = document.get("message_id")
    if run.as_json:
        run.print_json({"queued": 1, "message_id": message_id})
    elif message_id is None:
        run.say("The request is on the queue.")
    else:
        run.say(f"{message_id} is on the queue. See its story: sampai story {message_id} --follow")


def _put(run: Run, document: Mapping[str, Any], *, urgent: bool) -> None:
    if refused := client_of(run).send([document], urgent=urgent):
        raise CliError(f"SQS did not take the request ({refused[0].code}). It is safe to repeat the command.")


def _send_and_follow(run: Run, document: Mapping[str, Any], *, urgent: bool) -> None:
    message_id = document.get("message_id")
    if message_id is None:
        raise InputError("--follow needs a request with a message_id. Nothing was sent.")
    pattern = {"source": ["sampai"], "detail": {"message_id": [message_id]}}
    bus = run.stack.output("EventBusName")
    with listening(run.client, name=new_name(), bus=bus, pattern=pattern) as listener:
        _put(run, document, urgent=urgent)
        for event in listener.events_for(FOLLOW_SECONDS):
            show_event(run, event)
            if event["detail-type"] == "Request Rejected" or event["detail"].get("status") in FINAL:
                return
    raise CliError(
        f"{message_id} has not ended after {FOLLOW_SECONDS} seconds. A repeated request has no new events. "
        f"See where it is: sampai story {message_id}"
    )


def _send_file(run: Run, file: Path, *, prefix: str | None, defaults: Mapping[str, Any], urgent: bool) -> None:
    rows = read_rows(file, prefix=prefix, defaults=defaults, now=now())
    sent = 0
    with Progress(console=run.err, transient=True) as progress:
        task = progress.add_task(f"Sending {file.name}", total=len(rows))

        def advance(count: int) -> None:
            nonlocal sent
            sent += count
            progress.advance(task, count)

        try:
            refused = client_of(run).send([row.request for row in rows], urgent=urgent, on_progress=advance)
        except Exception:
            run.note(f"Stopped after {sent} of {len(rows)} rows. It is safe to repeat the command with the same file.")
            raise
    ids = [row.request["message_id"] for row in rows]
    if run.as_json:
        run.print_json({"queued": len(rows) - len(refused), "refused": [rows[each.index].number for each in refused]})
    else:
        run.say(f"{len(rows) - len(refused)} requests are on the queue, {ids[0]} to {ids[-1]}.")
    if refused:
        numbers = ", ".join(str(rows[each.index].number) for each in refused)
        raise CliError(
            f"SQS did not take {len(refused)} rows ({refused[0].code}): {numbers}. "
            "It is safe to repeat the command with the same file."
        )
